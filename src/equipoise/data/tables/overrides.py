"""Kinds of columns that a person states, where reading alone would decide otherwise.

A file of them is a mapping of names to kinds, in YAML or JSON: {zip: category, day: "date %d/%m/%Y", who: drop}; or the
metadata that SDV writes, whose `sdtype` says the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from equipoise.data.tables.like import comparable, level_text
from equipoise.errors import ConfigError, DataError, nearest

HOLDS = {
    "number": "amount",
    "integer": "amount",
    "category": "level",
    "boolean": "truth",
    "date": "moment",
    "duration": "span",
}
DROP = "drop"
SDTYPES = {"numerical": "number", "categorical": "category", "boolean": "boolean", "datetime": "date", "unknown": ""}
"""What SDV calls them; whatever else it knows (id, name, email) is a key, and left out."""


def kinds_from(content: Any, *, where: str) -> dict[str, str]:
    """The kinds that a file states, by name.

    Raises:
        ConfigError: it states something else.
    """
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


def check_kind(kind: str, *, where: str) -> str:
    """The kind, if there is one of that name.

    Raises:
        ConfigError: there is none.
    """
    name = kind.split(" ", 1)[0]
    if name not in (*HOLDS, DROP):
        known = (*HOLDS, DROP)
        raise ConfigError(
            where,
            f"'{kind}' is no kind of column.{nearest(name, known)}",
            f"Expected one of {', '.join(known)}; a date may be followed by its form: date %d/%m/%Y.",
            "Write one of these.",
        )
    return kind


def stated(column: pd.Series, kind: str, *, name: str | int, source: str) -> pd.Series:
    """The column as what the person says it is.

    Raises:
        DataError: a value is nothing of that kind.
    """
    word, _, form = kind.partition(" ")
    if form:
        texts = column.map(level_text, na_action="ignore")
        found = pd.Series(pd.to_datetime(texts, format=form, errors="coerce"))
        strange = found.isna().to_numpy() & column.notna().to_numpy()
    else:
        found, strange = comparable(column, HOLDS[word])
        if word == "integer" and found.dtype.kind == "f":
            strange = strange | (found.notna() & (found != found.round())).to_numpy()
    if strange.any():
        row = int(np.argmax(strange))
        raise DataError(
            f"{source}, column '{name}', row {row}",
            f"the value {level_text(column.iloc[row])!r} is no {word}; {int(strange.sum())} rows have such values.",
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


def _kind(entry: Any) -> str:
    if isinstance(entry, Mapping):
        if "sdtype" in entry:
            kind = SDTYPES.get(str(entry["sdtype"]), DROP)
            form = entry.get("datetime_format")
            return f"{kind} {form}" if kind == "date" and form else kind
        return " ".join(str(entry[key]) for key in ("kind", "format") if entry.get(key))
    return str(entry)
