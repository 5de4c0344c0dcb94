"""Columns of a table, in memory or in Arrow files, behind one small interface.

From a file, rows and columns come back in exactly the types that they had. Text is kept as codes into a list of its
values, in the order of their first appearance. For work on all rows (hashes, fits, encoding) text on disk comes as a
categorical column, which hashes and encodes to the same numbers and takes a byte or four per row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api import types

from equipoise.data.digest import Digest
from equipoise.data.labels import check_classes, encode_labels
from equipoise.data.store.arrow import Mapped, open_batch, write_batch
from equipoise.data.store.cache import Draft, kept
from equipoise.data.tables.checks import check_column
from equipoise.data.tables.native import natural_column
from equipoise.data.tables.reading import Remarks
from equipoise.errors import DataError

MOST_LEVELS_STORED = 1_000_000
CHUNK_ROWS = 100_000
BYTES_PER_VALUE = 9
"""Room that is asked for: eight bytes a value, and a mask for some."""


class Unstorable(Exception):
    """A column whose type is not kept on disk; the table is then held in memory."""


class Column:
    """A column in memory.

    Attributes:
        name: text or a whole number.
        dtype: its pandas type.
        missing: rows without a value.
    """

    def __init__(self, name: str | int, values: pd.Series) -> None:
        self.name, self._values, self.dtype = name, values, values.dtype
        self.missing = int(values.isna().sum())

    def __len__(self) -> int:
        return len(self._values)

    def series(self, index: Any = slice(None), *, is_light: bool = False) -> pd.Series:
        """Rows of the column; light text may be a categorical column."""
        del is_light
        return self._values.iloc[index].reset_index(drop=True)

    def evidence(self, index: np.ndarray) -> pd.Series:
        """Values from which it can be told what the rows at `index` hold."""
        return self.series(index)

    def add_to(self, digest: Digest) -> None:
        """Put the column into the data's fingerprint."""
        digest.add_column(self.series())

    def labels(self, *, source: str) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
        """The column as classes: what `encode_labels` gives."""
        return encode_labels(self.series().to_numpy(), source=source)

    def check(self, *, source: str) -> None:
        """Refuse a column that cannot be learned as one of a table, as `check_column` says."""
        check_column(self._values, name=self.name, source=source)


class OnDiskColumn(Column, Mapped):
    """A column in an Arrow file.

    Args:
        path: the file.
        facts: what `store_column` returned, with the column's name.
    """

    def __init__(self, path: Path, facts: dict[str, Any]) -> None:
        batch, pages = open_batch(path)
        Mapped.__init__(self, pages, batch.nbytes)
        self.name, self.missing = facts["name"], facts["missing"]
        self._facts, self._array = facts, batch.column(0)

    def __len__(self) -> int:
        return len(self._array)

    @cached_property
    def dtype(self) -> Any:
        if self._facts["dtype"] != "category":
            return types.pandas_dtype(self._facts["dtype"])
        levels = pd.Index(self._levels, dtype=types.pandas_dtype(self._facts["levels_dtype"]))
        return pd.CategoricalDtype(levels, self._facts["is_ordered"])

    @cached_property
    def _levels(self) -> list[Any]:
        return self._array.dictionary.to_pylist()

    @cached_property
    def _text(self) -> pd.CategoricalDtype | None:
        """The type of light text; `None` of a column that is no text."""
        is_text = pa.types.is_dictionary(self._array.type) and self._facts["dtype"] != "category"
        return pd.CategoricalDtype(pd.Index(self._levels, dtype=object)) if is_text else None

    def series(self, index: Any = slice(None), *, is_light: bool = False) -> pd.Series:
        found, dtype = self._rows(index), self.dtype
        if pa.types.is_dictionary(found.type):
            codes = found.indices.fill_null(-1).to_numpy(zero_copy_only=False)
            if self._text is None or is_light:
                return pd.Series(pd.Categorical.from_codes(codes, dtype=self._text or dtype))
            texts = np.array([*self._levels, None], dtype=object)[codes]  # code -1 is the last entry
            return pd.Series(texts if types.is_object_dtype(dtype) else pd.array(texts, dtype=dtype))
        if hasattr(dtype, "__from_arrow__"):
            return pd.Series(dtype.__from_arrow__(found))
        if types.is_object_dtype(dtype):
            return found.to_pandas()
        return pd.Series(np.array(found.to_numpy(zero_copy_only=False)))  # a copy: the file is not written to

    def evidence(self, index: np.ndarray) -> pd.Series:
        if self._text is None:
            return super().evidence(index)
        # What text holds is decided by its values alone.
        codes = self._codes(index)
        there = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(self._levels)))
        return pd.Series([self._levels[code] for code in there], dtype=self.dtype)

    def add_to(self, digest: Digest) -> None:
        if self._text is None:
            super().add_to(digest)
        else:
            digest.add_levels("text", self._levels, self._codes())

    def labels(self, *, source: str) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
        if self._text is None:
            return super().labels(source=source)
        # The same classes as from the text of every row, from the list of its values.
        names, place = np.unique(np.array(self._levels), return_inverse=True)
        codes = place.reshape(-1).astype(np.int64)[self._codes()]
        classes = tuple(str(name) for name in names.tolist())
        return codes, classes, check_classes(codes, classes, source=source)

    def check(self, *, source: str) -> None:
        if self._facts["fault"] is not None:  # found when it was stored
            raise DataError(*self._facts["fault"])

    def _codes(self, index: Any = slice(None)) -> np.ndarray:
        return self.series(index, is_light=True).cat.codes.to_numpy()

    def _rows(self, index: Any) -> pa.Array:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                found = self._array.slice(start, max(0, stop - start))
                self.touched(found.nbytes)
                return found
            index = np.arange(start, stop, step)
        self.touched(self._size)
        return self._array.take(pa.array(index))


class Table:
    """Columns side by side.

    Attributes:
        stored: the columns, in the table's order.
        values: what stands for the table in a `Dataset`.
    """

    stored: tuple[Column, ...]
    values: Any

    def __len__(self) -> int:
        return len(self.stored[0])

    @property
    def shape(self) -> tuple[int, int]:
        return len(self), len(self.stored)

    @property
    def columns(self) -> pd.Index:
        """The names, in the table's order."""
        return pd.Index([column.name for column in self.stored])

    def __getitem__(self, index: Any) -> pd.DataFrame:
        """Some rows as a frame of the columns' own types."""
        return self._frame(index, is_light=False)

    def chunks(self, index: np.ndarray | None = None) -> Iterator[pd.DataFrame]:
        """The rows at `index`, or all of them, part by part; text on disk as categories."""
        for start in range(0, len(self) if index is None else len(index), CHUNK_ROWS):
            part = slice(start, start + CHUNK_ROWS)
            yield self._frame(part if index is None else index[part], is_light=True)

    def _frame(self, index: Any, *, is_light: bool) -> pd.DataFrame:
        frame = pd.concat([column.series(index, is_light=is_light) for column in self.stored], axis=1)
        frame.columns = self.columns
        return frame


class FrameTable(Table):
    """A table in memory."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.values = frame
        self.stored = tuple(Column(name, frame.iloc[:, place]) for place, name in enumerate(frame.columns.tolist()))

    def without(self, names: list[str | int]) -> FrameTable:
        """The table less the columns with these names."""
        return FrameTable(self.values.drop(columns=names))


class OnDiskTable(Table):
    """A table whose columns are in files.

    Attributes:
        key: name of the cache's entry that holds them.
    """

    def __init__(self, stored: Iterable[OnDiskColumn], *, key: str) -> None:
        self.stored, self.key = tuple(stored), key

    @property
    def values(self) -> OnDiskTable:
        return self

    def without(self, names: list[str | int]) -> OnDiskTable:
        """The table less the columns with these names."""
        return OnDiskTable((column for column in self.stored if column.name not in names), key=self.key)


def table_of(values: Any) -> Table:
    """A frame, or a table on disk, as a table."""
    return values if isinstance(values, Table) else FrameTable(values)


def keep_table(
    key: str,
    names: Sequence[str | int],
    read: Callable[[str | int], pd.Series],
    *,
    rows: int,
    source: str,
    as_it_is: bool = False,
) -> tuple[OnDiskTable, tuple[str, ...]] | None:
    """A table of the cache's entry `key`, which is made if it is not there, and notes on where it is.

    Each column is read alone, checked alone and written, so that no more than one is in memory at a time. What is
    wrong with a column is kept beside it and said only if the column is used. Blank text becomes missing, unless
    everything is kept `as_it_is`.

    Returns:
        `None` when a column is of a type that is not kept in the cache; read the file into memory then.
    """

    def make(draft: Draft) -> None:
        remarks = Remarks()
        draft.facts["columns"] = []
        for place, name in enumerate(names):
            column, fault = read(name), None
            if not as_it_is:
                try:
                    column = natural_column(column, name=name, source=source, remarks=remarks)
                except DataError as error:
                    raise Unstorable from error
            facts = store_column(column, _path(draft.folder, place))
            try:
                check_column(column, name=name, source=source)
            except DataError as error:
                fault = [error.where, error.found, error.expected, error.advice]
            draft.facts["columns"].append({"name": name, **facts, "fault": fault})
            del column
        draft.facts["notes"] = list(remarks.sentences())

    try:
        entry = kept(key, make, needs_bytes=rows * len(names) * BYTES_PER_VALUE)
    except Unstorable:
        return None
    columns = (OnDiskColumn(_path(entry.folder, k), facts) for k, facts in enumerate(entry.facts["columns"]))
    return OnDiskTable(columns, key=key), (*entry.facts["notes"], *entry.notes)


def _path(folder: Path, place: int) -> Path:
    return folder / f"column-{place:04d}.arrow"


def store_column(column: pd.Series, path: Path) -> dict[str, Any]:
    """Write one column; what `OnDiskColumn` needs to read it again.

    Raises:
        Unstorable: values of a type that is not kept.
        StorageError: the file system refused.
    """
    dtype = column.dtype
    facts: dict[str, Any] = {"dtype": str(dtype), "missing": int(column.isna().sum())}
    if isinstance(dtype, pd.CategoricalDtype):
        levels = dtype.categories.tolist()
        facts |= {"levels_dtype": str(dtype.categories.dtype), "is_ordered": bool(dtype.ordered)}
        array = _coded(column.cat.codes.to_numpy(), levels)
    elif isinstance(dtype, np.dtype) and dtype.kind in "biufmM":
        array = pa.array(column.to_numpy(), from_pandas=False)
    elif isinstance(dtype, pd.DatetimeTZDtype) or (
        hasattr(dtype, "numpy_dtype") and not isinstance(dtype, pd.ArrowDtype)
    ):
        array = pa.array(column)
    elif types.is_object_dtype(dtype) or types.is_string_dtype(dtype):
        array = _objects(column)
    else:
        raise Unstorable
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    write_batch(path, pa.record_batch([array], names=["values"]))
    return facts


def _objects(column: pd.Series) -> pa.Array:
    """Text as codes into its values, or dates."""
    found = types.infer_dtype(column, skipna=True)
    if found == "date":
        return pa.array(column, type=pa.date32(), from_pandas=True)
    if found not in ("string", "empty") or isinstance(column.dtype, pd.ArrowDtype):
        raise Unstorable
    codes, texts = pd.factorize(column)
    if len(texts) > MOST_LEVELS_STORED:
        raise Unstorable
    return _coded(codes.astype(np.min_scalar_type(-max(1, len(texts)))), [str(text) for text in texts])


def _coded(codes: np.ndarray, levels: list[Any]) -> pa.Array:
    try:
        values = pa.array(levels, type=None if levels else pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:  # text beside numbers
        raise Unstorable from error
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), values)
