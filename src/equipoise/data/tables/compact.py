"""Encoded rows of a table in a compact form: one byte for each one-hot block and four for each number.

They are spread out into their blocks when they are drawn: the very float32 numbers that `TableEncoder.encode` gives for
the whole part, at a fraction of their memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import torch

from equipoise.data.store.cache import Draft
from equipoise.data.tables.encoder import TableEncoder
from equipoise.data.training_rows import TrainingRows
from equipoise.spaces import Block, TableSpace


def compact_rows(one_hot: Any, continuous: Any, space: TableSpace) -> TrainingRows:
    """The rows whose compact form `keep_compact` wrote."""
    starts, places = _layout(space.blocks)
    shape = (len(one_hot), space.shape[0])

    def read(rows: np.ndarray) -> np.ndarray:
        found = np.zeros((len(rows), shape[1]), dtype=np.float32)
        found[np.arange(len(rows))[:, None], starts + one_hot[rows]] = 1
        found[:, places] = continuous[rows]
        return found

    return TrainingRows(read, shape=shape, dtype=torch.float32)


def keep_compact(draft: Draft, parts: Iterable[pd.DataFrame], encoder: TableEncoder, *, rows: int) -> None:
    """Encode rows, given part by part, and write their compact form.

    That is `one_hot`, the smallest whole numbers `(rows, one-hot blocks)`, and `continuous`, float32
    `(rows, continuous blocks)`.
    """
    blocks = encoder.space.blocks
    starts, places = _layout(blocks)
    widths = [block.width for block in blocks if block.is_one_hot]
    kind = np.min_scalar_type(max(widths, default=1) - 1)
    with (
        draft.writer("one_hot", shape=(rows, len(starts)), dtype=kind) as one_hot,
        draft.writer("continuous", shape=(rows, len(places)), dtype=np.float32) as continuous,
    ):
        begun = 0
        for part in parts:
            encoded = encoder.encode(part, offset=begun)
            found = np.zeros((len(encoded), len(starts)), dtype=kind)
            for place, (start, width) in enumerate(zip(starts, widths, strict=True)):
                found[:, place] = encoded[:, start : start + width].argmax(axis=1)
            one_hot.put(begun, found)
            continuous.put(begun, encoded[:, places])
            begun += len(encoded)


def _layout(blocks: tuple[Block, ...]) -> tuple[np.ndarray, np.ndarray]:
    """First entry of each one-hot block, and the entry of each continuous block, in an encoded row."""
    ends = np.cumsum([block.width for block in blocks], dtype=np.int64)
    firsts = ends - np.array([block.width for block in blocks], dtype=np.int64)
    is_one_hot = np.array([block.is_one_hot for block in blocks], dtype=bool)
    return firsts[is_one_hot], firsts[~is_one_hot]
