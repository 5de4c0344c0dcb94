"""Fresh classifiers of the referee, one kind to a file; a file that holds one declares `CLASSIFIERS`."""

from __future__ import annotations

from collections.abc import Mapping

from equipoise.referee.base import Classifier
from equipoise.spaces import SpaceKind


def available() -> Mapping[str, Classifier]:
    """Every classifier, by name."""
    import sys

    from equipoise.parts import discover

    return discover(sys.modules[__name__], "CLASSIFIERS")


def classifiers_for(kind: SpaceKind) -> tuple[Classifier, ...]:
    """The classifiers used for one kind of data, in alphabetical order."""
    return tuple(classifier for _, classifier in sorted(available().items()) if kind in classifier.kinds)
