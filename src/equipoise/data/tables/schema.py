"""What the columns of a table hold: each is of one of the kinds in `kinds/`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import pandas as pd
from pandas.api import types

from equipoise.data.tables.column_type import ColumnType
from equipoise.errors import DataError
from equipoise.parts import discover


@cache
def available_kinds() -> Mapping[str, type[ColumnType]]:
    """All kinds of columns, by name."""
    import equipoise.data.tables.kinds as package

    return discover(package, "KINDS")


def infer_type(column: pd.Series, *, name: str | int, source: str) -> ColumnType:
    """What a column holds, from its pandas type and its values.

    Raises:
        DataError: values that no kind covers, such as lists, complex numbers or infinities.
    """
    where = f"{source}, column '{name}'"
    is_object = types.is_object_dtype(column.dtype) or types.is_string_dtype(column.dtype)
    is_object = is_object and not isinstance(column.dtype, pd.CategoricalDtype)
    found = types.infer_dtype(column, skipna=True) if is_object else ""
    for kind in available_kinds().values():
        if kind.holds(column, found):
            return kind.infer(column, name=name, where=where)
    raise DataError(
        where,
        f"its type is {column.dtype}.",
        "Expected numbers, truth values, text, categories, dates or durations.",
        "Convert it, or leave it out with data.drop.",
    )


def type_from_state(state: dict[str, Any]) -> ColumnType:
    """The type that `ColumnType.state` described."""
    return available_kinds()[state["kind"]].from_state(state)
