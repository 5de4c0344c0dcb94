"""The training loop, what it announces, and what it stores."""

from equipoise.training.batches import BatchSource
from equipoise.training.events import CheckpointDue, Ended, EvaluationDue, Event, Handler, Measured, SamplesDue
from equipoise.training.loop import Plan, Trainer

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
    "Trainer",
]
