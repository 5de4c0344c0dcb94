"""`--until`: ends a run at the first interim evaluation that says what was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Goal = Literal["not-distinguished", "equivalent"]
GOALS: dict[Goal, tuple[str, ...]] = {
    "not-distinguished": ("not_distinguished", "equivalent"),
    "equivalent": ("equivalent",),
}
"""Conclusions that end a run, by what was asked for; `too_little_data` never does."""


def is_reached(goal: Goal | None, row: Mapping[str, Any]) -> bool:
    """Whether an evaluation, as a line of `verdicts.jsonl`, says what was asked for."""
    return goal is not None and row["conclusion"] in GOALS[goal]


def goal_sentence(row: Mapping[str, Any], count: int, planned: int) -> str:
    """Why a run ended before its last step, for the status and the report."""
    words = str(row["conclusion"]).replace("_", " ")
    which = f"{count} of {planned}, at step {row['step']:,}"
    return f"The interim evaluation {which}, said '{words}', which --until asked for."
