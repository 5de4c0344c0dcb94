"""The numbers of `metrics.jsonl` as columns that grow, and any stretch of them in few points.

A stretch of more rows than can be drawn is joined into bins of :math:`2^k` rows each, aligned to the first row of the
file: a bin that is full never changes, so that a page which has seen it needs only the last one and new ones. A bin
has its mean, its smallest and its largest value; a stretch that is short enough has its rows themselves.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.entries import finite

MOST_BINS = 600
MOST_COLUMNS = 400
"""Numbers of a row that are kept; a run has some thirty."""
DEEPEST = 3
LEFT_OUT = ("histogram",)
SIGNIFICANT = 7


class GrowingColumns:
    """Columns of float64 by the path of their numbers, such as `gradient_norm/generator`; NaN where a row has none."""

    def __init__(self) -> None:
        self.steps = array("d")
        self.columns: dict[str, array] = {}
        self.is_cut = False

    def __len__(self) -> int:
        return len(self.steps)

    def append(self, step: float, row: Mapping[str, Any]) -> None:
        """Add a row; a number that is none, or not finite, is missing."""
        found = dict(numbers_of(row))
        rows = len(self.steps)
        self.steps.append(step)
        for key, column in self.columns.items():
            column.append(found.pop(key, np.nan))
        for key, value in found.items():
            if len(self.columns) >= MOST_COLUMNS:
                self.is_cut = True
                break
            self.columns[key] = array("d", [np.nan]) * rows
            self.columns[key].append(value)

    def put_in_order(self) -> None:
        """Sort by step; of two rows for one step the later one counts, as in reports."""
        steps = np.frombuffer(self.steps, dtype=np.float64).copy()
        order = np.argsort(steps, kind="stable")
        kept = order[np.append(np.diff(steps[order]) > 0, True)]
        self.steps = array("d", steps[kept])
        for key, column in self.columns.items():
            self.columns[key] = array("d", np.frombuffer(column, dtype=np.float64)[kept])

    def values(self, key: str) -> np.ndarray:
        """A copy of one column, shape `(rows,)`; NaN throughout for a name that no row has."""
        column = self.columns.get(key)
        if column is None:
            return np.full(len(self.steps), np.nan)
        return np.array(column, dtype=np.float64)[: len(self.steps)]

    def all_steps(self) -> np.ndarray:
        """A copy of the steps, ascending."""
        return np.array(self.steps, dtype=np.float64)


def numbers_of(row: Mapping[str, Any], prefix: str = "", depth: int = 1) -> Iterator[tuple[str, float]]:
    """Every finite number of a nested row with its path."""
    for name, value in row.items():
        if isinstance(value, Mapping):
            if depth < DEEPEST and name not in LEFT_OUT:
                yield from numbers_of(value, f"{prefix}{name}/", depth + 1)
            continue
        found = finite(value) if not isinstance(value, int) or abs(value) < 1 << 1000 else None
        if found is not None:
            yield f"{prefix}{name}", found


@dataclass(frozen=True)
class Stretch:
    """Which rows are shown, and in bins of how many.

    Attributes:
        first_bin, last_bin: counted from the first row of the file, both included; empty where the last is smaller.
        per_bin: rows in a bin; 1 shows the rows themselves.
    """

    first_bin: int
    last_bin: int
    per_bin: int


def stretch_of(steps: np.ndarray, *, low: float | None, high: float | None, most: int = MOST_BINS) -> Stretch:
    """The bins that show the steps from `low` to `high` (everything by default), with one row more on either side.

    Args:
        steps: ascending, shape `(rows,)`.
        low, high: ends, in steps.
        most: bins.
    """
    first = 0 if low is None else max(0, int(np.searchsorted(steps, low, "left")) - 1)
    last = len(steps) - 1 if high is None else min(len(steps) - 1, int(np.searchsorted(steps, high, "right")))
    per_bin = 1
    while last // per_bin - first // per_bin + 1 > most:
        per_bin *= 2
    return Stretch(first // per_bin, last // per_bin, per_bin)


def binned_steps(steps: np.ndarray, stretch: Stretch) -> np.ndarray:
    """The mean step of each bin."""
    rows, starts, sizes = _cut(steps, stretch)
    return np.add.reduceat(rows, starts) / sizes if len(rows) else rows


def binned_values(values: np.ndarray, stretch: Stretch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, smallest and largest finite value of each bin; NaN where a bin has none."""
    rows, starts, _ = _cut(values, stretch)
    if not len(rows):
        return rows, rows, rows
    is_finite = np.isfinite(rows)
    counts = np.add.reduceat(is_finite.astype(np.float64), starts)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.add.reduceat(np.where(is_finite, rows, 0.0), starts) / counts
    low = np.minimum.reduceat(np.where(is_finite, rows, np.inf), starts)
    high = np.maximum.reduceat(np.where(is_finite, rows, -np.inf), starts)
    return mean, np.where(counts > 0, low, np.nan), np.where(counts > 0, high, np.nan)


def binned_errors(errors: np.ndarray, stretch: Stretch) -> np.ndarray:
    r"""Standard error of each bin's mean, :math:`\sqrt{\sum_i \mathrm{se}_i^2} / k` for k independent batches."""
    rows, starts, _ = _cut(errors, stretch)
    if not len(rows):
        return rows
    is_finite = np.isfinite(rows)
    counts = np.add.reduceat(is_finite.astype(np.float64), starts)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(np.add.reduceat(np.where(is_finite, rows, 0.0) ** 2, starts)) / counts


def rounded(values: np.ndarray) -> list[float | None]:
    """Numbers with seven digits that count, which no screen outdoes; `None` for what is missing."""
    return [float(f"{value:.{SIGNIFICANT}g}") if np.isfinite(value) else None for value in values.tolist()]


def _cut(values: np.ndarray, stretch: Stretch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows of a stretch, where its bins begin among them, and how many rows each has."""
    rows = values[stretch.first_bin * stretch.per_bin : (stretch.last_bin + 1) * stretch.per_bin]
    starts = np.arange(0, len(rows), stretch.per_bin)
    return rows, starts, np.diff(np.append(starts, len(rows)))


def series_json(columns: GrowingColumns, keys: Sequence[str], errors: Mapping[str, str], stretch: Stretch) -> Any:
    """Steps and columns of a stretch as plain values.

    Args:
        columns: of the run.
        keys: which of them.
        errors: the standard errors' column of those that are shown with an error instead of a range.
        stretch: which rows.
    """
    found: dict[str, Any] = {}
    for key in keys:
        mean, low, high = binned_values(columns.values(key), stretch)
        entry: dict[str, Any] = {"mean": rounded(mean)}
        if key in errors:
            half = binned_errors(columns.values(errors[key]), stretch)
            if np.isfinite(half).any():
                entry |= {"low": rounded(mean - half), "high": rounded(mean + half)}
        elif stretch.per_bin > 1:
            entry |= {"low": rounded(low), "high": rounded(high)}
        found[key] = entry
    return {"steps": rounded(binned_steps(columns.all_steps(), stretch)), "columns": found}
