"""What follows from a significant rise of the estimated distance: once a lower learning rate, then the end.

The rule, the same in every run and whenever it is stopped and resumed:

- At the first rise (`rises.significant_rise`) training goes on from the weights that are kept, with the moments of
  their optimizers and whatever else was stored with them, at the present step and at a lower learning rate. From these
  and not from the present ones, which are worse by more than chance explains; at the present step, so that the run
  takes the time that it was given and its schedules end where they were planned to.
- At the next one training ends, as complete. Whoever makes the run longer all the same hears no more of it.
- A rise at the last planned step changes nothing: there is nothing left to train.

What the rate was lowered for stands in the run folder, as an evaluation, before anything follows from it, and the
checkpoint of the step is written anew with what was changed: a kill at any moment between leaves a run that does the
same once more. The selection rows have then reached the training, and later evaluations are descriptive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from equipoise.errors import RunFolderError
from equipoise.runfolder import RunFolder
from equipoise.training.best_checkpoint import best_evaluation
from equipoise.training.checkpoints import read_together, restore, save_checkpoint, tensor_file
from equipoise.training.events import EvaluationDue, Event, Stop
from equipoise.training.loop import Trainer
from equipoise.training.rises import rise_sentence

OnRise = Literal["lower", "continue"]
RISE = "rise"
"""The reason in the record of a change that a rise has asked for, among those of rollbacks."""


class RiseWatch:
    """A handler that ends training on a significant rise; it comes after the evaluations.

    Args:
        rows: gives the interim evaluations so far, in order.

    Attributes:
        found: the rise for which the rate is to be lowered.
    """

    def __init__(self, rows: Callable[[], Sequence[Mapping[str, Any]]]) -> None:
        self.rows = rows
        self.found: Mapping[str, Any] | None = None

    def __call__(self, event: Event) -> Stop | None:
        """After an evaluation that finds a rise, ask for the end."""
        if not isinstance(event, EvaluationDue):
            return None
        return self.answer(event.step, event.state.rollbacks, is_last=event.step >= event.state.plan.steps)

    def taken_up(self, trainer: Trainer, *, goes_on: bool) -> Stop | None:
        """How a run that is resumed begins: with what was to follow from the evaluation of its step, if it was cut off
        between the two."""
        answer = self.answer(trainer.step, trainer.rollbacks, is_last=trainer.step >= trainer.plan.steps)
        return answer if answer is not None and answer.goal and not goes_on else None

    def answer(self, step: int, changes: Sequence[Mapping[str, Any]], *, is_last: bool) -> Stop | None:
        """What follows from the evaluation of this step.

        Args:
            step: the present one.
            changes: the records of the trainer's state.
            is_last: whether it is the last planned one.
        """
        rows = self.rows()
        rise = rows[-1].get("rise") if rows and rows[-1]["step"] == step else None
        lowered = [int(change["step"]) for change in changes if change.get("reason") == RISE]
        if not rise or is_last or step in lowered:
            return None
        if not lowered:
            self.found = rise
            return Stop()
        if any(row.get("rise") and lowered[-1] < row["step"] < step for row in rows):
            return None  # training was to end there, and somebody went on all the same
        return Stop(
            goal=f"At step {step:,} {rise_sentence(rise)}, for the second time: the learning rate had been lowered at "
            f"step {lowered[-1]:,}."
        )


def lower_rate(run: RunFolder, trainer: Trainer, rise: Mapping[str, Any], *, factor: float) -> dict[str, Any]:
    """Go on from the kept weights at the present step and a lower learning rate; of many processes, all call this.

    Args:
        run: holds the kept weights, and is given the checkpoint of the present step anew.
        trainer: is changed.
        rise: that was found.
        factor: on both learning rates, on top of earlier ones.

    Returns:
        The record of what was changed. Where the kept weights cannot be read, training goes on from the present ones.
    """
    rows = [row for row in run.read_verdicts() if row.get("part") == "selection"] if trainer.group.is_main else []
    kept = trainer.group.broadcast_object(_kept_step(rows, up_to=trainer.step))
    record = {
        "number": len(trainer.rollbacks) + 1,
        "step": trainer.step,
        "to_step": trainer.step,
        "weights_of_step": kept,
        "reason": RISE,
        "caution": trainer.lr_backoff * factor,
        "message": rise_sentence(rise),
    }
    try:
        tensors, numbers, _ = read_together(trainer.group, run.best, among=[tensor_file(run.best, kept)])
    except RunFolderError:
        record["weights_of_step"] = trainer.step
        tensors = numbers = None
    changes = {"step": trainer.step, "seconds": trainer.seconds, "caution": record["caution"]}
    changes["rollbacks"] = [*trainer.rollbacks, record]
    trainer.group.barrier()  # until all have read what is about to change
    if tensors is None or numbers is None:
        trainer.lr_backoff, trainer.rollbacks = changes["caution"], changes["rollbacks"]
        trainer.should_stop = False
    else:
        restore(trainer, tensors, {**numbers, **changes}, where=str(run.best))
    if trainer.group.is_main:
        save_checkpoint(run.checkpoints, trainer.state)
    trainer.group.barrier()
    return record


def _kept_step(rows: Sequence[Mapping[str, Any]], *, up_to: int) -> int:
    kept = best_evaluation(rows, up_to=up_to)
    return up_to if kept is None else int(kept["step"])


def lowered_sentence(record: Mapping[str, Any]) -> str:
    """What happened, for the person."""
    where = (
        "the present weights"
        if record["weights_of_step"] == record["step"]
        else f"the weights of step {record['weights_of_step']:,}"
    )
    return (
        f"learning rate lowered: at step {record['step']:,} {record['message']}. Training goes on from {where} with "
        f"{record['caution']:.3g} of the planned learning rates; later evaluations are descriptive."
    )
