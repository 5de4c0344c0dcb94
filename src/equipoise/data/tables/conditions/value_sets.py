"""Sets of values of one column: closed intervals beside each other, and whether a missing value is in the set.

Values are measured on a scale on which they can be compared exactly (see `scales`): whole numbers, or float64. On
whole numbers `x < 5` is `x <= 4`, on real ones `x <= nextafter(5, -inf)`: every set is made of closed intervals, and
the complement of a set is exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

Bound = int | float
Interval = tuple[Bound, Bound]


@dataclass(frozen=True)
class ValueSet:
    """Values of one column.

    Attributes:
        intervals: closed, ascending, not touching; ends may be infinite.
        has_missing: whether a missing value is in the set.
        is_whole: whether values are whole numbers.
    """

    intervals: tuple[Interval, ...]
    has_missing: bool
    is_whole: bool

    @property
    def is_empty(self) -> bool:
        return not self.intervals and not self.has_missing

    def contains(self, values: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """Which values are in the set. Boolean `(n,)`.

        Args:
            values: on the column's scale: int64, uint64 or float64 `(n,)`; any where a value is missing.
            missing: which are. Boolean `(n,)`.
        """
        found = np.zeros(len(values), dtype=bool)
        for low, high in self.intervals:
            found |= _reaches(values, low) & _reaches(values, high, from_above=True)
        return np.where(missing, self.has_missing, found)

    def __and__(self, other: ValueSet) -> ValueSet:
        """Values of both sets."""
        both = [(max(a, c), min(b, d)) for a, b in self.intervals for c, d in other.intervals]
        return self._like([pair for pair in both if pair[0] <= pair[1]], self.has_missing and other.has_missing)

    def __or__(self, other: ValueSet) -> ValueSet:
        """Values of either set."""
        return self._like([*self.intervals, *other.intervals], self.has_missing or other.has_missing)

    def complement(self) -> ValueSet:
        """Values that are not in the set. A missing value is in neither: nothing is known of it."""
        gaps: list[Interval] = []
        start: Bound = -math.inf
        for low, high in self.intervals:
            if low > -math.inf:
                gaps.append((start, self._below(low)))
            start = math.inf if high == math.inf else self._above(high)
        if not self.intervals or self.intervals[-1][1] < math.inf:
            gaps.append((start, math.inf))
        return self._like([pair for pair in gaps if pair[0] <= pair[1]], has_missing=False)

    def _like(self, intervals: list[Interval], has_missing: bool) -> ValueSet:
        joined: list[Interval] = []
        for low, high in sorted(intervals):
            if joined and low <= self._above(joined[-1][1]):
                joined[-1] = (joined[-1][0], max(joined[-1][1], high))
            else:
                joined.append((low, high))
        return ValueSet(tuple(joined), has_missing, self.is_whole)

    def _above(self, value: Bound) -> Bound:
        return value if math.isinf(value) else value + 1 if self.is_whole else math.nextafter(value, math.inf)

    def _below(self, value: Bound) -> Bound:
        return value if math.isinf(value) else value - 1 if self.is_whole else math.nextafter(value, -math.inf)


def _reaches(values: np.ndarray, bound: Bound, *, from_above: bool = False) -> np.ndarray:
    """Which values are at least the bound, or at most; exact also for whole numbers that no value can be."""
    if math.isinf(bound):
        return np.full(len(values), (bound > 0) == from_above)
    if values.dtype.kind in "iu":
        limits = np.iinfo(values.dtype)
        if not limits.min <= bound <= limits.max:
            return np.full(len(values), (bound > limits.max) == from_above)
        bound = values.dtype.type(bound)
    return values <= bound if from_above else values >= bound


def only(*values: Bound, is_whole: bool) -> ValueSet:
    """The set of these values."""
    return ValueSet((), False, is_whole)._like([(value, value) for value in values], has_missing=False)


def missing_only(*, is_whole: bool) -> ValueSet:
    """The set of a missing value alone."""
    return ValueSet((), True, is_whole)


def present(*, is_whole: bool) -> ValueSet:
    """The set of every value that is not missing."""
    return ValueSet(((-math.inf, math.inf),), False, is_whole)
