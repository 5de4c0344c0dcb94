"""Which weights samples, verdict and report come from: those kept by the interim evaluations, or the last ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from equipoise.entries import entry_at, number_at
from equipoise.reports.reading import RunRecord


def kept_step(run: RunRecord) -> int | None:
    """The step of the weights that were kept; `None` where samples come from the last step."""
    step = number_at(run.status, "best", "step")
    is_kept = step is not None and entry_at(run.config, "evaluations", "keep_best") is True
    return int(step) if is_kept and step is not None else None


def weights_phrase(run: RunRecord) -> str:
    """In a few words, for a line of a terminal; empty for a run that was not to keep the best."""
    kept, count = kept_step(run), len(run.interim_evaluations)
    if kept is None:
        return f"of the last step, {run.step:,}: no interim evaluation was made" if _has_no_evaluations(run) else ""
    chosen = f"the best of {count} interim evaluations" if count != 1 else "where the one interim evaluation was"
    if kept == run.step:
        return f"of the last step, {run.step:,}, {chosen}"
    return f"of step {kept:,}, {chosen} (--last: of step {run.step:,})"


def weights_sentence(run: RunRecord, verdict: Mapping[str, Any] | None) -> str:
    """Which weights samples and final verdict come from, and why; empty for a run that was not to keep the best."""
    kept = kept_step(run)
    if kept is None:
        if not _has_no_evaluations(run) or run.state != "finished":
            return ""
        return (
            "Samples come from the last step: the run had no interim evaluations, by which better weights could have "
            "been kept. It was too short for them, had too few held-out rows, or was asked to have none."
        )
    of = ""
    if verdict is not None and verdict.get("part") == "final":
        of = f" This verdict is about {'it' if number_at(verdict, 'step') == kept else 'another one'}."
    return (
        f"Samples come from step {kept:,}, where the interim evaluation estimated the smallest distance (to a quarter "
        "of its standard error, or below what it can see, then the latest); the last step is "
        f"{run.step:,} (option --last).{of}"
    )


def stages_sentence(run: RunRecord) -> str:
    """The estimated distance after each stage of a run that had one before the game, and of which the weights are."""
    steps = number_at(run.config, "warm_start", "steps")
    if steps is None or run.step < steps:
        return ""
    stage = int(steps)
    rows = [row for row in run.interim_evaluations if number_at(row, "jsd_estimate_nats") is not None]
    before = [row for row in rows if row["step"] <= stage]
    after = [row for row in rows if row["step"] > stage]
    parts = [
        f"after {name} (step {row['step']:,}) it was {_four_places(number_at(row, 'jsd_estimate_nats'))} nats"
        for name, found in (("the likelihood stage", before), ("the game", after))
        for row in found[-1:]
    ]
    told = f" Of the estimated distance: {'; '.join(parts)}." if parts else " Nothing was estimated at their ends."
    kept = kept_step(run)
    used = run.step if kept is None else kept
    whose = "the likelihood stage" if used <= stage else "the game"
    stages = f"The run had two stages, {stage:,} steps by likelihood and then the game."
    return f"{stages}{told} The weights used are of {whose}."


def _has_no_evaluations(run: RunRecord) -> bool:
    return entry_at(run.config, "evaluations", "count") == 0


def _four_places(value: float | None) -> str:
    return "–" if value is None else f"{round(value, 4) + 0.0:.4f}"  # rounding error below zero is no "-0.0000"
