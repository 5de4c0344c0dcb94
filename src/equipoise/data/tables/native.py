"""Columns of frames and Parquet files in types that tables are learned from; what has no place is refused by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.api import types

from equipoise.data.tables.reading import Remarks
from equipoise.errors import DataError

NESTED = ("list", "large_list", "fixed_size_list", "struct", "map", "dense_union", "sparse_union")
BYTES = ("binary", "large_binary", "fixed_size_binary")


def natural(frame: pd.DataFrame, *, drop: tuple[str, ...], source: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The frame with blank text as missing, and every column in a type that tables are learned from; and notes.

    Args:
        frame: of any types.
        drop: columns that are left out later, and may hold anything.
        source: for messages.

    Raises:
        DataError: a column holds lists, records or bytes.
    """
    remarks = Remarks()
    columns = [
        column if str(name) in drop else natural_column(column, name=name, source=source, remarks=remarks)
        for name, (_, column) in zip(frame.columns.tolist(), frame.items(), strict=True)
    ]
    if all(new is old for new, (_, old) in zip(columns, frame.items(), strict=True)):
        return frame, remarks.sentences()
    result = pd.concat(columns, axis=1) if columns else frame
    result.columns = frame.columns
    return result, remarks.sentences()


def natural_column(column: pd.Series, *, name: str | int, source: str, remarks: Remarks) -> pd.Series:
    """One column of `natural`."""
    dtype = column.dtype
    if isinstance(dtype, pd.SparseDtype):
        return natural_column(column.sparse.to_dense(), name=name, source=source, remarks=remarks)
    if isinstance(dtype, pd.ArrowDtype):
        kind = str(dtype.pyarrow_dtype).partition("<")[0].partition("[")[0]
        if kind in NESTED or kind in BYTES:
            raise _no_place(str(dtype.pyarrow_dtype), name=name, source=source)
        if kind == "dictionary":
            return natural_column(_categories(column), name=name, source=source, remarks=remarks)
        if kind == "null":
            return pd.Series([None] * len(column), index=column.index, dtype=object)
    if isinstance(dtype, pd.CategoricalDtype):
        blank = [level for level in dtype.categories if isinstance(level, str) and not level.strip()]
        if not blank:
            return column
        _say(int(column.isin(blank).sum()), name, remarks)
        return column.cat.remove_categories(blank)
    if not (types.is_object_dtype(dtype) or types.is_string_dtype(dtype)):
        return column
    found = types.infer_dtype(column, skipna=True)
    if found == "bytes":
        raise _no_place("bytes", name=name, source=source)
    if found in ("datetime", "datetime64"):
        return pd.to_datetime(column)
    if found in ("timedelta", "timedelta64"):
        return pd.to_timedelta(column)
    if found not in ("string", "mixed", "mixed-integer"):
        return column
    return _without_blanks(column, name, remarks)


def _without_blanks(column: pd.Series, name: str | int, remarks: Remarks) -> pd.Series:
    try:
        codes, values = pd.factorize(column)
    except TypeError:  # lists and the like, which are refused later by their type
        return column
    is_blank = np.array([isinstance(value, str) and not value.strip() for value in values] + [False], dtype=bool)
    if not is_blank.any():
        return column
    _say(int(is_blank[codes].sum()), name, remarks)
    return column.mask(is_blank[codes])


def _categories(column: pd.Series) -> pd.Series:
    import pyarrow as pa

    array = pa.chunked_array(pa.array(column.array)).combine_chunks() if len(column) else pa.array([], pa.string())
    return pd.Series(array.to_pandas()).set_axis(column.index).astype("category")


def _say(rows: int, name: str | int, remarks: Remarks) -> None:
    remarks.add("Blank text is missing", f"'{name}' ({rows:,} row{'s' if rows != 1 else ''})")


def _no_place(kind: str, *, name: str | int, source: str) -> DataError:
    return DataError(
        f"{source}, column '{name}'",
        f"it holds {kind[:60]}.",
        "Expected one number, text, truth value, date or duration in each row.",
        "Split it into columns of their own, or leave it out with data.drop.",
    )
