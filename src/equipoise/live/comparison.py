"""Chosen runs side by side: the tables and sentences of `equipoise compare`, and what the page draws of each run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equipoise.entries import number_at
from equipoise.errors import EquipoiseError
from equipoise.files import plain
from equipoise.live.run_text import sample_facts
from equipoise.plotting.number_text import encodable
from equipoise.reports.comparing import compare
from equipoise.reports.reading import RunRecord

COLOURS = tuple(f"line-{place}" for place in range(1, 9))


def comparison_json(chosen: Sequence[tuple[str, Path]]) -> dict[str, Any]:
    """Everything the page of a comparison shows besides the curves themselves.

    Args:
        chosen: key and folder of each run. One that cannot be read is named, and left out.
    """
    readable, troubles = [], []
    for key, path in chosen:
        try:
            compare([path], reads_metrics=False)
            readable.append((key, path))
        except (EquipoiseError, OSError) as error:
            troubles.append(" ".join(str(error).split()))
    if not readable:
        return _encodable({"runs": [], "tables": [], "notes": troubles})
    keys = {path: key for key, path in readable}
    found = compare([path for _, path in readable], reads_metrics=False)
    runs = [
        _run_json(run, keys[run.folder.path], group.letter, COLOURS[place % len(COLOURS)])
        for place, (group, run) in enumerate((group, run) for group in found.groups for run in group.runs)
    ]
    tables = [{"title": title, "header": header, "rows": rows} for title, header, rows in found.tables()]
    return _encodable({"runs": runs, "tables": tables, "notes": [*found.notes, *troubles]})


def _run_json(run: RunRecord, key: str, letter: str, colour: str) -> dict[str, Any]:
    bounds = [
        (number_at(row, "step"), number_at(row, "jsd_lower_bound_nats"))
        for row in run.interim_evaluations
        if number_at(row, "jsd_lower_bound_nats") is not None
    ]
    return {
        "key": key,
        "letter": letter,
        "name": run.name,
        "colour": colour,
        "objective": run.objective,
        "equilibrium": run.equilibrium_value,
        "evaluations": {"steps": [step for step, _ in bounds], "bounds": [bound for _, bound in bounds]},
        "samples": sample_facts(run)["steps"],
    }


def _encodable(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _encodable(value) for key, value in found.items()}
    if isinstance(found, (list, tuple)):
        return [_encodable(value) for value in found]
    return encodable(found) if isinstance(found, str) else plain(found)
