"""Rows of a table as blocks of numbers: every column by its own encoder, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import torch

from equipoise.data.base import Encoder, checked_samples
from equipoise.data.tables.column_encoder import ColumnEncoder
from equipoise.data.tables.column_type import ColumnType
from equipoise.data.tables.conditions.condition import Condition
from equipoise.data.tables.conditions.support import Support, support_of
from equipoise.data.tables.conditions.wishes import AllowedEntries, allowed_entries, wishes_of
from equipoise.data.tables.made_up.base import MadeUpColumn
from equipoise.data.tables.rules.table_rules import TableRules
from equipoise.errors import DataError
from equipoise.spaces import TableSpace


@dataclass(frozen=True)
class TableEncoder(Encoder):
    """One `ColumnEncoder` for each column, in the table's order.

    Attributes:
        columns: that the generator learns: those of the table, or, with rules, of the table as they write it.
        rules: what holds in every row; `None` where nothing is known to.
        made_up: columns that are not learned, and are made up by their pattern in what is sampled.
        repeated: names that are written as that of another column, and that name.
    """

    columns: tuple[ColumnEncoder, ...]
    rules: TableRules | None = None
    made_up: tuple[MadeUpColumn, ...] = ()
    repeated: tuple[tuple[str, str], ...] = ()

    @property
    def types(self) -> tuple[ColumnType, ...]:
        """What each column of the table holds, in its order."""
        written = tuple(column.type for column in self.columns)
        return written if self.rules is None else self.rules.types(written)

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
        wanted = [column.type.name for column in self.columns] if self.rules is None else list(self.rules.names)
        absent = [name for name in wanted if name not in values.columns]
        if absent:
            raise DataError("table", f"the columns {absent} are missing.", f"Expected the columns {wanted}.")
        if self.rules is not None:
            values = self.rules.forward(values)
        parts = [
            column.encode(values[column.type.name], position=k, offset=offset) for k, column in enumerate(self.columns)
        ]
        return np.concatenate(parts, axis=1)

    def decode(
        self,
        samples: np.ndarray | torch.Tensor,
        *,
        offset: int = 0,
        pooled: Mapping[int, np.ndarray] = MappingProxyType({}),
    ) -> pd.DataFrame:
        """A frame with the original names, order and types.

        Args:
            samples: encoded rows
            offset: the first of which is this one of its part.
            pooled: by a column's place, which of the rare categories that share an entry may be drawn.
        """
        found = checked_samples(samples, self.space)
        start, columns = 0, []
        for position, column in enumerate(self.columns):
            own = found[:, start : start + column.width]
            columns.append(column.decode(own, position=position, offset=offset, allowed=pooled.get(position)))
            start += column.width
        frame = pd.concat(columns, axis=1)
        frame.columns = pd.Index([column.type.name for column in self.columns])
        return frame if self.rules is None else self.rules.inverse(frame)

    def supports(self) -> dict[str | int, Support]:
        """Which values each column of samples can have."""
        written = {column.type.name: support_of(column) for column in self.columns}
        return written if self.rules is None else self.rules.supports(written)

    def allowed(self, condition: Condition) -> AllowedEntries:
        """What a condition asks of encoded rows: every row that obeys is allowed, and perhaps others."""
        wishes = wishes_of(condition)
        return allowed_entries(self.columns, wishes if self.rules is None else self.rules.led_to(wishes))

    def completed(self, frame: pd.DataFrame, *, offset: int = 0) -> pd.DataFrame:
        """Sampled rows with the made-up columns in their places; those that have them stay; `offset` came before."""
        if not self.made_up or self.made_up[0].name in frame.columns:
            return frame
        columns = [(name, frame[name]) for name in frame.columns]
        for made in sorted(self.made_up, key=lambda made: made.place):
            values = made.column(len(frame), offset=offset).set_axis(frame.index)
            columns.insert(min(made.place, len(columns)), (made.name, values))
        whole = pd.concat([column for _, column in columns], axis=1)
        whole.columns = pd.Index([name for name, _ in columns])
        return whole

    def state(self) -> dict[str, Any]:
        """Plain values for `domain.encoder_from_state`."""
        state: dict[str, Any] = {"kind": "table", "columns": [column.state() for column in self.columns]}
        if self.rules is not None:
            state["rules"] = self.rules.state()
        if self.made_up:
            state["made_up"] = [made.state() for made in self.made_up]
        if self.repeated:
            state["repeated"] = [list(pair) for pair in self.repeated]
        return state
