"""Pairs of networks, one family to a file; found by name."""

from __future__ import annotations

import sys

from equipoise.errors import unknown_name
from equipoise.networks.base import Family
from equipoise.parts import discover


def available() -> dict[str, Family]:
    """Every family by name."""
    return dict(discover(sys.modules[__name__], "NETWORKS"))


def find(name: str) -> Family:
    """The family called `name`.

    Raises:
        ConfigError: there is none; the nearest name is suggested.
    """
    families = available()
    if name not in families:
        raise unknown_name("networks.family", "family of networks", name, families)
    return families[name]


__all__ = ["Family", "available", "find"]
