"""The parts that a row is drawn in, one after the other: what the `columnwise` generator knows of a table's encoding.

A one-hot block is one token: a choice among its entries. A continuous block of few cells is one, too: a choice of the
cell, and an even draw of the quantile u within it. With more cells it is two: a coarse cell and the fine one within.
Either way the density of u is constant on each cell, and one uniform number draws from it by its distribution function.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor, nn

from equipoise.spaces import TableSpace

ONE_TOKEN = 128
"""Cells of a continuous block up to which one choice is made among all of them."""
COARSE_CELLS = 32
"""Coarse cells of a block with more; each holds about as many rows, and so many fine cells."""
DEFAULT_CELLS = 64
"""Even cells of a continuous block that names none: a space made by hand."""
MARGIN = 1e-3
"""Share of a cell that stays free at either end when a quantile is drawn: rounded, it must not leave its cell."""
LARGE = 1.6
"""A cell of that many times an even share, among many, is a point mass: where a row lies in it says nothing."""
NEVER = -30.0
"""Logit of a fine cell that its coarse cell does not have: a chance of 1e-13."""

TokenKind = Literal["choice", "cell", "coarse", "fine"]


@dataclass(frozen=True)
class Token:
    """One draw.

    Attributes:
        column: number of the table's column.
        start: first entry of the block in an encoded row.
        size: how many there are to choose from.
        kind: `choice` of a one-hot block; `cell`, or `coarse` and then `fine`, of a continuous one.
        gate: number of the token whose first entry says that the column has a number at all; -1: it always has.
        number: place among the continuous blocks; -1 for a one-hot block.
    """

    column: int
    start: int
    size: int
    kind: TokenKind
    gate: int = -1
    number: int = -1


class Cells(nn.Module):
    """The cells of one continuous block.

    Args:
        inner: their inner borders, as quantiles in (0, 1), ascending.

    Attributes:
        first: number of the first cell of each coarse one, and of all cells at the end.
        shares: `widths` in float64 and in numpy.
        widths: shares of the rows that cells hold in training, which are their widths as quantiles.
        never: 0 for each fine cell, and `NEVER` where a coarse cell has no more; for logits. Shape `(coarse, fine)`.
        within: the same with the logarithm of a cell's share of its coarse one, over an even share, for 0.
    """

    borders: Tensor
    low: Tensor
    widths: Tensor
    middle: Tensor
    is_large: Tensor
    starts: Tensor
    never: Tensor
    within: Tensor

    def __init__(self, inner: Sequence[float]) -> None:
        super().__init__()
        # In numpy: a network is also made on the meta device, where torch has shapes and no numbers.
        ends = np.array([0.0, *(inner or np.arange(1, DEFAULT_CELLS) / DEFAULT_CELLS), 1.0])
        self.shares = widths = np.diff(ends)
        self.count = len(widths)
        self.first = coarse_cells(widths.tolist())
        self.is_one = self.coarse == 1
        sizes = np.diff(self.first)
        is_there = np.arange(sizes.max()) < sizes[:, None]
        never = np.where(is_there, 0.0, NEVER)
        within = np.full_like(never, NEVER)
        within[is_there] = np.log(widths * np.repeat(sizes / np.add.reduceat(widths, self.first[:-1]), sizes))
        for name, values in (
            ("borders", ndtri(ends[1:-1])),
            ("low", ends[:-1]),
            ("widths", widths),
            ("middle", ndtri((ends[1:] + ends[:-1]) / 2)),
            ("never", never),
            ("within", within),
        ):
            self.register_buffer(name, torch.tensor(values, dtype=torch.get_default_dtype()), persistent=False)
        is_large = self.is_one | (widths > LARGE / self.count)
        self.register_buffer("is_large", torch.tensor(is_large), persistent=False)
        self.register_buffer("starts", torch.tensor(self.first), persistent=False)

    @property
    def coarse(self) -> int:
        """How many coarse cells there are; 1 where one choice is made among all cells."""
        return len(self.first) - 1

    @property
    def fine(self) -> int:
        """Most cells within a coarse one."""
        return int(self.never.shape[1])

    def of(self, numbers: Tensor) -> Tensor:
        """The cell of each normal number, int64."""
        return torch.searchsorted(self.borders, numbers.contiguous(), right=True)

    def coarse_of(self, cell: Tensor) -> Tensor:
        """The coarse cell that holds each cell."""
        return torch.searchsorted(self.starts[1:-1], cell, right=True)

    def seen(self, numbers: Tensor, cell: Tensor) -> Tensor:
        """Normal numbers as later columns read them: of a point mass, the middle of its interval."""
        return torch.where(self.is_large[cell], self.middle[cell], numbers)

    def normal(self, cell: Tensor, within: Tensor) -> Tensor:
        """The normal number at a share `within` of a cell's interval of quantiles."""
        inside = MARGIN + (1 - 2 * MARGIN) * within
        return torch.special.ndtri(self.low[cell] + inside * self.widths[cell])


def coarse_cells(widths: Sequence[float]) -> tuple[int, ...]:
    """The first cell of each coarse one, and the number of cells at the end; large cells are coarse ones of their
    own."""
    if len(widths) <= ONE_TOKEN:
        return (0, len(widths))
    first, held = [0], 0.0
    for cell, width in enumerate(widths):
        if cell and (held + width / 2 > 1 / COARSE_CELLS or width >= 1 / COARSE_CELLS):
            first.append(cell)
            held = 0.0
        held += width
    return (*first, len(widths))


def tokens_of(space: TableSpace, *, without: Collection[int] = ()) -> tuple[list[Token], list[Cells]]:
    """The tokens of a table's blocks in their order, and the cells of its continuous blocks.

    Args:
        space: rows of a table.
        without: numbers of columns that are not drawn.
    """
    tokens: list[Token] = []
    cells: list[Cells] = []
    start = column = 0
    for block in space.blocks:
        while space.columns[column] != block.column:
            column += 1
        if column in without:
            start += block.width
        elif block.is_one_hot:
            tokens.append(Token(column, start, block.width, "choice"))
            start += block.width
        else:
            before = tokens[-1] if tokens else None
            gate = len(tokens) - 1 if before is not None and (before.column, before.kind) == (column, "choice") else -1
            for entry in range(start, start + block.width):
                cells.append(Cells(block.cells))
                found, place = cells[-1], len(cells) - 1
                if found.is_one:
                    tokens.append(Token(column, entry, found.count, "cell", gate, place))
                else:
                    tokens.append(Token(column, entry, found.coarse, "coarse", gate, place))
                    tokens.append(Token(column, entry, found.fine, "fine", gate, place))
            start += block.width
    return tokens, cells


def codes_of(rows: Tensor, tokens: Sequence[Token], cells: Sequence[Cells]) -> tuple[Tensor, Tensor, Tensor]:
    """Each token's choice `(batch, tokens)`, numbers as later columns read them `(batch, numbers)`, and which tokens
    say something `(batch, tokens)`.

    Args:
        rows: encoded.
        tokens: what they are drawn in.
        cells: of the continuous blocks.
    """
    codes: list[Tensor] = []
    read: list[Tensor] = []
    for token in tokens:
        if token.kind == "choice":
            codes.append(rows[:, token.start : token.start + token.size].argmax(dim=1))
            continue
        own = cells[token.number]
        cell = own.of(rows[:, token.start])
        if token.kind == "coarse":
            codes.append(own.coarse_of(cell))
            continue
        codes.append(cell if token.kind == "cell" else cell - own.starts[codes[-1]])
        read.append(own.seen(rows[:, token.start], cell))
    gated = [
        codes[token.gate] == 0 if token.gate >= 0 else torch.ones_like(codes[0], dtype=torch.bool) for token in tokens
    ]
    return torch.stack(codes, dim=1), torch.stack(read, dim=1) if read else rows[:, :0], torch.stack(gated, dim=1)
