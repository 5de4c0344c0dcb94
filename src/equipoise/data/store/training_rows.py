"""The training part of large data, as the players' batches are taken from it: rows are made when they are asked for.

Images come as bytes out of the memory map. Points are standardised when they are drawn. Rows of a table are kept in a
compact form, one byte for each choice and four for each number, and spread out into their blocks when they are drawn:
the very float32 numbers that `TableEncoder.encode` gives for the whole part, at a fraction of their memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equipoise.data.encoder import Encoder
from equipoise.data.store.arrays import OnDiskWriter
from equipoise.data.tables.encoder import TableEncoder
from equipoise.spaces import Block, TableSpace

CHUNK_ROWS = 100_000


class TrainingRows:
    """Training samples that are read when they are indexed; in place of a tensor of all of them.

    Attributes:
        shape, dtype: what the tensor would have.
        device: where indexed rows go.
    """

    def __init__(
        self,
        read: Callable[[np.ndarray], np.ndarray],
        *,
        shape: tuple[int, ...],
        dtype: torch.dtype,
        stored_bytes: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self._read = read
        self.shape, self.dtype, self.device = shape, dtype, torch.device(device)
        self.stored_bytes = stored_bytes

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: torch.Tensor | np.ndarray | slice) -> torch.Tensor:
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        elif isinstance(rows, torch.Tensor):
            rows = rows.cpu().numpy()
        found = torch.from_numpy(self._read(rows))
        if self.device.type == "cuda":
            return found.pin_memory().to(self.device, non_blocking=True)
        return found.to(self.device)

    def to(self, device: torch.device | str) -> TrainingRows:
        """The same rows for a player on `device`."""
        return TrainingRows(
            self._read, shape=self.shape, dtype=self.dtype, stored_bytes=self.stored_bytes, device=device
        )

    def element_size(self) -> int:
        """As a tensor's."""
        return self.dtype.itemsize

    def nelement(self) -> int:
        """As a tensor's: of the whole part, which is never in memory at once."""
        return math.prod(self.shape)


def image_rows(values: Any, index: np.ndarray) -> TrainingRows:
    """The images at `index`, as bytes."""
    return TrainingRows(
        lambda rows: values[index[rows]],
        shape=(len(index), *values.shape[1:]),
        dtype=torch.uint8,
        stored_bytes=values.nbytes,
    )


def point_rows(values: Any, index: np.ndarray, encoder: Encoder) -> TrainingRows:
    """The points at `index`, encoded."""
    return TrainingRows(
        lambda rows: encoder.encode(values[index[rows]]),
        shape=(len(index), *encoder.space.shape),
        dtype=torch.float32,
        stored_bytes=values.nbytes,
    )


def table_rows(choices: Any, numbers: Any, space: TableSpace) -> TrainingRows:
    """The rows whose compact form `write_compact` wrote."""
    starts, places = layout(space.blocks)
    width = space.shape[0]

    def read(rows: np.ndarray) -> np.ndarray:
        found = np.zeros((len(rows), width), dtype=np.float32)
        found[np.arange(len(rows))[:, None], starts + choices[rows]] = 1
        found[:, places] = numbers[rows]
        return found

    return TrainingRows(
        read, shape=(len(choices), width), dtype=torch.float32, stored_bytes=choices.nbytes + numbers.nbytes
    )


def layout(blocks: tuple[Block, ...]) -> tuple[np.ndarray, np.ndarray]:
    """First entry of each choice block, and the entry of each number block, in an encoded row."""
    ends = np.cumsum([block.width for block in blocks], dtype=np.int64)
    firsts = ends - np.array([block.width for block in blocks], dtype=np.int64)
    is_choice = np.array([block.is_one_hot for block in blocks], dtype=bool)
    return firsts[is_choice], firsts[~is_choice]


def compact(parts: Iterator[np.ndarray], space: TableSpace) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Choices, uint8 or uint16 `(n, choice blocks)`, and numbers, float32 `(n, number blocks)`, of encoded rows."""
    starts, places = layout(space.blocks)
    ends = [start + width for start, width in zip(starts, _choice_widths(space), strict=True)]
    kind = choice_type(space)
    for encoded in parts:
        choices = [encoded[:, start:end].argmax(axis=1) for start, end in zip(starts, ends, strict=True)]
        stacked = np.stack(choices, axis=1).astype(kind) if choices else np.zeros((len(encoded), 0), dtype=kind)
        yield stacked, encoded[:, places]


def choice_type(space: TableSpace) -> np.dtype:
    """The smallest whole numbers that count the entries of every choice block."""
    return np.min_scalar_type(max(_choice_widths(space), default=1) - 1)


def write_compact(folder: Path, parts: Iterator[np.ndarray], space: TableSpace, *, rows: int) -> None:
    """Write the compact form of encoded rows, given part by part, as `choices.npy` and `numbers.npy`."""
    starts, places = layout(space.blocks)
    begun = 0
    with (
        OnDiskWriter(folder / "choices.npy", shape=(rows, len(starts)), dtype=choice_type(space)) as choices,
        OnDiskWriter(folder / "numbers.npy", shape=(rows, len(places)), dtype=np.float32) as numbers,
    ):
        for found, reals in compact(parts, space):
            choices.put(begun, found)
            numbers.put(begun, reals)
            begun += len(found)


def encoded_parts(table: Any, index: np.ndarray, encoder: TableEncoder) -> Iterator[np.ndarray]:
    """The encoded rows at `index`, in stretches."""
    for start in range(0, len(index), CHUNK_ROWS):
        yield encoder.encode(table.rows(index[start : start + CHUNK_ROWS], is_light=True), offset=start)


def _choice_widths(space: TableSpace) -> list[int]:
    return [block.width for block in space.blocks if block.is_one_hot]
