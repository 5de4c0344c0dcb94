"""What classifiers read of a table: each column as numbers, as it is, and as positions that distances are taken
between.

Scales come from the real side, so that a wild generated value stays wild instead of squeezing the rest; levels of
a category come from both sides. Nothing is learned from the test rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from equipoise.data.judging import POSITION_DIGITS, STANDARD_LIMIT, Preparation, Rows

MAX_LEVELS = 200
"""Commonest levels of a category that keep a code of their own; scikit-learn's trees take at most 255."""
MOST_DISTANCE_AXES = 12
"""Distances are taken along at most so many axes: in more, all samples are about equally far from each other."""
_ONE_HOT_LEVELS = 30
"""Commonest levels that linear classifiers see as columns."""


def table_preparation(real: pd.DataFrame, fake: pd.DataFrame) -> Preparation:
    """A function from a table to rows, fitted on these two sets."""
    columns = [_column_plan(name, real[name], fake[name]) for name in real.columns]
    fitted = [_side_by_side([plan.read(side[plan.name])[0] for plan in columns], len(side)) for side in (real, fake)]
    directions = _directions_for_distances(np.concatenate(fitted))
    mixed_columns = [column for plan in columns for column in plan.mixed_columns]

    def prepare(frame: pd.DataFrame) -> Rows:
        blocks = [plan.read(frame[plan.name]) for plan in columns]
        numbers = _side_by_side([numbers for numbers, _ in blocks], len(frame))
        return Rows(
            numbers=numbers,
            positions=np.round(numbers @ directions, POSITION_DIGITS),
            mixed=_side_by_side([mixed for _, mixed in blocks], len(frame)),
            is_category=tuple(levels is not None for _, levels in mixed_columns),
            names=tuple(name for name, _ in mixed_columns),
            levels=tuple(levels or () for _, levels in mixed_columns),
        )

    return prepare


@dataclass(frozen=True)
class NumberPlan:
    """A column of numbers: standardised for linear classifiers, as it is for trees, its gaps and fractions marked.

    Attributes:
        name: of the column.
        centre: mean of the real side.
        scale: standard deviation of the real side (of both, if the real side is constant).
        marks_gaps: whether some value was missing or infinite.
        marks_fractions: whether whole numbers and fractions both occur: an age of 37.2 years betrays a generator.
    """

    name: str
    centre: float
    scale: float
    marks_gaps: bool
    marks_fractions: bool

    @property
    def mixed_columns(self) -> tuple[tuple[str, None], ...]:
        """Name of each column for trees, and `None` for its levels: it has none."""
        return ((self.name, None), (f"{self.name} (is whole)", None))[: 1 + self.marks_fractions]

    def read(self, column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Columns for linear classifiers and for trees."""
        values = as_numbers(column)
        is_gap = ~np.isfinite(values)
        standard = np.where(is_gap, 0.0, (np.where(is_gap, 0.0, values) - self.centre) / self.scale)
        numbers = [np.clip(standard, -STANDARD_LIMIT, STANDARD_LIMIT)]
        mixed = [np.where(is_gap, np.nan, values)]
        if self.marks_gaps:
            numbers.append(is_gap.astype(np.float64))
        if self.marks_fractions:
            whole = (np.floor(np.where(is_gap, 0.5, values)) == values).astype(np.float64)
            numbers.append(whole)
            mixed.append(whole)
        return np.stack(numbers, axis=1), np.stack(mixed, axis=1)


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

    def read(self, column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Columns for linear classifiers and for trees."""
        codes = as_levels(column).map(self.codes).fillna(len(self.codes)).to_numpy(np.float64)
        shown = min(len(self.codes) + 1, _ONE_HOT_LEVELS)
        return (codes[:, None] == np.arange(shown)).astype(np.float64), codes[:, None]


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
    return column.astype(object).where(column.notna(), "(missing)").map(str)


def _column_plan(name: str, real: pd.Series, fake: pd.Series) -> NumberPlan | CategoryPlan:
    if not is_number_column(real):
        counts = pd.concat([as_levels(real), as_levels(fake)]).value_counts()
        levels = sorted(counts.index, key=lambda level: (-counts[level], level))[:MAX_LEVELS]
        return CategoryPlan(name, {level: code for code, level in enumerate(levels)})
    sides = [as_numbers(side) for side in (real, fake)]
    finite = [side[np.isfinite(side)] for side in sides]
    scale = next((side.std() for side in (finite[0], np.concatenate(finite)) if len(side) and side.std() > 0), 1.0)
    is_whole = [np.floor(side) == side for side in finite]
    return NumberPlan(
        name=name,
        centre=float(finite[0].mean()) if len(finite[0]) else 0.0,
        scale=float(scale),
        marks_gaps=any(len(part) < len(side) for part, side in zip(finite, sides, strict=True)),
        marks_fractions=any(part.any() for part in is_whole) and not all(part.all() for part in is_whole),
    )


def _directions_for_distances(numbers: np.ndarray) -> np.ndarray:
    """The axes themselves where they are few, the main directions where they are many. Shape `(numbers, axes)`."""
    if numbers.shape[1] <= MOST_DISTANCE_AXES:
        return np.eye(numbers.shape[1])
    _, vectors = np.linalg.eigh(np.cov(numbers.T))
    return vectors[:, ::-1][:, :MOST_DISTANCE_AXES]


def _side_by_side(blocks: list[np.ndarray], count: int) -> np.ndarray:
    return np.concatenate(blocks, axis=1) if blocks else np.zeros((count, 0))
