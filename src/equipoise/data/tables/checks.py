"""What is refused of tables and their columns before anything is learned from them.

Text that differs in nearly every row (names, keys, free text) is taken out before and made up by its pattern: see
`made_up`. What is refused of it are numbers with a few other values among them: these are worth a look.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from pandas.api import types

from equipoise.data.tables.schema import infer_type
from equipoise.errors import DataError, nearest
from equipoise.limits import limit, raise_it

# Text is taken for a key when more than this share of its values occur once, among at least so many rows.
KEY_SHARE = 0.95
FEWEST_ROWS_OF_A_KEY = 50
YAML_WORDS = ("y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf")


def check_names(names: Iterable[object], *, source: str) -> None:
    """Refuse column names that are neither text nor whole numbers."""
    for position, name in enumerate(names):
        if isinstance(name, bool) or not isinstance(name, (str, int, np.integer)):
            raise DataError(
                f"{source}, column {position}",
                f"its name is {name!r}.",
                "Expected text or a whole number.",
                "Rename it: frame.columns = [str(name) for name in frame.columns].",
            )


def distinct_names(names: Sequence[object]) -> tuple[list[object], tuple[str, ...]]:
    """The names, those that repeat made distinct as pandas does ('name' and 'name.1'), and a note on them."""
    taken = {str(name) for name in names}
    seen: set[str] = set()
    result: list[object] = []
    renamed = []
    for name in names:
        new: object = name
        number = 0
        while str(new) in seen or (number and str(new) in taken):
            number += 1
            new = f"{name}.{number}"
        if number:
            renamed.append(f"'{new}'")
        seen.add(str(new))
        result.append(new)
    return result, ((f"Columns with the name of an earlier one are called {', '.join(renamed)}.",) if renamed else ())


def as_setting(names: Iterable[object]) -> str:
    """Names as a list for `--set`, those in quotes that YAML would read as something else: [note, "yes", "2019"]."""
    return "[" + ", ".join(_quoted(str(name)) for name in names) + "]"


def _quoted(name: str) -> str:
    is_plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name) and name.lower() not in YAML_WORDS
    return name if is_plain else json.dumps(name, ensure_ascii=False)


def leave_out(names: Sequence[object]) -> str:
    """How columns are left out, as a command and in Python."""
    drop = "".join(f" --drop {shlex.quote(str(name))}" for name in names)
    setting = shlex.quote(f"data.drop={as_setting(names)}")
    values = ", ".join(repr(str(name)) for name in names) + ("," if len(names) == 1 else "")
    return f"--set {setting} of train,{drop} of judge, or drop=({values}) in Python"


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
            f"Leave the column out: {leave_out([name])}.",
        )
    infer_type(column, name=name, source=source)
    if differs_in_nearly_every_row(column):
        raise DataError(
            f"{source}, column '{name}'",
            f"its text differs in {column.nunique()} of {int(column.notna().sum())} rows, as a key does.",
            "Expected categories that many rows share; a generator could only repeat keys.",
            f"Leave the column out: {leave_out([name])}.",
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


def differs_in_nearly_every_row(column: pd.Series) -> bool:
    """Whether a column is text of which nearly every value occurs once."""
    if len(column) < FEWEST_ROWS_OF_A_KEY:
        return False
    return values_that_occur_once(column) > KEY_SHARE * int(column.notna().sum())


def values_that_occur_once(column: pd.Series) -> int:
    """Of text, how many; of anything else none."""
    return int((column.value_counts() == 1).sum()) if is_text(column) else 0


def is_text(column: pd.Series) -> bool:
    """Whether a column holds text, as objects, strings or categories."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return bool(types.is_string_dtype(column.dtype.categories.dtype))
    if not (types.is_object_dtype(column.dtype) or types.is_string_dtype(column.dtype)):
        return False
    return not types.is_object_dtype(column.dtype) or types.infer_dtype(column, skipna=True) == "string"
