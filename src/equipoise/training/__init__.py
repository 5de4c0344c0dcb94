"""The training loop, what it announces, and what it stores."""

from equipoise.training.batches import BatchSource
from equipoise.training.events import CheckpointDue, Ended, EvaluationDue, Event, Handler, Measured, SamplesDue, Stop
from equipoise.training.loop import Trainer
from equipoise.training.plan import Plan
from equipoise.training.state import TrainingState

__all__ = [
    "BatchSource",
    "CheckpointDue",
    "Ended",
    "EvaluationDue",
    "Event",
    "Handler",
    "Measured",
    "Plan",
    "SamplesDue",
    "Stop",
    "Trainer",
    "TrainingState",
]
