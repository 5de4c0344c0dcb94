"""What every figure of a report shares: its size, its lines, its legend, its axis of steps."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.plotting.number_text import encodable, number
from equipoise.plotting.series import Series
from equipoise.plotting.svg import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TABLE_ROWS = 8  # of the short table below a figure


@contextmanager
def new_figure(height: float) -> Iterator[Figure]:
    """A figure of the width that a phone shows without shrinking its letters."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        yield Figure(figsize=(5.0, height), layout="constrained")


@contextmanager
def new_axes(height: float = 3.0) -> Iterator[tuple[Figure, Axes]]:
    with new_figure(height) as figure:
        axes = figure.add_subplot()
        axes.grid(True)
        yield figure, axes


def draw_line(axes: Axes, values: Series, colour: str, *, band: bool = True, style: Any = "-") -> None:
    """The means as a line, a lone mean as a dot, and the range inside each bin as a band."""
    lone = int(np.isfinite(values.mean).sum()) == 1
    if band and values.per_bin > 1:
        axes.fill_between(values.steps, values.low, values.high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(values.steps, values.mean, color=colour, linestyle=style, marker="o" if lone else None, markersize=5)


def legend_key(label: str, colour: str, *, dashed: bool = False, marker: str | None = None, line: bool = True) -> Any:
    from matplotlib.lines import Line2D

    style = "none" if not line else (0, (4, 2)) if dashed else "-"
    return Line2D([], [], color=colour, label=encodable(label), linestyle=style, marker=marker, markersize=5)


def draw_legend(figure: Figure, handles: list[Any], *, across: int = 3) -> None:
    if handles:
        legend = figure.legend(
            handles=handles,
            loc="outside upper left",
            ncols=min(across, len(handles)),
            handlelength=1.6,
            columnspacing=1.4,
            borderaxespad=0.2,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)


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
