"""What a column of a table holds, and how to turn it into plain float64 numbers and back into the very same type.

The plain form of a whole number, a date or a duration is its distance from the smallest one in steps of their
greatest common divisor; of a truth value 0 or 1; of a category its place in the list of categories; of a real number
itself. Whatever the plain form, missing values are told apart by a mask.
"""

from __future__ import annotations

import datetime
import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.api import types

from equipoise.errors import DataError

Kind = Literal["number", "integer", "boolean", "category", "datetime", "timedelta", "date"]
Scalar = str | int | float | bool
MOST_DECIMALS = 6
UNKNOWN = -1.0
LARGEST_NUMBER = 1e100
LARGEST_WHOLE = 2**63 - 1


@dataclass(frozen=True)
class ColumnType:
    """How the values of one column are written.

    Attributes:
        name: the column's name; text or a whole number.
        kind: what it holds.
        dtype: the pandas type, as text that pandas understands.
        origin: smallest value of a whole-number column, in its own unit.
        step: greatest common divisor of the distances from `origin`.
        top: largest value.
        decimals: digits after the point that suffice for every value, or `None`.
        levels: the categories, in their order.
        levels_dtype: pandas type of the categories of a categorical column, else ''.
        is_ordered: whether a categorical column is ordered.
    """

    name: str | int
    kind: Kind
    dtype: str
    origin: int = 0
    step: int = 1
    top: int = 0
    decimals: int | None = None
    levels: tuple[Scalar, ...] = ()
    levels_dtype: str = ""
    is_ordered: bool = False

    @property
    def is_nominal(self) -> bool:
        """Whether the plain numbers are mere names."""
        return self.kind in ("category", "boolean")

    def to_plain(self, column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Plain values, float64 `(n,)`, and which are missing; an unknown category is -1."""
        missing = column.isna().to_numpy(dtype=bool)
        if self.kind == "category":
            return _category_codes(column, self.levels), missing
        if self.kind == "number":
            return np.where(missing, 0.0, column.to_numpy(dtype=np.float64, na_value=np.nan)), missing
        if self.kind == "boolean":
            return column.where(~missing, False).to_numpy(dtype=bool).astype(np.float64), missing
        whole = _whole_numbers(column, missing, kind=self.kind, fill=self.origin)
        if whole.dtype == np.uint64:
            distance = np.maximum(whole, np.uint64(max(self.origin, 0))) - np.uint64(max(self.origin, 0))
        else:
            distance = _as_unsigned(np.maximum(whole, self.origin)) - _wrapped(self.origin)
        return distance / np.float64(self.step), missing

    def from_plain(self, values: np.ndarray, missing: np.ndarray) -> pd.Series:
        """A column of the original type; where `missing` is set the value is missing."""
        if self.kind == "category":
            return self._categories(values, missing)
        if self.kind == "number":
            plain = values if self.decimals is None else np.round(values, self.decimals)
            return pd.Series(np.where(missing, np.nan, plain)).astype(types.pandas_dtype(self.dtype))
        if self.kind == "boolean":
            result = pd.Series(values > 0.5)
        else:
            result = self._whole(values)
        if missing.any():
            result = result.astype(self._nullable(result.dtype)).mask(missing)
        return result if self.kind == "date" else result.astype(types.pandas_dtype(self.dtype))

    def state(self) -> dict[str, Any]:
        """Plain values for `from_state`."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ColumnType:
        """The inverse of `state`."""
        return cls(**{**state, "levels": tuple(state["levels"])})

    def _categories(self, values: np.ndarray, missing: np.ndarray) -> pd.Series:
        codes = np.where(missing, -1, np.rint(values).astype(np.int64))
        if self.levels_dtype:
            levels = pd.Index(list(self.levels), dtype=types.pandas_dtype(self.levels_dtype))
            return pd.Series(pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(levels, self.is_ordered)))
        values_of_code = np.array([*self.levels, None], dtype=object)  # code -1 is the last entry
        return pd.Series(values_of_code[codes], dtype=types.pandas_dtype(self.dtype))

    def _whole(self, values: np.ndarray) -> pd.Series:
        reach = np.uint64(self.top - self.origin)
        steps = np.clip(np.rint(values), 0, float(reach) / self.step)
        is_top = steps * self.step >= float(reach)  # the largest value comes back exactly, however large it is
        distance = np.where(is_top, 0, steps).astype(np.uint64) * np.uint64(self.step)
        whole = np.where(is_top, reach, distance) + _wrapped(self.origin)
        if self.kind == "integer":
            return pd.Series(whole if self.top >= 2**63 else whole.view(np.int64))
        if self.kind == "date":
            return pd.Series(whole.view(np.int64).view("M8[D]").astype(object), dtype=object)
        dtype = _temporal(self.dtype)
        if isinstance(dtype, pd.DatetimeTZDtype):
            naive = pd.Series(whole.view(np.int64).view(f"M8[{dtype.unit}]"))
            return naive.dt.tz_localize("UTC").dt.tz_convert(dtype.tz)
        return pd.Series(whole.view(np.int64).view(dtype))

    def _nullable(self, dtype: Any) -> Any:
        """A type near `dtype` that has room for missing values."""
        if self.kind == "boolean":
            return "boolean"
        if self.kind == "integer":
            return "UInt64" if dtype == np.uint64 else "Int64"
        return dtype


def infer_type(column: pd.Series, *, name: str | int, source: str) -> ColumnType:
    """What a column holds, from its pandas type and its values.

    Raises:
        DataError: values that no rule covers, such as lists, complex numbers or infinities.
    """
    where = f"{source}, column '{name}'"
    dtype = column.dtype
    text = str(dtype)
    if isinstance(dtype, pd.CategoricalDtype):
        levels = dtype.categories.tolist()
        if not all(isinstance(level, (str, int, float, bool)) for level in levels):
            raise DataError(
                where,
                f"its categories are of type {dtype.categories.dtype}.",
                "Expected text or numbers.",
                f"Name them first: frame[{name!r}] = frame[{name!r}].cat.rename_categories(str).",
            )
        return ColumnType(
            name,
            "category",
            "category",
            levels=tuple(levels),
            levels_dtype=str(dtype.categories.dtype),
            is_ordered=bool(dtype.ordered),
        )
    if types.is_bool_dtype(dtype):
        return ColumnType(name, "boolean", text)
    if types.is_integer_dtype(dtype):
        return _whole_type(column, name=name, kind="integer", dtype=text)
    if types.is_float_dtype(dtype):
        return _number_type(column, name=name, dtype=text, where=where)
    if types.is_datetime64_any_dtype(dtype):
        return _whole_type(column, name=name, kind="datetime", dtype=text)
    if types.is_timedelta64_dtype(dtype):
        return _whole_type(column, name=name, kind="timedelta", dtype=text)
    if types.is_object_dtype(dtype) or types.is_string_dtype(dtype):
        return _object_type(column, name=name, dtype=text, where=where)
    raise DataError(
        where,
        f"its type is {text}.",
        "Expected numbers, truth values, text, categories, dates or durations.",
        "Convert it, or leave it out with data.drop.",
    )


def _object_type(column: pd.Series, *, name: str | int, dtype: str, where: str) -> ColumnType:
    found = types.infer_dtype(column, skipna=True)
    if found == "integer":
        _refuse_too_large(column, where=where)
        return _whole_type(column, name=name, kind="integer", dtype=dtype)
    if found in ("floating", "mixed-integer-float"):
        return _number_type(column, name=name, dtype=dtype, where=where)
    if found == "date":
        return _whole_type(column, name=name, kind="date", dtype=dtype)
    present = column.dropna()
    known = (str, int, float, bool, np.bool_)
    if found != "string" and not all(isinstance(value, known) for value in present):
        strange = next(value for value in present if not isinstance(value, known))
        raise DataError(
            where,
            f"it holds values such as {str(strange)[:60]!r} of type {type(strange).__name__}.",
            "Expected text, numbers, truth values or dates.",
            "Convert it, or leave it out with data.drop.",
        )
    plain = [bool(level) if isinstance(level, np.bool_) else level for level in pd.unique(present)]
    ordered = sorted(plain, key=lambda level: (type(level).__name__, level))
    return ColumnType(name, "category", dtype, levels=tuple(ordered))


def _number_type(column: pd.Series, *, name: str | int, dtype: str, where: str) -> ColumnType:
    try:
        values = column.dropna().to_numpy(dtype=np.float64)
    except OverflowError:  # a whole number of Python's that is no real number any more
        _refuse_too_large(column, where=where)
        raise
    bad = ~np.isfinite(values) | (np.abs(values) > LARGEST_NUMBER)
    if bad.any():
        row = int(np.flatnonzero(~column.isna().to_numpy())[np.argmax(bad)])
        raise DataError(
            f"{where}, row {row}",
            f"the value is {values[bad][0]:g}; {int(bad.sum())} rows have such values.",
            f"Expected numbers up to {LARGEST_NUMBER:g}, or missing values.",
            "Replace infinities by missing values, or take these rows out.",
        )
    precisions = {"float32": np.float32, "float[pyarrow]": np.float32, "float16": np.float16}
    own_precision = precisions.get(dtype.lower(), np.float64)
    own = values.astype(own_precision)
    fits = (
        digits for digits in range(MOST_DECIMALS + 1) if (np.round(values, digits).astype(own_precision) == own).all()
    )
    return ColumnType(name, "number", dtype, decimals=next(fits, None) if len(values) else None)


def _refuse_too_large(column: pd.Series, *, where: str) -> None:
    """Python's whole numbers have no largest one; those of 64 bits have."""
    for row, value in enumerate(column):
        if isinstance(value, (int, np.integer)) and not -LARGEST_WHOLE - 1 <= value <= LARGEST_WHOLE:
            digits = round(int(value).bit_length() * math.log10(2))  # to one: its text would take long
            raise DataError(
                f"{where}, row {row}",
                f"the whole number has about {digits} digits.",
                f"Expected whole numbers up to {LARGEST_WHOLE}.",
                "Write them as real numbers (1e30), or leave the column out with data.drop.",
            )


def _whole_type(column: pd.Series, *, name: str | int, kind: Kind, dtype: str) -> ColumnType:
    present = column.dropna()
    if len(present) == 0:
        return ColumnType(name, kind, dtype)
    whole = _whole_numbers(present, np.zeros(len(present), dtype=bool), kind=kind, fill=0)
    low, top = int(whole.min()), int(whole.max())
    distance = whole - np.uint64(low) if whole.dtype == np.uint64 else _as_unsigned(whole) - _wrapped(low)
    return ColumnType(name, kind, dtype, origin=low, top=top, step=max(1, int(np.gcd.reduce(distance))))


def _whole_numbers(column: pd.Series, missing: np.ndarray, *, kind: Kind, fill: int) -> np.ndarray:
    """Int64 or uint64 in the column's own unit, with `fill` where it is missing."""
    if kind == "integer":
        target = np.uint64 if "uint64" in str(column.dtype).lower() else np.int64
        return column.where(~missing, fill).to_numpy(dtype=target, na_value=fill)
    if kind == "date":
        epoch = datetime.date(1970, 1, 1).toordinal()
        days = (value.toordinal() - epoch if not gone else fill for value, gone in zip(column, missing, strict=True))
        return np.fromiter(days, dtype=np.int64, count=len(column))
    dtype = _temporal(str(column.dtype))
    if isinstance(column.dtype, pd.ArrowDtype):
        column = column.astype(dtype)
    if isinstance(dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    return np.where(missing, fill, column.to_numpy().view(np.int64))


def _temporal(dtype: str) -> Any:
    """The numpy type, or pandas' type with a time zone, of dates and durations."""
    found = types.pandas_dtype(dtype)
    if isinstance(found, pd.ArrowDtype):
        kind = found.pyarrow_dtype
        zone = getattr(kind, "tz", None)
        if zone:
            return pd.DatetimeTZDtype(kind.unit, zone)
        return np.dtype(f"{'M8' if types.is_datetime64_any_dtype(found) else 'm8'}[{kind.unit}]")
    return found


def _category_codes(column: pd.Series, levels: tuple[Scalar, ...]) -> np.ndarray:
    index = pd.Index(list(levels), dtype=object)
    if isinstance(column.dtype, pd.CategoricalDtype):
        of_own_code = index.get_indexer(pd.Index(column.cat.categories, dtype=object))
        codes = column.cat.codes.to_numpy()
        return np.where(codes >= 0, of_own_code[codes] if len(of_own_code) else -1, -1).astype(np.float64)
    return index.get_indexer(pd.Index(column.to_numpy(dtype=object, na_value=None), dtype=object)).astype(np.float64)


def _as_unsigned(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.int64).view(np.uint64)


def _wrapped(value: int) -> np.uint64:
    """The two's complement of a negative number: sums and differences with it are right modulo 2^64."""
    return np.uint64(value % 2**64)
