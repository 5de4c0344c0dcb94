"""Real numbers: the numeric code is the number itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from pandas.api import types

from equipoise.data.tables.column_type import ColumnType
from equipoise.data.tables.kinds.integer import refuse_too_large
from equipoise.errors import DataError

MOST_DECIMALS = 6
LARGEST_NUMBER = 1e100
PRECISIONS = {"float32": np.float32, "float[pyarrow]": np.float32, "float16": np.float16}


@dataclass(frozen=True)
class Number(ColumnType):
    """See `ColumnType`.

    Attributes:
        decimals: digits after the point that suffice for every value, or `None`.
    """

    decimals: int | None = None
    kind: ClassVar[str] = "number"
    compared_as: ClassVar[str] = "amount"

    @classmethod
    def holds(cls, column: pd.Series, found: str) -> bool:
        is_float = types.is_float_dtype(column.dtype) and not isinstance(column.dtype, pd.CategoricalDtype)
        return is_float or found in ("floating", "mixed-integer-float")

    @classmethod
    def infer(cls, column: pd.Series, *, name: str | int, where: str) -> Self:
        try:
            values = column.dropna().to_numpy(dtype=np.float64)
        except OverflowError:  # a whole number of Python's that is no real number any more
            refuse_too_large(column, where=where)
            raise
        bad = ~np.isfinite(values) | (np.abs(values) > LARGEST_NUMBER)
        if bad.any():
            row = int(np.flatnonzero(~column.isna().to_numpy())[np.argmax(bad)])
            raise DataError(
                f"{where}, row {row}",
                f"the value is {values[bad][0]:g}; rows with such values: {int(bad.sum()):,}.",
                f"Expected numbers up to {LARGEST_NUMBER:g}, or missing values.",
                "Replace infinities by missing values, or take these rows out.",
            )
        dtype = str(column.dtype)
        own_precision = PRECISIONS.get(dtype.lower(), np.float64)
        own = values.astype(own_precision)
        fits = (
            digits
            for digits in range(MOST_DECIMALS + 1)
            if (np.round(values, digits).astype(own_precision) == own).all()
        )
        return cls(name, dtype, decimals=next(fits, None) if len(values) else None)

    def codes(self, column: pd.Series, missing: np.ndarray) -> np.ndarray:
        return np.where(missing, 0.0, column.to_numpy(dtype=np.float64, na_value=np.nan))

    def values(self, codes: np.ndarray, missing: np.ndarray) -> pd.Series:
        rounded = codes if self.decimals is None else np.round(codes, self.decimals)
        return pd.Series(np.where(missing, np.nan, rounded)).astype(types.pandas_dtype(self.dtype))


KINDS = {"number": Number}
