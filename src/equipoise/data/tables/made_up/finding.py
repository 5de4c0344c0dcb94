"""Which columns of a table are made up, and by which pattern."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from equipoise.data.store.tables import Table
from equipoise.data.tables.checks import is_text
from equipoise.data.tables.made_up.base import MadeUpColumn
from equipoise.data.tables.made_up.key import Key, is_key
from equipoise.data.tables.made_up.text import Text
from equipoise.errors import DataError

MADE_UP: Mapping[str, type[MadeUpColumn]] = {"key": Key, "text": Text}
"""Kinds of made-up columns, by the word for `--columns`."""
SHOWN = 12


def taken_out(
    table: Table, *, stated: Mapping[str, str], source: str
) -> tuple[Table, tuple[MadeUpColumn, ...], tuple[str, ...]]:
    """The table less its keys, names and free text; these by their patterns; and one note on all of them.

    Args:
        table: the columns.
        stated: kinds of columns that the person states: 'key' and 'text' are made up, every other is not.
        source: for messages.

    Raises:
        DataError: a column that is stated to be a key or text is neither, or nothing else is left.
    """
    found: list[MadeUpColumn] = []
    for place, column in enumerate(table.stored):
        word = stated.get(str(column.name))
        if word is not None and word not in MADE_UP:
            continue
        if word is None and not _may_be_key(column.dtype):
            continue
        values = column.series()
        if word is None and not is_key(values, name=column.name):
            continue
        wanted = (Key, Text) if word is None else (MADE_UP[word],)
        made = next(
            (one for each in wanted if (one := each.fitted(values, name=column.name, place=place)) is not None), None
        )
        if made is None and word is not None:
            raise DataError(
                f"{source}, column '{column.name}'",
                f"its values follow no pattern of a {word}.",
                "Expected whole numbers or text in one pattern." if word == "key" else "Expected text.",
                "State another kind: text makes values up by their shape, drop leaves the column out.",
            )
        if made is not None:
            found.append(made)
    if not found:
        return table, (), ()
    left = table.without([made.name for made in found])
    if not left.stored:
        listed = ", ".join(f"'{made.name}'" for made in found)
        raise DataError(
            source,
            f"it has keys and free text only: {listed}.",
            "Expected a column that other rows share values with, or numbers.",
            "There is nothing to learn; state a kind for a column with --columns if it is none of these.",
        )
    return left, tuple(found), (note_on(found),)


def note_on(found: Sequence[MadeUpColumn]) -> str:
    """One sentence on all made-up columns."""
    listed = [f"'{made.name}' ({_described(made)})" for made in found[:SHOWN]]
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return (
        "Text that differs in nearly every row and numbers that count rows are neither learned nor judged; samples get "
        f"made-up ones: {', '.join(listed)}{more}. --columns FILE states another kind, or 'drop'."
    )


def from_state(state: Mapping[str, Any]) -> MadeUpColumn:
    """The inverse of `MadeUpColumn.state`."""
    return MADE_UP[str(state["kind"])].from_state(dict(state))


def _described(made: MadeUpColumn) -> str:
    return f"key {made.pattern}" if made.kind == "key" else "names or free text"


def _may_be_key(dtype: Any) -> bool:
    """Whether columns of this type may be keys; the values of others need not be read."""
    import pandas as pd
    from pandas.api import types

    is_number = types.is_integer_dtype(dtype) and not isinstance(dtype, pd.CategoricalDtype)
    return is_number or is_text(pd.Series([], dtype=dtype)) or types.is_object_dtype(dtype)
