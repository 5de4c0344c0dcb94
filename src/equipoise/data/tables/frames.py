"""Frames as tables or points, and what is refused before anything is learned from them.

A file of columns becomes points when every column holds real numbers, written with a decimal point or an exponent,
and none is missing; otherwise a table. A DataFrame is always a table. `options.kind` overrides both.

Text that differs in nearly every row (names, keys, free text) is refused: a generator could only repeat it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
from pandas.api import types

from equipoise.data.arrays import points_from_array
from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.labels import encode_labels
from equipoise.data.sample_weights import take_weights
from equipoise.data.tables.schema import infer_type
from equipoise.errors import DataError, nearest
from equipoise.limits import limit, raise_it

# Text is taken for a key when more than this share of its values occur once, among at least so many rows.
KEY_SHARE = 0.95
FEWEST_ROWS_OF_A_KEY = 50


def from_columns(frame: pd.DataFrame, *, options: DataOptions, source: str) -> Dataset:
    """Points or a table from a file of columns, by the rule in the head of this module."""
    frame, weights = take_weights(frame, options.sample_weight, source=source)
    dropped = drop_columns(frame, options.drop, source=source)
    if options.kind is None and looks_like_points(dropped) and options.labels is None:
        return replace(points_from_frame(dropped, source=source), weights=weights)
    return replace(_from_frame(frame, options=options, source=source), weights=weights)


def from_frame(frame: pd.DataFrame, *, options: DataOptions, source: str) -> Dataset:
    """A table, or points when `options.kind` says so.

    Raises:
        DataError: names that repeat, no rows, a column that is empty or a key.
    """
    frame, weights = take_weights(frame, options.sample_weight, source=source)
    return replace(_from_frame(frame, options=options, source=source), weights=weights)


def _from_frame(frame: pd.DataFrame, *, options: DataOptions, source: str) -> Dataset:
    if options.kind == "images":
        raise DataError(source, "a table holds no images.", "Expected kind points or table.")
    check_names(frame.columns.tolist(), source=source)
    frame = drop_columns(frame, options.drop, source=source).reset_index(drop=True)
    labels, label_names, notes = None, (), ()
    if options.labels is not None and options.use_labels:
        if options.labels not in frame.columns:
            raise no_column(options.labels, frame.columns, source=source, option="data.labels")
        column = frame[options.labels]
        if column.isna().any():
            raise DataError(
                f"{source}, column '{options.labels}'",
                f"{int(column.isna().sum())} labels are missing.",
                "Expected a class for every row.",
                "Fill them in, or choose another column.",
            )
        labels, label_names, notes = encode_labels(column.to_numpy(), source=source)
    if options.kind == "points":
        points = frame.drop(columns=[options.labels] if labels is not None else [])
        raw = points_from_frame(points, source=source, keep_gaps=options.keep_gaps)
    else:
        check_columns(frame, source=source, keep_gaps=options.keep_gaps)
        raw = Dataset("table", frame, source=source)
    return Dataset(
        raw.kind, raw.values, labels=labels, label_names=label_names, names=raw.names, notes=notes, source=source
    )


def looks_like_points(frame: pd.DataFrame) -> bool:
    """Whether every column holds real numbers and none is missing."""
    return frame.shape[1] > 0 and all(
        types.is_float_dtype(kind) and not frame.iloc[:, position].isna().any()
        for position, kind in enumerate(frame.dtypes)
    )


def points_from_frame(frame: pd.DataFrame, *, source: str, keep_gaps: bool = False) -> Dataset:
    """Points with the columns' names; with `keep_gaps` missing values stay as NaN."""
    check_names(frame.columns.tolist(), source=source)
    check_rows(frame, source=source, fewest=1 if keep_gaps else 2)
    for position, name in enumerate(frame.columns):
        column = frame.iloc[:, position]
        if not types.is_numeric_dtype(column.dtype) or types.is_complex_dtype(column.dtype):
            raise DataError(
                f"{source}, column '{name}'",
                f"it holds {column.dtype}, not numbers.",
                "Points need numbers only.",
                "Leave the column out with data.drop, or read the file as a table.",
            )
        if column.isna().any() and not keep_gaps:
            row = int(np.argmax(column.isna().to_numpy()))
            raise DataError(
                f"{source}, column '{name}', row {row}",
                f"{int(column.isna().sum())} values are missing.",
                "Points need every number.",
                "Take these rows out, or read the file as a table.",
            )
    numbers = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    values = points_from_array(numbers, source=source, keep_gaps=keep_gaps)
    return Dataset("points", values, names=tuple(str(name) for name in frame.columns), source=source)


def drop_columns(frame: pd.DataFrame, names: Iterable[str], *, source: str) -> pd.DataFrame:
    """The frame without the columns called `names`."""
    by_text = {str(column): column for column in frame.columns}
    for name in names:
        if name not in by_text:
            raise no_column(name, frame.columns, source=source, option="data.drop")
    return frame.drop(columns=[by_text[name] for name in names])


def check_names(names: list[object], *, source: str) -> None:
    """Refuse column names that are neither text nor whole numbers, and names that read the same."""
    seen: dict[str, int] = {}
    for position, name in enumerate(names):
        if isinstance(name, bool) or not isinstance(name, (str, int, np.integer)):
            raise DataError(
                f"{source}, column {position}",
                f"its name is {name!r}.",
                "Expected text or a whole number.",
                "Rename it: frame.columns = [str(name) for name in frame.columns].",
            )
        text = str(name)
        if text in seen:
            raise DataError(
                f"{source}, column {position}",
                f"the name '{text}' is that of column {seen[text]} already.",
                "Expected every column to have a name of its own.",
                "Rename one of the two, or remove it.",
            )
        seen[text] = position


def too_many_columns(source: str, count: int) -> DataError:
    """The error for a table that is wider than the limit."""
    return DataError(
        source, f"there are {count:,} columns.", f"Expected at most {limit('columns'):,}.", raise_it("columns")
    )


def check_rows(frame: pd.DataFrame, *, source: str, fewest: int = 2) -> None:
    """Refuse one row and none."""
    if len(frame) < fewest:
        found = "there is one row only." if len(frame) else "there are no rows."
        raise DataError(source, found, "Expected many rows to learn from.", "Check that the right file was read.")


def check_columns(frame: pd.DataFrame, *, source: str, keep_gaps: bool = False) -> None:
    """Refuse a table without rows or columns, and columns that are keys, or empty unless gaps are kept."""
    if frame.shape[1] == 0:
        raise DataError(source, "there are no columns.", "Expected a table.")
    check_rows(frame, source=source, fewest=1 if keep_gaps else 2)
    for position, name in enumerate(frame.columns):
        column = frame.iloc[:, position]
        if column.isna().all():
            if keep_gaps:
                continue
            raise DataError(
                f"{source}, column '{name}'",
                "every value is missing.",
                "Expected some values.",
                f"Leave the column out: --set 'data.drop=[{name}]', or drop=('{name}',) in Python.",
            )
        infer_type(column, name=name, source=source)
        if _is_key(column):
            raise is_a_key(column.nunique(), int(column.notna().sum()), name=name, source=source)


def is_a_key(values: int, rows: int, *, name: object, source: str) -> DataError:
    """The refusal of a column of keys."""
    return DataError(
        f"{source}, column '{name}'",
        f"its text differs in {values} of {rows} rows, as a key does.",
        "Expected categories that many rows share; a generator could only repeat keys.",
        f"Leave the column out: --set 'data.drop=[{name}]' of train, --drop '{name}' of judge, or drop=('{name}',) in "
        "Python.",
    )


def exact_numbers() -> dict[str, str]:
    """Arguments under which `pandas.read_csv` reads every number exactly, as it does by itself from pandas 3 on."""
    return {"float_precision": "round_trip"} if int(pd.__version__.split(".")[0]) < 3 else {}


def _is_key(column: pd.Series) -> bool:
    is_text = types.is_object_dtype(column.dtype) or types.is_string_dtype(column.dtype)
    if isinstance(column.dtype, pd.CategoricalDtype):
        is_text = types.is_string_dtype(column.dtype.categories.dtype)
    if not is_text or len(column) < FEWEST_ROWS_OF_A_KEY:
        return False
    if types.is_object_dtype(column.dtype) and types.infer_dtype(column, skipna=True) != "string":
        return False
    return counts_of_a_key(column.value_counts().to_numpy())


def counts_of_a_key(counts: np.ndarray) -> bool:
    """Whether text whose values occur so often is a key."""
    return bool((counts == 1).sum() > KEY_SHARE * counts.sum())


def no_column(name: str, columns: pd.Index, *, source: str, option: str) -> DataError:
    known = [str(column) for column in columns]
    shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    return DataError(
        f"{source}, {option}",
        f"there is no column '{name}'.{nearest(name, known)}",
        f"The columns are: {shown}.",
        "Write one of them.",
    )
