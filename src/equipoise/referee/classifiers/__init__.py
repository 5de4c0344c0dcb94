"""Fresh discriminators of the referee, one kind to a file; each file declares `MEMBERS`."""

from __future__ import annotations

from collections.abc import Mapping

from equipoise.referee.base import Classifier
from equipoise.spaces import SpaceKind


def available() -> Mapping[str, Classifier]:
    """Every member, by name."""
    import sys

    from equipoise.parts import discover

    return discover(sys.modules[__name__], "CLASSIFIERS")


def classifiers_for(kind: SpaceKind) -> tuple[Classifier, ...]:
    """The members used for one kind of data, in alphabetical order."""
    return tuple(classifier for _, classifier in sorted(available().items()) if kind in classifier.kinds)
