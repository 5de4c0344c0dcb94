"""What travels through the referee: classifiers, findings, and what a check is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from equipoise.data.judging import Judging, Rows, Values
from equipoise.spaces import SpaceKind

Scorer = Callable[[Rows], np.ndarray]
"""A trained classifier: rows to logits of being real at even odds, `(n, candidates)`; one column per setting."""


@dataclass(frozen=True)
class Classifier:
    """A kind of fresh classifier.

    Attributes:
        name: as a person reads it in a verdict. It decides the classifier's random stream, and so is frozen.
        kinds: the kinds of data that it is used for.
        fit: `fit(real, fake, seed)` returns a `Scorer`; both sides weigh the same whatever their counts.
        sees: the differences it is there for, in words.
        identity: what tells it from another one of the same name, such as a hash of its weights. The package's own
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


@dataclass(frozen=True)
class Evidence:
    """What a check is given: the parts that the classifiers saw, and what the selected one says of the test part.

    Attributes:
        domain: of the data.
        real_values: real test samples as people have them.
        fake_values: generated test samples.
        real: real test samples, prepared.
        fake: generated test samples, prepared.
        real_train: real samples of the training part, prepared; the training part of a run, if it was given.
        fake_train: generated samples of the training part.
        real_logits: of the selected classifier on `real`, clipped.
        fake_logits: on `fake`.
        is_training_part: whether `real_train` is known to be what the generator was trained on.
        confidence: that statements of the checks are made with.
        seed: for checks that draw.
        real_labels: class of each real test sample, if samples have one. Shape `(n_real,)`.
        fake_labels: class that each generated test sample was asked for.
        label_names: what the classes are called.
        left_out: real and generated samples of the test part that are left out, as their value is in another part.
        real_places: position of each real test sample on its side as it was given, from 0.
        fake_places: the same for generated samples.
        keys: `Judging.row_keys` of the real and of the generated test samples, where they are known.
    """

    domain: Judging
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
    keys: tuple[np.ndarray, np.ndarray] | None = None


Tell = Callable[[str, int], None]
"""Is told what is measured next, and how many trials of it, or classifiers, came before."""

Check = Callable[[Evidence], tuple[Finding, ...]]
"""A test beside the main one: what it found, in plain words, possibly nothing."""
