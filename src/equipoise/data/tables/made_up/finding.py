"""Which columns of a table are made up, and by which pattern."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from equipoise.data.store.tables import Table
from equipoise.data.tables.checks import is_text, values_that_occur_once
from equipoise.data.tables.made_up.base import MadeUpColumn
from equipoise.data.tables.made_up.empty import Empty
from equipoise.data.tables.made_up.key import Key, is_key
from equipoise.data.tables.made_up.text import Text
from equipoise.errors import DataError

MADE_UP: Mapping[str, type[MadeUpColumn]] = {"key": Key, "text": Text}
"""Kinds of made-up columns, by the word for `--columns`."""
KINDS: Mapping[str, type[MadeUpColumn]] = {**MADE_UP, Empty.kind: Empty}
"""All of them; that a column is empty is seen, and need not be stated."""
SHOWN = 12
FEWEST_ONCE, ONCE_SHARE = 20, 0.05
"""Values of a text that occur once, and their share of all, from which a note says that samples will hold real ones."""


def taken_out(
    table: Table, *, stated: Mapping[str, str], source: str, keeps_empty: bool = False
) -> tuple[Table, tuple[MadeUpColumn, ...], tuple[str, ...]]:
    """The table less its keys, names and free text, and less columns without any value; these by their patterns; and
    notes.

    One note names all that are made up, one all that are empty, and one all text that is learned although many of its
    values occur once, so that a sample may name what a single row does.

    Args:
        table: the columns.
        stated: kinds of columns that the person states: 'key' and 'text' are made up, every other is not.
        source: for messages.
        keeps_empty: whether columns without any value stay, where nothing is learned: a referee and a report on a table
            say of them what they can.

    Raises:
        DataError: a column that is stated to be a key or text is neither, or nothing else is left.
    """
    found: list[MadeUpColumn] = []
    repeated: list[str] = []
    for place, column in enumerate(table.stored):
        word = stated.get(str(column.name))
        if word is not None and word not in MADE_UP:
            continue
        if not keeps_empty and len(column) and column.missing == len(column):
            empty = Empty.fitted(column.series(), name=column.name, place=place)
            assert empty is not None
            found.append(empty)
            continue
        if word is None and not _may_be_key(column.dtype):
            continue
        values = column.series()
        if word is None and not is_key(values, name=column.name):
            once = values_that_occur_once(values)
            if once >= FEWEST_ONCE and once > ONCE_SHARE * int(values.notna().sum()):
                repeated.append(f"'{column.name}' ({once:,} values that occur once)")
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
    notes = (note_on_repeated(repeated),) if repeated else ()
    if not found:
        return table, (), notes
    left = table.without([made.name for made in found])
    if not left.stored:
        listed = ", ".join(f"'{made.name}'" for made in found)
        raise DataError(
            source,
            f"it has {_kinds_of(found)} only: {listed}.",
            "Expected a column that other rows share values with, or numbers.",
            "There is nothing to learn; state a kind for a column with --columns if it is none of these.",
        )
    empty = [made for made in found if made.kind == Empty.kind]
    patterned = [made for made in found if made.kind != Empty.kind]
    said = (*((note_on(patterned),) if patterned else ()), *((note_on_empty(empty),) if empty else ()))
    return left, tuple(found), (*said, *notes)


def note_on_empty(found: Sequence[MadeUpColumn]) -> str:
    """One sentence on all columns without any value."""
    listed = ", ".join(f"'{made.name}'" for made in found[:SHOWN])
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"Columns without any value are not learned, and stay empty in samples: {listed}{more}."


def note_on(found: Sequence[MadeUpColumn]) -> str:
    """One sentence on all made-up columns."""
    listed = [f"'{made.name}' ({_described(made)})" for made in found[:SHOWN]]
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return (
        "Text that differs in nearly every row and numbers that count rows are neither learned nor judged; samples get "
        f"made-up ones: {', '.join(listed)}{more}. --columns FILE states another kind, or 'drop'."
    )


def note_on_repeated(columns: Sequence[str]) -> str:
    """One sentence on all text that samples will repeat."""
    more = f" and {len(columns) - SHOWN} more" if len(columns) > SHOWN else ""
    return (
        f"Samples will hold values of these columns as they are: {', '.join(columns[:SHOWN])}{more}. If they name "
        "persons or cases, --columns FILE with 'text' makes them up, and with 'drop' leaves them out."
    )


def from_state(state: Mapping[str, Any]) -> MadeUpColumn:
    """The inverse of `MadeUpColumn.state`."""
    return KINDS[str(state["kind"])].from_state(dict(state))


def _kinds_of(found: Sequence[MadeUpColumn]) -> str:
    words = {"key": "keys and free text", "text": "keys and free text", "empty": "columns without any value"}
    return " and ".join(dict.fromkeys(words[made.kind] for made in found))


def _described(made: MadeUpColumn) -> str:
    return f"key {made.pattern}" if made.kind == "key" else "names or free text"


def _may_be_key(dtype: Any) -> bool:
    """Whether columns of this type may be keys; the values of others need not be read."""
    import pandas as pd
    from pandas.api import types

    is_number = types.is_integer_dtype(dtype) and not isinstance(dtype, pd.CategoricalDtype)
    return is_number or is_text(pd.Series([], dtype=dtype)) or types.is_object_dtype(dtype)
