r"""A generator that draws the columns of a table one after the other, and whose density is known.

.. math::
    q(x) = \prod_k q_k(x_k \mid x_1, \dots, x_{k-1})

Each token of a row (`networks.columnwise_tokens`) has a small network of its own. It reads the sum of embeddings of all
tokens before it, so that the cost grows with the number of columns and not with its square. Where a column is a choice,
:math:`q_k` is a softmax, drawn from latents by the Gumbel-max rule with the gradient of a relaxed draw. Where it is a
number, :math:`q_k` is a density that is constant on each cell of its quantile u; it is drawn as
:math:`u = F_k^{-1}(v)` from one uniform v, with the exact gradient of the implicit function

.. math::
    \frac{\partial u}{\partial \theta} = -\frac{1}{q_k(u)} \frac{\partial F_k(u)}{\partial \theta}

So the network can be played with as any generator is, can be fitted by likelihood, and can hold a column at a value and
say how likely that value was.

Reference:
    Sums of embeddings: Larochelle & Murray 2011 (NADE), Eq. 3; here with a network per column behind the sum.
    Straight-through Gumbel-softmax: Jang, Gu, Poole 2017, arXiv:1611.01144, section 2.2. Implicit gradients: Figurnov
    et al. 2018, arXiv:1805.08498, Eq. 5.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from equipoise.distributed import SINGLE_PROCESS, ProcessGroup
from equipoise.networks.base import Family
from equipoise.networks.columnwise_dependences import Dependences
from equipoise.networks.columnwise_discriminator import ColumnwiseDiscriminator
from equipoise.networks.columnwise_draws import (
    below_and_chance,
    gated,
    hats_of,
    invert,
    lengths,
    log_chance,
    restricted,
    with_implicit_gradient,
)
from equipoise.networks.columnwise_dropout import Dropout
from equipoise.networks.columnwise_layers import LEAK, SmoothPart, unit
from equipoise.networks.columnwise_restriction import Restriction
from equipoise.networks.columnwise_tokens import codes_of, tokens_of
from equipoise.networks.conditioning import label_embedding
from equipoise.networks.heads import draw_one_hot
from equipoise.shapes import Labels, Latents, PerSample, Samples, precise
from equipoise.spaces import TableSpace

HATS = 16
"""Piecewise linear functions of a number, which sum to 1, as later columns read it; and the number itself."""
OUTPUT_STD = 0.02
"""Of the last layers' weights at the start: the tokens begin all but independent of each other."""


class ColumnwiseGenerator(nn.Module):
    """Draws a row token by token; see the head of this module.

    The latents are the noise of the choices, one standard normal for each entry of a one-hot block, and one for each
    number. It starts at independent columns: with `start_at` at the frequencies of the training rows.

    Args:
        space: rows of a table.
        latents: not used: how many latents there are follows from the columns.
        width: units of the two hidden layers of each token.
        context: numbers in the sum of embeddings that a token reads.
        output_knots: pieces of the smooth part of a number's logits (`networks.columnwise_layers`), which is then all
            of a number's last layer that the game moves; 0 for none.
        dependences: columns that are looked up in another one, which decides them: names by name.
        classes: of a conditional game; 0 without labels.

    Attributes:
        has_likelihood: that `log_likelihoods` is there, and can be trained by.
    """

    has_likelihood = True

    def __init__(
        self,
        space: TableSpace,
        *,
        latents: int = 1,
        width: int = 96,
        context: int = 96,
        output_knots: int = 0,
        dependences: Mapping[str, str] | None = None,
        classes: int = 0,
    ) -> None:
        del latents
        super().__init__()
        if min(width, context) < 1 or output_knots < 0:
            raise ValueError(
                f"layers of {width} units behind a sum of {context} numbers, and {output_knots} knots; expected at "
                "least one of the first two, and 0 or more"
            )
        self.space = space
        self.dependences = Dependences(space, dependences or {})
        self.tokens, cells = tokens_of(space, without=self.dependences.columns)
        self.cells = nn.ModuleList(cells)
        sizes = [token.size for token in self.tokens]
        count = len(sizes)
        self.latent_dimensions = sum(token.size if token.kind == "choice" else 1 for token in self.tokens) - sum(
            token.kind == "fine" for token in self.tokens
        )
        self.drawn = sorted({token.column for token in self.tokens})
        self.read = [index for index, token in enumerate(self.tokens) if token.kind in ("cell", "fine")]
        self.embedding = nn.Parameter(torch.randn(sum(sizes), context) * 0.3)
        self.hats = nn.Parameter(torch.randn(len(self.read), HATS + 1, context) * 0.1)
        self.label_embedding = label_embedding(classes, context)
        self.context_bias = nn.Parameter(torch.empty(count, context).uniform_(-0.3, 0.3))
        self.first = nn.Parameter(torch.randn(count, context, width) / math.sqrt(context))
        self.first_bias = nn.Parameter(torch.empty(count, width).uniform_(-0.3, 0.3))
        self.second = nn.Parameter(torch.randn(count, width, width) / math.sqrt(width))
        self.second_bias = nn.Parameter(torch.zeros(count, width))
        self.outputs = nn.ModuleList(nn.Linear(width, size) for size in sizes)
        for output, token in zip(self.outputs, self.tokens, strict=True):
            # A number's cells begin with their shares of the training rows, which the game then leaves side by side.
            nn.init.normal_(output.weight, std=0.0 if output_knots and token.kind != "choice" else OUTPUT_STD)
            nn.init.zeros_(output.bias)
        self.smooth = SmoothPart(self.tokens, cells, knots=output_knots, width=width)
        self.fine_logits = "within" if output_knots else "never"
        places = torch.tensor([0, *sizes]).cumsum(0)[:-1]
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("read_places", torch.tensor(self.read, dtype=torch.long), persistent=False)
        knots = torch.special.ndtri((torch.arange(HATS) + 0.5) / HATS)
        self.register_buffer("knots", knots, persistent=False)

    def forward(self, latents: Latents, labels: Labels | None = None) -> Samples:
        """Rows of shape `(batch, width of a row)`."""
        return self._draw(latents, labels, None, None)[0]

    def generate_given(self, latents: Latents, given: Samples, known: Tensor, labels: Labels | None = None) -> Samples:
        """The rows of `draw_given`."""
        return self.draw_given(latents, given, known, labels)[0]

    def draw_given(
        self,
        latents: Latents,
        given: Samples,
        known: Tensor,
        labels: Labels | None = None,
        restriction: Restriction | None = None,
    ) -> tuple[Samples, PerSample]:
        """Rows whose known columns are held at given values; columns after one of them are drawn by it.

        Columns before a held one do not know of it. The rows have the law of the generator under the condition once
        each counts with the weight :math:`\\prod_k q_k(x_k | x_1, ..., x_{k-1})` over the held columns. A column that
        is looked up is held by drawing only among the values that lead to it, with their whole probability as its
        weight.

        Args:
            latents: as for `forward`.
            given: encoded rows; only their known columns are read.
            known: which columns of which rows are held. Shape `(batch, columns)`, boolean.
            labels: class of each row.
            restriction: what columns that are not held may be.

        Returns:
            Rows, and the logarithm of their weight, `(batch,)`: 0 where nothing is held, minus infinity where what is
            held contradicts itself. A held number counts with its density over the one that it has in training, which
            times its share of the training rows is its probability.
        """
        return self._draw(latents, labels, given, known, restriction)

    def restriction(self, allowed: Mapping[int, np.ndarray]) -> Restriction:
        """What `draw_within` takes, from the allowed values of blocks as `Restriction` has them."""
        return Restriction(self.tokens, list(self.cells), self.dependences, allowed)

    @torch.no_grad()
    def draw_within(
        self, latents: Latents, restriction: Restriction, labels: Labels | None = None
    ) -> tuple[Samples, PerSample]:
        """Rows that have allowed values alone, and the logarithm of their weight, `(batch,)`; see `Restriction`."""
        return self._draw(latents, labels, None, None, restriction)

    def log_likelihood_of(
        self, rows: Samples, columns: Iterable[int] | None = None, labels: Labels | None = None
    ) -> Tensor:
        """`log_likelihoods` of some columns, in the order of `columns`."""
        found = self.log_likelihoods(rows, labels)
        return found if columns is None else found[:, list(columns)]

    def log_likelihoods(self, rows: Samples, labels: Labels | None = None, *, dropout: Dropout | None = None) -> Tensor:
        """The logarithm of each column's probability given those before it. Shape `(batch, columns)`.

        Of a number, and of the number in a column that may also hold a point mass or nothing, it is the density of the
        quantile u, which is 1 in training: a likelihood ratio to the column alone. A column that is looked up has 0
        where the row obeys, and minus infinity where it does not; a constant one has 0.

        Args:
            rows: encoded. Shape `(batch, width of a row)`.
            labels: class of each row.
            dropout: of hidden units, in training.
        """
        codes, read, present = codes_of(rows, self.tokens, self.cells)
        # Taken apart at once: the gradient of `hidden[index]` would be as large as all of `hidden`, for each token.
        hidden = self._hidden(codes, read, present, labels, dropout).unbind(0)
        found = [torch.zeros(len(rows), device=rows.device) for _ in self.space.columns]
        for index, token in enumerate(self.tokens):
            coarse = codes[:, index - 1] if token.kind == "fine" else None
            logits = self.smooth.logits(index, self.outputs[index], hidden[index], coarse, in_game=False)
            code = codes[:, index]
            if coarse is not None:
                logits = logits + getattr(self.cells[token.number], self.fine_logits)[coarse]
            term = -functional.cross_entropy(logits, code, reduction="none")
            if token.kind in ("cell", "fine"):
                term = term - self.cells[token.number].widths[self._cell(index, codes)].log()
            if token.gate >= 0:
                term = torch.where(present[:, index], term, 0.0)
            found[token.column] = found[token.column] + term
        for column, obeys in self.dependences.obeyed(rows):
            found[column] = torch.where(obeys, 0.0, -torch.inf)
        return torch.stack(found, dim=1)

    def negative_log_likelihood(
        self,
        rows: Samples,
        labels: Labels | None = None,
        *,
        dropout: float = 0.0,
        randomness: torch.Generator | None = None,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> PerSample:
        """Minus the log-likelihood of each row, in nats, over the columns that are drawn. Shape `(batch,)`.

        Args:
            rows: encoded.
            labels: class of each row.
            dropout: share of hidden units that are set to zero, in training; needs `randomness`.
            randomness: where their masks come from.
            group: the processes that share a batch.
        """
        masks = None if randomness is None or not dropout else Dropout(dropout, randomness, group)
        return -self.log_likelihoods(rows, labels, dropout=masks)[:, self.drawn].sum(dim=1)

    @torch.no_grad()
    def start_at(self, chunks: Iterable[Samples]) -> None:
        """Begin at independent columns with the frequencies of the training rows, and fill the look-ups.

        Args:
            chunks: all encoded training rows, some at a time.
        """
        total, rows = torch.zeros(self.space.shape[0], dtype=torch.float64), 0
        for chunk in chunks:
            total += chunk.double().sum(dim=0).cpu()
            rows += len(chunk)
            self.dependences.learn(chunk)
        for index, token in enumerate(self.tokens):
            bias = self.outputs[index].bias
            if token.kind == "choice":
                shares = (total[token.start : token.start + token.size] + 0.5) / (rows + 0.5 * token.size)
            elif token.kind == "fine":
                continue
            else:
                cells = self.cells[token.number]
                shares = torch.stack([part.sum() for part in cells.widths.split(lengths(cells.first))])
                shares = cells.widths if token.kind == "cell" else shares
            bias.copy_(shares.log())

    def _draw(
        self,
        latents: Latents,
        labels: Labels | None,
        given: Samples | None,
        known: Tensor | None,
        within: Restriction | None = None,
    ) -> tuple[Samples, PerSample]:
        rows = len(latents)
        context = self._labels_context(labels, rows)
        values: dict[int, Tensor] = {}
        weights = latents.new_zeros(rows)
        codes = None if given is None else codes_of(given, self.tokens, self.cells)[0]
        gates: dict[int, Tensor] = {}
        allowed = {} if given is None else self.dependences.allowed(given, known)
        coarse = quantile = distribution = None
        at = 0
        # Taken apart once: the gradient of `self.first[index]` would be as large as all of `self.first`, each time.
        layers = [each.unbind(0) for each in self._layers]
        embeddings = self.embedding.split([token.size for token in self.tokens])
        hats = dict(zip(self.read, self.hats.unbind(0), strict=True))
        for index, token in enumerate(self.tokens):
            units = unit(context, *(each[index] for each in layers))
            of_fine = coarse if token.kind == "fine" else None
            logits = self.smooth.logits(index, self.outputs[index], units, of_fine, in_game=True)
            held = None if known is None else known[:, token.column]
            present = gates.get(token.gate)
            if token.kind == "choice":
                if held is not None:
                    chance = log_chance(logits, codes[:, index])
                    if token.column in allowed:
                        fits = allowed[token.column]
                        chance = chance.masked_fill(~fits.gather(1, codes[:, index, None]).squeeze(1), -torch.inf)
                        logits, mass = restricted(logits, fits)
                        weights = weights + torch.where(held, 0.0, mass)
                    weights = weights + torch.where(held, chance, 0.0)
                if within is not None:
                    logits, mass = within.narrowed(index, logits)
                    weights = weights + mass
                value = draw_one_hot(logits, latents[:, at : at + token.size]).to(context.dtype)
                at += token.size
                if held is not None:
                    value = torch.where(held[:, None], given[:, token.start : token.start + token.size], value)
                if within is not None:
                    weights = weights - within.counted_again(index, value.argmax(dim=1))
                gates[index] = value[:, 0].detach() > 0.5
                values[token.start] = value
                context = context + value @ embeddings[index]
                continue
            cells = self.cells[token.number]
            if token.kind == "fine":
                logits = logits + getattr(cells, self.fine_logits)[coarse]
            if within is not None:
                logits, mass = within.narrowed(index, logits, coarse)
                weights = weights + (mass if present is None else torch.where(present, mass, 0.0))
            chances = torch.softmax(logits, dim=1)
            if token.kind != "fine":
                quantile = torch.special.ndtr(precise(latents[:, at]))
                at += 1
            code, inside, below, chance = invert(chances, quantile)
            if held is not None:
                code = torch.where(held, codes[:, index], code)
                below, chance = below_and_chance(chances, code)
                counts = held if present is None else held & present
                weights = weights + torch.where(counts, log_chance(logits, code), 0.0)
            if within is not None and token.kind in ("cell", "coarse"):
                again = within.counted_again(index, code)
                weights = weights - (again if present is None else torch.where(present, again, 0.0))
            if token.kind == "coarse":
                coarse, quantile, distribution = code, inside, (below, chance)
                context = context + gated(embeddings[index][code], present)
                continue
            cell = code if token.kind == "cell" else cells.starts[coarse] + code
            number = cells.normal(cell, inside) if within is None else within.number(index, cells, cell, inside)
            if torch.is_grad_enabled():
                reached, density = below + chance * inside, chance
                if token.kind == "fine":
                    reached, density = distribution[0] + distribution[1] * reached, distribution[1] * chance
                number = with_implicit_gradient(number, reached, density / cells.widths[cell])
            if held is not None:
                number = torch.where(held, given[:, token.start], number)
                weights = weights - torch.where(counts, cells.widths[cell].log(), 0.0)
            number = number if present is None else torch.where(present, number, 0.0)
            values[token.start] = number[:, None]
            as_read = hats_of(cells.seen(number, cell), self.knots)
            embedded = embeddings[index][code] + as_read @ hats[index]
            context = context + gated(embedded, present)
        values.update(self.dependences.looked_up(values))
        return torch.cat([values[start] for start in sorted(values)], dim=1), weights

    def _cell(self, index: int, codes: Tensor) -> Tensor:
        token = self.tokens[index]
        if token.kind == "cell":
            return codes[:, index]
        return self.cells[token.number].starts[codes[:, index - 1]] + codes[:, index]

    def _hidden(
        self, codes: Tensor, read: Tensor, present: Tensor, labels: Labels | None, dropout: Dropout | None
    ) -> Tensor:
        """The last hidden layer of every token, given the true ones before it. Shape `(tokens, batch, width)`."""
        embedded = functional.embedding(codes + self.places, self.embedding)
        if self.read:
            numbers = torch.einsum("nkf,kfe->nke", hats_of(read, self.knots), self.hats)
            embedded = embedded.index_add(1, self.read_places, numbers)
        if any(token.gate >= 0 for token in self.tokens):
            embedded = embedded * present.unsqueeze(2)
        before = torch.cumsum(embedded, dim=1) - embedded + self.context_bias
        before = before + self._labels_context(labels, len(codes))[:, None]
        units = functional.leaky_relu(before, LEAK).transpose(0, 1)
        units = units if dropout is None else dropout(units, rows_at=1)
        units = functional.leaky_relu(torch.baddbmm(self.first_bias[:, None], units, self.first), LEAK)
        units = units if dropout is None else dropout(units, rows_at=1)
        units = functional.leaky_relu(torch.baddbmm(self.second_bias[:, None], units, self.second), LEAK) + units
        return units if dropout is None else dropout(units, rows_at=1)

    @property
    def _layers(self) -> tuple[nn.Parameter, ...]:
        """What turns the context into the last hidden layer, stacked over the tokens."""
        return self.context_bias, self.first, self.first_bias, self.second, self.second_bias

    def _labels_context(self, labels: Labels | None, rows: int) -> Tensor:
        if self.label_embedding is None:
            return self.context_bias.new_zeros(rows, self.context_bias.shape[1])
        return self.label_embedding(labels)


NETWORKS = {
    "columnwise": Family(
        generator=ColumnwiseGenerator,
        discriminator=ColumnwiseDiscriminator,
        supports=lambda space: isinstance(space, TableSpace) and sum(space.shape) > 0,
        limits="rows of a table",
    )
}
