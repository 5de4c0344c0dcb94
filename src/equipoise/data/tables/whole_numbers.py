"""Columns that are whole numbers at heart: counts, and dates and durations in units of their own.

The numeric code is the distance from the smallest value in steps of the greatest common divisor of all distances.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from equipoise.data.tables.column_type import ColumnType, with_gaps


@dataclass(frozen=True)
class WholeNumbers(ColumnType):
    """See `ColumnType`.

    Attributes:
        origin: smallest value, in the column's own unit.
        step: greatest common divisor of the distances from `origin`.
        top: largest value.
    """

    origin: int = 0
    step: int = 1
    top: int = 0

    @classmethod
    @abstractmethod
    def whole(cls, column: pd.Series, missing: np.ndarray, *, fill: int) -> np.ndarray:
        """Int64 or uint64 in the column's own unit, with `fill` where it is missing."""

    @abstractmethod
    def typed(self, whole: np.ndarray) -> pd.Series:
        """The column of whole numbers given as uint64, in two's complement where they are negative."""

    def nullable(self, dtype: Any) -> Any:
        """A type near `dtype` that has room for missing values."""
        return dtype

    @classmethod
    def infer(cls, column: pd.Series, *, name: str | int, where: str) -> Self:
        del where
        present = column.dropna()
        if len(present) == 0:
            return cls(name, str(column.dtype))
        whole = cls.whole(present, np.zeros(len(present), dtype=bool), fill=0)
        low, top = int(whole.min()), int(whole.max())
        distance = whole - np.uint64(low) if whole.dtype == np.uint64 else _as_unsigned(whole) - _wrapped(low)
        return cls(name, str(column.dtype), origin=low, top=top, step=max(1, int(np.gcd.reduce(distance))))

    def codes(self, column: pd.Series, missing: np.ndarray) -> np.ndarray:
        whole = self.whole(column, missing, fill=self.origin)
        if whole.dtype == np.uint64:
            least = np.uint64(max(self.origin, 0))
            distance = np.maximum(whole, least) - least
        else:
            distance = _as_unsigned(np.maximum(whole, self.origin)) - _wrapped(self.origin)
        return distance / np.float64(self.step)

    def values(self, codes: np.ndarray, missing: np.ndarray) -> pd.Series:
        reach = np.uint64(self.top - self.origin)
        steps = np.clip(np.rint(codes), 0, float(reach) / self.step)
        is_top = steps * self.step >= float(reach)  # the largest value comes back exactly, however large it is
        distance = np.where(is_top, 0, steps).astype(np.uint64) * np.uint64(self.step)
        found = self.typed(np.where(is_top, reach, distance) + _wrapped(self.origin))
        return with_gaps(found, missing, nullable=self.nullable(found.dtype), dtype=self.dtype)


def _as_unsigned(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.int64).view(np.uint64)


def _wrapped(value: int) -> np.uint64:
    """The two's complement of a negative number: sums and differences with it are right modulo 2^64."""
    return np.uint64(value % 2**64)
