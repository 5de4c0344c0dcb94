"""Scores with no confidence attached, each found by its name."""

from __future__ import annotations

import sys
from functools import cache

from equipoise.errors import unknown_name
from equipoise.metrics.base import Metric, Score, score
from equipoise.parts import discover

__all__ = ["Metric", "Score", "available", "find", "score"]


def available() -> tuple[str, ...]:
    """Names of all metrics, sorted."""
    return tuple(sorted(_table()))


def find(name: str, *, where: str = "metric") -> Metric:
    """The metric called `name`.

    Args:
        name: one of `available()`.
        where: what an error message calls the place where the name was written.
    """
    if name not in _table():
        raise unknown_name(where, "metric", name, available())
    return _table()[name]


@cache
def _table() -> dict[str, Metric]:
    return dict(discover(sys.modules[__name__], "METRICS"))
