"""What the referee asks of a domain: samples prepared for classifiers, corruptions of them, and how differences are
shown.

Each domain answers in a file of its own: `points/judging.py`, `images/judging.py` and `tables/judging.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd

from equipoise.errors import DataError

JUDGING = "judging real against generated"
"""What was being done, in messages on data that cannot be judged."""
STANDARD_LIMIT = 8.0
"""Standardised numbers are clipped here: beyond it an outlier would rule a quadratic; trees read numbers unclipped."""
POSITION_DIGITS = 9
"""Positions are rounded to so many digits. The last bits of a matrix product depend on how many rows are multiplied at
once, and so on the side that a sample is on: where many rows are equal, trees learned that trace of the label."""

Values = np.ndarray | pd.DataFrame
"""Samples as people have them: points float64 `(n, d)`, images uint8 `(n, c, h, w)`, a table as a DataFrame."""


@dataclass(frozen=True)
class Rows:
    """One set of samples, prepared for classifiers.

    Attributes:
        numbers: standardised real numbers without gaps. Shape `(n, numbers)`.
        mixed: what trees read: numbers in their own units with NaN where a value is missing, and category codes.
            Shape `(n, columns)`.
        is_category: for each column of `mixed`, whether it holds codes.
        names: for each column of `mixed`, what a person calls it.
        levels: for each column of `mixed`, the level that each code stands for; empty for numbers.
        positions: where distances between samples are taken. Shape `(n, axes)`.
        images: pixels in [0, 1], float32, or `None`. Shape `(n, channels, height, width)`.
        exact: a number per column that is equal for equal values and for no others, or `None`. Shape `(n, columns)`.
    """

    numbers: np.ndarray
    mixed: np.ndarray
    is_category: tuple[bool, ...]
    names: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    positions: np.ndarray
    images: np.ndarray | None = None
    exact: np.ndarray | None = None
    _kept: dict[int, tuple[object, Any]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _lock: Any = field(default_factory=threading.RLock, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.numbers)

    def once(self, what: object, compute: Callable[[], Any]) -> Any:
        """What `compute` returns, kept with these rows: classifiers that ask for the same `what` compute it once."""
        with self._lock:
            if id(what) not in self._kept:
                self._kept[id(what)] = what, compute()  # `what` is kept too, so that its number stays its own
            return self._kept[id(what)][1]


Preparation = Callable[[Values], Rows]
Corruption = Callable[[Values, float, np.random.Generator, np.random.Generator], Values]
"""From real samples, the share to corrupt, a stream that draws the rows and one that draws the target, to as many
samples, or fewer when some are taken away."""


class Judging(Protocol):
    """What differs from domain to domain when samples are judged.

    Attributes:
        columns_name: what the columns of `Rows.mixed` are, in the plural.
        quick_classifiers: the cheaper classifiers: one for the broad shape and one or two for detail.
        many_samples: of both sides together, from which on fitting every classifier often costs more than it gains.
        sensitivity_cost: a quick measurement of the sensitivity takes about so many times as long as one verdict.
        compared_as: what the numbers are that metrics compare.
        one_column_corruptions: corruptions whose target is one column of many, some of which are far easier to see.
    """

    columns_name: str
    quick_classifiers: tuple[str, ...]
    many_samples: int
    sensitivity_cost: int
    one_column_corruptions: frozenset[str]
    compared_as: str

    def checked_sides(self, real: Any, fake: Any) -> tuple[Values, Values]:
        """Both sides in one form: the same columns in the same order, or the same shape.

        Raises:
            DataError: they cannot be compared; every differing column, type or size is listed.
        """

    def columns(self, values: Values) -> pd.DataFrame | None:
        """The columns that are compared one by one before anything is trained; `None` where samples have none."""

    def row_keys(self, values: Values) -> np.ndarray:
        """One number per sample, equal for equal samples (64-bit hashes). Shape `(n,)`, uint64."""

    def measured(self, values: Values) -> Any:
        """The samples with what is computed of each alone, once for all preparations that read it; `take` cuts it."""

    def preparation(self, real: Any, fake: Any) -> Preparation:
        """A function from samples to `Rows`, fitted on these two sets: both sides' training parts, as they are or
        `measured`, and so for the samples that the function is given."""

    def compared(self, real: Values, fake: Values) -> tuple[np.ndarray, np.ndarray]:
        """Both sides as the numbers that metrics compare, float64 `(n, numbers)`."""

    def corruptions(self, values: Values) -> Mapping[str, Corruption]:
        """The kinds of defect that such data can have, by the name that a verdict uses."""

    def independent(self, values: Values, stream: np.random.Generator) -> Values:
        """The same values with every dependence gone."""

    def described(self, values: Values, place: int) -> dict[str, object]:
        """The values of one sample, where they fit in a line."""

    def draw_differences(
        self,
        scored: tuple[Values, Values],
        scores: tuple[np.ndarray, np.ndarray],
        findings: Sequence[Mapping[str, Any]],
    ) -> Callable[[Any], None] | None:
        """What draws where the sides differ into a part of a matplotlib figure; `None` where there is nothing to show.

        Args:
            scored: test samples of the real and of the generated side.
            scores: the classifier's logits of them.
            findings: of the verdict, as in its JSON.
        """


def take(values: Values, indices: np.ndarray) -> Values:
    """The samples at `indices`, in that order."""
    return values.iloc[indices] if isinstance(values, pd.DataFrame) else values[indices]


def concatenated(first: Values, second: Values) -> Values:
    """Both sets of samples, one after the other."""
    if isinstance(first, pd.DataFrame):
        return pd.concat([first, second], ignore_index=True)
    return np.concatenate([first, second])


def array_keys(values: np.ndarray) -> np.ndarray:
    """`Judging.row_keys` of points or images."""
    flat = np.ascontiguousarray(values.reshape(len(values), -1))
    if flat.dtype == np.float64:
        flat = flat + 0.0  # -0.0 and 0.0 are one value with two bit patterns
    return pd.util.hash_array(np.array([row.tobytes() for row in flat], dtype=object))


def refuse_other_shape(real: np.ndarray, fake: np.ndarray, *, axes: str, remedy: str) -> None:
    """Refuse arrays whose samples differ in shape.

    Raises:
        DataError: they do.
    """
    if real.shape[1:] != fake.shape[1:]:
        raise DataError(
            JUDGING,
            f"real samples have shape {real.shape[1:]} and generated ones {fake.shape[1:]} ({axes}).",
            "Expected the same shape on both sides.",
            remedy,
        )
