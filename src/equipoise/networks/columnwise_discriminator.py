"""The discriminator of the `columnwise` family: a fully connected one that sees ordered levels as numbers, too, and how
numbers differ from each other."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from equipoise.networks.conditioning import projected
from equipoise.networks.input_gradient import logits_and_input_gradient
from equipoise.networks.mlp import LEAK, MLPDiscriminator
from equipoise.shapes import Labels, Logits, Samples
from equipoise.spaces import PointSpace, TableSpace, sample_size

MOST_CROSSES = 120
"""Differences of two numbers: all of sixteen columns. Of more, each is compared with those near it in the table."""


class ColumnwiseDiscriminator(MLPDiscriminator):
    """A whole row, and beside it the normal score of each one-hot block whose entries have an order, to one logit.

    With one-hot entries alone, two neighbouring levels of a number are as far from each other as any other two; the
    score says which are near. It is linear in the row, so that a penalty on the gradient in the row sees it.

    Args:
        space: rows of a table.
        width: units of a hidden layer.
        depth: hidden layers.
        crosses: also show it the differences of any two normal scores: two columns that go together are then seen to do
            so after tens of steps. A fully connected layer could find each difference, and does after hundreds.
        input_gradient: `closed_form` computes R1 and R2 by `networks.input_gradient`, which is faster.
        classes: of a conditional game; 0 without labels.
    """

    def __init__(
        self,
        space: TableSpace,
        *,
        width: int = 256,
        depth: int = 3,
        crosses: bool = False,
        input_gradient: Literal["autograd", "closed_form"] = "autograd",
        classes: int = 0,
    ) -> None:
        scores = level_scores(space)
        if crosses:
            scores = torch.cat([scores, differences(torch.cat([scores, numbers(space)], dim=1))], dim=1)
        super().__init__(
            PointSpace(sample_size(space) + scores.shape[1]),
            width=width,
            depth=depth,
            input_gradient=input_gradient,
            classes=classes,
        )
        self.register_buffer("scores", scores, persistent=False)

    def forward(self, samples: Samples, labels: Labels | None = None) -> Logits:
        """Logits of shape `(batch,)`."""
        hidden = self.body(torch.cat([samples, samples @ self.scores], dim=1))
        logits = self.output(hidden).squeeze(1)
        return logits if self.projection is None else logits + projected(self.projection, hidden, labels)

    def with_input_gradient(self, samples: Samples) -> tuple[Logits, Samples] | None:
        """As of `MLPDiscriminator`: scores and first layer together are one linear layer of the row."""
        if not self.has_closed_form:
            return None
        first, *others = [layer for layer in self.body if isinstance(layer, nn.Linear)] + [self.output]
        entries = len(self.scores)
        matrix = first.weight[:, :entries] + first.weight[:, entries:] @ self.scores.t()
        layers = [(matrix, first.bias), *((layer.weight, layer.bias) for layer in others)]
        return logits_and_input_gradient(samples, layers, leak=LEAK)


def level_scores(space: TableSpace) -> Tensor:
    """The matrix that takes a row to the scores of its ordered one-hot blocks. Shape `(width, scores)`."""
    columns, start = [], 0
    for block in space.blocks:
        if block.scores:
            column = torch.zeros(sample_size(space))
            column[start : start + block.width] = torch.tensor(block.scores)
            columns.append(column)
        start += block.width
    return torch.stack(columns, dim=1) if columns else torch.zeros(sample_size(space), 0)


def numbers(space: TableSpace) -> Tensor:
    """The matrix that takes a row to its continuous entries. Shape `(width, entries)`."""
    is_number = [not block.is_one_hot for block in space.blocks for _ in range(block.width)]
    # By their places: a network is also made on the meta device, where a mask selects nothing that is known.
    return torch.eye(sample_size(space))[:, [place for place, each in enumerate(is_number) if each]]


def differences(columns: Tensor) -> Tensor:
    """The matrix of differences of any two columns, or of those near each other where these are too many."""
    count = columns.shape[1]
    reach = count if count * (count - 1) // 2 <= MOST_CROSSES else max(1, MOST_CROSSES // count)
    pairs = [(i, j) for i in range(count) for j in range(i + 1, min(count, i + 1 + reach))]
    return columns[:, [i for i, _ in pairs]] - columns[:, [j for _, j in pairs]]
