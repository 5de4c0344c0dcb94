"""Two tables with the same columns, in one order and in the same types, for a referee.

The order is that of the names, so that no verdict depends on the order in a file. Each column is read with what the
first side holds (see `like`); where values do not fit, both sides get a column that says which rows have such values,
since a gap alone would hide them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from equipoise.data.dataset import Aligned, Dataset, Misfit, unlike
from equipoise.data.tables.like import comparable, compared_as, level_text, numbered_levels, same_amounts

KINDS = {
    "amount": "number",
    "moment": "date",
    "span": "duration",
    "time": "time of day",
    "truth": "truth value",
    "level": "level",
}
SHOWN = 3


def aligned_tables(real: Dataset, fake: Dataset) -> Aligned:
    """Both frames, sentences on how they were read, and the values that do not fit.

    Raises:
        DataError: one side has columns that the other lacks.
    """
    sides = [{str(name): column for name, column in data.values.items()} for data in (real, fake)]
    missing, added = ([name for name in one if name not in other] for one, other in (sides, sides[::-1]))
    if missing or added:
        differences = [f"lacks {_some(missing)}"] * bool(missing) + [f"has {_some(added)} besides"] * bool(added)
        raise unlike(real, fake, " and ".join(differences))
    frames: list[dict[str, pd.Series]] = [{}, {}]
    notes, misfits = [], []
    for name in sorted(sides[0]):
        columns = [side[name].reset_index(drop=True) for side in sides]
        holds = compared_as(*columns)
        read = [comparable(column, holds) for column in columns]
        values = [column for column, _ in read]
        if holds == "amount":
            *values, base = same_amounts(*values)
            if base:
                notes.append(f"'{name}' holds whole numbers above 2^53, and is compared as what each is above {base}.")
        if holds == "level" and _has_number_levels(columns[0]):
            values = [numbered_levels(column) for column in values]
        is_strange = any(strange.any() for _, strange in read)
        for frame, column, (_, strange) in zip(frames, values, read, strict=True):
            frame[name] = column
            if is_strange:
                frame[f"{name} (no {KINDS[holds]})"] = pd.Series(strange)
        for side, column, (_, strange) in zip(("real", "generated"), columns, read, strict=True):
            if strange.any():
                misfits.append(_misfit(side, name, column[strange], KINDS[holds]))
    return Aligned(pd.DataFrame(frames[0]), pd.DataFrame(frames[1]), tuple(notes), tuple(misfits))


def _has_number_levels(column: pd.Series) -> bool:
    dtype = column.dtype
    return isinstance(dtype, pd.CategoricalDtype) and pd.api.types.is_numeric_dtype(dtype.categories.dtype)


def _misfit(side: str, name: str, values: pd.Series, kind: str) -> Misfit:
    texts, counts = np.unique([level_text(value) for value in values], return_counts=True)
    commonest = np.argsort(-counts, kind="stable")[:SHOWN]
    return Misfit(side, name, tuple(str(text) for text in texts[commonest]), len(values), kind)


def _some(names: list[str]) -> str:
    listed = ", ".join(f"'{name}'" for name in names)
    return f"the column{'s' if len(names) > 1 else ''} {listed}"
