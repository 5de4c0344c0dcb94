"""Columns of `metrics.jsonl` as arrays, and long ones as at most 400 points.

A picture a hand wide cannot show 100,000 steps. Neighbouring measured steps are joined into bins of equal count;
a bin is shown as its mean, with the range from its smallest to its largest value, so that no spike disappears.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.entries import number_at

MOST_BINS = 400


@dataclass(frozen=True)
class Series:
    """One measured quantity over steps.

    Attributes:
        steps: mean step of each bin, shape `(k,)`.
        mean: mean of the finite values in each bin; NaN where a bin has none.
        low, high: smallest and largest finite value in each bin.
        per_bin: measured steps in a bin (1 when nothing was joined).
        counts: finite values in each bin.
        missing: values that were absent, null or not finite.
    """

    steps: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    per_bin: int
    counts: np.ndarray
    missing: int

    @property
    def is_empty(self) -> bool:
        """Whether there is no finite value at all."""
        return not np.isfinite(self.mean).any()

    @property
    def last(self) -> float | None:
        """The last finite mean."""
        finite = self.mean[np.isfinite(self.mean)]
        return float(finite[-1]) if len(finite) else None


def column(rows: Sequence[Mapping[str, Any]], *keys: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and the values under nested `keys`; NaN where a row has no finite number there."""
    steps = np.array([row["step"] for row in rows], dtype=np.float64)
    values = [number_at(row, *keys) for row in rows]
    return steps, np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def series(rows: Sequence[Mapping[str, Any]], *keys: str, most: int = MOST_BINS) -> Series:
    """The quantity under nested `keys`, in at most `most` bins of equally many rows."""
    return binned(*column(rows, *keys), most=most)


def binned(steps: np.ndarray, values: np.ndarray, *, most: int = MOST_BINS) -> Series:
    """Join neighbours into at most `most` bins of equal count (the last may hold fewer).

    Args:
        steps: shape `(n,)`, ascending.
        values: shape `(n,)`; NaN marks a missing value, which no bin counts.
    """
    per_bin = max(1, -(-len(values) // most))
    bins = -(-len(values) // per_bin)
    is_finite = np.isfinite(values)
    counts = _padded(is_finite.astype(np.float64), bins, per_bin, 0.0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = _padded(np.where(is_finite, values, 0.0), bins, per_bin, 0.0).sum(axis=1) / counts
    low = _padded(np.where(is_finite, values, np.inf), bins, per_bin, np.inf).min(axis=1, initial=np.inf)
    high = _padded(np.where(is_finite, values, -np.inf), bins, per_bin, -np.inf).max(axis=1, initial=-np.inf)
    empty = counts == 0
    sizes = np.diff(np.append(np.arange(bins) * per_bin, len(values)))
    return Series(
        steps=_padded(steps, bins, per_bin, 0.0).sum(axis=1) / np.maximum(sizes, 1),
        mean=mean,
        low=np.where(empty, np.nan, low),
        high=np.where(empty, np.nan, high),
        per_bin=per_bin,
        counts=counts,
        missing=int((~is_finite).sum()),
    )


def error_of_bin_means(rows: Sequence[Mapping[str, Any]], *keys: str, most: int = MOST_BINS) -> np.ndarray:
    r"""Standard error of each bin's mean, from each row's own standard error.

    .. math::
        \mathrm{se} = \frac{1}{k} \sqrt{\sum_{i=1}^k \mathrm{se}_i^2}

    for k batches drawn independently of each other; with one row in a bin it is the row's own. NaN where no row
    of the bin has one (a batch of one sample).
    """
    steps, errors = column(rows, *keys)
    squares = binned(steps, errors**2, most=most)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(squares.mean / squares.counts)


def names_under(rows: Sequence[Mapping[str, Any]], key: str) -> list[str]:
    """Names that occur in the dictionaries under `key`, in order of first appearance."""
    names: dict[str, None] = {}
    for row in rows:
        entry = row.get(key)
        if isinstance(entry, Mapping):
            names.update(dict.fromkeys(map(str, entry)))
    return list(names)


def _padded(values: np.ndarray, bins: int, per_bin: int, fill: float) -> np.ndarray:
    """`values` as `(bins, per_bin)`, the last row filled up."""
    padded = np.full(bins * per_bin, fill)
    padded[: len(values)] = values
    return padded.reshape(bins, per_bin)
