"""A verdict as files: for programs, for people, as a picture, and the samples that give each side away as a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from equipoise.files import replacing, write_json, write_text
from equipoise.plotting.style import save_figure

if TYPE_CHECKING:
    from equipoise.referee.verdict import Verdict


def save(verdict: Verdict, folder: Path) -> list[Path]:
    """Write the files, each whole or not at all; those of an earlier verdict are replaced."""
    paths = [folder / name for name in ("verdict.json", "verdict.txt", "verdict.png")]
    write_json(paths[0], verdict.to_json())
    write_text(paths[1], verdict.to_text() + "\n")
    save_figure(verdict.plot(), paths[2])
    rows = most_discriminative_rows(verdict)
    table = folder / "giveaway.csv"
    if not rows:
        table.unlink(missing_ok=True)
        return paths
    with replacing(table) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)
    return [*paths, table]


def most_discriminative_rows(verdict: Verdict) -> list[dict[str, object]]:
    """The scored samples that give each side away most: side, position on that side, log-odds of real, and values."""
    return [
        dict(row)
        for finding in verdict.findings
        if finding.check == "where"
        for row in finding.rows
        if "log_odds_of_real" in row
    ]
