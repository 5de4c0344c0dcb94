"""What a made-up column answers: which columns are of its kind, and what its value is in the i-th generated row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from equipoise.data.tables.column_type import pandas_type
from equipoise.data.tables.quantile_transform import row_jitter

PLACE_OF_GAPS = 10_000
"""Added to a column's place, so that its gaps do not follow those of another column."""


@dataclass(frozen=True)
class MadeUpColumn(ABC):
    """A column whose values are made up by their pattern.

    Attributes:
        name: the column's name; text or a whole number.
        dtype: its pandas type, as text that `pandas_type` understands.
        place: where it stands in the table, from 0.
        missing: share of rows without a value.
        kind: what it is called.
    """

    name: str | int
    dtype: str
    place: int
    missing: float
    kind: ClassVar[str]

    @classmethod
    @abstractmethod
    def fitted(cls, column: pd.Series, *, name: str | int, place: int) -> Self | None:
        """The pattern of a column whose values differ in nearly every row; `None` where it has none of this kind."""

    @property
    @abstractmethod
    def pattern(self) -> str:
        """The pattern as a person reads it."""

    @abstractmethod
    def made(self, rows: np.ndarray) -> list[Any]:
        """A value for each generated row by its number, int64 `(n,)`."""

    def column(self, count: int, *, offset: int) -> pd.Series:
        """Values of `count` generated rows, of which `offset` came before, in the column's own type."""
        rows = np.arange(offset, offset + count)
        found = pd.Series(self.made(rows), dtype=object)
        if self.missing:
            gone = row_jitter(count, column=PLACE_OF_GAPS + self.place, offset=offset) < self.missing
            found = found.where(~gone, None)
        if found.notna().all() and self.dtype.lower().startswith(("int", "uint")):
            whole = found.astype(np.int64)  # numbers that go on may need more room than the real ones
            return whole if whole.max() > np.iinfo(self.dtype.lower()).max else whole.astype(pandas_type(self.dtype))
        return found.astype(pandas_type(self.dtype))

    def state(self) -> dict[str, Any]:
        """Plain values for `from_state`."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """The inverse of `state`."""
        return cls(**{field.name: _frozen(state[field.name]) for field in fields(cls)})


def stored_type(column: pd.Series) -> str:
    """The type that made-up values get; of categories plain text, since their levels are the real values."""
    from equipoise.data.tables.column_type import type_text

    return "object" if isinstance(column.dtype, pd.CategoricalDtype) else type_text(column.dtype)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(entry) for entry in value) if isinstance(value, list) else value
