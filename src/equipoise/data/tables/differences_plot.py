"""Where two tables differ, as bars: columns by themselves, and pairs of columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from equipoise.plotting.bars import draw_bars
from equipoise.plotting.number_text import shortened

LONGEST_NAME = 40


def draw_columns(findings: Sequence[Mapping[str, Any]]) -> Callable[[Any], None] | None:
    """What draws the columns and pairs of these findings; `None` where they name none."""
    rows = [row for finding in findings if finding["check"] == "where" for row in finding["rows"]]
    columns = [row for row in rows if "column" in row and "jsd_nats" in row]
    pairs = [row for row in rows if "first" in row and "dependence_lost_nats" in row]
    if not columns and not pairs:
        return None

    def draw(panel: Any) -> None:
        left, right = panel.subplots(1, 2)
        lengths = [(shortened(str(row["column"]), LONGEST_NAME), row["jsd_nats"]) for row in columns]
        draw_bars(left, lengths, title="columns by themselves", unit="JSD of the column, nats")
        lost = [
            (shortened(f"{row['first']} with {row['second']}", LONGEST_NAME), row["dependence_lost_nats"])
            for row in pairs
        ]
        draw_bars(right, lost, title="pairs of columns", unit="dependence lost (below 0: gained), nats")

    return draw
