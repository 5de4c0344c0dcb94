"""Whole numbers of any width, and Python's own where they fit into 64 bits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from pandas.api import types

from equipoise.data.tables.whole_numbers import WholeNumbers
from equipoise.errors import DataError

LARGEST_WHOLE = 2**63 - 1


@dataclass(frozen=True)
class Integer(WholeNumbers):
    """See `ColumnType`."""

    kind: ClassVar[str] = "integer"
    compared_as: ClassVar[str] = "amount"

    @classmethod
    def holds(cls, column: pd.Series, found: str) -> bool:
        is_integer = types.is_integer_dtype(column.dtype) and not isinstance(column.dtype, pd.CategoricalDtype)
        return is_integer or found == "integer"

    @classmethod
    def infer(cls, column: pd.Series, *, name: str | int, where: str) -> Self:
        if types.is_object_dtype(column.dtype):
            refuse_too_large(column, where=where)
        return super().infer(column, name=name, where=where)

    @classmethod
    def whole(cls, column: pd.Series, missing: np.ndarray, *, fill: int) -> np.ndarray:
        target = np.uint64 if "uint64" in str(column.dtype).lower() else np.int64
        return column.where(~missing, fill).to_numpy(dtype=target, na_value=fill)

    def typed(self, whole: np.ndarray) -> pd.Series:
        return pd.Series(whole if self.top >= 2**63 else whole.view(np.int64))

    def nullable(self, dtype: Any) -> Any:
        return "UInt64" if dtype == np.uint64 else "Int64"


def refuse_too_large(column: pd.Series, *, where: str) -> None:
    """Python's whole numbers have no largest one; those of 64 bits have."""
    for row, value in enumerate(column):
        if isinstance(value, (int, np.integer)) and not -LARGEST_WHOLE - 1 <= value <= LARGEST_WHOLE:
            digits = round(int(value).bit_length() * math.log10(2))  # to one: its text would take long
            raise DataError(
                f"{where}, row {row}",
                f"the whole number has about {digits} digits.",
                f"Expected whole numbers up to {LARGEST_WHOLE}.",
                "Write them as real numbers (1e30), or leave the column out with data.drop.",
            )


KINDS = {"integer": Integer}
