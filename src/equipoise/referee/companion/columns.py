"""Columns as the companion reads them: numbers with their gaps, or levels, and how a value of them is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from equipoise.data.judging import Rows
from equipoise.plotting.number_text import number, shortened
from equipoise.referee.companion.statistics import normal_scores

Unit = Literal["number", "date", "duration", "levels"]
_MOST_LEVELS = 30
"""Commonest levels that directions and distances know."""
_WIDEST = 6.0
"""Standardised values are cut here: an outlier further out would rule the mean of them all."""
_PARTS = 4
_LONGEST = 60
"""Characters of a name or a level in a sentence."""
_LONG = 5 * 86_400.0
"""Of a column of dates that spans more seconds than this, the time of day is not said."""
_SPANS = ((86_400.0, "days"), (3_600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))


@dataclass(frozen=True)
class Column:
    """One column of all samples together.

    Attributes:
        name: as a person knows it.
        title: its name in a sentence.
        unit: what its values are; dates and durations are in seconds.
        values: numbers with NaN for gaps, or codes of levels. Shape `(n,)`, float64.
        levels: what each code stands for; empty for numbers.
        scores: normal scores of numbers; zeros for levels. Shape `(n,)`.
    """

    name: str
    title: str
    unit: Unit
    values: np.ndarray
    levels: tuple[str, ...]
    scores: np.ndarray

    @property
    def is_numeric(self) -> bool:
        """Whether its values have an order and a mean."""
        return self.unit != "levels"

    def level(self, code: int) -> str:
        """A level in quotation marks, as much of it as fits in a sentence."""
        return f"'{shortened(' '.join(self.levels[code].split()), _LONGEST)}'"

    def text(self, value: float) -> str:
        """A value of this column, as a person reads it."""
        if self.unit == "date":
            moment = pd.Timestamp(value, unit="s").round("s")
            spans_days = np.nanmax(self.values) - np.nanmin(self.values) > _LONG
            return str(moment.date() if spans_days else moment)
        return self.text_of_difference(value)

    def text_of_difference(self, difference: float) -> str:
        """A difference of two values."""
        if self.unit == "number":
            return number(difference, 3)
        size, word = next((span for span in _SPANS if abs(difference) >= span[0]), _SPANS[-1])
        return f"{number(difference / size, 3)} {word}"


def columns_of(rows: Rows, frame: pd.DataFrame | None) -> tuple[Column, ...]:
    """The columns of prepared samples; those without any value are left out.

    Args:
        rows: all samples, prepared.
        frame: the same samples column by column, if they have columns; it says which hold dates.
    """
    units = {} if frame is None else {str(name): _unit_of(frame[name]) for name in frame.columns}
    found = []
    for place, name in enumerate(rows.names):
        values = rows.mixed[:, place]
        is_levels = rows.is_category[place]
        # What a preparation adds, such as whether a value is whole, is a step of a lattice here.
        if (frame is None or str(name) in units) and (is_levels or np.isfinite(values).any()):
            scores = np.zeros(len(values)) if is_levels else normal_scores(values)
            unit: Unit = "levels" if is_levels else units.get(str(name), "number")
            title = f"`{shortened(str(name), _LONGEST)}`" if frame is not None else _title_of_statistic(str(name))
            found.append(Column(str(name), title, unit, values, tuple(rows.levels[place]), scores))
    return (*found, *(() if rows.images is None else _parts_of(rows.images)))


def _title_of_statistic(name: str) -> str:
    """What a statistic of images is called in a sentence."""
    word, _, number_of = name.partition(" ")
    return f"main direction {number_of} of the pixels" if word == "direction" else f"the images' {name}"


def _parts_of(images: np.ndarray) -> list[Column]:
    """The brightness of each of 4 x 4 parts of an image, or of fewer where it has fewer pixels."""
    grey = images.mean(axis=1)
    bands = [np.array_split(np.arange(size), min(_PARTS, size)) for size in grey.shape[1:]]
    found = []
    for row, rows in enumerate(bands[0], start=1):
        for place, columns in enumerate(bands[1], start=1):
            values = grey[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].mean(axis=(1, 2), dtype=np.float64)
            name = f"brightness in part {row}, {place}"
            title = (
                f"the brightness in part {row}, {place} of {len(bands[0])} x {len(bands[1])} (from above, from left)"
            )
            found.append(Column(name, title, "number", values, (), normal_scores(values)))
    return found


def numbers_of(columns: Sequence[Column]) -> np.ndarray:
    """Standardised numbers, levels as columns of 0 and 1, and whether a number is missing. Float32 `(n, numbers)`."""
    found: list[np.ndarray] = []
    for column in columns:
        if column.is_numeric:
            found.append(cut(column.values))
            is_gap = ~np.isfinite(column.values)
            found += [is_gap.astype(np.float64)] if is_gap.any() else []
        else:
            shown = min(len(column.levels), _MOST_LEVELS)
            found += list((column.values == np.arange(shown)[:, None]).astype(np.float64))
    return np.stack(found, axis=1).astype(np.float32)


def cut(values: np.ndarray) -> np.ndarray:
    """Standardised values within +-6 deviations; gaps get 0. Shape `(n,)`."""
    finite = np.isfinite(values)
    inside = values[finite]
    deviation = inside.std() or 1.0
    result = np.zeros(len(values))
    result[finite] = np.clip((inside - inside.mean()) / deviation, -_WIDEST, _WIDEST)
    return result


def numeric(columns: Sequence[Column]) -> list[Column]:
    """Those of numbers, dates and durations."""
    return [column for column in columns if column.is_numeric]


def _unit_of(column: pd.Series) -> Unit:
    if pd.api.types.is_datetime64_any_dtype(column):
        return "date"
    return "duration" if pd.api.types.is_timedelta64_dtype(column) else "number"
