r"""The layers of one token of the `columnwise` generator: hidden ones, and a last one that is smooth along a number.

A number is drawn from cells of its quantile (`networks.columnwise_tokens`). With a logit of its own for each, nothing
says that two neighbours are alike: few rows lie in either, and in the game the noise of the gradient moves each by
itself, which boosted trees see and a penalised discriminator does not. A part that is smooth along the cells moves them
together. With u the last hidden layer of the token and :math:`s_j` the normal score of the middle of cell j, it adds

.. math::
    \frac{s_j^2}{2} - \frac{(s_j - \mu)^2}{2 \sigma^2} + \sum_m h_m(s_j) \, w_m \cdot u, \qquad
    \mu = a \cdot u, \quad \log \sigma = b \cdot u

to the logit of cell j. Without the sum the number's score is normal with mean :math:`\mu` and deviation :math:`\sigma`,
however sharp: the encoding makes it standard normal by itself. The :math:`h_m` are the piecewise linear functions of
`columnwise_draws.hats_of` on knots that are even in the quantile. All begins at 0, so that the columns begin with the
frequencies of the training rows. Fine cells have the first two terms alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor, nn
from torch.nn import functional

from equipoise.networks.columnwise_draws import hats_of
from equipoise.networks.columnwise_tokens import Cells, Token
from equipoise.shapes import precise

LEAK = 0.1
LEAST_LOG, MOST_LOG = -5.0, 0.7
"""Of the logarithm of a deviation: 0.7 % and twice that of the column by itself."""


def unit(
    context: Tensor, bias: Tensor, first: Tensor, first_bias: Tensor, second: Tensor, second_bias: Tensor
) -> Tensor:
    """The last hidden layer of one token."""
    units = functional.leaky_relu(context + bias, LEAK)
    units = functional.leaky_relu(torch.addmm(first_bias, units, first), LEAK)
    return functional.leaky_relu(torch.addmm(second_bias, units, second), LEAK) + units


class SmoothPart(nn.Module):
    """The smooth parts of all numbers.

    Args:
        tokens: of the generator.
        cells: of its continuous blocks.
        knots: pieces of each number's functions; 0 for no smooth part.
        width: units of the last hidden layer.

    Attributes:
        weight: the vectors w of the head of this file. Shape `(cells and coarse cells, knots + 1, width)`.
        normal: the vectors a and b. Shape `(numbers' tokens, 2, width)`.
    """

    def __init__(self, tokens: Sequence[Token], cells: Sequence[Cells], *, knots: int, width: int) -> None:
        super().__init__()
        self.kinds = [token.kind for token in tokens]
        numbers = [place for place, kind in enumerate(self.kinds) if kind != "choice"] if knots else []
        self.places = {place: at for at, place in enumerate(numbers)}
        shaped = [place for place in numbers if self.kinds[place] != "fine"]
        self.shaped = {place: at for at, place in enumerate(shaped)}
        self.weight = nn.Parameter(torch.zeros(len(shaped), knots + 1, width)) if numbers else None
        self.normal = nn.Parameter(torch.zeros(len(numbers), 2, width)) if numbers else None
        for place in numbers:
            scores = torch.tensor(_scores(tokens[place], cells[tokens[place].number]))
            own = {"scores": scores}
            if place in self.shaped:
                own["hats"] = hats_of(scores, torch.tensor(ndtri((np.arange(knots) + 0.5) / knots)))
            for name, values in own.items():
                self.register_buffer(f"{name}_{place}", values.to(torch.get_default_dtype()), persistent=False)

    def logits(
        self, place: int, output: nn.Linear, units: Tensor, coarse: Tensor | None = None, *, in_game: bool
    ) -> Tensor:
        """Logits of one token, `(batch, size)`.

        Args:
            place: of the token.
            output: the last layer that it has of its own.
            units: of the last hidden layer. Shape `(batch, width)`.
            coarse: the coarse cell of each row, where these are fine ones.
            in_game: whether gradients are those of the game. Then of numbers the smooth part alone is moved: what lies
                between neighbouring cells is left as it began, or as likelihood has fitted it.
        """
        if place not in self.places:
            return precise(output(units))
        weight, bias = (each.detach() if in_game else each for each in (output.weight, output.bias))
        if place in self.shaped:
            weight = weight + self.get_buffer(f"hats_{place}") @ self.weight[self.shaped[place]]
        scores = self.get_buffer(f"scores_{place}")
        scores = scores if coarse is None else scores[coarse]
        mean, log = precise(functional.linear(units, self.normal[self.places[place]])).unsqueeze(2).unbind(1)
        off = (scores - mean) * torch.exp(-log.clamp(LEAST_LOG, MOST_LOG))
        return precise(functional.linear(units, weight, bias)) + (scores.square() - off.square()) / 2


def _scores(token: Token, cells: Cells) -> np.ndarray:
    """The normal score of the middle of each cell, `(cells,)`; of each coarse one; or `(coarse, fine)`, of each fine
    one. Where a coarse cell has no more, the last one's: no deviation then makes up for `NEVER`."""
    if token.kind == "coarse":
        shares = np.add.reduceat(cells.shares, cells.first[:-1])
        return ndtri(np.cumsum(shares) - shares / 2)
    scores = ndtri(np.cumsum(cells.shares) - cells.shares / 2)
    if token.kind == "cell":
        return scores
    starts, sizes = np.array(cells.first[:-1]), np.diff(cells.first)
    return scores[starts[:, None] + np.minimum(np.arange(sizes.max()), sizes[:, None] - 1)]
