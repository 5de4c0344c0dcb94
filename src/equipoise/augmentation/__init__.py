"""Random transformations of the samples that the discriminator sees, one to a file, found by name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache

from equipoise.augmentation.base import Augmentation, StepAugmentation, Transform
from equipoise.errors import unknown_name
from equipoise.parts import discover

__all__ = ["Augmentation", "StepAugmentation", "Transform", "available", "find"]


def available() -> tuple[str, ...]:
    """Names of all augmentations, sorted."""
    return tuple(sorted(_table()))


def find(name: str, *, where: str = "augmentation") -> Callable[..., Augmentation]:
    """The factory of the augmentation called `name`; its keyword arguments are the augmentation's options.

    Args:
        name: one of `available()`.
        where: what an error message calls the place where the name was written.
    """
    if name not in _table():
        raise unknown_name(where, "augmentation", name, available())
    return _table()[name]


@cache
def _table() -> dict[str, Callable[..., Augmentation]]:
    return dict(discover(sys.modules[__name__], "AUGMENTATIONS"))
