"""The run folders below a folder, with the state and the last verdict of each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from equipoise.entries import finite, number_at
from equipoise.errors import EquipoiseError, RunFolderError
from equipoise.plotting.number_text import number
from equipoise.referee.verdict_text import conclusion_of
from equipoise.reports.reading import RunRecord, read_run
from equipoise.reports.wording import state_phrase

DEEPEST = 4  # levels below the root that are searched


@dataclass(frozen=True)
class RunSummary:
    """One line of the list of runs.

    Attributes:
        folder: where the run is.
        state: `training`, `finished`, `stopped`, `failed`, or `unknown`, as the run last wrote it.
        condition: the state as people should read it, such as `training (no sign of life for 2 h)`.
        step, steps: the last step known, and the steps asked for.
        trend: as the run last wrote it; empty when it did not.
        verdict: the last conclusion with its bound in words; empty before the first.
        conclusion: the last conclusion itself; empty before the first.
        jsd_lower_bound_nats: the bound of that verdict.
        data, preset: what was trained on, and from which preset.
        updated: seconds since 1970 of the last sign of life.
        trouble: why the folder could not be read in full; empty when it could.
    """

    folder: Path
    state: str
    condition: str
    step: int
    steps: int | None
    trend: str
    verdict: str
    conclusion: str
    jsd_lower_bound_nats: float | None
    data: str
    preset: str
    updated: float | None
    trouble: str

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return {**asdict(self), "folder": str(self.folder)}


def list_runs(root: Path | str = "runs", *, now: float | None = None, reads_metrics: bool = True) -> list[RunSummary]:
    """The runs at or below `root`, the one last alive first.

    A folder counts as a run when it holds `config.yaml` and anything else that a run folder has; one that is half
    written or broken is listed with what could be read of it.

    Args:
        root: where to look; four levels down.
        now: the present moment in seconds since 1970 (default: the clock).
        reads_metrics: whether `metrics.jsonl` is read where `status.json` does not tell the step; it may be long.

    Raises:
        RunFolderError: there is no folder at `root`.
    """
    top = Path(root)
    if not top.is_dir():
        raise RunFolderError(
            str(top),
            "no such folder.",
            "Expected a folder with run folders in it.",
            "Name the folder that you gave to 'equipoise train --outdir'.",
        )
    found = [_summary(path, now, reads_metrics) for path in _run_folders(top, DEEPEST)]
    return sorted(found, key=lambda run: (-(run.updated or 0.0), str(run.folder)))


def _run_folders(folder: Path, depth: int) -> Iterator[Path]:
    if _seems_a_run(folder):
        yield folder
        return
    if depth == 0:
        return
    try:
        children = sorted(entry.path for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
    except OSError:  # a folder that may not be read is no reason to hide the others
        return
    for child in children:
        if not Path(child).name.startswith("."):
            yield from _run_folders(Path(child), depth - 1)


def _seems_a_run(folder: Path) -> bool:
    names = ("status.json", "run.json", "data.json", "metrics.jsonl", "checkpoints")
    return (folder / "config.yaml").is_file() and any((folder / name).exists() for name in names)


def _summary(path: Path, now: float | None, reads_metrics: bool) -> RunSummary:
    try:
        run = read_run(path, reads_metrics=reads_metrics)
    except (EquipoiseError, OSError) as error:
        trouble = " ".join(str(error).split())
        return RunSummary(path, "unknown", "cannot be read", 0, None, "", "", "", None, "", "", None, trouble)
    verdict = run.verdict or {}
    return RunSummary(
        folder=path,
        state=run.state,
        condition=state_phrase(run.status, now=now),
        step=run.step,
        steps=run.steps,
        trend=str(run.status.get("trend") or ""),
        verdict=_verdict_in_words(run),
        conclusion=str(verdict.get("conclusion") or ""),
        jsd_lower_bound_nats=number_at(verdict, "jsd_lower_bound_nats"),
        data=run.data_source,
        preset=run.preset,
        updated=_updated(run),
        trouble=" ".join(run.troubles),
    )


def _verdict_in_words(run: RunRecord) -> str:
    if run.verdict is None:
        return ""
    bound = number_at(run.verdict, "jsd_lower_bound_nats")
    conclusion = conclusion_of(run.verdict).lower()
    if bound is None or run.verdict.get("conclusion") != "distinguished":
        return conclusion
    return f"{conclusion}, {f'JSD ≥ {number(bound, 3)}' if bound > 0 else 'by an unknown distance'}"


def _updated(run: RunRecord) -> float | None:
    """The moment in status.json; the file's own time when it holds none."""
    written = finite(run.status.get("updated"))
    if written is not None:
        return written
    try:
        return run.folder.config.stat().st_mtime
    except OSError:
        return None
