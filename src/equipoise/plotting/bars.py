"""Bars that lie on their side, each with a name that may be long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from equipoise.plotting.style import FAKE_COLOUR, INK, write_in_middle

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Interval = tuple[float, float] | None


def draw_bars(
    axes: Axes,
    bars: Sequence[tuple[str, float]],
    *,
    title: str,
    unit: str = "",
    colours: Sequence[str] | str = FAKE_COLOUR,
    intervals: Sequence[Interval] = (),
) -> None:
    """The first bar on top; without any, the axes say so.

    Args:
        axes: empty ones.
        bars: name and length of each.
        title: above the axes, to the left.
        unit: below the axes.
        colours: one for all, or one for each.
        intervals: of the lengths, where they are known.
    """
    axes.set_title(title, loc="left")
    if not bars:
        write_in_middle(axes, "none found")
        axes.set_axis_off()
        return
    places = np.arange(len(bars))
    axes.barh(places, [length for _, length in bars], color=colours)
    for place, interval in zip(places, intervals, strict=False):
        if interval is not None:
            axes.plot(interval, (place, place), color=INK, linewidth=1.2, marker="|", markersize=5)
    axes.set_yticks(places)
    axes.set_yticklabels([name for name, _ in bars], parse_math=False)
    axes.invert_yaxis()
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_xlabel(unit)
