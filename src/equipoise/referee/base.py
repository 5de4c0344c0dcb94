"""What travels through the referee: rows as discriminators see them, members, findings."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

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
        levels: for each column of `mixed`, the level that each code stands for; empty for numbers.
        positions: where distances between samples are taken. Shape `(n, axes)`.
        images: pixels in [0, 1], float32, or `None`. Shape `(n, channels, height, width)`.
    """

    numbers: np.ndarray
    mixed: np.ndarray
    is_category: tuple[bool, ...]
    names: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    positions: np.ndarray
    images: np.ndarray | None = None
    _kept: dict[int, tuple[object, Any]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _keeping: Any = field(default_factory=threading.RLock, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.numbers)

    def once(self, what: object, compute: Callable[[], Any]) -> Any:
        """What `compute` returns, kept with these rows: members that ask for the same `what` compute it once."""
        with self._keeping:
            if id(what) not in self._kept:
                self._kept[id(what)] = what, compute()  # `what` is kept too, so that its number stays its own
            return self._kept[id(what)][1]

    def take(self, indices: np.ndarray) -> Rows:
        """The rows at `indices`, in that order."""
        images = None if self.images is None else self.images[indices]
        return replace(
            self,
            numbers=self.numbers[indices],
            mixed=self.mixed[indices],
            positions=self.positions[indices],
            images=images,
        )


Scorer = Callable[[Rows], np.ndarray]
"""A fitted discriminator: rows to logits of being real at even odds, `(n, candidates)`; one column per setting."""


@dataclass(frozen=True)
class Classifier:
    """A kind of fresh discriminator.

    Attributes:
        name: as a person reads it in a verdict.
        kinds: the kinds of data that it is used for.
        fit: `fit(real, fake, seed)` returns a `Scorer`; both sides weigh the same whatever their counts.
        sees: the differences it is there for, in words.
        identity: what tells it from another member of the same name, such as a hash of its weights. The package's own
            need none; of others without one, nothing that was measured with them is kept for later.
    """

    name: str
    kinds: frozenset[SpaceKind]
    fit: Callable[[Rows, Rows, int], Scorer]
    sees: str
    identity: str | None = None


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


@dataclass(frozen=True)
class Evidence:
    """What a check is given: the parts that the discriminators saw, and what the chosen one says of the scored part.

    Attributes:
        kind: of the data.
        real_values: scored real samples as people have them.
        fake_values: scored generated samples.
        real: scored real samples, prepared.
        fake: scored generated samples, prepared.
        real_train: real samples of the fitting part, prepared; the training part of a run, if it was given.
        fake_train: generated samples of the fitting part.
        real_logits: of the chosen discriminator on `real`, clipped.
        fake_logits: on `fake`.
        is_training_part: whether `real_train` is known to be what the generator was trained on.
        confidence: that statements of the checks are made with.
        seed: for checks that draw.
        real_labels: class of each scored real sample, if samples have one. Shape `(n_real,)`.
        fake_labels: class that each scored generated sample was asked for.
        label_names: what the classes are called.
        left_out: real and generated samples of the scored part that are not asked about, as their value was met.
        real_places: position of each scored real sample on its side as it was given, from 0.
        fake_places: the same for generated samples.
    """

    kind: SpaceKind
    real_values: Values
    fake_values: Values
    real: Rows
    fake: Rows
    real_train: Rows
    fake_train: Rows
    real_logits: np.ndarray
    fake_logits: np.ndarray
    is_training_part: bool
    confidence: float
    seed: int
    real_labels: np.ndarray | None = None
    fake_labels: np.ndarray | None = None
    label_names: tuple[str, ...] = ()
    left_out: tuple[int, int] = (0, 0)
    real_places: np.ndarray | None = None
    fake_places: np.ndarray | None = None


Tell = Callable[[str, int], None]
"""Is told what is measured next, and how many trials of it, or discriminators, came before."""

Check = Callable[[Evidence], tuple[Finding, ...]]
"""A referee test beside the main one: what it found, in plain words, possibly nothing."""
