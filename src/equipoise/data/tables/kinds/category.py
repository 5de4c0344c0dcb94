"""Names: pandas' categories and text. The numeric code is the place in the list of levels; of an unknown one -1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from pandas.api import types

from equipoise.data.tables.column_type import ColumnType, pandas_type, type_text
from equipoise.errors import DataError

Scalar = str | int | float | bool
OTHER_OBJECTS = ("integer", "floating", "mixed-integer-float", "date", "decimal", "time")
"""Columns of objects that are of another kind."""


@dataclass(frozen=True)
class Category(ColumnType):
    """See `ColumnType`.

    Attributes:
        levels: the categories, in their order.
        levels_dtype: pandas type of the categories of a categorical column, else ''.
        is_ordered: whether a categorical column is ordered.
    """

    levels: tuple[Scalar, ...] = ()
    levels_dtype: str = ""
    is_ordered: bool = False
    kind: ClassVar[str] = "category"
    compared_as: ClassVar[str] = "level"
    is_nominal: ClassVar[bool] = True

    @classmethod
    def holds(cls, column: pd.Series, found: str) -> bool:
        return isinstance(column.dtype, pd.CategoricalDtype) or (found != "" and found not in OTHER_OBJECTS)

    @classmethod
    def infer(cls, column: pd.Series, *, name: str | int, where: str) -> Self:
        dtype = column.dtype
        if not isinstance(dtype, pd.CategoricalDtype):
            return cls(name, type_text(dtype), levels=_levels(column, where=where))
        levels = dtype.categories.tolist()
        if not all(isinstance(level, (str, int, float, bool)) for level in levels):
            raise DataError(
                where,
                f"its categories are of type {dtype.categories.dtype}.",
                "Expected text or numbers.",
                f"Name them first: frame[{name!r}] = frame[{name!r}].cat.rename_categories(str).",
            )
        return cls(
            name,
            "category",
            levels=tuple(levels),
            levels_dtype=str(dtype.categories.dtype),
            is_ordered=bool(dtype.ordered),
        )

    def codes(self, column: pd.Series, missing: np.ndarray) -> np.ndarray:
        del missing
        index = pd.Index(list(self.levels), dtype=object)
        if isinstance(column.dtype, pd.CategoricalDtype):
            of_own_code = index.get_indexer(pd.Index(column.cat.categories, dtype=object))
            codes = column.cat.codes.to_numpy()
            return np.where(codes >= 0, of_own_code[codes] if len(of_own_code) else -1, -1).astype(np.float64)
        objects = pd.Index(column.to_numpy(dtype=object, na_value=None), dtype=object)
        return index.get_indexer(objects).astype(np.float64)

    def values(self, codes: np.ndarray, missing: np.ndarray) -> pd.Series:
        places = np.where(missing, -1, np.rint(codes).astype(np.int64))
        if self.levels_dtype:
            levels = pd.Index(list(self.levels), dtype=types.pandas_dtype(self.levels_dtype))
            return pd.Series(pd.Categorical.from_codes(places, dtype=pd.CategoricalDtype(levels, self.is_ordered)))
        of_place = np.array([*self.levels, None], dtype=object)  # place -1 is the last entry
        return pd.Series(of_place[places], dtype=pandas_type(self.dtype))


def _levels(column: pd.Series, *, where: str) -> tuple[Scalar, ...]:
    """The different values of a column of text, or of text beside numbers and truth values."""
    present = column.dropna()
    known = (str, int, float, bool, np.bool_)
    is_text = types.infer_dtype(column, skipna=True) == "string"
    strange = None if is_text else next((value for value in present if not isinstance(value, known)), None)
    if strange is not None:
        kinds = sorted({type(value).__name__ for value in present})
        mixed = f", beside others ({', '.join(kinds[:6])})" if len(kinds) > 1 else ""
        raise DataError(
            where,
            f"it holds values such as {str(strange)[:60]!r} of type {type(strange).__name__}{mixed}.",
            "Expected text, numbers and truth values, or dates alone.",
            "Convert it, or leave it out with data.drop.",
        )
    levels = [bool(level) if isinstance(level, np.bool_) else level for level in pd.unique(present)]
    return tuple(sorted(levels, key=lambda level: (type(level).__name__, level)))


KINDS = {"category": Category}
