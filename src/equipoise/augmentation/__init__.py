"""Random transformations of the samples that the discriminator sees, one to a file, found by name."""

from __future__ import annotations

from collections.abc import Callable

from equipoise.augmentation.base import WATCHED_EVERY, Augmentation, StepAugmentation, Transform
from equipoise.parts import Parts

__all__ = ["WATCHED_EVERY", "Augmentation", "StepAugmentation", "Transform", "available", "find"]

_PARTS: Parts[Callable[..., Augmentation]] = Parts(__name__, "AUGMENTATIONS", kind="augmentation", where="augmentation")
available, find = _PARTS.available, _PARTS.find
