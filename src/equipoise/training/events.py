"""What the trainer announces. A handler is a function of one event; it never sees the trainer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measured:
    """A step whose numbers were read from the device; `row` is a line of `metrics.jsonl`."""

    step: int
    row: dict[str, Any]


@dataclass(frozen=True)
class SamplesDue:
    """It is time to draw samples from the averaged generator."""

    step: int


@dataclass(frozen=True)
class EvaluationDue:
    """It is time for the referee to look at the averaged generator."""

    step: int


@dataclass(frozen=True)
class CheckpointDue:
    """It is time to store the state."""

    step: int


@dataclass(frozen=True)
class RolledBack:
    """Play was put back to `step`: what was written about later steps has been taken out of the run folder."""

    step: int
    record: dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """Play is over: complete after the last planned step or once its goal was reached, else because somebody asked."""

    step: int
    is_complete: bool


Event = Measured | SamplesDue | EvaluationDue | CheckpointDue | RolledBack | Ended
Handler = Callable[[Event], None]
