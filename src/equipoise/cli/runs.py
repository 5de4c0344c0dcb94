"""`equipoise runs`: the run folders below a folder, with what is known of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from equipoise.cli.options import AsJson
from equipoise.cli.terminal import note, print_json
from equipoise.plotting.number_text import text_table

if TYPE_CHECKING:
    from equipoise.reports import RunSummary

HEADER = ("run", "state", "step", "data", "preset", "verdict")


def runs(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where to look.")] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """List runs with state and verdict.

    A run folder is any folder at or below FOLDER that 'equipoise train' made; the one last alive comes first.

    \b
    Example:
      equipoise runs
      equipoise runs experiments/ --json
    """
    from equipoise.reports import list_runs

    found = list_runs(folder)
    if as_json:
        print_json({"folder": str(folder), "runs": [run.to_json() for run in found]})
    elif found:
        print(text_table(HEADER, [cells(run) for run in found]))
        for run in found:
            if run.trouble:
                note(f"{run.folder}: {run.trouble}")
    else:
        note(f"no run folder below {folder}")


def cells(run: RunSummary) -> tuple[str, ...]:
    """One line of the list; '-' where nothing is known."""
    step = f"{run.step}/{run.steps}" if run.steps else str(run.step)
    condition = f"{run.condition}, {run.trend}" if run.trend else run.condition
    return (str(run.folder), condition, step, run.data or "-", run.preset or "-", run.verdict or "-")
