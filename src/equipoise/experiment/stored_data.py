"""Data of a run that was begun earlier, by this version or another: read and split as they were then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from equipoise.data import DataOptions, PreparedData, load, prepare
from equipoise.data.splits import SHARE
from equipoise.errors import DataError


def read_and_split(
    source: Any, options: DataOptions, *, seed: int, stored: Mapping[str, Any] | None = None
) -> PreparedData:
    """Read and split; images of a run that version 0.1.0 began as that version read them.

    Args:
        source: of the data.
        options: how they are read.
        seed: decides the split.
        stored: what `data.json` of the run says; `None` of a new one.

    Raises:
        DataError: the data cannot be read.
    """
    is_of_images = stored is not None and stored.get("encoder", {}).get("kind") == "images"
    split = partial(prepare, seed=seed, share=None if stored is None else held_out_share(stored))
    found = fault = None
    try:
        found = split(load(source, options=options))
    except DataError as error:
        if not is_of_images:
            raise
        fault = error
    if not is_of_images or (found is not None and found.fingerprint == stored.get("fingerprint")):
        return found
    try:
        other = split(load(source, options=replace(options, as_first_version=True)))
    except DataError:
        other = None
    if other is not None and (found is None or other.fingerprint == stored.get("fingerprint")):
        found = other
    if found is None:
        raise fault
    return found


def held_out_share(described: Mapping[str, Any]) -> float:
    """The share of each held-out part that `data.json` tells; versions that do not tell it had a tenth."""
    split = described.get("split")
    share = split.get("held_out_share", SHARE) if isinstance(split, Mapping) else SHARE
    return float(share) if isinstance(share, (int, float)) and 0 < share < 0.5 else SHARE
