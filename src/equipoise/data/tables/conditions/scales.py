"""On what scale the values of a column are compared, exactly, and which value a person means by a number or a text.

Counts, dates and durations are whole numbers of their own unit; categories and truth values are the places of their
levels; real numbers are float64. A literal is made a value of the scale by the column's kind: '2024-05-31' is a moment
where the column holds dates, and text where it holds text.
"""

from __future__ import annotations

import datetime
import decimal
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from equipoise.data.tables.column_type import ColumnType, pandas_type
from equipoise.data.tables.conditions.value_sets import Bound, Interval, ValueSet, only
from equipoise.data.tables.kinds.boolean import Boolean
from equipoise.data.tables.kinds.category import Category
from equipoise.data.tables.kinds.date import EPOCH, Date, Datetime, Timedelta
from equipoise.data.tables.kinds.decimal import EXACT, Decimal
from equipoise.data.tables.kinds.number import Number
from equipoise.data.tables.kinds.period import Period
from equipoise.data.tables.kinds.time import Time
from equipoise.data.tables.times import microseconds_of, time_of
from equipoise.data.tables.whole_numbers import WholeNumbers
from equipoise.errors import InputError, nearest

NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
MOST_NAMED = 12
FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True)
class Scale:
    """The scale of one column.

    Attributes:
        type: what the column holds.
        where: the condition and the column, for messages.
    """

    type: ColumnType
    where: str

    @property
    def is_whole(self) -> bool:
        return not isinstance(self.type, Number)

    @property
    def is_ordered(self) -> bool:
        return not self.type.is_nominal or getattr(self.type, "is_ordered", False)

    def measure(self, column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Values on the scale, `(n,)`, and which are missing."""
        missing = column.isna().to_numpy(dtype=bool)
        kind = self.type
        if isinstance(kind, Decimal):
            codes, values = pd.factorize(column.astype(object))
            whole = [int(value.scaleb(kind.decimals, EXACT).to_integral_value()) for value in values]
            return np.array([*whole, 0], dtype=np.int64)[codes], missing  # code -1 is the last entry
        if isinstance(kind, WholeNumbers):
            return kind.whole(column, missing, fill=kind.origin), missing
        codes = kind.codes(column, missing)
        return codes.astype(np.int64) if self.is_whole else codes, missing

    def at(self, codes: np.ndarray) -> np.ndarray:
        """Values on the scale of numeric codes of the column."""
        return self.measure(self.type.values(np.asarray(codes, dtype=np.float64), np.zeros(len(codes), dtype=bool)))[0]

    def text(self, value: Bound) -> str:
        """A value as a person writes it."""
        kind = self.type
        if isinstance(kind, Category):
            return repr(kind.levels[int(value)])
        if isinstance(kind, Boolean):
            return str(bool(value))
        if isinstance(kind, Decimal):
            return str(decimal.Decimal(int(value)).scaleb(-kind.decimals))
        if kind.kind == "integer":
            return str(int(value))
        if isinstance(kind, WholeNumbers):
            return str(kind.typed(np.array([int(value) % 2**64], dtype=np.uint64)).iloc[0])
        return f"{value:.{max(6, kind.decimals or 0)}g}" if abs(value) < 1e15 else repr(value)

    def compared(self, operator: str, literal: Any) -> ValueSet:
        """The values x for which `x operator literal` holds.

        Raises:
            InputError: the literal is no value of this column, or names are compared by size.
        """
        if operator not in ("==", "!=") and not self.is_ordered:
            raise InputError(
                self.where,
                f"names have no order, and '{operator} {literal!r}' asks for one.",
                "Expected ==, !=, in [...] or 'is missing'.",
                "List the names that you want: column in ['a', 'b'].",
            )
        value = self.value(literal)
        if operator in ("==", "!="):
            if self.is_whole and (isinstance(value, Fraction) and value.denominator != 1):
                raise self._no_value(literal, "it holds whole steps, and this is between two of them")
            equal = only(int(value) if self.is_whole else float(value), is_whole=self.is_whole)
            return equal if operator == "==" else equal.complement()
        return self._like([self._side(operator, value)])

    def within(self, literals: list[Any]) -> ValueSet:
        """The set of some values."""
        return only(*(self.compared("==", each).intervals[0][0] for each in literals), is_whole=self.is_whole)

    def _side(self, operator: str, value: Fraction | float) -> Interval:
        if self.is_whole:
            exact = Fraction(value)
            if operator == "<":
                return -math.inf, math.ceil(exact) - 1
            if operator == "<=":
                return -math.inf, math.floor(exact)
            return (math.floor(exact) + 1 if operator == ">" else math.ceil(exact)), math.inf
        number = float(value)
        if operator in ("<", "<="):
            return -math.inf, math.nextafter(number, -math.inf) if operator == "<" else number
        return math.nextafter(number, math.inf) if operator == ">" else number, math.inf

    def _like(self, intervals: list[Interval]) -> ValueSet:
        return ValueSet(tuple(intervals), False, self.is_whole)

    def value(self, literal: Any) -> Fraction | float:
        """The literal on the scale: exact for whole ones, also between two of them.

        Raises:
            InputError: it is no value of this column.
        """
        kind = self.type
        if isinstance(kind, Category):
            return Fraction(self._level(kind, literal))
        if isinstance(kind, Boolean):
            return Fraction(self._truth(literal))
        if isinstance(kind, (Datetime, Date, Time, Period)):
            return self._time(literal)
        if isinstance(literal, (bool, np.bool_)):
            raise self._no_value(literal, "it holds numbers")
        if isinstance(literal, str):
            try:
                literal = decimal.Decimal(literal)
            except decimal.InvalidOperation:
                raise self._no_value(literal, "it holds numbers") from None
        try:
            number = Fraction(literal) if not isinstance(literal, np.generic) else Fraction(literal.item())
        except (TypeError, ValueError, OverflowError):
            raise self._no_value(literal, "it holds numbers") from None
        if isinstance(kind, Decimal):
            written = Fraction(decimal.Decimal(repr(literal))) if isinstance(literal, float) else number
            return written * 10**kind.decimals
        if isinstance(kind, Number):
            precision = {"float32": np.float32, "float16": np.float16}.get(kind.dtype.lower(), np.float64)
            return float(precision(float(number)))  # 0.1 in a column of float32 is float32's 0.1
        return number

    def _level(self, kind: Category, literal: Any) -> int:
        for place, level in enumerate(kind.levels):
            if level == literal and isinstance(level, bool) == isinstance(literal, (bool, np.bool_)):
                return place
        text = str(literal)
        of_text = [place for place, level in enumerate(kind.levels) if str(level) == text]
        if len(of_text) == 1:
            return of_text[0]
        names = [str(level) for level in kind.levels]
        shown = ", ".join(repr(name) for name in names[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "")
        raise InputError(
            self.where,
            f"no row of the training data has the value {literal!r}.{nearest(text, names)}",
            f"Its {len(names):,} values: {shown}.",
            "What was never seen cannot be generated; ask for one of these.",
        )

    def _truth(self, literal: Any) -> int:
        truth = {"true": 1, "false": 0, "1": 1, "0": 0}.get(str(literal).lower())
        if truth is None:
            raise self._no_value(literal, "it holds True and False")
        return truth

    def _time(self, literal: Any) -> Fraction:
        """Dates and times from what pandas reads."""
        kind = self.type
        is_moment = isinstance(literal, (str, datetime.date, datetime.time, datetime.timedelta, np.generic))
        if not is_moment and not isinstance(literal, (pd.Timestamp, pd.Timedelta, pd.Period)):
            raise self._no_value(literal, f"it holds {_SORTS[kind.kind]}")
        try:
            if isinstance(kind, Period):
                return Fraction(pd.Period(literal, freq=_period_of(kind)).ordinal)
            if isinstance(kind, Time):
                time = literal if isinstance(literal, datetime.time) else time_of(str(literal).strip())
                if time is not None:
                    return Fraction(microseconds_of(time))
                moment = pd.Timestamp(f"1970-01-01 {literal}")
                return Fraction(moment.as_unit("ns").value, 1000)
            if isinstance(kind, Timedelta):
                return Fraction(pd.Timedelta(literal).as_unit("ns").value, NANOSECONDS[unit_of(kind)])
            moment = pd.Timestamp(literal)
            if moment is pd.NaT:
                raise ValueError
            if isinstance(kind, Date):
                passed = (moment.tz_localize(None) - moment.tz_localize(None).normalize()).as_unit("ns").value
                return Fraction(moment.toordinal() - EPOCH) + Fraction(passed, 86_400 * 10**9)
            zone = getattr(_dtype(kind), "tz", None)
            if zone is not None:
                moment = moment.tz_localize(zone) if moment.tz is None else moment
            elif moment.tz is not None:
                moment = moment.tz_convert("UTC").tz_localize(None)
            return Fraction(moment.as_unit("ns").value, NANOSECONDS[unit_of(kind)])
        except (ValueError, TypeError, OverflowError, pd.errors.OutOfBoundsDatetime):
            raise self._no_value(literal, f"it holds {_SORTS[kind.kind]}") from None

    def _no_value(self, literal: Any, holds: str) -> InputError:
        return InputError(
            self.where,
            f"{str(literal)[:60]!r} is no value of this column: {holds}.",
            "Expected a value such as those in the data.",
            _EXAMPLES.get(self.type.kind, "Write a number, such as 0.5."),
        )


_SORTS = {
    "datetime": "dates and times",
    "date": "dates",
    "time": "times of day",
    "period": "periods",
    "timedelta": "durations",
}
_EXAMPLES = {
    "integer": "Write a whole number, such as 30.",
    "datetime": "Write it as '2024-05-31' or '2024-05-31 14:00'.",
    "date": "Write it as '2024-05-31'.",
    "time": "Write it as '14:00'.",
    "period": "Write it as '2024-05'.",
    "timedelta": "Write it as '3 days 02:00:00'.",
    "boolean": "Write True or False.",
}


def _dtype(kind: Datetime) -> Any:
    """Numpy's type of the column's values, or pandas' with a time zone."""
    return kind.typed(np.zeros(1, dtype=np.uint64)).dtype


def unit_of(kind: Datetime) -> str:
    dtype = _dtype(kind)
    return dtype.unit if isinstance(dtype, pd.DatetimeTZDtype) else np.datetime_data(dtype)[0]


def _period_of(kind: Period) -> Any:
    return pandas_type(kind.dtype).freq
