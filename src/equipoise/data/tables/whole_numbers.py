"""Columns that are whole numbers at heart: counts, and dates and durations in units of their own.

The numeric code is the distance from the smallest value in steps of the greatest common divisor of all distances.
Where these are more than the 2^53 steps that float64 tells apart (codes of 19 digits), it is the place among up to
10,000 of the values instead, with a fraction between two of them: these values come back exactly, however large.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd

from equipoise.data.tables.column_type import ColumnType, type_text, with_gaps

MOST_STEPS = 2**53
MOST_ANCHORS = 10_000


@dataclass(frozen=True)
class WholeNumbers(ColumnType):
    """See `ColumnType`.

    Attributes:
        origin: smallest value, in the column's own unit.
        step: greatest common divisor of the distances from `origin`.
        top: largest value.
        anchors: values whose places are the codes, ascending, where steps would be too many; else none.
    """

    origin: int = 0
    step: int = 1
    top: int = 0
    anchors: tuple[int, ...] = ()

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
            return cls(name, type_text(column.dtype))
        whole = cls.whole(present, np.zeros(len(present), dtype=bool), fill=0)
        low, top = int(whole.min()), int(whole.max())
        distance = whole - np.uint64(low) if whole.dtype == np.uint64 else _as_unsigned(whole) - _wrapped(low)
        step = max(1, int(np.gcd.reduce(distance)))
        anchors: tuple[int, ...] = ()
        if (top - low) // step > MOST_STEPS:
            known = np.unique(whole)
            places = np.linspace(0, len(known) - 1, min(len(known), MOST_ANCHORS)).round().astype(np.int64)
            anchors = tuple(int(value) for value in known[places])
        return cls(name, type_text(column.dtype), origin=low, top=top, step=step, anchors=anchors)

    def codes(self, column: pd.Series, missing: np.ndarray) -> np.ndarray:
        whole = self.whole(column, missing, fill=self.origin)
        if whole.dtype == np.uint64:
            least = np.uint64(max(self.origin, 0))
            distance = np.maximum(whole, least) - least
        else:
            distance = _as_unsigned(np.maximum(whole, self.origin)) - _wrapped(self.origin)
        return self._place(distance) if self.anchors else distance / np.float64(self.step)

    def values(self, codes: np.ndarray, missing: np.ndarray) -> pd.Series:
        found = self.stepped(codes)
        return with_gaps(found, missing, nullable=self.nullable(found.dtype), dtype=self.dtype)

    def state(self) -> dict[str, Any]:
        """As `ColumnType.state`; anchors only where there are some."""
        state = super().state()
        return state if self.anchors else {key: value for key, value in state.items() if key != "anchors"}

    def stepped(self, codes: np.ndarray) -> pd.Series:
        """The column of values at the codes, none of them missing."""
        if self.anchors:
            return self.typed(self._anchored(codes) + _wrapped(self.origin))
        reach = np.uint64(self.top - self.origin)
        steps = np.clip(np.rint(codes), 0, float(reach) / self.step)
        is_top = steps * self.step >= float(reach)  # the largest value comes back exactly, however large it is
        distance = np.where(is_top, 0, steps).astype(np.uint64) * np.uint64(self.step)
        return self.typed(np.where(is_top, reach, distance) + _wrapped(self.origin))

    @cached_property
    def _distances(self) -> np.ndarray:
        """The anchors' distances from the smallest value, uint64."""
        return np.array([value - self.origin for value in self.anchors], dtype=np.uint64)

    def _place(self, distance: np.ndarray) -> np.ndarray:
        known = self._distances
        below = np.clip(np.searchsorted(known, distance, side="right") - 1, 0, len(known) - 2)
        gap = known[below + 1] - known[below]
        return below + np.minimum((distance - known[below]) / gap.astype(np.float64), 1.0)

    def _anchored(self, codes: np.ndarray) -> np.ndarray:
        known = self._distances
        codes = np.clip(codes, 0, len(known) - 1)
        below = np.floor(codes).astype(np.int64)
        gap = known[np.minimum(below + 1, len(known) - 1)] - known[below]
        inside = np.rint((codes - below) * gap.astype(np.float64)).astype(np.uint64)
        return known[below] + np.minimum(inside, gap)


def _as_unsigned(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.int64).view(np.uint64)


def _wrapped(value: int) -> np.uint64:
    """The two's complement of a negative number: sums and differences with it are right modulo 2^64."""
    return np.uint64(value % 2**64)
