r"""Which weights of a run are kept and used: chosen by the estimates of its interim evaluations.

The estimate :math:`e_k` and not the bound: the bound is zero at every evaluation that finds nothing, and would reward a
referee at chance level. With :math:`s_k` the standard error of :math:`e_k`, with estimates below zero taken as zero,
which no distance is below, and with m the evaluation of the least estimate up to k, an evaluation is kept in place of
the one before if

.. math::
    e_k \le e_m + \tfrac14 \max(s_k, s_m) .

Near the data errors shrink as training goes on: an early estimate that is the least by the luck of its own large error
must not rule out later ones whose errors are small.

So the weights are the latest of those within a quarter of a standard error of the least estimate. The least of many
noisy estimates is one that was lucky, and where training still improves it throws the last steps away; a margin in
favour of the latest halves that loss, and takes in weights that have begun to get worse where the distance has a
minimum within the run. Simulated on both kinds of runs (`tests/unit/training/test_best_checkpoint.py`), margins from
none to half an error lose the same together, 0.2 to 0.3 standard errors in the mean, and a whole error loses a fifth
more; a quarter loses a quarter less than none where training improves to the end, which the schedules here are made
for. The anchor is the least estimate and not the kept one, so that many small rises do not add up to a large one.

Below the difference that an evaluation sees in theory, an estimate says nothing of which weights are better: where no
classifier finds anything it is 0 with an error of 0, and would rule out whatever comes later. So an evaluation is kept,
too, whose estimate is no larger than its own sensitivity.

Which evaluation is kept is read from the stored ones alone, so that a run that was stopped or rolled back goes on as if
it never had been. For that, what was kept up to each checkpoint that is still there stays too: whoever goes back to
that checkpoint finds it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from equipoise.runfolder import RunFolder
from equipoise.training.checkpoints import checkpoint_files, drop_checkpoint, save_checkpoint, step_of
from equipoise.training.state import TrainingState
from equipoise.training.trend import estimate_error, sensitivity

KEPT_WITHIN = 0.25
"""Standard errors above the least estimate within which a later evaluation is preferred."""


def best_evaluation(evaluations: Sequence[Mapping[str, Any]], *, up_to: float = math.inf) -> Mapping[str, Any] | None:
    """The evaluation whose weights are kept; `None` if none has a finite estimate.

    Args:
        evaluations: in order of their steps.
        up_to: evaluations of later steps do not count.
    """
    kept, least, least_error = None, math.inf, 0.0
    for row in evaluations:
        estimate = _estimate(row)
        if row["step"] > up_to or estimate == math.inf:
            continue
        error = estimate_error(row)
        error = error if math.isfinite(error) else 0.0
        if estimate < least:
            least, least_error = estimate, error
        if estimate <= max(least + KEPT_WITHIN * max(error, least_error), sensitivity(row)):
            kept = row
    return kept


def keep_if_best(folder: RunFolder, state: TrainingState, evaluations: Sequence[Mapping[str, Any]]) -> bool:
    """Store the state in `best/` if the last of `evaluations` is to be kept, and drop those nobody can go back to.

    Args:
        folder: of the run.
        state: as it stands at the last evaluation.
        evaluations: all so far, with the present one, whose line need not be written yet.

    Returns:
        Whether it is kept.
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
    files = checkpoint_files(folder.best)
    found = [best_evaluation(evaluations, up_to=step) for step in kept_steps]
    # The newest that is there: a run of an earlier version kept the least estimate, and has stored no other.
    needed = {max((step_of(path) for path in files if step_of(path) <= row["step"]), default=0) for row in found if row}
    for path in files:
        if step_of(path) not in needed:
            drop_checkpoint(path)


def _estimate(row: Mapping[str, Any]) -> float:
    estimate = row.get("jsd_estimate_nats")
    return max(0.0, estimate) if isinstance(estimate, (int, float)) and math.isfinite(estimate) else math.inf
