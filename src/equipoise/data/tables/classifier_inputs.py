"""What classifiers read of a table: each column as numbers, as it is, as positions that distances are taken between,
and value by value.

Scales come from the side that varies less, so that a wild value of the other stays wild instead of squeezing the rest;
levels of a category come from both sides. Nothing is learned from the rows that are scored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from equipoise.data.judging import POSITION_DIGITS, STANDARD_LIMIT, Rows
from equipoise.data.tables.lattices import Trait, telling_traits, values_of
from equipoise.data.tables.times import as_spans, is_times

MAX_LEVELS = 200
"""Commonest levels of a category that keep a code of their own; scikit-learn's trees take at most 255."""
MOST_DISTANCE_AXES = 12
"""Distances are taken along at most so many axes: in more, all samples are about equally far from each other."""
_ONE_HOT_LEVELS = 30
"""Commonest levels that linear classifiers see as columns."""
_GAP = np.finfo(np.float64).max
"""Stands for a missing value where values are compared to the last digit."""


@dataclass(frozen=True)
class NumberColumn:
    """A column of amounts.

    Attributes:
        values: float64, NaN where missing; dates in seconds since 1970, times of day since midnight. Shape `(n,)`.
        is_date: whether they are dates.
        is_time: whether they are times of day.
    """

    values: np.ndarray
    is_date: bool
    is_time: bool = False

    def __getitem__(self, places: np.ndarray | slice) -> NumberColumn:
        return replace(self, values=self.values[places])


@dataclass(frozen=True)
class LevelColumn:
    """A column of levels: the number of each row's level in `levels`.

    Attributes:
        codes: int64. Shape `(n,)`.
        levels: text of each level that the whole side has.
        hashes: a number that stands for each level on either side, float64.
    """

    codes: np.ndarray
    levels: tuple[str, ...]
    hashes: np.ndarray

    def __getitem__(self, places: np.ndarray | slice) -> LevelColumn:
        return LevelColumn(self.codes[places], self.levels, self.hashes)

    @property
    def values(self) -> np.ndarray:
        """What a column of amounts without any reads as: beside one on the other side, all of this side is missing."""
        return np.full(len(self.codes), np.nan)

    @property
    def counts(self) -> dict[str, int]:
        """How often each level is met in these rows; those that are not are left out."""
        counts = np.bincount(self.codes, minlength=len(self.levels))
        return {level: int(count) for level, count in zip(self.levels, counts, strict=True) if count}


@dataclass(frozen=True)
class MeasuredTable:
    """A table as arrays, read from its frame once; an index or a slice gives some of its rows.

    Attributes:
        columns: by name.
        count: rows.
    """

    columns: dict[str, NumberColumn | LevelColumn]
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, places: np.ndarray | slice) -> MeasuredTable:
        count = len(range(self.count)[places]) if isinstance(places, slice) else len(places)
        return MeasuredTable({name: column[places] for name, column in self.columns.items()}, count)


def measured(frame: pd.DataFrame | MeasuredTable) -> MeasuredTable:
    """The columns of a frame as arrays."""
    if isinstance(frame, MeasuredTable):
        return frame
    return MeasuredTable({name: _column_of(frame[name]) for name in frame.columns}, len(frame))


def measured_points(points: np.ndarray | MeasuredTable) -> MeasuredTable:
    """The coordinates of points as columns x0, x1, and so on."""
    if isinstance(points, MeasuredTable):
        return points
    columns: dict[str, NumberColumn | LevelColumn] = {
        f"x{axis}": NumberColumn(np.ascontiguousarray(column), False) for axis, column in enumerate(points.T)
    }
    return MeasuredTable(columns, len(points))


def table_preparation(
    real: pd.DataFrame | MeasuredTable, fake: pd.DataFrame | MeasuredTable
) -> Callable[[pd.DataFrame | MeasuredTable], Rows]:
    """A function from a table to rows, fitted on these two sets."""
    sides = [measured(real), measured(fake)]
    plans = [_column_plan(name, *(side.columns[name] for side in sides)) for name in sides[0].columns]
    fitted = [_side_by_side([plan.base(side.columns[plan.name]) for plan in plans], len(side)) for side in sides]
    directions = _directions_for_distances(np.concatenate(fitted))
    mixed_columns = [column for plan in plans for column in plan.mixed_columns]

    def prepare(frame: pd.DataFrame | MeasuredTable) -> Rows:
        table = measured(frame)
        base = _side_by_side([plan.base(table.columns[plan.name]) for plan in plans], len(table))
        more = [plan.more(table.columns[plan.name]) for plan in plans]
        return Rows(
            numbers=_side_by_side([base, *(numbers for numbers, _ in more)], len(table)),
            positions=np.round(base @ directions, POSITION_DIGITS),
            mixed=_side_by_side([mixed for _, mixed in more], len(table)),
            is_category=tuple(levels is not None for _, levels in mixed_columns),
            names=tuple(name for name, _ in mixed_columns),
            levels=tuple(levels or () for _, levels in mixed_columns),
            exact=_side_by_side([plan.exact(table.columns[plan.name])[:, None] for plan in plans], len(table)),
        )

    return prepare


@dataclass(frozen=True)
class NumberPlan:
    """A column of numbers: standardised for linear classifiers, as it is for trees, its gaps and fractions marked.

    Attributes:
        name: of the column.
        centre: mean of the side that varies less.
        scale: its standard deviation (of the other, if it is constant).
        marks_gaps: whether some value was missing or infinite.
        marks_fractions: whether whole numbers and fractions both occur: an age of 37.2 years betrays a generator.
        traits: of single values, in which the sides differ.
    """

    name: str
    centre: float
    scale: float
    marks_gaps: bool
    marks_fractions: bool
    traits: tuple[Trait, ...]

    @property
    def mixed_columns(self) -> tuple[tuple[str, None], ...]:
        """Name of each column for trees, and `None` for its levels: it has none."""
        own = ((self.name, None), (f"{self.name} (is whole)", None))[: 1 + self.marks_fractions]
        return (*own, *((f"{self.name} ({trait.name})", None) for trait in self.traits))

    def exact(self, column: NumberColumn | LevelColumn) -> np.ndarray:
        """The values, with a number for those that are missing."""
        return np.where(np.isnan(column.values), _GAP, column.values + 0.0)

    def base(self, column: NumberColumn | LevelColumn) -> np.ndarray:
        """Columns for linear classifiers, which distances are taken in, too."""
        is_gap = ~np.isfinite(column.values)
        standard = np.where(is_gap, 0.0, (np.where(is_gap, 0.0, column.values) - self.centre) / self.scale)
        numbers = [np.clip(standard, -STANDARD_LIMIT, STANDARD_LIMIT)]
        if self.marks_gaps:
            numbers.append(is_gap.astype(np.float64))
        if self.marks_fractions:
            numbers.append(_is_whole(column.values))
        return np.stack(numbers, axis=1)

    def more(self, column: NumberColumn | LevelColumn) -> tuple[np.ndarray, np.ndarray]:
        """Further columns for linear classifiers, and all columns for trees."""
        traits = values_of(self.traits, column.values)
        mixed = [np.where(np.isfinite(column.values), column.values, np.nan)]
        if self.marks_fractions:
            mixed.append(_is_whole(column.values))
        return traits, np.concatenate([np.stack(mixed, axis=1), traits], axis=1)


@dataclass(frozen=True)
class CategoryPlan:
    """A column of levels: one-hot for linear classifiers, codes for trees; rarer levels share the code after the last.

    Attributes:
        name: of the column.
        codes: code of each common level, commonest first.
    """

    name: str
    codes: dict[str, int]

    @property
    def mixed_columns(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Name and levels of the one column for trees."""
        return ((self.name, (*self.codes, "(any other)")),)

    def exact(self, column: LevelColumn) -> np.ndarray:
        """The number that stands for each row's level."""
        return column.hashes[column.codes]

    def base(self, column: LevelColumn) -> np.ndarray:
        """Columns for linear classifiers, which distances are taken in, too."""
        shown = min(len(self.codes) + 1, _ONE_HOT_LEVELS)
        return (self._codes_of(column)[:, None] == np.arange(shown)).astype(np.float64)

    def more(self, column: LevelColumn) -> tuple[np.ndarray, np.ndarray]:
        """Further columns for linear classifiers (there are none), and the one for trees."""
        return np.zeros((len(column.codes), 0)), self._codes_of(column)[:, None]

    def _codes_of(self, column: LevelColumn) -> np.ndarray:
        known = np.array([self.codes.get(level, len(self.codes)) for level in column.levels], dtype=np.float64)
        return known[column.codes] if len(known) else np.zeros(0)


def is_number_column(column: pd.Series) -> bool:
    """Whether a column holds amounts (numbers, dates, durations) and not levels; booleans are levels."""
    if pd.api.types.is_bool_dtype(column):
        return False
    types = pd.api.types
    return types.is_numeric_dtype(column) or types.is_datetime64_any_dtype(column) or types.is_timedelta64_dtype(column)


def as_numbers(column: pd.Series) -> np.ndarray:
    """A column of amounts as float64 with NaN for gaps; dates become seconds since 1970."""
    if pd.api.types.is_datetime64_any_dtype(column):
        naive = column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz is not None else column
        return ((naive - pd.Timestamp(0)) / pd.Timedelta(seconds=1)).to_numpy(np.float64)
    if pd.api.types.is_timedelta64_dtype(column):
        return (column / pd.Timedelta(seconds=1)).to_numpy(np.float64)
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def as_levels(column: pd.Series) -> pd.Series:
    """A column of levels as text; a gap is the level '(missing)'."""
    if pd.api.types.infer_dtype(column, skipna=True) == "string":
        # Texts that are equal are one object from here on; other kinds of values may be equal without reading alike.
        codes, found = pd.factorize(column)
        return pd.Series(np.array([*map(str, found), "(missing)"], dtype=object)[codes], column.index, name=column.name)
    return column.astype(object).where(column.notna(), "(missing)").map(str)


def _column_of(column: pd.Series) -> NumberColumn | LevelColumn:
    is_time = is_times(column)
    column = as_spans(column) if is_time else column
    if is_number_column(column):
        return NumberColumn(as_numbers(column), bool(pd.api.types.is_datetime64_any_dtype(column)), is_time)
    codes, levels = pd.factorize(as_levels(column).to_numpy(dtype=object))
    hashes = pd.util.hash_array(np.asarray(levels, dtype=object)) if len(levels) else np.zeros(0, np.uint64)
    # 53 bits are whole numbers in float64.
    return LevelColumn(codes.astype(np.int64), tuple(map(str, levels)), (hashes >> np.uint64(11)).astype(np.float64))


_UNLIKE = STANDARD_LIMIT / 4
"""One side's deviation over the other's beyond which the narrower one is no scale for both: the wider side would be cut
off within 4 of its own deviations. Then the distance of the quartiles is taken, which far outliers do not stretch."""
_NORMAL_QUARTILES = 1.349
"""How far the quartiles of a normal law of deviation 1 lie apart."""


def _column_plan(
    name: str, real: NumberColumn | LevelColumn, fake: NumberColumn | LevelColumn
) -> NumberPlan | CategoryPlan:
    if isinstance(real, LevelColumn) and isinstance(fake, LevelColumn):
        counts: dict[str, int] = {}
        for side in (real, fake):
            for level, count in side.counts.items():
                counts[level] = counts.get(level, 0) + count
        levels = sorted(counts, key=lambda level: (-counts[level], level))[:MAX_LEVELS]
        return CategoryPlan(name, {level: code for code, level in enumerate(levels)})
    sides = [real.values, fake.values]
    finite = [side[np.isfinite(side)] for side in sides]
    spreads = [side.std() if len(side) else 0.0 for side in finite]
    # A constant side gives no scale, and an empty one no centre.
    widths = [spread if spread > 0 else np.inf for spread in spreads]
    narrow = finite[int(np.argmin(widths))] if np.isfinite(min(widths)) else max(finite, key=len)
    scale = next((part.std() for part in (narrow, np.concatenate(finite)) if len(part) and part.std() > 0), 1.0)
    if np.isfinite(max(widths)) and max(widths) > _UNLIKE * min(widths):
        scale = max(scale, *(np.subtract(*np.quantile(side, (0.75, 0.25))) / _NORMAL_QUARTILES for side in finite))
    is_whole = [np.floor(side) == side for side in finite]
    marks_fractions = any(part.any() for part in is_whole) and not all(part.all() for part in is_whole)
    is_date = any(isinstance(side, NumberColumn) and side.is_date for side in (real, fake))
    traits = telling_traits(*sides, is_date=is_date)
    return NumberPlan(
        name=name,
        centre=float(narrow.mean()) if len(narrow) else 0.0,
        scale=float(scale),
        marks_gaps=any(len(part) < len(side) for part, side in zip(finite, sides, strict=True)),
        marks_fractions=marks_fractions,
        traits=tuple(trait for trait in traits if not (marks_fractions and trait.step == 1.0)),
    )


def _is_whole(values: np.ndarray) -> np.ndarray:
    known = np.where(np.isfinite(values), values, 0.5)
    return (np.floor(known) == known).astype(np.float64)


def _directions_for_distances(numbers: np.ndarray) -> np.ndarray:
    """The axes themselves where they are few, the main directions where they are many. Shape `(numbers, axes)`."""
    if numbers.shape[1] <= MOST_DISTANCE_AXES:
        return np.eye(numbers.shape[1])
    _, vectors = np.linalg.eigh(np.cov(numbers.T))
    return vectors[:, ::-1][:, :MOST_DISTANCE_AXES]


def _side_by_side(blocks: Sequence[np.ndarray], count: int) -> np.ndarray:
    return np.concatenate(blocks, axis=1) if blocks else np.zeros((count, 0))
