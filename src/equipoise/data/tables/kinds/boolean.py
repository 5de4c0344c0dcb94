"""Truth values: 0 or 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from pandas.api import types

from equipoise.data.tables.column_type import ColumnType, type_text, with_gaps


@dataclass(frozen=True)
class Boolean(ColumnType):
    """See `ColumnType`."""

    kind: ClassVar[str] = "boolean"
    compared_as: ClassVar[str] = "truth"
    is_nominal: ClassVar[bool] = True

    @classmethod
    def holds(cls, column: pd.Series, found: str) -> bool:
        return types.is_bool_dtype(column.dtype) and not isinstance(column.dtype, pd.CategoricalDtype)

    @classmethod
    def infer(cls, column: pd.Series, *, name: str | int, where: str) -> Self:
        del where
        return cls(name, type_text(column.dtype))

    def codes(self, column: pd.Series, missing: np.ndarray) -> np.ndarray:
        return column.where(~missing, False).to_numpy(dtype=bool).astype(np.float64)

    def values(self, codes: np.ndarray, missing: np.ndarray) -> pd.Series:
        return with_gaps(pd.Series(codes > 0.5), missing, nullable="boolean", dtype=self.dtype)


KINDS = {"boolean": Boolean}
