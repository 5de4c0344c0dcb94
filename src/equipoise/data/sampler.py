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
    epoch, offset = divmod(draw * batch_size, rows)
    if offset + batch_size <= rows:
        return _permutation(seed, epoch, rows)[offset + rank : offset + batch_size : processes].copy()
    positions = np.arange(draw * batch_size + rank, (draw + 1) * batch_size, processes)
    indices = np.empty(len(positions), dtype=np.int64)
    epochs, offsets = np.divmod(positions, rows)
    for epoch in np.unique(epochs):
        inside = epochs == epoch
        indices[inside] = _permutation(seed, int(epoch), rows)[offsets[inside]]
    return indices


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


@lru_cache(maxsize=2)
def _permutation(seed: int, epoch: int, rows: int) -> np.ndarray:
    return numpy_stream(seed, Stream.EPOCH, epoch).permutation(rows)
