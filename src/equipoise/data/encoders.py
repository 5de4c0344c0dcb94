"""Between natural values and what the players see: points standardised, pixels in [-1, 1], rows as blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from equipoise.data.tables.column_encoder import ColumnEncoder, fit_column
from equipoise.errors import DataError, InputError
from equipoise.spaces import ImageSpace, PointSpace, Space, TableSpace, space_from_json, space_to_json

if TYPE_CHECKING:
    import pandas as pd

    from equipoise.data.dataset import Dataset

CHUNK_ROWS = 100_000
MOST_LEVELS = 64
"""Brightness levels up to which pictures are taken to have levels at all; photographs use nearly all 256."""


class Encoder(Protocol):
    """Turns natural values into samples for the players, and back.

    Attributes:
        space: what one encoded sample is.
    """

    space: Space

    def encode(self, values: Any) -> np.ndarray:
        """Float32 `(n, *space.shape)` from values in their natural form."""

    def decode(self, samples: np.ndarray | torch.Tensor) -> Any:
        """Natural values from `(n, *space.shape)`."""

    def to_float(self, batch: torch.Tensor) -> torch.Tensor:
        """A batch as it is stored, on any device, as float32 for the players."""

    def state(self) -> dict[str, Any]:
        """Plain values from which `encoder_from_state` makes an equal codec."""


@dataclass(frozen=True)
class PointEncoder:
    """Each coordinate minus its mean, over its standard deviation, both of the training part.

    A constant coordinate has spread 0: it is encoded as 0 and always decoded as its constant.
    """

    mean: np.ndarray
    spread: np.ndarray

    @property
    def space(self) -> PointSpace:
        return PointSpace(len(self.mean))

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Float32 `(n, d)`."""
        return ((np.asarray(values, dtype=np.float64) - self.mean) / np.where(self.spread > 0, self.spread, 1)).astype(
            np.float32
        )

    def decode(self, samples: np.ndarray | torch.Tensor) -> np.ndarray:
        """Float64 `(n, d)`."""
        return _checked(samples, self.space).astype(np.float64) * self.spread + self.mean

    def to_float(self, batch: torch.Tensor) -> torch.Tensor:
        """The batch, which is float32 already."""
        return batch.float()

    def state(self) -> dict[str, Any]:
        """Plain values for `encoder_from_state`."""
        return {"kind": "points", "mean": self.mean.tolist(), "spread": self.spread.tolist()}


@dataclass(frozen=True)
class ImageEncoder:
    """A byte b is the number b / 127.5 - 1; a number comes back as the nearest byte that the data use.

    Pictures of few brightness levels (scans, drawings, scikit-learn's digits with 17) keep to their levels: no
    level is invented, just as no category of a table is. With more than `MOST_LEVELS` all 256 may come.
    """

    space: ImageSpace
    levels: tuple[int, ...] = ()

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Float32 `(n, channels, height, width)` in [-1, 1]."""
        return np.asarray(values, dtype=np.float32) / np.float32(127.5) - np.float32(1)

    def decode(self, samples: np.ndarray | torch.Tensor) -> np.ndarray:
        """Uint8 `(n, channels, height, width)`; numbers are clipped to [-1, 1], then go to the nearest level."""
        found = _checked(samples, self.space)
        bytes_found = np.clip(np.rint((found + 1) * 127.5), 0, 255).astype(np.uint8)
        return bytes_found if not self.levels else _nearest_level(self.levels)[bytes_found]

    def to_float(self, batch: torch.Tensor) -> torch.Tensor:
        """Float32 in [-1, 1] from the bytes of a batch."""
        return batch.float().mul_(1 / 127.5).sub_(1)

    def state(self) -> dict[str, Any]:
        """Plain values for `encoder_from_state`."""
        return {"kind": "images", "space": space_to_json(self.space), "levels": list(self.levels)}


@dataclass(frozen=True)
class TableEncoder:
    """Every column by its own `ColumnEncoder`, side by side in the table's order."""

    columns: tuple[ColumnEncoder, ...]

    @property
    def space(self) -> TableSpace:
        names = tuple(str(column.type.name) for column in self.columns)
        return TableSpace(names, tuple(block for column in self.columns for block in column.blocks))

    def encode(self, values: pd.DataFrame, *, offset: int = 0) -> np.ndarray:
        """Float32 `(n, width)`. The columns are found by name; others are left out.

        Args:
            values: rows of the table, or a stretch of them
            offset: that begins at this row. Where a row's value is shared by many, its place decides its number.

        Raises:
            DataError: a column is missing.
        """
        wanted = [column.type.name for column in self.columns]
        absent = [name for name in wanted if name not in values.columns]
        if absent:
            raise DataError("table", f"the columns {absent} are missing.", f"Expected the columns {wanted}.")
        parts = [
            column.encode(values[column.type.name], position=k, offset=offset) for k, column in enumerate(self.columns)
        ]
        return np.concatenate(parts, axis=1)

    def decode(self, samples: np.ndarray | torch.Tensor) -> pd.DataFrame:
        """A frame with the original names, order and types."""
        import pandas as pd

        found = _checked(samples, self.space)
        start, columns = 0, []
        for position, column in enumerate(self.columns):
            columns.append(column.decode(found[:, start : start + column.width], position=position))
            start += column.width
        frame = pd.concat(columns, axis=1)
        frame.columns = pd.Index([column.type.name for column in self.columns])
        return frame

    def to_float(self, batch: torch.Tensor) -> torch.Tensor:
        """The batch, which is float32 already."""
        return batch.float()

    def state(self) -> dict[str, Any]:
        """Plain values for `encoder_from_state`."""
        return {"kind": "table", "columns": [column.state() for column in self.columns]}


def fit_encoder(training: Dataset) -> Encoder:
    """The codec of a data set, fitted on its training part alone; `fit_mapped` does it for data on disk.

    Raises:
        DataError: a column cannot be learned, or nothing varies.
    """
    if training.kind == "images":
        _, channels, height, width = training.values.shape
        return ImageEncoder(ImageSpace(channels, height, width), levels_of([training.values]))
    if training.kind == "points":
        encoder: Encoder = _fit_points(training.values)
        varies = bool(encoder.spread.any())
    else:
        frame = training.values
        encoder = TableEncoder(
            tuple(
                fit_column(frame.iloc[:, position], name=name, source=training.source)
                for position, name in enumerate(frame.columns.tolist())
            )
        )
        varies = encoder.space.shape != (0,)
    if not varies:
        raise nothing_varies(training.source)
    return encoder


def nothing_varies(source: str) -> DataError:
    """The refusal of rows that are all the same."""
    return DataError(
        source,
        "every row is the same.",
        "Expected rows that differ.",
        "There is nothing to learn; check that the right file was read.",
    )


def encoder_from_state(state: dict[str, Any]) -> Encoder:
    """The codec that `state()` described; enough to decode samples without the data."""
    kind = state.get("kind")
    if kind == "points":
        return PointEncoder(np.array(state["mean"], dtype=np.float64), np.array(state["spread"], dtype=np.float64))
    if kind == "images":
        return ImageEncoder(space_from_json(state["space"]), tuple(state.get("levels", ())))
    if kind == "table":
        return TableEncoder(tuple(ColumnEncoder.from_state(column) for column in state["columns"]))
    raise InputError("data.json, codec", f"the codec is of kind '{kind}'.", "Expected points, images or table.")


def levels_of(parts: Iterable[np.ndarray]) -> tuple[int, ...]:
    """The bytes that occur in images, given part by part, if they are few."""
    occurs = np.zeros(256, dtype=bool)
    for images in parts:
        for image in images:  # one at a time: an index array of all pixels would take eight times their memory
            occurs[image.ravel()] = True
            if occurs.sum() > MOST_LEVELS:
                return ()
    return tuple(np.flatnonzero(occurs).tolist())


def _nearest_level(levels: tuple[int, ...]) -> np.ndarray:
    """For each byte the nearest of `levels`, uint8 `(256,)`; half way, the lower one."""
    known = np.array(levels, dtype=np.int64)
    return known[np.abs(np.arange(256)[:, None] - known).argmin(axis=1)].astype(np.uint8)


def _fit_points(values: np.ndarray) -> PointEncoder:
    # Scaled by powers of two first, which is exact, so that squares neither overflow nor vanish.
    largest = np.abs(values).max(axis=0)
    scale = np.exp2(np.floor(np.log2(np.where(largest > 0, largest, 1))))
    scaled = values / scale
    spread = np.where(np.ptp(values, axis=0) > 0, scaled.std(axis=0), 0) * scale
    mean = np.where(spread > 0, scaled.mean(axis=0) * scale, values[0])
    return PointEncoder(mean, spread)


def _checked(samples: np.ndarray | torch.Tensor, space: Space) -> np.ndarray:
    """The samples as a numpy array of the right shape, every number finite."""
    found = samples.detach().float().cpu().numpy() if isinstance(samples, torch.Tensor) else np.asarray(samples)
    if found.shape[1:] != space.shape:
        raise DataError(
            "decoding samples",
            f"they have the shape {found.shape}.",
            f"Expected (n, {', '.join(str(size) for size in space.shape)}).",
        )
    if not np.isfinite(found).all():
        bad = int((~np.isfinite(found).reshape(len(found), -1).all(axis=1)).sum())
        raise DataError(
            "decoding samples",
            f"{bad} of {len(found)} samples hold NaN or infinity.",
            "Expected finite numbers.",
            "The generator has diverged; use an earlier checkpoint.",
        )
    return found


def coordinate_names(count: int) -> tuple[str, ...]:
    """'x0', 'x1', ...: what coordinates are called when nobody named them."""
    return tuple(f"x{position}" for position in range(count))


def names_or_default(names: Sequence[str], count: int) -> tuple[str, ...]:
    """`names` if there are as many as coordinates, else the usual ones."""
    return tuple(names) if len(names) == count else coordinate_names(count)
