"""Columns of two sources as values that can be compared, whatever they are stored as.

Both sides of a judgement are read with the types of the first: what counts is what a value is, and not whether its file
calls it an integer or a float, a date or the text of one. A value that is none of its column's kind does not fit; it is
counted and named.
"""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from pandas.api import types

from equipoise.data.tables.column_type import ColumnType, pandas_type
from equipoise.data.tables.dates import DateReading, read_dates, read_durations
from equipoise.data.tables.kinds.time import Time
from equipoise.data.tables.reading import Remarks, TextRules, number_of, read_text, truth_of
from equipoise.data.tables.schema import infer_type
from equipoise.data.tables.times import as_spans, as_times, is_times, time_of

LARGEST_EXACT = 2**53
FEW_STRANGE = 0.2
"""Share of values that are no numbers, up to which text is compared as the numbers of the other side."""


def holds_of(kind: ColumnType) -> str:
    """What values of this type are compared as."""
    return kind.compared_as


def comparable(column: pd.Series, holds: str) -> tuple[pd.Series, np.ndarray]:
    """The column as values of one kind, and which rows hold something else; these are missing in the result.

    Args:
        column: of any type.
        holds: `amount`, `moment`, `span`, `time`, `truth` or `level`.

    Returns:
        Amounts as int64 or uint64 where all are whole and none is missing, as Int64 or UInt64 where some are too large
        for floats, else as float64; moments as datetime64[us]
        in UTC; spans, and times as what has passed since midnight, as timedelta64[us]; truth values as `boolean`;
        levels as text.
    """
    column = column.reset_index(drop=True)
    missing = column.isna().to_numpy(dtype=bool)
    found = COMPARABLE[holds](column)
    return found, found.isna().to_numpy(dtype=bool) & ~missing


def compared_as(real: pd.Series, fake: pd.Series) -> str:
    """What the values of two columns are compared as: what the first holds.

    Text that is nearly all numbers, dates or truth values is compared as those where the other side holds them.
    """
    own, other = _own(real), _own(fake)
    if own is None:
        return other or "level"
    if own != "level" or other in (None, "level") or isinstance(real.dtype, pd.CategoricalDtype):
        return own
    there = int(real.notna().sum())
    return other if comparable(real, other)[1].sum() <= FEW_STRANGE * there else own


def restored(column: pd.Series, kind: ColumnType) -> pd.Series:
    """A column in the very type that it had when it was read first."""
    dtype = pandas_type(kind.dtype)
    if isinstance(kind, Time):
        is_plain = not kind.form and is_times(column)
        return column.astype(dtype) if is_plain else as_times(column, kind.form).astype(dtype)
    if column.dtype == dtype and kind.compared_as != "level":
        return column
    if kind.compared_as == "level":
        return _restored_levels(column, kind, dtype)
    found, _ = comparable(column, kind.compared_as)
    if kind.kind == "number":
        return found.astype("float64").astype(dtype)
    missing = found.isna().to_numpy(dtype=bool)
    if missing.any() and isinstance(dtype, np.dtype) and dtype.kind in "biu":
        return found  # the data have changed: there were no gaps
    if kind.kind == "datetime":
        zone = getattr(dtype, "tz", None)
        return found.dt.tz_localize("UTC").dt.tz_convert(zone).astype(dtype) if zone else found.astype(dtype)
    if kind.kind in ("date", "decimal"):
        codes, gone = kind.to_numeric(column)
        return kind.values(codes, gone)
    return found.astype(dtype)


def level_text(value: object) -> str:
    """A level as text: 1 and 1.0 are one level, however they are stored."""
    if isinstance(value, (float, np.floating)) and math.isfinite(value) and float(value).is_integer():
        return str(int(value))
    return str(value)


def same_amounts(real: pd.Series, fake: pd.Series) -> tuple[pd.Series, pd.Series, int]:
    """Amounts of two sides in one type, and what was taken from whole numbers too large to be compared as floats."""
    there = [side.dropna() for side in (real, fake)]
    if all(len(side) and (side == side.round()).all() for side in there) and _are_large(*there):
        base = int(there[0].min())
        return _above(real, base), _above(fake, base), base
    if all(isinstance(side.dtype, np.dtype) and side.dtype.kind in "iu" for side in (real, fake)):
        return real.astype(np.int64), fake.astype(np.int64), 0
    real, fake = (pd.Series(side.to_numpy(dtype=np.float64, na_value=np.nan)) for side in (real, fake))
    return real, fake, 0


def _are_large(*sides: pd.Series) -> bool:
    """Whether whole numbers are too large to differ as floats, and are stored as more than these."""
    return any(
        side.dtype.kind in "iu" and max(abs(int(side.min())), abs(int(side.max()))) > LARGEST_EXACT for side in sides
    )


def _above(numbers: pd.Series, base: int) -> pd.Series:
    codes, values = pd.factorize(numbers)
    return pd.Series(np.array([*[float(int(value) - base) for value in values], np.nan])[codes])


def numbered_levels(levels: pd.Series) -> pd.Series:
    """Levels that are numbers in one spelling: '1.0' is 1."""

    def numbered(text: str) -> str:
        number = number_of(text)
        return text if number is None else level_text(number)

    return levels.map(numbered, na_action="ignore").astype(object)


def _own(column: pd.Series) -> str | None:
    """What a column holds by itself; `None` where it holds nothing."""
    if column.isna().all():
        return None
    is_text = types.is_object_dtype(column.dtype) or types.is_string_dtype(column.dtype)
    if is_text and types.infer_dtype(column, skipna=True) in ("string", "mixed", "mixed-integer"):
        text = column.map(level_text, na_action="ignore")
        column = read_text(text.dropna(), name="", rules=TextRules(), remarks=Remarks())
    return infer_type(column, name=str(column.name), source="comparing").compared_as


def _each(column: pd.Series, read: Callable[[object], object]) -> list[object]:
    """What `read` makes of every value."""
    # Row by row: as different values, 0.0 and -0.0 would be one, and so would True and 1.
    values, missing = column.astype(object).to_numpy(), column.isna().to_numpy(dtype=bool)
    return [None if is_missing else read(value) for value, is_missing in zip(values, missing, strict=True)]


def _amounts(column: pd.Series) -> pd.Series:
    dtype = column.dtype
    is_plain = types.is_numeric_dtype(dtype) and not types.is_bool_dtype(dtype) and not types.is_complex_dtype(dtype)
    if is_plain and not _is_decimal(dtype):
        if types.is_integer_dtype(dtype):
            return _whole(column.astype("UInt64" if "uint64" in str(dtype).lower() else "Int64"))
        return _whole_if_all_are(_doubles(column))
    values = _each(column, _amount)
    there = [value for value in values if value is not None]
    if there and all(isinstance(value, int) for value in there):
        low, high = min(there), max(there)
        if low >= -(2**63) and high < 2**63:
            return _whole(pd.Series(values, dtype="Int64"))
        if low >= 0 and high < 2**64:
            return _whole(pd.Series(values, dtype="UInt64"))
    return _whole_if_all_are(np.array([math.nan if value is None else float(value) for value in values]))


def _whole(numbers: pd.Series) -> pd.Series:
    """Whole numbers with gaps as floats where these hold them exactly, else as they are; without gaps without room."""
    if not numbers.isna().any():
        return pd.Series(numbers.to_numpy(dtype=np.uint64 if numbers.dtype == "UInt64" else np.int64))
    there = numbers.dropna()
    if len(there) and max(abs(int(there.min())), abs(int(there.max()))) > LARGEST_EXACT:
        return numbers
    return pd.Series(numbers.to_numpy(dtype=np.float64, na_value=np.nan))


def _is_decimal(dtype: object) -> bool:
    return "decimal" in str(dtype)


def _doubles(column: pd.Series) -> np.ndarray:
    """Numbers as float64; those of lower precision by their shortest decimals, as they are written to a file."""
    if str(column.dtype).lower() in ("float32", "float16", "float[pyarrow]", "halffloat[pyarrow]"):
        kind = np.float16 if "16" in str(column.dtype) or "half" in str(column.dtype) else np.float32
        return column.to_numpy(dtype=kind, na_value=np.nan).astype("U").astype(np.float64)
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _whole_if_all_are(values: np.ndarray) -> pd.Series:
    """Float64, or int64 where every number is whole and exact: how a number is stored says nothing of it."""
    if len(values) and np.isfinite(values).all() and (np.abs(values) <= LARGEST_EXACT).all():
        whole = values.astype(np.int64)
        if (whole == values).all():
            return pd.Series(whole)
    return pd.Series(values)


def _amount(value: object) -> int | float | None:
    if isinstance(value, str):
        return number_of(value.strip())
    if isinstance(value, (bool, np.bool_, int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value)
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return None


def _moments(column: pd.Series) -> pd.Series:
    dtype = column.dtype
    if isinstance(dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    elif isinstance(dtype, pd.ArrowDtype) and types.is_datetime64_any_dtype(dtype):
        column = _out_of_arrow(column)
    if types.is_datetime64_any_dtype(column.dtype):
        return _in_utc(column)
    texts = sorted({value for value in column.dropna() if isinstance(value, str)})
    known = dict(zip(texts, read_dates(texts, DateReading(partial=True), lambda sentence: None), strict=True))

    def moment(value: object) -> object:
        if isinstance(value, str):
            value = known[value]
        elif not isinstance(value, (datetime.date, np.datetime64)):
            return None
        found = pd.Timestamp(value).as_unit("us")
        return found.tz_convert("UTC").tz_localize(None) if found is not pd.NaT and found.tz is not None else found

    return pd.Series(_each(column, moment), dtype="datetime64[us]")


def _out_of_arrow(column: pd.Series) -> pd.Series:
    zone = getattr(column.dtype.pyarrow_dtype, "tz", None)
    return column.astype(f"datetime64[us, {zone}]" if zone else "datetime64[us]")


def _in_utc(column: pd.Series) -> pd.Series:
    if column.dt.tz is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    return column.astype("datetime64[us]")


def _spans(column: pd.Series) -> pd.Series:
    if types.is_timedelta64_dtype(column.dtype) or str(column.dtype).startswith("duration"):
        return column.astype("timedelta64[us]")

    def span(value: object) -> object:
        if isinstance(value, datetime.time):
            value = datetime.timedelta(0, value.hour * 3600 + value.minute * 60 + value.second, value.microsecond)
        elif isinstance(value, str):
            time = time_of(value)
            if time is not None:
                return span(time)
            value = read_durations([value], None, lambda sentence: None, partial=True)[0]
        elif not isinstance(value, (datetime.timedelta, np.timedelta64)):
            return None
        return pd.Timedelta(value)

    return pd.Series(_each(column, span), dtype="timedelta64[us]")


def _times(column: pd.Series) -> pd.Series:
    return as_spans(column if is_times(column) else as_times(column, ""))


def _truths(column: pd.Series) -> pd.Series:
    if types.is_bool_dtype(column.dtype) and not isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype("boolean")

    def truth(value: object) -> bool | None:
        if isinstance(value, str):
            return truth_of(value.strip())
        is_truth = isinstance(value, (bool, np.bool_, int, float, np.integer, np.floating)) and value in (0, 1)
        return bool(value) if is_truth else None

    return pd.Series(_each(column, truth), dtype="boolean")


def _levels(column: pd.Series) -> pd.Series:
    if isinstance(column.dtype, pd.CategoricalDtype):
        names = np.array([_level(level) for level in column.dtype.categories] + [None], dtype=object)
        return pd.Series(names[column.cat.codes.to_numpy()], dtype=object)
    values = column.astype(object).where(column.notna(), None)
    # Not by different values: to Python, True and 1 are the same one.
    return pd.Series([_level(value) for value in values], dtype=object)


def _level(value: object) -> str | None:
    is_blank = value is None or (isinstance(value, str) and not value.strip())
    return None if is_blank else level_text(value)


def _restored_levels(column: pd.Series, kind: ColumnType, dtype: object) -> pd.Series:
    """Levels by their text; what the type does not know stays as it is."""
    levels = {level_text(level): level for level in kind.levels}  # type: ignore[attr-defined]
    if isinstance(dtype, pd.CategoricalDtype) or kind.dtype == "category":
        if isinstance(column.dtype, pd.CategoricalDtype):
            return column
        known = pd.CategoricalDtype(list(levels.values()), kind.is_ordered)  # type: ignore[attr-defined]
        return column.map(lambda value: levels.get(level_text(value)), na_action="ignore").astype(known)
    if column.dtype == dtype:
        return column
    return column.map(lambda value: levels.get(level_text(value), value), na_action="ignore").astype(dtype)


COMPARABLE: dict[str, Callable[[pd.Series], pd.Series]] = {
    "amount": _amounts,
    "moment": _moments,
    "span": _spans,
    "time": _times,
    "truth": _truths,
    "level": _levels,
}
