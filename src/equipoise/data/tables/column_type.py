"""What a column of a table holds, and how to turn it into numeric codes and back into the very same type.

A numeric code is a float64 number for each value; whatever it is, missing values are told by a mask. Each kind of
column is a subclass in a file of `kinds/`, which declares `KINDS = {"name": Class}`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from pandas.api import types

# What a stored column says of the other kinds. The keys and the words of `kind` are frozen: they are in stored files.
STORED: dict[str, Any] = {
    "origin": 0,
    "step": 1,
    "top": 0,
    "decimals": None,
    "levels": (),
    "levels_dtype": "",
    "is_ordered": False,
}
ARROW_STRING = "arrow[string]"
DECIMAL = re.compile(r"decimal(128|256)\((\d+), (-?\d+)\)\[pyarrow\]")


@dataclass(frozen=True)
class ColumnType(ABC):
    """How the values of one column are written.

    Attributes:
        name: the column's name; text or a whole number.
        dtype: the pandas type, as text that `pandas_type` understands.
        kind: what it holds.
        compared_as: what two sides' values are compared as: amount, moment, span, time, truth or level.
        is_nominal: whether the numeric codes are mere names.
    """

    name: str | int
    dtype: str
    kind: ClassVar[str]
    compared_as: ClassVar[str]
    is_nominal: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def holds(cls, column: pd.Series, found: str) -> bool:
        """Whether a column is of this kind; of no column are two kinds true.

        Args:
            column: its values.
            found: what pandas finds in a column of objects or text (`pandas.api.types.infer_dtype`), else ''.
        """

    @classmethod
    @abstractmethod
    def infer(cls, column: pd.Series, *, name: str | int, where: str) -> Self:
        """The type of a column that is of this kind.

        Raises:
            DataError: it holds values that cannot be learned.
        """

    @abstractmethod
    def codes(self, column: pd.Series, missing: np.ndarray) -> np.ndarray:
        """Numeric codes, float64 `(n,)`; any where a value is missing."""

    @abstractmethod
    def values(self, codes: np.ndarray, missing: np.ndarray) -> pd.Series:
        """A column of the original type; where `missing` is set the value is missing."""

    def to_numeric(self, column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Numeric codes, float64 `(n,)`, and which values are missing."""
        missing = column.isna().to_numpy(dtype=bool)
        return self.codes(column, missing), missing

    def state(self) -> dict[str, Any]:
        """Plain values from which `schema.type_from_state` makes an equal type."""
        return {"name": self.name, "kind": self.kind, "dtype": self.dtype, **STORED, **asdict(self)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """The inverse of `state`."""
        own = {field.name: state[field.name] for field in fields(cls) if field.name in state}
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in own.items()})


def with_gaps(values: pd.Series, missing: np.ndarray, *, nullable: Any, dtype: str | None) -> pd.Series:
    """Values with some taken out.

    Args:
        values: all of them.
        missing: which are taken out.
        nullable: a type near theirs that has room for missing values.
        dtype: that the column gets at last; `None` leaves it.
    """
    if missing.any():
        values = values.astype(nullable).mask(missing)
    return values if dtype is None else values.astype(pandas_type(dtype))


def type_text(dtype: Any) -> str:
    """A pandas type as text. Two different ones are both 'string[pyarrow]' to pandas; Arrow's own gets another name."""
    import pyarrow as pa

    is_arrow_string = isinstance(dtype, pd.ArrowDtype) and pa.types.is_string(dtype.pyarrow_dtype)
    return ARROW_STRING if is_arrow_string else str(dtype)


def pandas_type(text: str) -> Any:
    """The pandas type that `type_text` named."""
    import pyarrow as pa

    if text == ARROW_STRING:
        return pd.ArrowDtype(pa.string())
    decimals = DECIMAL.fullmatch(text)
    if decimals:
        make = pa.decimal128 if decimals[1] == "128" else pa.decimal256
        return pd.ArrowDtype(make(int(decimals[2]), int(decimals[3])))
    return types.pandas_dtype(text)
