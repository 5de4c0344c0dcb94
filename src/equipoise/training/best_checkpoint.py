"""Keeps the checkpoint of the evaluation with the smallest point estimate, whatever else is thinned out.

The estimate and not the bound: the bound is zero at every evaluation that finds nothing, and would reward a referee at
chance level. Which evaluation is the best is read from the stored ones alone, so that a run that was stopped or rolled
back goes on as if it never had been. For that, the best of all evaluations up to each kept checkpoint stays too:
whoever goes back to that checkpoint finds it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from equipoise.runfolder import RunFolder
from equipoise.training.checkpoints import checkpoint_files, drop_checkpoint, save_checkpoint, step_of
from equipoise.training.state import TrainingState


def best_evaluation(evaluations: Sequence[Mapping[str, Any]], *, up_to: float = math.inf) -> Mapping[str, Any] | None:
    """The evaluation with the smallest finite estimate, of equal ones the first; `None` if there is none."""
    known = [row for row in evaluations if row["step"] <= up_to and _estimate(row) < math.inf]
    return min(known, key=_estimate, default=None)


def keep_if_best(folder: RunFolder, state: TrainingState, evaluations: Sequence[Mapping[str, Any]]) -> bool:
    """Store the state in `best/` if the last of `evaluations` is the best of them, and drop those nobody can go back
    to.

    Args:
        folder: of the run.
        state: as it stands at the last evaluation.
        evaluations: all so far, with the present one, whose line need not be written yet.

    Returns:
        Whether it is the best so far.
    """
    best = best_evaluation(evaluations)
    is_best = best is not None and best is evaluations[-1]
    if is_best:
        save_checkpoint(folder.best, state, thin=False)
    _drop(
        folder,
        evaluations,
        kept_steps=[state.step, *(step_of(path) for path in checkpoint_files(folder.checkpoints))],
    )
    return is_best


def _drop(folder: RunFolder, evaluations: Sequence[Mapping[str, Any]], *, kept_steps: Iterable[int]) -> None:
    found = [best_evaluation(evaluations, up_to=step) for step in kept_steps]
    needed = {row["step"] for row in found if row is not None}
    for path in checkpoint_files(folder.best):
        if step_of(path) not in needed:
            drop_checkpoint(path)


def _estimate(row: Mapping[str, Any]) -> float:
    estimate = row.get("jsd_estimate_nats")
    return estimate if isinstance(estimate, (int, float)) and math.isfinite(estimate) else math.inf
