"""Rows of a table as blocks of numbers: every column by its own encoder, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from equipoise.data.base import Encoder, checked_samples
from equipoise.data.tables.column_encoder import ColumnEncoder
from equipoise.errors import DataError
from equipoise.spaces import TableSpace


@dataclass(frozen=True)
class TableEncoder(Encoder):
    """One `ColumnEncoder` for each column, in the table's order."""

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

    def decode(self, samples: np.ndarray | torch.Tensor, *, offset: int = 0) -> pd.DataFrame:
        """A frame with the original names, order and types."""
        found = checked_samples(samples, self.space)
        start, columns = 0, []
        for position, column in enumerate(self.columns):
            columns.append(column.decode(found[:, start : start + column.width], position=position, offset=offset))
            start += column.width
        frame = pd.concat(columns, axis=1)
        frame.columns = pd.Index([column.type.name for column in self.columns])
        return frame

    def state(self) -> dict[str, Any]:
        """Plain values for `domain.encoder_from_state`."""
        return {"kind": "table", "columns": [column.state() for column in self.columns]}
