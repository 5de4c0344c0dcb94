"""Scores with no confidence attached, each found by its name."""

from __future__ import annotations

from equipoise.metrics.base import Metric, Score, score
from equipoise.parts import Parts

__all__ = ["Metric", "Score", "available", "find", "score"]

_PARTS: Parts[Metric] = Parts(__name__, "METRICS", kind="metric", where="metric")
available, find = _PARTS.available, _PARTS.find
