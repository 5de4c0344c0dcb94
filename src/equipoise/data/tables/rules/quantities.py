"""Columns that can be added, subtracted and compared in size, as numbers of one unit.

Counts are whole numbers; amounts are real, or decimals. Moments (dates, periods) and spans (durations, times of day)
are whole numbers of a unit: a moment minus a moment is a span, a moment plus a span a moment. Whole numbers are
computed in int64, exactly; real ones are rounded to the decimals that the columns have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from equipoise.data.tables.column_type import ColumnType, with_gaps
from equipoise.data.tables.conditions.scales import NANOSECONDS, Scale, unit_of
from equipoise.data.tables.conditions.value_sets import Bound
from equipoise.data.tables.kinds.date import Date, Datetime, Timedelta
from equipoise.data.tables.kinds.decimal import Decimal
from equipoise.data.tables.kinds.integer import Integer
from equipoise.data.tables.kinds.number import Number
from equipoise.data.tables.kinds.period import Period
from equipoise.data.tables.kinds.time import Time
from equipoise.data.tables.whole_numbers import WholeNumbers
from equipoise.errors import InputError

DAY = 86_400 * 10**9
LARGEST = 2**62


@dataclass(frozen=True)
class Unit:
    """What is counted.

    Attributes:
        sort: amount, moment, span or period.
        size: of one step: in nanoseconds, in 10^-size of an amount, or 1.
        extra: a zone is there, or the length of a period.
    """

    sort: str
    size: int = 1
    extra: str = ""


def unit_of_type(kind: ColumnType, *, where: str) -> Unit:
    """The unit in which a column counts.

    Raises:
        InputError: it holds names, truth values or numbers beyond those that can be subtracted exactly.
    """
    if isinstance(kind, (Integer, Decimal)) and max(abs(kind.origin), abs(kind.top)) < LARGEST:
        return Unit("amount", getattr(kind, "decimals", 0))
    if isinstance(kind, Number):
        return Unit("amount", -1 if kind.decimals is None else kind.decimals)
    if isinstance(kind, Timedelta):
        return Unit("span", NANOSECONDS[unit_of(kind)])
    if isinstance(kind, Datetime):
        return Unit("moment", NANOSECONDS[unit_of(kind)], "zone" if "," in kind.dtype or "tz=" in kind.dtype else "")
    if isinstance(kind, Date):
        return Unit("moment", DAY)
    if isinstance(kind, Time):
        return Unit("span", 1000, "time")
    if isinstance(kind, Period):
        return Unit("period", 1, kind.dtype)
    raise InputError(
        f"{where}, column '{kind.name}'",
        f"it holds the kind '{kind.kind}', which has no size to compute with.",
        "Expected numbers, dates or durations.",
        "Leave the rule out; 'fixed(a, b)' is for names.",
    )


@dataclass(frozen=True)
class Common:
    """How the columns of one rule are computed with.

    Attributes:
        is_whole: whether in whole numbers.
        size: of one step of them, in nanoseconds; or decimals that are kept (-1 keeps all).
        is_time: whether they are moments and spans.
    """

    is_whole: bool
    size: int
    is_time: bool

    def numbers(self, column: pd.Series, kind: ColumnType) -> tuple[np.ndarray, np.ndarray]:
        """Int64 or float64 `(n,)`, and which values are missing."""
        values, missing = Scale(kind, "rule").measure(column)
        if self.is_time:
            step = unit_of_type(kind, where="rule").size
            return np.where(missing, 0, values) * (step // self.size), missing
        if self.is_whole:
            return np.where(missing, 0, values).astype(np.int64), missing
        values = values / 10.0**kind.decimals if isinstance(kind, Decimal) else values.astype(np.float64)
        return np.where(missing, 0.0, values), missing

    def bound(self, value: Bound, kind: ColumnType) -> Bound:
        """The number of one value, or infinity, on the scale of a column."""
        if math.isinf(value):
            return value
        if self.is_time:
            return value * (unit_of_type(kind, where="rule").size // self.size)
        return value / 10.0**kind.decimals if isinstance(kind, Decimal) and not self.is_whole else value

    def rounded(self, numbers: np.ndarray) -> np.ndarray:
        """Real numbers at the decimals that are kept."""
        return numbers if self.is_whole or self.size < 0 else np.round(numbers, self.size)

    def column(self, numbers: np.ndarray, missing: np.ndarray, kind: ColumnType) -> pd.Series:
        """A column of `kind` of any numbers, also outside of the values that it was fitted on."""
        if self.is_time:
            numbers = numbers // (unit_of_type(kind, where="rule").size // self.size)
        if isinstance(kind, Number):
            return kind.values(numbers.astype(np.float64), missing)
        assert isinstance(kind, WholeNumbers)
        if isinstance(kind, Decimal) and not self.is_whole:
            numbers = np.rint(numbers * 10.0**kind.decimals)
        whole = numbers.astype(np.int64) if self.is_whole else np.rint(numbers).astype(np.int64)
        if isinstance(kind, (Date, Time, Decimal)):
            present = whole[~missing]
            low, high = (int(present.min()), int(present.max())) if len(present) else (0, 0)
            plain = replace(kind, origin=low, step=1, top=high, anchors=())
            return plain.values(np.where(missing, 0, whole - low).astype(np.float64), missing)
        found = kind.typed(np.where(missing, kind.origin, whole).astype(np.int64).view(np.uint64))
        return with_gaps(found, missing, nullable=kind.nullable(found.dtype), dtype=kind.dtype)

    def difference(self, numbers: np.ndarray, missing: np.ndarray) -> pd.Series:
        """A helper column of differences: durations, whole or real numbers."""
        if self.is_time:
            per_step = {10**9: "s", 10**6: "ms", 10**3: "us", 1: "ns"}
            size = next(size for size in per_step if self.size % size == 0)
            steps = (numbers * (self.size // size)).view(f"m8[{per_step[size]}]")
            return pd.Series(steps).mask(missing)
        if self.is_whole:
            return with_gaps(pd.Series(numbers), missing, nullable="Int64", dtype=None)
        return pd.Series(np.where(missing, np.nan, numbers))

    def from_difference(self, column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """The inverse of `difference`."""
        missing = column.isna().to_numpy(dtype=bool)
        if self.is_time:
            unit = np.datetime_data(column.dtype)[0]
            steps = column.to_numpy().view(np.int64)
            return np.where(missing, 0, steps) * NANOSECONDS[unit] // self.size, missing
        kind = np.int64 if self.is_whole else np.float64
        return column.mask(missing, 0).to_numpy(dtype=kind), missing


def filled(numbers: np.ndarray, missing: np.ndarray, usual: float | None) -> tuple[np.ndarray, np.ndarray]:
    """The numbers with the usual one where they are missing, if there is one, and which are still missing."""
    if usual is None:
        return numbers, missing
    return np.where(missing, numbers.dtype.type(usual), numbers), np.zeros_like(missing)


def median_if_never_missing(numbers: np.ndarray, missing: np.ndarray) -> float | None:
    """One of the numbers in their middle; `None` where one is missing, or there are none."""
    if missing.any() or not len(numbers):
        return None
    return np.sort(numbers)[len(numbers) // 2].item()


def common_unit(kinds: list[ColumnType], *, where: str) -> tuple[Common, list[Unit]]:
    """How some columns are computed with together, and the unit of each.

    Raises:
        InputError: they cannot be: money and dates, or dates with a zone and without.
    """
    units = [unit_of_type(kind, where=where) for kind in kinds]
    sorts = {unit.sort for unit in units}
    if sorts == {"amount"}:
        is_whole = all(isinstance(kind, Integer) for kind in kinds)
        decimals = [unit.size for unit in units]
        return Common(is_whole, 0 if is_whole else -1 if min(decimals) < 0 else max(decimals), False), units
    extras = {unit.extra for unit in units if unit.sort in ("moment", "period")}
    if sorts <= {"moment", "span"} and len(extras) <= 1:
        return Common(True, min(unit.size for unit in units), True), units
    if sorts == {"period"} and len(extras) == 1:
        return Common(True, 1, False), units
    said = ", ".join(f"'{kind.name}' ({kind.kind})" for kind in kinds)
    raise InputError(
        where,
        f"its columns cannot be computed with together: {said}.",
        "Expected numbers; or dates and durations, all dates with a time zone or none.",
        "Convert a column, or leave the rule out.",
    )
