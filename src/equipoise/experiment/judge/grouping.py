"""Which rows of two data sets belong together: a column that is taken out of both, or arrays beside them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from equipoise.data import Dataset
from equipoise.errors import DataError, nearest
from equipoise.referee.groups import Groups

Sides = tuple[Dataset, Dataset]


def taken_out(group: str | tuple[Any, Any], sides: Sides) -> tuple[Sides, Groups]:
    """Both sides without the column that says which rows belong together, and the groups.

    Args:
        group: the name of a column of both sides, or two arrays with the group of each sample.
        sides: real and generated data, in memory.

    Raises:
        DataError: a side has no such column, has no other, or misses a value in it; an array has another length.
    """
    if isinstance(group, str):
        real, fake = (_without(group, side) for side in sides)
        return (real[0], fake[0]), (real[1], fake[1])
    return sides, tuple(_numbers(np.asarray(names), side, "group") for names, side in zip(group, sides, strict=True))


def _without(column: str, side: Dataset) -> tuple[Dataset, np.ndarray]:
    names = [str(name) for name in (side.values.columns if side.kind == "table" else side.names)]
    where = side.source or "the data"
    if column not in names:
        found = (
            f"no column is called '{column}' to group by.{nearest(column, names)}" if names else "there are no columns."
        )
        expected = f"Its columns: {', '.join(names)}." if names else f"Expected a table with the column '{column}'."
        raise DataError(where, found, expected, "Name a column that both sides have, or leave --group out.")
    if len(names) == 1:
        raise DataError(
            where,
            f"'{column}' is its only column, and the groups are not judged themselves.",
            "Expected other columns beside it.",
            "Leave --group out to judge this column.",
        )
    place = names.index(column)
    if side.kind == "table":
        values = side.values.drop(columns=side.values.columns[place])
        return replace(side, values=values), _numbers(side.values.iloc[:, place], side, column)
    values = np.delete(side.values, place, axis=1)
    rest = tuple(name for name in side.names if str(name) != column)
    return replace(side, values=values, names=rest), _numbers(side.values[:, place], side, column)


def _numbers(names: Any, side: Dataset, column: str) -> np.ndarray:
    if len(names) != len(side) and side.places is not None and len(names) > int(side.places.max(initial=-1)):
        names = names[side.places]  # of large data, some rows are judged
    if len(names) != len(side):
        raise DataError(
            side.source or "the data",
            f"{len(names):,} groups are given for {len(side):,} samples.",
            "Expected one for each sample.",
            "Give an array as long as the side.",
        )
    numbers, _ = pd.factorize(np.asarray(names) if not isinstance(names, pd.Series) else names)
    missing = int((numbers < 0).sum())
    if missing:
        raise DataError(
            side.source or "the data",
            f"{missing:,} of {len(side):,} rows have no value in '{column}'.",
            "Expected a group for each row.",
            "Fill these in (each a group of its own, if they belong to nobody else), or take them out.",
        )
    return numbers
