"""Training that left the finite numbers, or that interim evaluations call collapsed, goes on from a checkpoint with
lower learning rates. (What follows from a rise of the distance is in `lower_rate`; it is done here, between two parts
of the training, too.)

The rule, the same in every run and whenever it is stopped and resumed:

- Training goes back to the newest whole checkpoint among the planned ones (those at multiples of the interval, and that
  of step 0). If it went back there before and has not reached another planned one since, it goes back one further. When
  evaluations are the reason, it goes back to the newest one that is no later than the last one with a good trend.
- Both learning rates are multiplied by a stated factor, for the rest of the run, on top of earlier ones.
- This happens at most a stated number of times; the next time, training ends with `PlayDiverged`.

The factor and the list of what happened are part of the state, and stand in the checkpoint that training goes back to
before anything else is changed: a kill at any moment between leaves a run that does the same once more. An evaluation
whose trend is bad stands in the run folder, and the checkpoint of its step is written, before anything follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from equipoise.documents import read_json
from equipoise.errors import PlayDiverged, RunFolderError
from equipoise.files import write_json
from equipoise.runfolder import RunFolder
from equipoise.training.checkpoints import (
    complete_files,
    drop_checkpoint,
    is_planned,
    later_than,
    read_together,
    restore,
    sealed,
    step_of,
    tensor_file,
)
from equipoise.training.events import EvaluationDue, Event, Handler, RolledBack, Stop
from equipoise.training.loop import Trainer
from equipoise.training.lower_rate import RISE, RiseWatch, lower_rate, lowered_sentence

OnCollapse = Literal["rollback", "stop", "continue"]
BAD_TRENDS = ("collapsed", "diverged")
LOWERED = "learning rate lowered"
"""The event in the event log that says what followed from a significant rise of the distance."""
ENDED_THERE = "stopped by the trend"
"""The event in the event log that says that `--on-collapse stop` was obeyed."""


class Collapsed(PlayDiverged):
    """The interim evaluations say that the generator has collapsed, or is far behind what it had reached."""


class Recovery:
    """Runs a trainer to its end, going back to a checkpoint where the rule allows it.

    Args:
        run: holds the checkpoints.
        most: rollbacks in the whole run.
        learning_rate_factor: on both learning rates, at each.
        handlers: who is told of everything that happens.
        watch: the one of them that ends training on a bad trend; the first process may have one.
        rises: the one that ends it on a significant rise of the distance, for a lower rate; the same.
        tell: is given a sentence about each rollback.
    """

    def __init__(
        self,
        run: RunFolder,
        *,
        most: int,
        learning_rate_factor: float,
        handlers: Sequence[Handler] = (),
        watch: CollapseWatch | None = None,
        rises: RiseWatch | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.run, self.most, self.factor, self.tell = run, most, learning_rate_factor, tell
        self.handlers, self.watch, self.rises = handlers, watch, rises

    def train(self, trainer: Trainer) -> None:
        """`trainer.run()`, as often as it takes; of many processes, all of them call this.

        Raises:
            PlayDiverged: it went wrong more often than is allowed, or there is nothing to go back to.
        """
        watch = self.watch
        self.record(trainer)
        # What an evaluation had found before a kill is acted on before the next step, as it would have been.
        is_found = trainer.group.broadcast_object(
            (watch is not None and self._finds_unheeded(trainer, watch))
            or (self.rises is not None and self.rises.found is not None)
        )
        while True:
            try:
                if not is_found:
                    trainer.run(self.handlers)
                is_found = False
                if watch is not None and watch.what == "stop" and watch.found is not None:
                    self._end_there(trainer, watch.found)
                found = None if watch is None or watch.what != "rollback" else watch.found
                collapse = trainer.group.broadcast_object(
                    None if found is None else [found.where, found.found, trainer.step]
                )
                if collapse is None:
                    if not self._lower_rate(trainer):
                        return
                    continue
                error: PlayDiverged = Collapsed(*collapse[:2], step=collapse[2])
            except PlayDiverged as caught:
                error = caught
            self.go_back(trainer, error)
            if watch is not None:
                watch.found = None
            if self.rises is not None:
                self.rises.found = None

    def _lower_rate(self, trainer: Trainer) -> bool:
        """Do what a rise asks for; whether it does."""
        is_ending = self.watch is not None and self.watch.found is not None
        rise = trainer.group.broadcast_object(None if self.rises is None or is_ending else self.rises.found)
        if rise is None:
            return False
        record = lower_rate(self.run, trainer, rise, factor=self.factor)
        if self.rises is not None:
            self.rises.found = None
        self._tell_of(trainer, record, lowered_sentence(record))
        return True

    def _tell_of(self, trainer: Trainer, record: dict[str, Any], text: str) -> None:
        self.record(trainer)
        self.tell(text)
        for handler in (*trainer.handlers, *self.handlers):
            handler(RolledBack(record["to_step"], record))

    def go_back(self, trainer: Trainer, error: PlayDiverged) -> None:
        """Put the trainer back to where the rule says.

        Raises:
            PlayDiverged: the rule says to end.
        """
        count = len(_put_back(trainer))
        if count >= self.most:
            raise self._last_word(error, count)
        is_collapse = isinstance(error, Collapsed)
        try:
            places = self._places(trainer, is_collapse) if trainer.group.is_main else None
            tensors, numbers, _ = read_together(trainer.group, self.run.checkpoints, among=places)
        except RunFolderError:
            raise error from None
        to_step = int(numbers["step"])
        record = {
            "number": len(trainer.rollbacks) + 1,
            "step": error.step or trainer.step,
            "to_step": to_step,
            "reason": "collapse" if is_collapse else "not finite",
            "player": error.player,
            "layer": error.layer,
            "caution": trainer.lr_backoff * self.factor,
            "message": error.found,
        }
        trainer.group.barrier()  # until all have read what is about to change
        changes = {"caution": record["caution"], "rollbacks": [*trainer.rollbacks, record]}
        if trainer.group.is_main:
            amend(tensor_file(self.run.checkpoints, to_step).with_suffix(".json"), changes)
            # Newest first: whoever is killed in between goes on from an earlier one, and comes here again.
            for path in later_than(self.run.checkpoints, to_step):
                drop_checkpoint(path)
            self.run.cut_after(to_step)
        trainer.group.barrier()
        restore(trainer, tensors, {**numbers, **changes}, where=str(self.run.checkpoints))
        self._tell_of(trainer, record, sentence(record))

    def record(self, trainer: Trainer) -> None:
        """Bring `status.json` and the event log up to what the trainer's state says of rollbacks."""
        if not trainer.rollbacks or not trainer.group.is_main:
            return
        known = {row.get("number") for row in self.run.read_event_log() if row.get("event") in ("rollback", LOWERED)}
        for record in trainer.rollbacks:
            if record["number"] not in known:
                self.run.note(LOWERED if record.get("reason") == RISE else "rollback", **record)
        self.run.write_status(state="training", step=trainer.step, rollbacks=trainer.rollbacks)

    def _finds_unheeded(self, trainer: Trainer, watch: CollapseWatch) -> bool:
        """Whether the run was killed between an evaluation with a bad trend, whose checkpoint the trainer holds, and
        what follows from it; the watch then has found it."""
        if watch.what == "continue":
            return False
        if trainer.rollbacks and trainer.rollbacks[-1]["to_step"] == trainer.step:
            return False  # training was put back to here, for another reason than this evaluation
        ended = (row for row in self.run.read_event_log() if row.get("event") == ENDED_THERE)
        if watch.what == "stop" and any(row.get("step") == trainer.step for row in ended):
            return False  # the person was told, and goes on all the same
        evaluations = [row for row in self.run.read_verdicts() if row.get("part") == "selection"]
        trends = [row.get("trend") for row in evaluations if row.get("step") == trainer.step]
        if not trends or trends[-1] not in BAD_TRENDS:
            return False
        watch.find(trainer.step, trends[-1])
        return True

    def _end_there(self, trainer: Trainer, found: Collapsed) -> None:
        """Write down that a bad trend has ended training, so that whoever resumes goes on from there."""
        if trainer.step < trainer.plan.steps:
            self.run.write_status(state="stopped", message=str(found))
        self.run.note(ENDED_THERE, step=trainer.step)

    def _places(self, trainer: Trainer, is_collapse: bool) -> list[Path]:
        """The checkpoints to go back to, oldest first."""
        files = complete_files(self.run.checkpoints, up_to=trainer.step)
        planned = [path for path in files if is_planned(path, trainer.plan.checkpoint_every)] or files
        if is_collapse:
            good = max((row["step"] for row in self.run.read_verdicts() if is_good(row)), default=0)
            return [path for path in planned if step_of(path) <= good] or planned[:1]
        before = _put_back(trainer)
        if before and len(planned) > 1 and step_of(planned[-1]) == before[-1]["to_step"]:
            return planned[:-1]
        return planned

    def _last_word(self, error: PlayDiverged, count: int) -> PlayDiverged:
        if not self.most:
            return error
        return type(error)(
            error.where,
            f"{error.found.rstrip('.')}; {count} {'rollback' if count == 1 else 'rollbacks'} to lower learning rates "
            f"(at last {self.factor**count:.3g} of the planned ones) did not help.",
            error.expected,
            error.advice or "Train again with a lower learning rate, or with a penalty such as r1.",
            step=error.step,
            player=error.player,
            layer=error.layer,
        )


class CollapseWatch:
    """A handler that ends training on a bad trend of the evaluations; it comes after theirs.

    Args:
        what: to do about `collapsed` and `diverged`.
        trend: gives what the evaluations say now.

    Attributes:
        found: what it has ended training for.
    """

    def __init__(self, what: OnCollapse, trend: Callable[[], str | None]) -> None:
        self.what, self.trend = what, trend
        self.found: Collapsed | None = None

    def __call__(self, event: Event) -> Stop | None:
        """After an evaluation with a bad trend, ask for the end."""
        if self.what == "continue" or not isinstance(event, EvaluationDue):
            return None
        trend = self.trend()
        if trend not in BAD_TRENDS:
            return None
        self.find(event.step, trend)
        return Stop()

    def find(self, step: int, trend: str) -> None:
        """Note what an evaluation has said."""
        self.found = Collapsed(
            f"step {step}",
            f"the interim evaluations say that training has {trend}.",
            "Expected evaluations that improve or stay.",
            "Samples of earlier steps are in the run folder. Train again with another seed, a lower learning rate or a "
            "larger batch; --on-collapse rollback goes back by itself, continue goes on.",
            step=step,
        )


def _put_back(trainer: Trainer) -> list[dict[str, Any]]:
    """The records of the times that training was put back to an earlier step."""
    return [record for record in trainer.rollbacks if record.get("reason") != RISE]


def is_good(row: dict[str, Any]) -> bool:
    """Whether an evaluation gives no reason to go back behind it."""
    return row.get("part") == "selection" and isinstance(row.get("step"), int) and row.get("trend") not in BAD_TRENDS


def amend(path: Path, changes: dict[str, Any]) -> None:
    """Change numbers of a checkpoint; its tensors stay what they are."""
    write_json(path, sealed({**read_json(path), **changes}))


def sentence(record: dict[str, Any]) -> str:
    """What happened, for the person."""
    return (
        f"rollback {record['number']}: at step {record['step']:,} {record['message'].rstrip('.')}. Training goes on "
        f"from the checkpoint of step {record['to_step']:,} with {record['caution']:.3g} of the planned learning rates."
    )
