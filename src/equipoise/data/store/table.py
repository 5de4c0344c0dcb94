"""A table that stays on disk, column by column; rows and columns come back in exactly the types that they had.

Text is kept as codes into a list of its values, in the order of their first appearance; dates and missing values as
numbers and a mask. For work on all rows (hashes, fits, encoding) text comes as a categorical column, which hashes and
encodes to the same numbers and takes a byte or four per row.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from equipoise.data.digest import Digest
from equipoise.data.store.arrays import OnDiskArray, OnDiskWriter, StackedColumns
from equipoise.data.store.cache import Entry
from equipoise.data.store.errors import storing

MOST_LEVELS_STORED = 1_000_000
CHUNK_ROWS = 100_000
EPOCH = datetime.date(1970, 1, 1).toordinal()


class Unstorable(Exception):
    """A column whose type is not kept here; the table is then held in memory."""


@dataclass(frozen=True, eq=False)
class OnDiskColumn:
    """One column on disk.

    Attributes:
        name: text or a whole number.
        form: plain, masked, zoned, text, category or date; how `values` stand for the column.
        dtype: the pandas type of the column, as text.
        values: numbers, or codes. Shape `(n,)`.
        missing: where a value is missing, or `None`; codes of -1 are missing by themselves.
        levels: what the codes of text and categories mean.
        levels_dtype: pandas type of the categories, else ''.
        is_ordered: whether a categorical column is ordered.
        missing_count: rows without a value.
    """

    name: str | int
    form: str
    dtype: str
    values: OnDiskArray
    missing: OnDiskArray | None
    levels: tuple[Any, ...]
    levels_dtype: str
    is_ordered: bool
    missing_count: int

    def series(self, index: Any = slice(None), *, is_light: bool = False) -> pd.Series:
        """Rows of the column; light text is a categorical column."""
        values = self.values[index]
        if self.form == "plain":
            return pd.Series(values)
        if self.form == "text":
            return pd.Series(pd.Categorical.from_codes(values, dtype=self._text) if is_light else self._texts(values))
        if self.form == "category":
            return pd.Series(pd.Categorical.from_codes(values, dtype=self._category))
        missing = np.zeros(len(values), dtype=bool) if self.missing is None else self.missing[index]
        if self.form == "zoned":
            kind = types.pandas_dtype(self.dtype)
            naive = pd.Series(values.view(f"M8[{kind.unit}]"))
            return naive.dt.tz_localize("UTC").dt.tz_convert(kind.tz)
        if self.form == "date":
            days = values.view("M8[D]").astype(object)
            days[missing] = None
            return pd.Series(days, dtype=object)
        return pd.Series(values).astype(types.pandas_dtype(self.dtype)).mask(missing)

    @cached_property
    def _text(self) -> pd.CategoricalDtype:
        return pd.CategoricalDtype(pd.Index(list(self.levels), dtype=object))

    @cached_property
    def _category(self) -> pd.CategoricalDtype:
        levels = pd.Index(list(self.levels), dtype=types.pandas_dtype(self.levels_dtype))
        return pd.CategoricalDtype(levels, self.is_ordered)

    def _texts(self, codes: np.ndarray) -> Any:
        texts = np.array([*self.levels, None], dtype=object)[codes]  # code -1 is the last entry
        return pd.array(texts, dtype=types.pandas_dtype(self.dtype)) if self.dtype != "object" else texts


class OnDiskTable:
    """Columns on disk, side by side.

    Attributes:
        stored: the columns.
        key: name of the entry that holds them.
    """

    def __init__(self, stored: Iterable[OnDiskColumn], *, key: str) -> None:
        self.stored = tuple(stored)
        self.key = key

    def __len__(self) -> int:
        return len(self.stored[0].values)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self), len(self.stored)

    @property
    def columns(self) -> pd.Index:
        """The names, in the table's order."""
        return pd.Index([column.name for column in self.stored])

    def __getitem__(self, indices: Any) -> pd.DataFrame:
        return self.rows(indices)

    def rows(self, indices: Any, *, is_light: bool = False) -> pd.DataFrame:
        """Some rows as a frame of the columns' own types."""
        frame = pd.concat([column.series(indices, is_light=is_light) for column in self.stored], axis=1)
        frame.columns = self.columns
        return frame

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator[tuple[int, pd.DataFrame]]:
        """All rows, part by part, with text as categories; each with the number of its first row."""
        for start in range(0, len(self), rows):
            yield start, self.rows(slice(start, start + rows), is_light=True)

    def add_to(self, digest: Digest) -> None:
        """Put the columns into the data's fingerprint: the same bytes as for the columns in memory."""
        for column in self.stored:
            if column.form == "text":
                digest.add_levels("text", column.levels, column.values[:])
            else:
                digest.add_column(column.series())

    def without(self, names: Iterable[Any]) -> OnDiskTable:
        """The table less the columns with these names."""
        left_out = set(names)
        return OnDiskTable((column for column in self.stored if column.name not in left_out), key=self.key)

    def points(self) -> StackedColumns:
        """The columns as coordinates."""
        return StackedColumns([column.values for column in self.stored], key=self.key)


def store_column(column: pd.Series, folder: Path, position: int) -> dict[str, Any]:
    """Write one column into a folder; what `read_column` needs to find it again.

    Raises:
        Unstorable: values of a type that is not kept.
    """
    dtype = column.dtype
    stem = f"column-{position:04d}"
    facts: dict[str, Any] = {"dtype": str(dtype), "missing": int(column.isna().sum())}
    mask = None
    if isinstance(dtype, pd.CategoricalDtype):
        levels = dtype.categories.tolist()
        if not all(isinstance(level, (str, int, float, bool)) for level in levels):
            raise Unstorable
        facts |= {"form": "category", "levels_dtype": str(dtype.categories.dtype), "is_ordered": bool(dtype.ordered)}
        values = column.cat.codes.to_numpy()
        _write_levels(levels, folder / f"{stem}.json")
    elif isinstance(dtype, np.dtype) and dtype.kind in "biufmM":
        facts["form"], values = "plain", column.to_numpy()
    elif isinstance(dtype, pd.DatetimeTZDtype):
        naive = column.dt.tz_convert("UTC").dt.tz_localize(None)
        facts["form"], values = "zoned", naive.to_numpy().view(np.int64)
    elif hasattr(dtype, "numpy_dtype") and not isinstance(dtype, pd.ArrowDtype):
        mask = column.isna().to_numpy(dtype=bool)
        facts["form"], values = "masked", column.to_numpy(dtype=dtype.numpy_dtype, na_value=0)
    elif types.is_object_dtype(dtype) or types.is_string_dtype(dtype):
        values, mask = _store_objects(column, facts, folder / f"{stem}.json")
    else:
        raise Unstorable
    for name, array in ((stem, values), (f"{stem}-missing", mask)):
        if array is not None:
            with OnDiskWriter(folder / f"{name}.npy", shape=array.shape, dtype=array.dtype) as writer:
                writer.put(0, array)
    return facts


def read_column(entry: Entry, name: str | int, facts: dict[str, Any], position: int) -> OnDiskColumn:
    """The column that `store_column` wrote."""
    stem = f"column-{position:04d}"
    levels = entry.folder / f"{stem}.json"
    return OnDiskColumn(
        name,
        facts["form"],
        facts["dtype"],
        entry.mapped(stem),
        entry.mapped(f"{stem}-missing") if entry.has(f"{stem}-missing") else None,
        tuple(json.loads(levels.read_text(encoding="utf-8"))) if levels.exists() else (),
        facts.get("levels_dtype", ""),
        facts.get("is_ordered", False),
        facts["missing"],
    )


def _store_objects(column: pd.Series, facts: dict[str, Any], levels: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Codes of text, or days of dates and a mask."""
    found = types.infer_dtype(column, skipna=True)
    if found == "date":
        mask = column.isna().to_numpy(dtype=bool)
        days = (0 if gone else value.toordinal() - EPOCH for value, gone in zip(column, mask, strict=True))
        facts["form"] = "date"
        return np.fromiter(days, dtype=np.int64, count=len(column)), mask
    if found not in ("string", "empty") or isinstance(column.dtype, pd.ArrowDtype):
        raise Unstorable
    codes, texts = pd.factorize(column)
    if len(texts) > MOST_LEVELS_STORED:
        raise Unstorable
    facts["form"] = "text"
    _write_levels([str(text) for text in texts], levels)
    return codes.astype(np.min_scalar_type(-max(1, len(texts)))), None


def _write_levels(levels: list[Any], path: Path) -> None:
    with storing(path):
        path.write_text(json.dumps(levels), encoding="utf-8")
