"""`equipoise runs`: the run folders below a folder, with what is known of each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from equipoise.cli.options import AsJson
from equipoise.cli.terminal import aligned, note, print_json
from equipoise.errors import RunFolderError

DEEPEST = 3  # folders below FOLDER that are searched: runs/, a sweep's folder, a run


def runs(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where to look.")] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """List runs with state and verdict.

    A run folder is any folder below FOLDER that 'equipoise train' made.

    \b
    Example:
      equipoise runs
      equipoise runs experiments/ --json
    """
    found = list(summaries(folder))
    if as_json:
        print_json({"folder": str(folder), "runs": found})
    elif found:
        header = ("run", "state", "trend", "step", "data", "objective", "verdict")
        print(aligned(([row_cell(run, name) for name in header] for run in found), header))
    else:
        note(f"no run folder below {folder}")


def summaries(folder: Path) -> Iterator[dict[str, Any]]:
    """What each run folder below `folder` says of itself, in the order of their names."""
    from equipoise.runfolder import RunFolder, is_run_folder

    if not folder.is_dir():
        raise RunFolderError(
            str(folder), "no such folder.", "Expected a folder with run folders in it.",
            "Name the folder that you gave to 'equipoise train --outdir', or the one above it.",
        )  # fmt: skip
    for path in run_paths(folder, is_run_folder):
        run = RunFolder(path)
        try:
            status, facts, data = run.read_status(), run.read_json(run.facts), run.read_json(run.data)
        except RunFolderError as error:
            yield {"run": str(path), "state": "unreadable", "message": str(error)}
            continue
        yield {
            "run": str(path),
            "state": status.get("state"),
            "trend": status.get("trend"),
            "step": status.get("step"),
            "steps": status.get("steps"),
            "data": data.get("source"),
            "objective": (facts.get("objective") or {}).get("name"),
            "verdict": status.get("last_verdict"),
            "message": status.get("message"),
            "updated": status.get("updated"),
        }


def run_paths(folder: Path, is_run_folder: Any, depth: int = 0) -> Iterator[Path]:
    """Run folders at or below `folder`; a run folder is not searched for others."""
    if is_run_folder(folder):
        yield folder
    elif depth < DEEPEST:
        for child in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
            yield from run_paths(child, is_run_folder, depth + 1)


def row_cell(run: Mapping[str, Any], name: str) -> str:
    """One cell of the list; '-' where nothing is known."""
    content = run.get(name)
    if name == "verdict" and content:
        return verdict_text(content)
    if name == "step" and content is not None and run.get("steps"):
        return f"{content}/{run['steps']}"
    return "-" if content is None else str(content)


def verdict_text(verdict: Mapping[str, Any]) -> str:
    """'distinguished, JSD >= 0.112 nats (step 4000, selection part)'."""
    text = str(verdict.get("conclusion", "unknown")).replace("_", " ")
    bound = verdict.get("jsd_lower_bound_nats")
    if isinstance(bound, (int, float)) and math.isfinite(bound):
        text += f", JSD >= {max(bound, 0.0):.3g} nats"
    seen = [f"step {verdict['step']}"] if verdict.get("step") is not None else []
    seen += [f"{verdict['part']} part"] if verdict.get("part") else []
    return f"{text} ({', '.join(seen)})" if seen else text
