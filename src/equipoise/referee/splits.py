"""The training, validation and test part of both sides of a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.data.judging import Values, take
from equipoise.randomness import Stream, numpy_stream
from equipoise.referee.verdict import Counts

TRAIN_SHARE, VALIDATION_SHARE = 0.45, 0.15
TEST_SHARE = 1 - TRAIN_SHARE - VALIDATION_SHARE
"""Measured on six injected differences of points, tables and digits: against 0.5, 0.2 and 0.3 the log e-value gains 5
to 40 % where there is much to train on and as much as the test part grows where there is little; with 0.4, 0.1 and 0.5
digits lose it."""
MOST_DUPLICATES = 20
"""A value that is in the other parts more often is no duplicate: rows of a few levels coincide by nature, the
classifiers have to see them to know how common they are on each side, and one copy among so many shows nothing."""
_MOST_TESTED_FAKE = 0.5
"""With a training part of its own on the real side: at most half of the generated samples are tested on."""

Duplicates = tuple[np.ndarray, np.ndarray]
"""For each sample of the real and of the generated side a number from 0 on that stands for its value: equal for equal
samples, of whichever side. Shapes `(n_real,)` and `(n_fake,)`, int64."""


@dataclass(frozen=True)
class Parts:
    """Both sides, split into the training, the validation and the test part; or the indices of these."""

    real_train: Values
    fake_train: Values
    real_validation: Values
    fake_validation: Values
    real_test: Values
    fake_test: Values

    @classmethod
    def of_sides(cls, real: Sequence[Values], fake: Sequence[Values]) -> Parts:
        """From the three parts of each side."""
        return cls(*(part for pair in zip(real, fake, strict=True) for part in pair))

    def taken_from(self, real: Values, fake: Values, real_train: Values | None = None) -> Parts:
        """The samples at these indices; with `real_train`, real ones to train and to validate on come from there."""
        seen = real if real_train is None else real_train
        sides = (seen, fake, seen, fake, real, fake)
        return Parts(*(take(side, indices) for side, indices in zip(sides, vars(self).values(), strict=True)))

    @property
    def turned(self) -> Parts:
        """The same with the sides in each other's place."""
        return Parts(
            self.fake_train,
            self.real_train,
            self.fake_validation,
            self.real_validation,
            self.fake_test,
            self.real_test,
        )

    @property
    def counts(self) -> Counts:
        """How many samples each part has."""
        return Counts(**{name: len(part) for name, part in vars(self).items()})

    def without_duplicates(self, duplicates: Duplicates) -> Parts:
        """These indices without samples whose value is in an earlier part, unless it is there often, once earlier parts
        share a value.

        Only earlier parts are asked, as in `chunks.chunk_indices`. Asked of all samples, whether there is anything to
        leave out would depend on the tested ones, and the e-value would not be exact.
        """
        sides = [[getattr(self, f"{side}_{part}") for part in _PARTS] for side in ("real", "fake")]
        met = np.zeros((2, 1 + max(int(side.max()) for side in duplicates)), dtype=np.int64)
        left: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        for pieces in zip(*sides, strict=True):
            values = [side[piece] for side, piece in zip(duplicates, pieces, strict=True)]
            are_shared, often = bool(met.all(axis=0).any()), met.sum(axis=0)
            for side, (kept, piece, numbers) in enumerate(zip(left, pieces, values, strict=True)):
                kept.append(piece[(often[numbers] == 0) | (often[numbers] > MOST_DUPLICATES) | (not are_shared)])
                met[side] += np.bincount(numbers, minlength=met.shape[1])
        return Parts.of_sides(*left)


_PARTS = ("train", "validation", "test")


def split(
    real: Values,
    fake: Values,
    *,
    seed: int,
    real_train: Values | None = None,
    duplicates: Duplicates | None = None,
    test_share: float = TEST_SHARE,
) -> Parts:
    """Split both sides at random: `split_indices` of each part, taken from the sides."""
    found = split_indices(
        len(real),
        len(fake),
        seed=seed,
        real_train_count=None if real_train is None else len(real_train),
        duplicates=duplicates,
        test_share=test_share,
    )
    return found.taken_from(real, fake, real_train)


def split_indices(
    real_count: int,
    fake_count: int,
    *,
    seed: int,
    real_train_count: int | None = None,
    duplicates: Duplicates | None = None,
    test_share: float = TEST_SHARE,
) -> Parts:
    """Which samples of each side are in which part: indices in random order.

    With `real_train_count`, all of the real side is tested on, and of the generated one as many as that, within 40 to
    50 % of them; indices of the real training and validation part are then those on that other set. `test_share` is
    that of both sides where there is no such set; the rest is for training and validation in the proportion 3 to 1.

    With `duplicates`, a sample is left out of the validation part if its value is in a training part, of either side,
    and out of the test part if it is in either of the other two; unless it is there more than `MOST_DUPLICATES` times,
    and only if those parts share a value.
    What is left out depends on the other parts alone: the test part of either side is a sample of its distribution
    within the values that remain, and the e-value is as exact as it is without duplicates.
    """
    streams = [numpy_stream(seed, Stream.REFEREE_SPLIT.format(side)) for side in ("real", "fake")]
    if real_train_count is None:
        real_parts = cut(streams[0].permutation(real_count), test_share)
    else:
        train, validation, _ = cut(streams[0].permutation(real_train_count), 0.0)
        real_parts = [train, validation, numpy_stream(seed, Stream.REFEREE_TEST_ORDER).permutation(real_count)]
        test_share = min(_MOST_TESTED_FAKE, max(TEST_SHARE, real_count / fake_count))
    found = Parts.of_sides(real_parts, cut(streams[1].permutation(fake_count), test_share))
    return found if duplicates is None else found.without_duplicates(duplicates)


def cut(order: np.ndarray, test_share: float) -> list[np.ndarray]:
    """Indices to train, to validate and to test on."""
    tested = round(len(order) * test_share)
    trained = round((len(order) - tested) * TRAIN_SHARE / (TRAIN_SHARE + VALIDATION_SHARE))
    return [order[:trained], order[trained : len(order) - tested], order[len(order) - tested :]]
