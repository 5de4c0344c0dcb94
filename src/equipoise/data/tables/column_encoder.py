"""One column of a table as entries of an encoded row: a one-hot block, a continuous block, or both.

Few values (categories, truth values, up to 30 whole numbers, dates or amounts) are a one-hot block. Other numbers are
a continuous block, standard normal by their quantiles. Where single values hold more than 3 % of the rows (a zero in
nine rows of ten), or values are missing, a one-hot block stands before it: "a number", then each such value, then
"missing". A constant column takes no entries. Of more than 200 categories the rarest share one entry; decoding
draws one of them by its frequency.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from equipoise.data.tables.cells import cells_of
from equipoise.data.tables.column_type import ColumnType
from equipoise.data.tables.quantile_transform import QuantileMap, fit_quantiles, row_jitter
from equipoise.data.tables.schema import infer_type, type_from_state
from equipoise.spaces import Block

# Up to this many values of a number are a one-hot block, if each has this many rows on average.
MOST_ONE_HOT = 30
ROWS_PER_ENTRY = 5
POINT_MASS_SHARE = 0.03
FEWEST_IN_POINT_MASS = 10
MOST_POINT_MASSES = 20
MOST_LEVELS = 200


@dataclass(frozen=True)
class ColumnEncoder:
    """How one column is encoded, fitted on the training part.

    Attributes:
        type: what the column holds; everything below is in its numeric codes.
        levels: values with an entry of their own in the one-hot block, ascending. Shape `(l,)`.
        level_counts: training rows that have each. Shape `(l,)`.
        pooled: rare categories that share one entry.
        pooled_counts: training rows that have each.
        has_missing: whether the one-hot block ends with an entry for a missing value.
        numbers: quantile map of the values without an entry, or `None` if there are none.
    """

    type: ColumnType
    levels: np.ndarray
    level_counts: np.ndarray
    pooled: np.ndarray
    pooled_counts: np.ndarray
    has_missing: bool
    numbers: QuantileMap | None

    @property
    def one_hot_width(self) -> int:
        """Entries of the one-hot block, in the order: a number, the levels, the pooled ones, missing."""
        return (self.numbers is not None) + len(self.levels) + (len(self.pooled) > 0) + self.has_missing

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """What the column looks like in an encoded row."""
        name = str(self.type.name)
        one_hot = (Block("choice", self.one_hot_width, name, scores=self._scores),) if self.one_hot_width > 1 else ()
        continuous = (Block("number", 1, name, cells=cells_of(self.numbers)),) if self.numbers is not None else ()
        return one_hot + continuous

    @property
    def _scores(self) -> tuple[float, ...]:
        """Normal scores of the entries of ordered levels; 0 for a missing value, which has no place among them."""
        has_order = not self.type.is_nominal or getattr(self.type, "is_ordered", False)
        if not has_order or self.numbers is not None or len(self.pooled) or not len(self.levels):
            return ()
        middle = (np.cumsum(self.level_counts) - self.level_counts / 2) / self.level_counts.sum()
        return (*(float(score) for score in ndtri(middle)), *([0.0] if self.has_missing else []))

    @property
    def width(self) -> int:
        return sum(block.width for block in self.blocks)

    def encode(self, column: pd.Series, *, position: int, offset: int = 0) -> np.ndarray:
        """Float32 `(n, width)`; `position` is the column's place in the table, `offset` the first row's in its part.

        A category that training did not have becomes the pooled entry, or else the most frequent one.
        """
        codes, missing = self.type.to_numeric(column)
        entry = np.full(len(codes), self._fallback)
        first = int(self.numbers is not None)
        if len(self.levels):
            place = np.clip(np.searchsorted(self.levels, codes), 0, len(self.levels) - 1)
            found = self.levels[place] == codes
            entry[found] = first + place[found]
        if self.has_missing:
            entry[missing] = self.one_hot_width - 1
        result = np.zeros((len(codes), self.width), dtype=np.float32)
        if self.one_hot_width > 1:
            result[np.arange(len(codes)), entry] = 1
        if self.numbers is not None:
            is_number = (entry == 0) & ~missing
            jitter = row_jitter(len(codes), column=position, offset=offset)[is_number]
            result[is_number, -1] = self.numbers.encode(codes[is_number], jitter)
        return result

    def decode(
        self, encoded: np.ndarray, *, position: int, offset: int = 0, allowed: np.ndarray | None = None
    ) -> pd.Series:
        """The column in its own type; each row's entry is the largest of its one-hot block.

        Args:
            encoded: `(n, width)`.
            position: the column's place in the table.
            offset: the first row's in its part.
            allowed: which of the pooled categories may be drawn; `None`: any.
        """
        rows = len(encoded)
        entry = (
            encoded[:, : self.one_hot_width].argmax(axis=1)
            if self.one_hot_width > 1
            else np.zeros(rows, dtype=np.int64)
        )
        codes = np.zeros(rows)
        first = int(self.numbers is not None)
        if self.numbers is not None:
            is_number = entry == 0
            codes[is_number] = self.numbers.decode(encoded[is_number, -1])
        is_level = (entry >= first) & (entry < first + len(self.levels))
        codes[is_level] = self.levels[entry[is_level] - first]
        if len(self.pooled):
            is_pooled = entry == first + len(self.levels)
            counts = self.pooled_counts if allowed is None or not allowed.any() else self.pooled_counts * allowed
            shares = np.cumsum(counts) / counts.sum()
            draw = np.searchsorted(shares, row_jitter(rows, column=position, offset=offset)[is_pooled], side="right")
            codes[is_pooled] = self.pooled[np.minimum(draw, len(self.pooled) - 1)]
        missing = (entry == self.one_hot_width - 1) if self.has_missing else np.zeros(rows, dtype=bool)
        return self.type.values(codes, missing)

    def state(self) -> dict[str, Any]:
        """Plain values for `from_state`."""
        return {
            "type": self.type.state(),
            "levels": self.levels.tolist(),
            "level_counts": self.level_counts.tolist(),
            "pooled": self.pooled.tolist(),
            "pooled_counts": self.pooled_counts.tolist(),
            "has_missing": self.has_missing,
            "numbers": None if self.numbers is None else self.numbers.state(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ColumnEncoder:
        """The inverse of `state`."""
        return cls(
            type_from_state(state["type"]),
            np.array(state["levels"], dtype=np.float64),
            np.array(state["level_counts"], dtype=np.int64),
            np.array(state["pooled"], dtype=np.float64),
            np.array(state["pooled_counts"], dtype=np.int64),
            bool(state["has_missing"]),
            None if state["numbers"] is None else QuantileMap.from_state(state["numbers"]),
        )

    @property
    def _fallback(self) -> int:
        """The entry for a value that has none of its own: a number, the pooled one, or the most frequent level."""
        if self.numbers is not None:
            return 0
        if len(self.pooled):
            return len(self.levels)
        return int(self.level_counts.argmax()) if len(self.levels) else 0


def fit_column(column: pd.Series, *, name: str | int, source: str) -> ColumnEncoder:
    """Choose blocks for a column and fit them, as the head of this module says.

    Raises:
        DataError: the column holds values that cannot be learned.
    """
    kind = infer_type(column, name=name, source=source)
    return fit_numeric(kind, *kind.to_numeric(column))


def fit_numeric(kind: ColumnType, codes: np.ndarray, missing: np.ndarray) -> ColumnEncoder:
    """As `fit_column`, from what `ColumnType.to_numeric` gives."""
    values, counts = np.unique(codes[~missing], return_counts=True)
    pooled, pooled_counts = values[:0], counts[:0]
    numbers = None
    if kind.is_nominal:
        if len(values) > MOST_LEVELS:
            # Stable: of equally frequent categories the first in their order stays.
            frequent = np.sort(np.argsort(-counts, kind="stable")[: MOST_LEVELS - 1])
            is_frequent = np.isin(np.arange(len(values)), frequent)
            pooled, pooled_counts = values[~is_frequent], counts[~is_frequent]
            values, counts = values[is_frequent], counts[is_frequent]
    elif len(values) > MOST_ONE_HOT or len(values) > max(2, len(codes) // ROWS_PER_ENTRY):
        is_mass = counts >= max(FEWEST_IN_POINT_MASS, POINT_MASS_SHARE * len(codes))
        is_mass[np.argsort(-counts, kind="stable")[MOST_POINT_MASSES:]] = False
        numbers = fit_quantiles(values[~is_mass], counts[~is_mass])
        values, counts = values[is_mass], counts[is_mass]
    return ColumnEncoder(kind, values, counts, pooled, pooled_counts, bool(missing.any()), numbers)
