"""What is refused of tables and their columns before anything is learned from them.

Text that differs in nearly every row (names, keys, free text) is refused: a generator could only repeat it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from pandas.api import types

from equipoise.data.tables.schema import infer_type
from equipoise.errors import DataError, nearest
from equipoise.limits import limit, raise_it

# Text is taken for a key when more than this share of its values occur once, among at least so many rows.
KEY_SHARE = 0.95
FEWEST_ROWS_OF_A_KEY = 50


def check_names(names: Iterable[object], *, source: str) -> None:
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


def check_column(column: pd.Series, *, name: str | int, source: str) -> None:
    """Refuse a column of a table that is empty, a key, or of values that cannot be learned.

    Raises:
        DataError: it is.
    """
    if column.isna().all():
        raise DataError(
            f"{source}, column '{name}'",
            "every value is missing.",
            "Expected some values.",
            f"Leave the column out: --set 'data.drop=[{name}]', or drop=('{name}',) in Python.",
        )
    infer_type(column, name=name, source=source)
    if _is_key(column):
        raise DataError(
            f"{source}, column '{name}'",
            f"its text differs in {column.nunique()} of {int(column.notna().sum())} rows, as a key does.",
            "Expected categories that many rows share; a generator could only repeat keys.",
            f"Leave the column out: --set 'data.drop=[{name}]' of train, --drop '{name}' of judge, or "
            f"drop=('{name}',) in Python.",
        )


def check_coordinate(column: pd.Series, *, name: str | int, source: str, keep_gaps: bool) -> None:
    """Refuse a column that cannot be a coordinate of points.

    Raises:
        DataError: it holds no numbers, or values are missing that may not be.
    """
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


def check_rows(rows: int, *, source: str, fewest: int) -> None:
    """Refuse one row and none."""
    if rows < fewest:
        found = "there is one row only." if rows else "there are no rows."
        raise DataError(source, found, "Expected many rows to learn from.", "Check that the right file was read.")


def too_many_columns(source: str, count: int) -> DataError:
    """The error for a table that is wider than the limit."""
    return DataError(
        source, f"there are {count:,} columns.", f"Expected at most {limit('columns'):,}.", raise_it("columns")
    )


def no_column(name: str, columns: Iterable[object], *, source: str, option: str) -> DataError:
    """The error for an option that names a column that is not there."""
    known = [str(column) for column in columns]
    shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    return DataError(
        f"{source}, {option}",
        f"there is no column '{name}'.{nearest(name, known)}",
        f"The columns are: {shown}.",
        "Write one of them.",
    )


def _is_key(column: pd.Series) -> bool:
    is_text = types.is_object_dtype(column.dtype) or types.is_string_dtype(column.dtype)
    if isinstance(column.dtype, pd.CategoricalDtype):
        is_text = types.is_string_dtype(column.dtype.categories.dtype)
    if not is_text or len(column) < FEWEST_ROWS_OF_A_KEY:
        return False
    if types.is_object_dtype(column.dtype) and types.infer_dtype(column, skipna=True) != "string":
        return False
    counts = column.value_counts().to_numpy()
    return bool((counts == 1).sum() > KEY_SHARE * counts.sum())
