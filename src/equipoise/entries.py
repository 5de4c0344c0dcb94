"""Entries of nested documents that nobody vouches for: what is there, or `None`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def entry_at(mapping: Mapping[str, Any], *keys: str) -> Any:
    """The entry under nested `keys`, or None where the path ends early."""
    value: Any = mapping
    for key in keys:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def number_at(mapping: Mapping[str, Any], *keys: str) -> float | None:
    """The finite number under nested `keys`, or None."""
    return finite(entry_at(mapping, *keys))


def finite(value: Any) -> float | None:
    """`value` as a float when it is a finite number, else None. A boolean is no number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def listed(value: Any) -> list[Any]:
    """The entries of a list or tuple, and none of anything else."""
    return list(value) if isinstance(value, (list, tuple)) else []
