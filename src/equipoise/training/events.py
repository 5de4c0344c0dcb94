"""What the trainer announces, and what a handler may answer.

A handler is a function of one event. Where it needs the players, the event carries the state of training; a handler
never holds the trainer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from equipoise.training.state import TrainingState


@dataclass(frozen=True)
class Measured:
    """A step whose numbers were read from the device; `row` is a line of `metrics.jsonl`."""

    step: int
    row: dict[str, Any]


@dataclass(frozen=True)
class SamplesDue:
    """It is time to draw samples from the averaged generator."""

    step: int
    state: TrainingState = field(repr=False, compare=False)


@dataclass(frozen=True)
class EvaluationDue:
    """It is time for the referee to evaluate the averaged generator."""

    step: int
    state: TrainingState = field(repr=False, compare=False)


@dataclass(frozen=True)
class CheckpointDue:
    """It is time to store the state."""

    step: int
    state: TrainingState = field(repr=False, compare=False)


@dataclass(frozen=True)
class RolledBack:
    """Training was put back to `step`: what was written about later steps has been taken out of the run folder.

    With the reason `rise` in the record, it goes on from other weights and at a lower rate, at the step that it had
    reached."""

    step: int
    record: dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """Training is over: complete after the last planned step or at its goal, else because somebody asked."""

    step: int
    is_complete: bool


@dataclass(frozen=True)
class Stop:
    """A handler's answer: training ends after the present step.

    Attributes:
        goal: why training is complete all the same; empty when it is not.
    """

    goal: str = ""


Event = Measured | SamplesDue | EvaluationDue | CheckpointDue | RolledBack | Ended
Handler = Callable[[Event], Stop | None]
