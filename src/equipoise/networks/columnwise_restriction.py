r"""Rows of the `columnwise` generator whose columns are held to some of their values, all of them in the same way.

Token by token only what is allowed is drawn, and the row counts with the probability that it would have been:

.. math::
    w(x) = \prod_k q_k(A_k \mid x_1, \dots, x_{k-1}), \qquad q(x \mid A) = q(x) \, 1[x \in A] / q(A),

so that rows have the law of the generator under the condition once each counts with its weight, and the mean weight is
q(A). An equality has one allowed value, a range of numbers a stretch of their quantile. Where a column takes several
tokens, the first is drawn by what the training rows say of the others, which the weight makes up for.

Reference:
    Sequential importance sampling with the locally optimal proposal: Doucet, Godsill, Andrieu 2000, Statistics and
    Computing 10, section II.D, doi:10.1023/A:1008935410038.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor

from equipoise.networks.columnwise_dependences import Dependences
from equipoise.networks.columnwise_tokens import MARGIN, Cells, Token, codes_of

PSEUDO_ROWS = 5.0
"""Rows added to both frequencies that a draw is tilted by: of entries that few rows have, little is known."""
LEAST_TILT = 0.3
"""Smallest factor: what a pilot has not met must not get large weights later."""


@dataclass(frozen=True)
class Pieces:
    """Stretches of one continuous block, cut at the borders of its cells, in float64.

    Attributes:
        low: quantile at which each begins. Shape `(p,)`.
        before: their length up to each of them.
        ends: the normal numbers that a draw from each stays between. Shape `(p, 2)`, float32.
        first: of each cell, the number of its first piece. Shape `(cells,)`.
        last: of its last one; below `first` where it has none.
        inside: length that each cell allows. Shape `(cells,)`.
    """

    low: Tensor
    before: Tensor
    ends: Tensor
    first: Tensor
    last: Tensor
    inside: Tensor


class Restriction:
    """Which values the columns of every row may have.

    Args:
        tokens: of the generator.
        cells: of its continuous blocks.
        dependences: columns that it looks up; what is asked of them is asked of those that decide them.
        allowed: by the first entry of a block in an encoded row: of a one-hot block, of each entry the share that is
            allowed, `(width,)`, or that of each row of the batch by itself, `(batch, width)`; of a continuous one,
            closed stretches of its numbers, `(stretches, 2)`.

    Attributes:
        is_empty: whether some column has no value left.
    """

    def __init__(
        self,
        tokens: Sequence[Token],
        cells: Sequence[Cells],
        dependences: Dependences,
        allowed: Mapping[int, np.ndarray],
    ) -> None:
        self._tokens, self._cells = tokens, cells
        one_hot = {token.start for token in tokens if token.kind == "choice"} | dependences.starts
        shares = {start: torch.from_numpy(found).double() for start, found in allowed.items() if start in one_hot}
        for start, leading in dependences.asked_of_drawn(shares).items():
            shares[start] = shares[start] * leading if start in shares else leading
        self.is_empty = any(not bool((share > 0).any()) for share in shares.values())
        self._shares: dict[int, Tensor] = {}
        self._again: dict[int, Tensor] = {}
        self._pieces: dict[int, Pieces] = {}
        for index, token in enumerate(tokens):
            if token.kind == "choice":
                if token.start in shares:
                    self._shares[index] = shares[token.start].clone()
                continue
            if token.start not in allowed:
                continue
            if token.kind != "fine":
                self._open_gate(tokens, token.gate, cells[token.number], allowed[token.start])
            if len(allowed[token.start]):
                self._narrow(index, token, cells[token.number], allowed[token.start])
        self.is_empty |= any(not bool((shares > 0).any()) for shares in self._shares.values())

    def tilted(self, rows: Tensor, weights: Tensor) -> Restriction:
        """The same, with draws that favour the entries on which rows of weight lie; weights make up for it.

        Columns before a held one do not know of it. Here each token before the last held one is drawn with a factor for
        each entry, the weighted over the plain frequency in rows that were drawn already, both with `PSEUDO_ROWS`.

        Args:
            rows: that were drawn under this restriction. Shape `(n, width of a row)`.
            weights: of theirs. Shape `(n,)`, float64, not all zero.

        Reference:
            Cross-entropy method: Rubinstein and Kroese 2004, ISBN 978-0-387-21240-1, section 4.1, for a product law.
        """
        found = copy.copy(self)
        found._shares, found._again = dict(self._shares), dict(self._again)
        codes, _, present = codes_of(rows, self._tokens, self._cells)
        worth = float(weights.sum() ** 2 / weights.square().sum())
        for index, token in enumerate(self._tokens[: max(self._shares, default=-1)]):
            if token.kind == "fine":
                continue
            there = present[:, index].double()
            mine = (weights * there / (weights * there).sum().clamp(min=1e-300), there / there.sum().clamp(min=1.0))
            by_weight, plain = (
                torch.bincount(codes[:, index], each, minlength=token.size).double() * worth + PSEUDO_ROWS
                for each in mine
            )
            factor = (by_weight / plain).clamp(min=LEAST_TILT)
            found._shares[index] = self._shares.get(index, torch.ones_like(factor)) * factor
            found._again[index] = self._again.get(index, torch.ones_like(factor)) * factor
        return found

    def _open_gate(self, tokens: Sequence[Token], gate: int, cells: Cells, stretches: np.ndarray) -> None:
        """Draw "a number" by the share of the training rows' numbers that is allowed; none may be."""
        length = pieces_of(cells, stretches).inside.sum()
        if gate < 0:
            self.is_empty |= float(length) <= 0
            return
        shares = self._shares.setdefault(gate, torch.ones(tokens[gate].size, dtype=torch.float64))
        shares[0] *= length
        self._again[gate] = torch.ones_like(shares)
        self._again[gate][0] = length

    def _narrow(self, index: int, token: Token, cells: Cells, stretches: np.ndarray) -> None:
        pieces = pieces_of(cells, stretches)
        self._pieces[index] = pieces
        widths = cells.widths.double().cpu()
        if token.kind == "cell":
            self._shares[index] = pieces.inside / widths
        elif token.kind == "coarse":
            starts = cells.starts[:-1].cpu()
            self._shares[index] = _sums(pieces.inside, starts) / _sums(widths, starts)
            self._again[index] = self._shares[index]
        else:
            self._shares[index] = _by_coarse(pieces.inside / widths, cells.first, cells.fine)

    def narrowed(self, index: int, logits: Tensor, coarse: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits of one token with what is not allowed shut, and the logarithm of the mass that is left, float64.

        Args:
            index: number of the token.
            logits: `(batch, size)`.
            coarse: of a fine token, the coarse cell of each row.
        """
        logits = logits.double()
        if index not in self._shares:
            return logits, logits.new_zeros(len(logits))
        shares = self._shares[index].to(logits.device)
        shut = logits + (shares if coarse is None or shares.ndim == 1 else shares[coarse]).log()
        return shut, torch.logsumexp(shut, dim=1) - torch.logsumexp(logits, dim=1)

    def counted_again(self, index: int, code: Tensor) -> Tensor:
        """The logarithm of what a choice was drawn with, and what later tokens of its column count, too."""
        if index not in self._again:
            return torch.zeros(len(code), dtype=torch.float64, device=code.device)
        return self._again[index].to(code.device).log()[code]

    def number(self, index: int, cells: Cells, cell: Tensor, inside: Tensor) -> Tensor:
        """The normal number at a share `inside` of what a cell allows."""
        if index not in self._pieces:
            return cells.normal(cell, inside.float())
        device = cell.device
        pieces = self._pieces[index]
        first, last = pieces.first.to(device)[cell], pieces.last.to(device)[cell]
        first = first.clamp(max=len(pieces.low) - 1)  # a row without a number may be in any cell
        before = pieces.before.to(device)
        place = before[first] + inside * pieces.inside.to(device)[cell]
        piece = torch.searchsorted(before, place, right=True) - 1
        piece = torch.minimum(torch.maximum(piece, first), last).clamp(min=0)
        low, width = cells.low.double()[cell], cells.widths.double()[cell]
        within = (pieces.low.to(device)[piece] + place - before[piece] - low) / width
        number = torch.special.ndtri(low + (MARGIN + (1 - 2 * MARGIN) * within.clamp(0, 1)) * width).float()
        ends = pieces.ends.to(device)[piece]
        return torch.minimum(torch.maximum(number, ends[:, 0]), ends[:, 1])


def pieces_of(cells: Cells, stretches: np.ndarray) -> Pieces:
    """Stretches of a continuous block cut at the borders of its cells.

    Args:
        cells: of the block.
        stretches: closed, ascending, apart from each other. Shape `(k, 2)`.
    """
    low = cells.low.double().cpu().numpy()
    ends = np.append(low[1:], 1.0)
    found: list[tuple[float, float, float, float, int]] = []
    for start, stop in stretches.reshape(-1, 2).astype(np.float64):
        a, b = ndtr(start), ndtr(stop)
        begins = int(np.clip(np.searchsorted(low, a, side="right") - 1, 0, len(low) - 1))
        for cell in range(begins, len(low)):
            if low[cell] > b:
                break
            left, right = max(a, low[cell]), min(b, ends[cell])
            # A stretch of no length, one value among infinitely many, still has to be met.
            if right > left or (a == b and left == a):
                found.append((left, max(right, np.nextafter(left, 2.0)), start, stop, cell))
    cell = np.array([each[4] for each in found], dtype=np.int64)
    length = np.array([right - left for left, right, *_ in found])
    numbers = np.arange(len(low))
    return Pieces(
        torch.tensor([each[0] for each in found], dtype=torch.float64),
        torch.from_numpy(np.concatenate([[0.0], np.cumsum(length)[:-1]])) if found else torch.zeros(0).double(),
        torch.tensor([_inward(each[2], each[3]) for each in found]).reshape(-1, 2),
        torch.from_numpy(np.searchsorted(cell, numbers, side="left")),
        torch.from_numpy(np.searchsorted(cell, numbers, side="right") - 1),
        torch.from_numpy(np.bincount(cell, weights=length, minlength=len(low)).astype(np.float64)),
    )


def _inward(low: float, high: float) -> tuple[float, float]:
    """Both ends as float32, rounded into the stretch; of one that no float32 is in, the nearest."""
    first, last = np.float32(low), np.float32(high)
    if first < low:
        first = np.nextafter(first, np.float32(np.inf))
    if last > high:
        last = np.nextafter(last, np.float32(-np.inf))
    return (float(first), float(last)) if first <= last else (float(np.float32(low)),) * 2


def _sums(values: Tensor, starts: Tensor) -> Tensor:
    """Sums over stretches that begin at `starts`."""
    return torch.from_numpy(np.add.reduceat(values.numpy(), starts.numpy()))


def _by_coarse(shares: Tensor, first: Sequence[int], fine: int) -> Tensor:
    """Shares of the fine cells of each coarse one, with zeros where there are fewer. Shape `(coarse, fine)`."""
    found = torch.zeros(len(first) - 1, fine, dtype=torch.float64)
    for coarse, (start, stop) in enumerate(pairwise(first)):
        found[coarse, : stop - start] = shares[start:stop]
    return found
