"""Points in time, with and without a time zone, durations, and dates of Python's own."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from pandas.api import types

from equipoise.data.tables.column_type import with_gaps
from equipoise.data.tables.whole_numbers import WholeNumbers

EPOCH = datetime.date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Datetime(WholeNumbers):
    """Points in time, in the unit of their pandas type."""

    kind: ClassVar[str] = "datetime"
    compared_as: ClassVar[str] = "moment"

    @classmethod
    def holds(cls, column: pd.Series, found: str) -> bool:
        return types.is_datetime64_any_dtype(column.dtype)

    @classmethod
    def whole(cls, column: pd.Series, missing: np.ndarray, *, fill: int) -> np.ndarray:
        dtype = _temporal(str(column.dtype))
        if isinstance(column.dtype, pd.ArrowDtype):
            column = column.astype(dtype)
        if isinstance(dtype, pd.DatetimeTZDtype):
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        return np.where(missing, fill, column.to_numpy().view(np.int64))

    def typed(self, whole: np.ndarray) -> pd.Series:
        dtype = _temporal(self.dtype)
        if isinstance(dtype, pd.DatetimeTZDtype):
            naive = pd.Series(whole.view(np.int64).view(f"M8[{dtype.unit}]"))
            return naive.dt.tz_localize("UTC").dt.tz_convert(dtype.tz)
        return pd.Series(whole.view(np.int64).view(dtype))


@dataclass(frozen=True)
class Timedelta(Datetime):
    """Durations."""

    kind: ClassVar[str] = "timedelta"
    compared_as: ClassVar[str] = "span"

    @classmethod
    def holds(cls, column: pd.Series, found: str) -> bool:
        return types.is_timedelta64_dtype(column.dtype) or str(column.dtype).startswith("duration[")


@dataclass(frozen=True)
class Date(WholeNumbers):
    """Days: `datetime.date` in a column of objects."""

    kind: ClassVar[str] = "date"
    compared_as: ClassVar[str] = "moment"

    @classmethod
    def holds(cls, column: pd.Series, found: str) -> bool:
        return found == "date"

    @classmethod
    def whole(cls, column: pd.Series, missing: np.ndarray, *, fill: int) -> np.ndarray:
        days = (value.toordinal() - EPOCH if not gone else fill for value, gone in zip(column, missing, strict=True))
        return np.fromiter(days, dtype=np.int64, count=len(column))

    def typed(self, whole: np.ndarray) -> pd.Series:
        return pd.Series(whole.view(np.int64).view("M8[D]").astype(object), dtype=object)

    def values(self, codes: np.ndarray, missing: np.ndarray) -> pd.Series:
        found = super().values(codes, np.zeros(len(codes), dtype=bool))
        return with_gaps(found, missing, nullable=object, dtype=None)


def _temporal(dtype: str) -> Any:
    """The numpy type, or pandas' type with a time zone, of dates and durations."""
    found = types.pandas_dtype(dtype)
    if isinstance(found, pd.ArrowDtype):
        kind = found.pyarrow_dtype
        if not hasattr(kind, "unit"):  # a day
            return np.dtype("M8[s]")
        zone = getattr(kind, "tz", None)
        if zone:
            return pd.DatetimeTZDtype(kind.unit, zone)
        return np.dtype(f"{'M8' if types.is_datetime64_any_dtype(found) else 'm8'}[{kind.unit}]")
    return found


KINDS = {"datetime": Datetime, "timedelta": Timedelta, "date": Date}
