"""Pairs of networks, one family to a file, found by name."""

from __future__ import annotations

from equipoise.networks.base import Family
from equipoise.parts import Parts

__all__ = ["Family", "available", "find"]

_PARTS: Parts[Family] = Parts(__name__, "NETWORKS", kind="family of networks", where="networks.family")
available, find = _PARTS.available, _PARTS.find
