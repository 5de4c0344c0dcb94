"""Curves over steps: columns of `metrics.jsonl` as at most 400 points, and how they are drawn.

A figure a hand wide cannot show 100,000 steps. Neighbouring measured steps are joined into bins of equal count; a bin
is shown as its mean, with the range from its smallest to its largest value, so that no spike disappears.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.entries import number_at
from equipoise.plotting.number_text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BINS = 400
NOISY_BINS = 120  # for quantities that jump from step to step: fewer means and a band read better
TABLE_ROWS = 8  # of the short table below a figure


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


def draw_band(
    axes: Axes, x: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str, *, alpha: float = 0.18
) -> None:
    """The range between two curves."""
    axes.fill_between(x, low, high, color=colour, alpha=alpha, linewidth=0)


def draw_histogram(
    axes: Axes, heights: np.ndarray, edges: np.ndarray, colour: str, *, label: str | None = None
) -> None:
    """A histogram through which another one can be seen."""
    axes.stairs(heights, edges, fill=True, color=colour, alpha=0.28, linewidth=0)
    axes.stairs(heights, edges, color=colour, linewidth=1.2, label=label)


def draw_line(
    axes: Axes, values: Series, colour: str, *, band: bool = True, style: Any = "-", marker: str | None = None
) -> None:
    """The means as a line, a lone mean as a dot, and the range inside each bin as a band."""
    lone = int(np.isfinite(values.mean).sum()) == 1
    if band and values.per_bin > 1:
        draw_band(axes, values.steps, values.low, values.high, colour)
    axes.plot(values.steps, values.mean, color=colour, linestyle=style, marker="o" if lone else marker, markersize=5)


def steps_axis(axes: Axes, *, last: float | None = None) -> None:
    from matplotlib.ticker import EngFormatter, MaxNLocator

    axes.set_xlabel("step")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    if last is not None:
        axes.set_xlim(-0.02 * max(last, 1.0), 1.04 * max(last, 1.0))


def zoom(axes: Axes, *lines: Series, extra: tuple[float, ...] = ()) -> tuple[str, ...]:
    """Limits that keep the middle 98 % of the values readable; one spike must not flatten all else.

    Returns:
        A sentence when values lie outside the limits, else nothing.
    """
    values = np.concatenate([line.mean[np.isfinite(line.mean)] for line in lines])
    low, high = np.quantile(values, [0.01, 0.99])
    low, high = min(low, *extra, values[-1]), max(high, *extra, values[-1])
    room = 0.08 * (high - low) or 0.05 * max(abs(high), 1e-3)
    axes.set_ylim(low - room, high + room)
    cut = values.min() < low - room or values.max() > high + room
    reach = f"{number(float(values.min()), 3)} to {number(float(values.max()), 3)}"
    return (f"The axis is cut; the line reaches from {reach}.",) if cut else ()


def log_if_positive(axes: Axes, lines: list[Series]) -> None:
    """A logarithmic axis where the values are positive and span more than a factor of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    values = np.concatenate([line.mean[np.isfinite(line.mean)] for line in lines])
    if len(values) and values.min() > 0 and values.max() / values.min() > 10:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
        if values.max() / values.min() < 300:  # few whole decades: 1, 2, 5, 10 in place of powers of ten
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))


def picked_bins(values: Series) -> list[int]:
    """Up to eight bins with a value, evenly spaced, the first and the last among them."""
    present = np.flatnonzero(np.isfinite(values.mean))
    chosen = np.linspace(0, len(present) - 1, min(TABLE_ROWS, len(present))).round().astype(int)
    return [int(present[i]) for i in chosen]


def note_on_bins(values: Series, *, band: bool = False) -> tuple[str, ...]:
    if values.per_bin == 1:
        return ()
    ranged = "; the band is the range within it" if band else ""
    return (f"Each point is the mean of {values.per_bin} measured steps{ranged}.",)


def note_on_missing(values: Series) -> tuple[str, ...]:
    measured = int(values.counts.sum()) + values.missing
    return (f"{values.missing:,} of {measured:,} measured steps have no finite value here.",) if values.missing else ()
