"""Which rows make the next batch: decided by the seed and the number of the draw, by nothing else.

Without weights, the rows of an epoch are a permutation, drawn from (seed, epoch), and the draws read it end to end:
entry i of draw d is at position d * batch_size + i of the endless sequence of epochs. With weights, each draw picks
rows independently, with repetition, from (seed, draw). Nothing has to be stored to resume, and process r of P takes
the entries r, r + P, r + 2P, ... of the same batch, so that any number of processes draw the same batches.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from equipoise.errors import DataError
from equipoise.randomness import Stream, numpy_stream


def batch_indices(
    *,
    seed: int,
    draw: int,
    batch_size: int,
    rows: int,
    rank: int = 0,
    processes: int = 1,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """The rows of one draw that belong to one process, int64.

    Args:
        seed: of the run.
        draw: how many draws came before, over the whole run.
        batch_size: of all processes together; it may exceed `rows`, and then goes through several epochs.
        rows: how many rows there are.
        rank: this process.
        processes: how many share the batch.
        weights: how often each row is wanted, relative to the others; `None` goes through all rows evenly. For many
            draws keep a `WeightedDraws`, which sums the weights once.

    Numerics:
        About 5 microseconds within an epoch. Each epoch draws a permutation once: 10 ms for a million rows.
    """
    if weights is not None:
        return WeightedDraws(weights, seed=seed).indices(
            draw=draw, batch_size=batch_size, rank=rank, processes=processes
        )
    return epoch_entries(seed=seed, purpose=Stream.EPOCH, start=draw * batch_size, count=batch_size, length=rows)[
        rank::processes
    ].copy()


def epoch_entries(*, seed: int, purpose: str, start: int, count: int, length: int) -> np.ndarray:
    """Entries `start` to `start + count` of an endless sequence of permutations of `length` numbers, int64.

    Each permutation is drawn from (seed, purpose, its place), so that nothing has to be stored to go on.
    """
    epoch, offset = divmod(start, length)
    if offset + count <= length:
        return _permutation(seed, purpose, epoch, length)[offset : offset + count]
    epochs, offsets = np.divmod(np.arange(start, start + count), length)
    entries = np.empty(count, dtype=np.int64)
    for epoch in np.unique(epochs):
        inside = epochs == epoch
        entries[inside] = _permutation(seed, purpose, int(epoch), length)[offsets[inside]]
    return entries


DRAWN_AHEAD = 16
"""Draws whose random numbers are drawn together where the game's steps are so short that each call counts."""


class StratifiedDraws:
    """One row from each of `batch_size` equal stretches of an order of the rows, in a random order.

    Row i is in a batch `batch_size * weights[i] / sum(weights)` times in expectation, exactly: batches that run evenly
    through the data, whose means vary less than those of rows drawn at random (stratified sampling). A batch larger
    than the data takes rows several times.

    Args:
        order: neighbours in it should be alike (`data.kd_order`). Shape `(rows,)`.
        weights: how often each row is wanted, relative to the others; `None`: all alike.
        seed: of the run.

    Reference:
        Cochran 1977, Sampling Techniques, 3rd edition, Chapter 5 (proportional allocation).
    """

    def __init__(self, order: np.ndarray, *, weights: np.ndarray | None = None, seed: int) -> None:
        self._order, self._seed = order, seed
        # In the order, rows of weight 0 left out: equal stretches of weight are equal stretches of this sum.
        if weights is None:
            self._cumulative = None
        else:
            self._order = order[np.asarray(weights)[order] > 0]
            self._cumulative = np.cumsum(np.asarray(weights, dtype=np.float64)[self._order] / np.max(weights))
        self._ahead: tuple[tuple[int, int], np.ndarray] | None = None

    def indices(self, *, draw: int, batch_size: int) -> np.ndarray:
        """The rows of one draw, int64 `(batch_size,)`."""
        block, place = divmod(draw, DRAWN_AHEAD)
        if self._ahead is None or self._ahead[0] != (block, batch_size):
            stream = numpy_stream(self._seed, Stream.STRATIFIED_ROWS, block)
            rows = self._order[self.places(stream.random((DRAWN_AHEAD, batch_size)))]
            self._ahead = (block, batch_size), stream.permuted(rows, axis=1)
        return self._ahead[1][place]

    def places(self, uniform: np.ndarray) -> np.ndarray:
        """Where in the order the draw of each stretch lies, for a uniform number in [0, 1) each, int64
        `(..., batch)`."""
        count = uniform.shape[-1]
        share = (np.arange(count) + uniform) / count
        if self._cumulative is None:
            places = (share * len(self._order)).astype(np.int64)
        else:
            places = np.searchsorted(self._cumulative, share * self._cumulative[-1], side="right")
        return np.minimum(places, len(self._order) - 1)  # rounding of the product may reach the very end


class WeightedDraws:
    """Draws with repetition, row i with probability `weights[i] / sum(weights)`; keeps the running sums.

    Raises:
        DataError: a weight is negative or not finite, or all are zero.
    """

    def __init__(self, weights: np.ndarray, *, seed: int) -> None:
        values = np.asarray(weights, dtype=np.float64)
        if (
            values.ndim != 1
            or len(values) == 0
            or not np.isfinite(values).all()
            or values.min() < 0
            or not values.any()
        ):
            raise DataError(
                "sample weights",
                "some are negative, missing or infinite, or all are zero.",
                "Expected one number of 0 or more per row, some above 0.",
            )
        self._cumulative = np.cumsum(values / values.max())
        self._last = int(np.flatnonzero(values)[-1])
        self._seed = seed

    def indices(self, *, draw: int, batch_size: int, rank: int = 0, processes: int = 1) -> np.ndarray:
        """As `batch_indices`."""
        uniform = numpy_stream(self._seed, Stream.WEIGHTED_ROWS, draw).random(batch_size)[rank::processes]
        found = np.searchsorted(self._cumulative, uniform * self._cumulative[-1], side="right")
        return np.minimum(found, self._last)  # rounding of the product may reach the very end


def balancing_weights(labels: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Weights under which every class is drawn equally often, and its rows in proportion to `weights`.

    A class whose weights are all zero is never drawn.
    """
    within = np.ones(len(labels)) if weights is None else np.asarray(weights, dtype=np.float64)
    totals = np.bincount(labels, weights=within)[labels]
    return np.divide(within, totals, out=np.zeros(len(labels)), where=totals > 0)


@lru_cache(maxsize=4)
def _permutation(seed: int, purpose: str, epoch: int, length: int) -> np.ndarray:
    return numpy_stream(seed, purpose, epoch).permutation(length)
