"""Times of day, without a date: Arrow's time32 and time64, and Python's `datetime.time`, in microseconds."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from equipoise.data.tables.column_type import pandas_type, with_gaps
from equipoise.data.tables.whole_numbers import WholeNumbers

MIDNIGHT = datetime.datetime(1970, 1, 1)


@dataclass(frozen=True)
class Time(WholeNumbers):
    """See `ColumnType`."""

    kind: ClassVar[str] = "time"
    compared_as: ClassVar[str] = "span"

    @classmethod
    def holds(cls, column: pd.Series, found: str) -> bool:
        return found == "time" or str(column.dtype).startswith(("time32[", "time64["))

    @classmethod
    def whole(cls, column: pd.Series, missing: np.ndarray, *, fill: int) -> np.ndarray:
        passed = (
            fill if gone else ((time.hour * 60 + time.minute) * 60 + time.second) * 1_000_000 + time.microsecond
            for time, gone in zip(column, missing, strict=True)
        )
        return np.fromiter(passed, dtype=np.int64, count=len(column))

    def typed(self, whole: np.ndarray) -> pd.Series:
        times = [(MIDNIGHT + datetime.timedelta(microseconds=int(value))).time() for value in whole]
        return pd.Series(times, dtype=object)

    def values(self, codes: np.ndarray, missing: np.ndarray) -> pd.Series:
        found = self.stepped(codes)
        return (
            with_gaps(found, missing, nullable=object, dtype=None).where(~missing, None).astype(pandas_type(self.dtype))
        )


KINDS = {"time": Time}
