"""The games people play: one record per objective, found by name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache

from equipoise.errors import unknown_name
from equipoise.objectives.base import Objective
from equipoise.objectives.finite_range import check_finite
from equipoise.objectives.log_odds import as_log_odds, log_odds_offset
from equipoise.objectives.value import ValueEstimate, value_function
from equipoise.parts import discover

__all__ = [
    "Objective",
    "ValueEstimate",
    "as_log_odds",
    "available",
    "check_finite",
    "find",
    "log_odds_offset",
    "value_function",
]


def available() -> tuple[str, ...]:
    """Names of all objectives, sorted."""
    return tuple(sorted(_table()))


def find(name: str, *, where: str = "objective.name") -> Callable[..., Objective]:
    """The factory of the objective called `name`; its keyword arguments are the objective's options.

    Args:
        name: one of `available()`.
        where: what an error message calls the place where the name was written.
    """
    if name not in _table():
        raise unknown_name(where, "objective", name, available())
    return _table()[name]


@cache
def _table() -> dict[str, Callable[..., Objective]]:
    return dict(discover(sys.modules[__name__], "OBJECTIVES"))
