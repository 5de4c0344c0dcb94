"""What travels through the referee: rows as discriminators see them, members, findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from equipoise.spaces import SpaceKind

Values = np.ndarray | pd.DataFrame
"""Samples as people have them: points float64 `(n, d)`, images uint8 `(n, c, h, w)`, a table as a DataFrame."""


@dataclass(frozen=True)
class Rows:
    """One set of samples, prepared for discriminators.

    Attributes:
        numbers: standardised real numbers without gaps. Shape `(n, numbers)`.
        mixed: what trees read: numbers in their own units with NaN where a value is missing, and category codes.
            Shape `(n, columns)`.
        is_category: for each column of `mixed`, whether it holds codes.
        names: for each column of `mixed`, what a person calls it.
        images: pixels in [0, 1], float32, or `None`. Shape `(n, channels, height, width)`.
    """

    numbers: np.ndarray
    mixed: np.ndarray
    is_category: tuple[bool, ...]
    names: tuple[str, ...]
    images: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, indices: np.ndarray) -> Rows:
        """The rows at `indices`, in that order."""
        images = None if self.images is None else self.images[indices]
        return Rows(self.numbers[indices], self.mixed[indices], self.is_category, self.names, images)


Scorer = Callable[[Rows], np.ndarray]
"""A fitted discriminator: rows to logits of being real at even odds, `(n, candidates)`; one column per setting."""


@dataclass(frozen=True)
class Member:
    """A kind of fresh discriminator.

    Attributes:
        name: as a person reads it in a verdict.
        kinds: the kinds of data that it is used for.
        fit: `fit(real, fake, seed)` returns a `Scorer`; both sides weigh the same whatever their counts.
        sees: the differences it is there for, in words.
    """

    name: str
    kinds: frozenset[SpaceKind]
    fit: Callable[[Rows, Rows, int], Scorer]
    sees: str


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: the check's name.
        statement: one sentence in plain words.
        is_problem: whether it speaks against the generator, or against the comparison itself.
        numbers: the figures behind the statement, by name with unit.
        rows: a small table behind it; one mapping per row.
    """

    check: str
    statement: str
    is_problem: bool = False
    numbers: Mapping[str, float] = field(default_factory=dict)
    rows: tuple[Mapping[str, object], ...] = ()


def take(values: Values, indices: np.ndarray) -> Values:
    """The samples at `indices`, in that order."""
    return values.iloc[indices] if isinstance(values, pd.DataFrame) else values[indices]


def joined(first: Values, second: Values) -> Values:
    """Both sets of samples, one after the other."""
    if isinstance(first, pd.DataFrame):
        return pd.concat([first, second], ignore_index=True)
    return np.concatenate([first, second])
