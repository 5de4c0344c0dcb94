"""What may be added to a discriminator's loss: one record per penalty, found by name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache

from equipoise.errors import unknown_name
from equipoise.parts import discover
from equipoise.penalties.base import Penalty, Position
from equipoise.penalties.gamma import automatic_gamma
from equipoise.penalties.independence import require_independent_samples

__all__ = ["Penalty", "Position", "automatic_gamma", "available", "find", "require_independent_samples"]


def available() -> tuple[str, ...]:
    """Names of all penalties, sorted."""
    return tuple(sorted(_table()))


def find(name: str, *, where: str = "penalties.name") -> Callable[..., Penalty]:
    """The factory of the penalty called `name`; its keyword arguments are the penalty's options.

    Args:
        name: one of `available()`.
        where: what an error message calls the place where the name was written.
    """
    if name not in _table():
        raise unknown_name(where, "penalty", name, available())
    return _table()[name]


@cache
def _table() -> dict[str, Callable[..., Penalty]]:
    return dict(discover(sys.modules[__name__], "PENALTIES"))
