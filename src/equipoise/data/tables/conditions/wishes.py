"""What a condition asks of the columns that a generator learns, and of the entries of an encoded row.

A condition speaks of the columns of the table. Where rules write the table anew, what is asked of a column that is made
again (looked up, or part of a fixed combination) becomes what is asked of the column that it is made from. The result
allows every row that obeys, and may allow others: what it cannot express is left to the check of the finished rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.data.tables.column_encoder import ColumnEncoder
from equipoise.data.tables.column_type import ColumnType
from equipoise.data.tables.conditions.condition import Condition, Name
from equipoise.data.tables.conditions.value_sets import Interval

HALVINGS = 60
"""Of the distance between two normal numbers: 1e-17 of it is left."""
BEYOND = 9.0
"""A normal number that none of a column's values lies beyond."""


@dataclass(frozen=True)
class Wish:
    """The values that one column may have.

    Attributes:
        measure: from numeric codes of the column to the scale that `intervals` are on; it never falls.
        intervals: closed, of that scale.
        has_missing: whether a missing value is allowed.
    """

    measure: Callable[[np.ndarray], np.ndarray]
    intervals: tuple[Interval, ...]
    has_missing: bool

    def allows(self, codes: np.ndarray) -> np.ndarray:
        """Which numeric codes are allowed; NaN stands for a missing value. Boolean `(n,)`."""
        missing = np.isnan(codes)
        found = np.zeros(len(codes), dtype=bool)
        if len(codes) and not missing.all():
            values = self.measure(np.where(missing, codes[~missing][0], codes))
            for low, high in self.intervals:
                found |= (values >= low) & (values <= high)
        return np.where(missing, self.has_missing, found)


@dataclass(frozen=True)
class AllowedEntries:
    """What is asked of encoded rows.

    Attributes:
        blocks: by the first entry of a block: of a one-hot block, of each entry the share of its rows that is allowed,
            `(width,)`, which is 0 or 1 but where rare categories share one; of a continuous block, closed stretches
            of its numbers, ascending, `(k, 2)`.
        pooled: by a column's place, which of the rare categories that share an entry. Boolean `(pooled,)`.
        empty: names of columns that have no allowed value.
    """

    blocks: Mapping[int, np.ndarray]
    pooled: Mapping[int, np.ndarray]
    empty: tuple[Name, ...]


IS_THERE = Wish(lambda codes: codes, ((-math.inf, math.inf),), False)
"""The wish for any value but a missing one."""


def wishes_of(condition: Condition) -> dict[Name, list[Wish]]:
    """What a condition asks of single columns of the table; choices between several columns ask nothing of one."""
    return {
        name: [Wish(condition.scales[name].at, values.intervals, values.has_missing)]
        for name, values in condition.sets.items()
    }


def among_codes(codes: np.ndarray, *, has_missing: bool) -> Wish:
    """The wish for some of the numeric codes of a column of names."""
    return Wish(lambda found: found, tuple((code, code) for code in codes.tolist()), has_missing)


def as_measured(kind: ColumnType) -> Callable[[np.ndarray], np.ndarray]:
    """Numeric codes as they are once the column has been written and read again: on its lattice."""

    def measured(codes: np.ndarray) -> np.ndarray:
        return kind.to_numeric(kind.values(codes, np.zeros(len(codes), dtype=bool)))[0]

    return measured


def allowed_entries(columns: Sequence[ColumnEncoder], wishes: Mapping[Name, Sequence[Wish]]) -> AllowedEntries:
    """The entries of encoded rows that wishes leave.

    Args:
        columns: that the generator learns.
        wishes: for some of them, what is asked; all of it has to hold.
    """
    blocks: dict[int, np.ndarray] = {}
    pooled: dict[int, np.ndarray] = {}
    empty: list[Name] = []
    start = 0
    for place, column in enumerate(columns):
        asked = wishes.get(column.type.name, ())
        if asked:
            levels, rare = _all_allow(asked, column.levels), _all_allow(asked, column.pooled)
            entries = [*levels.astype(np.float64)]
            entries += [(column.pooled_counts * rare).sum() / column.pooled_counts.sum()] if len(rare) else []
            entries += [float(all(wish.has_missing for wish in asked))] if column.has_missing else []
            if len(rare):
                pooled[place] = rare
            if column.numbers is not None:
                stretches = stretches_of(column, asked)
                entries = [float(len(stretches) > 0), *entries]
                blocks[start + (column.one_hot_width if column.one_hot_width > 1 else 0)] = stretches
            if column.one_hot_width > 1:
                blocks[start] = np.array(entries)
            if not any(entries):
                empty.append(column.type.name)
        start += column.width
    return AllowedEntries(blocks, pooled, tuple(empty))


def stretches_of(column: ColumnEncoder, asked: Sequence[Wish]) -> np.ndarray:
    """The stretches of a column's normal numbers whose values are allowed. Shape `(k, 2)`."""
    found = np.array([[-np.inf, np.inf]])
    for wish in asked:
        low, high = (np.array([pair[side] for pair in wish.intervals], dtype=object) for side in (0, 1))

        def measure(numbers: np.ndarray, wish: Wish = wish) -> np.ndarray:
            return wish.measure(column.numbers.decode(numbers))

        own = np.column_stack([_first(measure, low), -_first(lambda z: measure(-z), high, falls=True)])
        found = _both(found, own[own[:, 0] <= own[:, 1]])
    return found


def _first(measure: Callable[[np.ndarray], np.ndarray], bounds: np.ndarray, *, falls: bool = False) -> np.ndarray:
    """The smallest normal numbers whose value is at least each bound, or at most; infinite at the ends. Shape `(k,)`.

    By halving: a value is made of a number in several steps of rounding, which have no inverse but never fall.
    """
    if not len(bounds):
        return np.zeros(0)

    def reaches(numbers: np.ndarray) -> np.ndarray:
        values = measure(numbers)
        return np.array(values <= bounds if falls else values >= bounds, dtype=bool)

    low, high = np.full(len(bounds), -BEYOND), np.full(len(bounds), BEYOND)
    at_once, ever = reaches(low), reaches(high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        is_there = reaches(middle)
        low, high = np.where(is_there, low, middle), np.where(is_there, middle, high)
    return np.where(at_once, -np.inf, np.where(ever, high, np.inf))


def _both(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Stretches that are in both."""
    pairs = [(max(a, c), min(b, d)) for a, b in first.tolist() for c, d in second.tolist()]
    return np.array(sorted(pair for pair in pairs if pair[0] <= pair[1]), dtype=np.float64).reshape(-1, 2)


def _all_allow(asked: Sequence[Wish], codes: np.ndarray) -> np.ndarray:
    found = np.ones(len(codes), dtype=bool)
    for wish in asked:
        found &= wish.allows(codes)
    return found
