"""Checks of the referee, one to a file; each file that holds one declares `CHECKS`."""

from __future__ import annotations

from collections.abc import Mapping

from equipoise.referee.base import Check


def available() -> Mapping[str, Check]:
    """Every check, in the order of their names, which is that of the findings."""
    import sys

    from equipoise.parts import discover

    return dict(sorted(discover(sys.modules[__name__], "CHECKS").items()))
