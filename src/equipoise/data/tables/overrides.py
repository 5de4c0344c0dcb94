"""Kinds of columns that a person states, where reading alone would decide otherwise.

A file of them is a mapping of names to kinds, in YAML or JSON: {zip: category, day: "date %d/%m/%Y", who: drop, grade:
"ordered low < middle < high"}; or the metadata that SDV writes, whose `sdtype` says the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from equipoise.data.tables.like import comparable, level_text
from equipoise.data.tables.times import as_times, form_of, is_times
from equipoise.errors import ConfigError, DataError, nearest

HOLDS = {
    "number": "amount",
    "integer": "amount",
    "category": "level",
    "boolean": "truth",
    "date": "moment",
    "duration": "span",
    "time": "time",
    "ordered": "level",
}
ORDERED, BELOW = "ordered", "<"
"""The kind of categories that have an order, and what stands between two of them: `ordered low < middle < high`."""
DROP = "drop"
MADE_UP = ("key", "text")
"""Kinds that are neither learned nor judged, and made up by their pattern in samples: see `made_up`."""
SDTYPES = {
    "numerical": "number",
    "categorical": "category",
    "boolean": "boolean",
    "datetime": "date",
    "unknown": "",
    "id": "key",
}
"""What SDV calls them; whatever else it knows (name, email, address) is text that is made up."""
SEQUENCE_KEYS = ("sequence_key", "sequence_index")
"""What SDV's metadata of sequences have; PAR learns them, this project does not."""


def kinds_from(content: Any, *, where: str) -> dict[str, str]:
    """The kinds that a file states, by name.

    Raises:
        ConfigError: it states something else.
    """
    _refuse_linked(content, where=where)
    tables = content.get("tables") if isinstance(content, Mapping) else None
    if isinstance(tables, Mapping) and len(tables) == 1:
        (content,) = tables.values()
    if isinstance(content, Mapping) and isinstance(content.get("columns"), Mapping):
        content = content["columns"]
    if not isinstance(content, Mapping):
        raise ConfigError(
            where, "it is no mapping of columns.", "Expected, for example, 'zip: category'.", "Correct it."
        )
    found = {str(name): _kind(entry) for name, entry in content.items()}
    return {name: check_kind(kind, where=f"{where}, {name}") for name, kind in found.items() if kind}


def _refuse_linked(content: Any, *, where: str) -> None:
    """Refuse metadata of several tables, or of sequences: rows are made one by one, each independent of the others.

    Raises:
        ConfigError: they are.
    """
    if not isinstance(content, Mapping):
        return
    tables = content.get("tables")
    many = list(tables) if isinstance(tables, Mapping) else []
    if content.get("relationships") or len(many) > 1:
        raise ConfigError(
            where,
            f"it describes linked tables ({', '.join(map(str, many[:5]))}).",
            "Expected one table: linked tables are not generated.",
            "Train on each table alone, or join them into one; '--group' keeps rows of one parent on one side.",
        )
    parts = [content, *(tables.values() if isinstance(tables, Mapping) else [])]
    keys = [part[key] for part in parts if isinstance(part, Mapping) for key in SEQUENCE_KEYS if part.get(key)]
    if keys:
        raise ConfigError(
            where,
            f"it describes sequences (by '{keys[0]}').",
            "Expected rows that are made one by one: sequences are not generated.",
            f"Describe the table without its sequence key, and keep rows of one together: --group {keys[0]}.",
        )


def check_kind(kind: str, *, where: str) -> str:
    """The kind, if there is one of that name.

    Raises:
        ConfigError: there is none.
    """
    name = kind.split(" ", 1)[0]
    known = (*HOLDS, *MADE_UP, DROP)
    if name not in known:
        raise ConfigError(
            where,
            f"'{kind}' is no kind of column.{nearest(name, known)}",
            f"Expected one of {', '.join(known)}; a date may be followed by its form: date %d/%m/%Y.",
            "Write one of these.",
        )
    if name == "time" and kind != name:
        raise ConfigError(
            where,
            f"'{kind}' states a form of times of day.",
            "Expected 'time' alone: the form is the one that the values have.",
            "Write 'time'.",
        )
    levels = levels_in(kind)
    if name == ORDERED and (len(levels) < 2 or len(set(levels)) < len(levels) or not all(levels)):
        raise ConfigError(
            where,
            f"'{kind}' names no order of different levels.",
            "Expected two levels or more, from the lowest to the highest.",
            "Write, for example: ordered low < middle < high.",
        )
    return kind


def levels_in(kind: str) -> list[str]:
    """The levels of an ordered kind, from the lowest to the highest."""
    return [level.strip() for level in kind.partition(" ")[2].split(BELOW)]


def stated(column: pd.Series, kind: str, *, name: str | int, source: str) -> pd.Series:
    """The column as what the person says it is.

    Raises:
        DataError: a value is nothing of that kind.
    """
    word, _, form = kind.partition(" ")
    if word == ORDERED:
        levels = levels_in(kind)
        texts, _ = comparable(column, HOLDS[word])
        codes = pd.Index(levels, dtype=object).get_indexer(pd.Index(texts.to_numpy(dtype=object), dtype=object))
        found = pd.Series(pd.Categorical.from_codes(codes, categories=levels, ordered=True))
        strange = found.isna().to_numpy() & texts.notna().to_numpy()
    elif form:
        texts = column.map(level_text, na_action="ignore")
        found = pd.Series(pd.to_datetime(texts, format=form, errors="coerce"))
        strange = found.isna().to_numpy() & column.notna().to_numpy()
    else:
        found, strange = comparable(column, HOLDS[word])
        if word == "time" and not strange.any():
            texts = [str(text).strip() for text in column.dropna()]
            return column if is_times(column) else as_times(column, form_of(texts) or "")
        if word == "integer" and found.dtype.kind == "f":
            strange = strange | (found.notna() & (found != found.round())).to_numpy()
    if strange.any():
        row = int(np.argmax(strange))
        raise DataError(
            f"{source}, column '{name}', row {row}",
            f"the value {level_text(column.iloc[row])!r} is {_none_of(word)}; "
            f"{int(strange.sum())} rows have such values.",
            f"Expected {kind} in every row, as data.columns says, or a missing value.",
            "State another kind, or name what means that nothing is there with data.missing.",
        )
    if word == "integer" and found.dtype.kind == "f":
        return found.astype("Int64")
    if word == "number":
        return found.astype(np.float64)
    if word == "boolean" and not found.isna().any():
        return found.astype(bool)
    return found


def _none_of(word: str) -> str:
    return "none of the levels" if word == ORDERED else f"no {word}"


def _kind(entry: Any) -> str:
    if isinstance(entry, Mapping):
        if "sdtype" in entry:
            kind = SDTYPES.get(str(entry["sdtype"]), "text")
            form = entry.get("datetime_format")
            return f"{kind} {form}" if kind == "date" and form else kind
        if isinstance(entry.get("levels"), (list, tuple)):
            return f"{entry.get('kind', ORDERED)} {f' {BELOW} '.join(map(level_text, entry['levels']))}"
        return " ".join(str(entry[key]) for key in ("kind", "format") if entry.get(key))
    return str(entry)
