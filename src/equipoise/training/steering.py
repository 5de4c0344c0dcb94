"""Since when a run's training has been steered by its interim evaluations.

An evaluation scores held-out rows that training has not seen. Once training has changed because of what one found, it
has seen them through that: later generators depend on these rows, and later evaluations describe without error control.
Ending a run, and choosing which checkpoint is kept, changes no later generator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

STEERING_REASONS = ("collapse", "rise")
"""Reasons of a rollback that come from evaluations; numbers that are no longer finite come from training alone."""


def steered_since(rollbacks: Sequence[Mapping[str, Any]]) -> int | None:
    """The step after which no generator of this run is independent of the rows that its evaluations score.

    Args:
        rollbacks: the records of the trainer's state, in order; each has a `reason` and the step `to_step` that
            training was put back to. What follows a steered one is steered too, however far it goes back.

    Returns:
        `None` if evaluations have only been watched.
    """
    first = next((place for place, each in enumerate(rollbacks) if each.get("reason") in STEERING_REASONS), None)
    return None if first is None else min(int(each["to_step"]) for each in rollbacks[first:])
