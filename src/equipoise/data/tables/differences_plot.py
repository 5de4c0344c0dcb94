"""Where two tables differ, as bars: columns by themselves, and pairs of columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

_BAR_COLOUR = "#D55E00"


def draw_columns(findings: Sequence[Mapping[str, Any]]) -> Callable[[Any], None] | None:
    """What draws the columns and pairs of these findings; `None` where they name none."""
    rows = [row for finding in findings if finding["check"] == "where" for row in finding["rows"]]
    columns = [row for row in rows if "column" in row and "jsd_nats" in row]
    pairs = [row for row in rows if "first" in row and "dependence_lost_nats" in row]
    if not columns and not pairs:
        return None

    def draw(panel: Any) -> None:
        left, right = panel.subplots(1, 2)
        _draw_bars(
            left,
            "columns by themselves",
            [(str(row["column"]), row["jsd_nats"]) for row in columns],
            "JSD of the column, nats",
        )
        _draw_bars(
            right,
            "pairs of columns",
            [(f"{row['first']} with {row['second']}", row["dependence_lost_nats"]) for row in pairs],
            "dependence lost (below 0: gained), nats",
        )

    return draw


def _draw_bars(axes: Any, title: str, bars: Sequence[tuple[str, float]], unit: str) -> None:
    axes.set_title(title, fontsize=9)
    if not bars:
        axes.text(0.5, 0.5, "none found", ha="center", va="center", transform=axes.transAxes, fontsize=9)
        axes.set_axis_off()
        return
    places = np.arange(len(bars))
    axes.barh(places, [size for _, size in bars], color=_BAR_COLOUR)
    axes.set_yticks(places, [label[:40].replace("$", r"\$") for label, _ in bars], fontsize=8)
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel(unit, fontsize=8)
