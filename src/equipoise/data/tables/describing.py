"""What each column of a table was taken for, and what will be generated for it: what is guessed is said."""

from __future__ import annotations

from typing import Any

import numpy as np

from equipoise.data.prepare import PreparedData
from equipoise.data.store.tables import table_of
from equipoise.data.tables.column_encoder import ColumnEncoder
from equipoise.data.tables.encoder import TableEncoder

HEADS = ("column", "kind", "missing", "atoms", "decimals", "range", "generated as")
WIDEST = 34


def columns_described(data: PreparedData) -> list[dict[str, Any]]:
    """A row for each column of a table: what it holds in the training part; none for other data."""
    if not isinstance(data.encoder, TableEncoder):
        return []
    missing = {column.name: column.missing / len(column) for column in table_of(data.raw.values).stored}
    return [_described(column, missing[column.type.name]) for column in data.encoder.columns]


def columns_text(rows: list[dict[str, Any]]) -> str:
    """The rows as a table of text."""
    cells = [HEADS, *(tuple(_cell(row[head]) for head in HEADS) for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(HEADS))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def _cell(value: Any) -> str:
    text = "" if value is None else f"{value:.1%}" if isinstance(value, float) else str(value)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 3]}..."


def _described(column: ColumnEncoder, missing: float) -> dict[str, Any]:
    kind = column.type
    decimals = getattr(kind, "decimals", None)
    return {
        "column": str(kind.name),
        "kind": kind.kind,
        "missing": missing,
        "atoms": len(column.levels) + len(column.pooled) or None,
        "decimals": decimals,
        "range": _range(column),
        "generated as": _generated(column),
    }


def _range(column: ColumnEncoder) -> str:
    kind = column.type
    levels = getattr(kind, "levels", None)
    if levels is not None:
        return ", ".join(str(level) for level in levels[:3]) + (", ..." if len(levels) > 3 else "")
    codes = [*column.levels[[0, -1]]] if len(column.levels) else []
    codes += [] if column.numbers is None else [*column.numbers.values[[0, -1]]]
    if not codes:
        return ""
    ends = kind.values(np.array([min(codes), max(codes)]), np.zeros(2, dtype=bool))
    return f"{ends.iloc[0]} to {ends.iloc[1]}"


def _generated(column: ColumnEncoder) -> str:
    if column.numbers is None:
        count = len(column.levels) + len(column.pooled)
        return f"one of {count} values" if count > 1 else "always the same"
    return "a number" + (f", or one of {len(column.levels)} frequent values" if len(column.levels) else "")
