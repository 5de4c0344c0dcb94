"""What each column of a table was taken for, and what will be generated for it: what is guessed is said."""

from __future__ import annotations

from typing import Any

import numpy as np

from equipoise.data.prepare import PreparedData
from equipoise.data.store.tables import table_of
from equipoise.data.tables.column_encoder import ColumnEncoder
from equipoise.data.tables.column_type import ColumnType
from equipoise.data.tables.conditions.support import Support
from equipoise.data.tables.encoder import TableEncoder
from equipoise.data.tables.made_up.base import MadeUpColumn

HEADS = ("column", "kind", "missing", "values", "decimals", "range", "generated as")
WIDEST = 42
"""Characters of a cell: two dates with their times, and a word between them."""
MIDNIGHT = " 00:00:00"


def columns_described(data: PreparedData) -> list[dict[str, Any]]:
    """A row for each column of a table: what it holds in the training part; none for other data.

    `values` counts those that are drawn as a choice: the levels of a category, and of a number those that many rows
    share.
    """
    if not isinstance(data.encoder, TableEncoder):
        return []
    missing = {column.name: column.missing / len(column) for column in table_of(data.raw.values).stored}
    written = {column.type.name: column for column in data.encoder.columns}
    supports = {} if data.encoder.rules is None else data.encoder.supports()
    rows = [
        _described(written[kind.name], missing[kind.name])
        if kind.name in written
        else _made(supports[kind.name], missing[kind.name], data.encoder)
        for kind in data.encoder.types
    ]
    for made in sorted(data.encoder.made_up, key=lambda made: made.place):
        rows.insert(min(made.place, len(rows)), _described_made_up(made))
    return rows


def rules_described(data: PreparedData) -> list[str]:
    """A sentence for each rule that samples will obey; none for most data."""
    rules = data.encoder.rules if isinstance(data.encoder, TableEncoder) else None
    return [] if rules is None else rules.sentences()


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
    codes = [*column.levels[[0, -1]]] if len(column.levels) else []
    codes += [] if column.numbers is None else [*column.numbers.values[[0, -1]]]
    return {
        "column": str(kind.name),
        "kind": _kind_text(kind),
        "missing": missing,
        "values": len(column.levels) + len(column.pooled) or None,
        "decimals": decimals,
        "range": _range(kind, codes),
        "generated as": _generated(column),
    }


def _made(support: Support, missing: float, encoder: TableEncoder) -> dict[str, Any]:
    """A column that a rule makes from others."""
    kind = support.type
    rule = next(rule for rule in encoder.rules.rules if kind.name in rule.targets)
    codes = [*support.points, *(support.span or ())]
    return {
        "column": str(kind.name),
        "kind": _kind_text(kind),
        "missing": missing,
        "values": len(support.points) or None,
        "decimals": getattr(kind, "decimals", None),
        "range": _range(kind, codes),
        "generated as": rule.made_as,
    }


def _kind_text(kind: ColumnType) -> str:
    return f"{kind.kind}, ordered" if getattr(kind, "is_ordered", False) else kind.kind


def _described_made_up(made: MadeUpColumn) -> dict[str, Any]:
    values = dict.fromkeys(HEADS)
    generated = {"key": f"made up as {made.pattern}", "empty": "left empty"}.get(made.kind, "made up in its shape")
    return {**values, "column": str(made.name), "kind": made.kind, "missing": made.missing, "generated as": generated}


def _range(kind: ColumnType, codes: list[float]) -> str:
    levels = getattr(kind, "levels", None)
    if levels is not None:
        between = " < " if getattr(kind, "is_ordered", False) else ", "
        return between.join(str(level) for level in levels[:3]) + (f"{between}..." if len(levels) > 3 else "")
    if not codes:
        return ""
    ends = kind.values(np.array([min(codes), max(codes)]), np.zeros(2, dtype=bool))
    is_long = getattr(kind, "decimals", None) is None  # with a known number of decimals a number is written as it was
    texts = [f"{end:.6g}" if isinstance(end, float) and is_long else str(end) for end in ends]
    if all(text.endswith(MIDNIGHT) for text in texts):
        texts = [text.removesuffix(MIDNIGHT) for text in texts]
    return " to ".join(texts)


def _generated(column: ColumnEncoder) -> str:
    if column.numbers is None:
        count = len(column.levels) + len(column.pooled)
        return f"one of {count} values" if count > 1 else "always the same"
    return "a number" + (f", or one of {len(column.levels)} frequent values" if len(column.levels) else "")
