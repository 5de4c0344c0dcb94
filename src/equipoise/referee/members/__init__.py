"""Fresh discriminators of the referee, one kind to a file; each file declares `MEMBERS`."""

from __future__ import annotations

from collections.abc import Mapping

from equipoise.referee.base import Member
from equipoise.spaces import SpaceKind


def available() -> Mapping[str, Member]:
    """Every member, by name."""
    import sys

    from equipoise.parts import discover

    return discover(sys.modules[__name__], "MEMBERS")


def members_for(kind: SpaceKind) -> tuple[Member, ...]:
    """The members used for one kind of data, in alphabetical order."""
    return tuple(member for _, member in sorted(available().items()) if kind in member.kinds)
