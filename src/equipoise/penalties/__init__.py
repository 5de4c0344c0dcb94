"""What may be added to a discriminator's loss: one record per penalty, found by name."""

from __future__ import annotations

from collections.abc import Callable

from equipoise.parts import Parts
from equipoise.penalties.base import ForwardPass, Penalty
from equipoise.penalties.gamma import automatic_gamma
from equipoise.penalties.independence import require_independent_samples

__all__ = ["ForwardPass", "Penalty", "automatic_gamma", "available", "find", "require_independent_samples"]

_PARTS: Parts[Callable[..., Penalty]] = Parts(__name__, "PENALTIES", kind="penalty", where="penalties.name")
available, find = _PARTS.available, _PARTS.find
