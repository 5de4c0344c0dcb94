"""Periods of pandas: months, quarters, weeks and the like, counted in periods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from equipoise.data.tables.column_type import pandas_type
from equipoise.data.tables.whole_numbers import WholeNumbers


@dataclass(frozen=True)
class Period(WholeNumbers):
    """See `ColumnType`."""

    kind: ClassVar[str] = "period"
    compared_as: ClassVar[str] = "moment"

    @classmethod
    def holds(cls, column: pd.Series, found: str) -> bool:
        return isinstance(column.dtype, pd.PeriodDtype)

    @classmethod
    def whole(cls, column: pd.Series, missing: np.ndarray, *, fill: int) -> np.ndarray:
        return np.where(missing, fill, column.array.asi8)

    def typed(self, whole: np.ndarray) -> pd.Series:
        dtype = pandas_type(self.dtype)
        return pd.Series(pd.PeriodIndex.from_ordinals(whole.view(np.int64), freq=dtype.freq), dtype=dtype)


KINDS = {"period": Period}
