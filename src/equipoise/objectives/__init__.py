"""The games: one record per objective, found by name."""

from __future__ import annotations

from collections.abc import Callable

from equipoise.objectives.base import Objective
from equipoise.objectives.finite_range import check_finite
from equipoise.objectives.log_odds import as_log_odds, log_odds_offset
from equipoise.objectives.value import ValueEstimate, value_function
from equipoise.parts import Parts

__all__ = [
    "Objective",
    "ValueEstimate",
    "as_log_odds",
    "available",
    "check_finite",
    "find",
    "log_odds_offset",
    "value_function",
]

_PARTS: Parts[Callable[..., Objective]] = Parts(__name__, "OBJECTIVES", kind="objective", where="objective.name")
available, find = _PARTS.available, _PARTS.find
