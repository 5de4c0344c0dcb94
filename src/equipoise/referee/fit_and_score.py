"""One judgement without its conclusion: split both sides, fit every member, choose one, score it once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from equipoise.randomness import Stream, derived_seed, numpy_stream
from equipoise.referee.base import Classifier, Rows, Values, take
from equipoise.referee.classifiers import available
from equipoise.referee.model_selection import SelectedClassifier, choose
from equipoise.referee.parallel import side_by_side
from equipoise.referee.preprocessing import preparation
from equipoise.referee.verdict import Counts
from equipoise.spaces import SpaceKind

TRAIN_SHARE, VALIDATION_SHARE = 0.45, 0.15
TEST_SHARE = 1 - TRAIN_SHARE - VALIDATION_SHARE
"""Measured on six planted differences of points, tables and digits: against 0.5, 0.2 and 0.3 the log e-value gains 5 to
40 % where there is much to fit and as much as the scored part grows where there is little; with 0.4, 0.1 and 0.5 digits
lose it."""
MOST_TWINS = 20
"""A value met more often is no twin: rows of a few levels coincide by nature, the discriminators have to see them to
know how common they are on each side, and one copy among so many gives nothing away."""
_MOST_SCORED_FAKE = 0.5
"""With a fitting part of its own on the real side: at most half of the generated samples are scored."""


Duplicates = tuple[np.ndarray, np.ndarray]
"""For each sample of the real and of the generated side a number from 0 on that stands for its value: equal for equal
samples, of whichever side. Shapes `(n_real,)` and `(n_fake,)`, int64."""


@dataclass(frozen=True)
class Parts:
    """Both sides, split into the part to fit on, the part to choose on and the part that is scored once."""

    real_train: Values
    fake_train: Values
    real_validation: Values
    fake_validation: Values
    real_test: Values
    fake_test: Values

    def taken_from(self, real: Values, fake: Values, real_train: Values | None = None) -> Parts:
        """The samples at these positions; with `real_train`, the real ones to fit and to choose on come from there."""
        fitted = real if real_train is None else real_train
        sides = (fitted, fake, fitted, fake, real, fake)
        return Parts(*(take(side, places) for side, places in zip(sides, vars(self).values(), strict=True)))

    @property
    def counts(self) -> Counts:
        """How many samples each part has."""
        return Counts(**{name: len(part) for name, part in vars(self).items()})


@dataclass(frozen=True)
class Outcome:
    """The chosen discriminator, its clipped logits on the scored part, and the prepared rows behind them.

    `limits` are the lowest and highest logit that the chosen discriminator may give: see `play`.
    """

    choice: SelectedClassifier
    real_logits: np.ndarray
    fake_logits: np.ndarray
    limits: tuple[float, float]
    real: Rows
    fake: Rows
    real_train: Rows
    fake_train: Rows


def split(
    real: Values,
    fake: Values,
    *,
    seed: int,
    real_train: Values | None = None,
    duplicates: Duplicates | None = None,
    test_share: float = TEST_SHARE,
) -> Parts:
    """Split both sides at random: `places` of each part, taken from the sides."""
    found = places(
        len(real),
        len(fake),
        seed=seed,
        real_train_count=None if real_train is None else len(real_train),
        duplicates=duplicates,
        test_share=test_share,
    )
    return found.taken_from(real, fake, real_train)


def places(
    real_count: int,
    fake_count: int,
    *,
    seed: int,
    real_train_count: int | None = None,
    duplicates: Duplicates | None = None,
    test_share: float = TEST_SHARE,
) -> Parts:
    """Which samples of each side are fitted on, chosen on and scored: positions in random order.

    With `real_train_count`, all of the real side is scored, and of the generated one as many as that, within 40 to 50 %
    of them; positions of the real parts to fit and to choose on are then those on that other set. `test_share` is
    that of both sides where there is no such set; the rest is fitted on and chosen on in the proportion 3 to 1.

    With `twins`, a sample is left out of the part that is chosen on if its value was met while fitting, on either side,
    and out of the scored part if it was met in either of the other two; unless it was met there more than `MOST_TWINS`
    times. What is left out depends on the other parts alone: the scored part of either side is a sample of its law
    within the values that remain, and the e-value is as exact as it is without twins.
    """
    streams = [numpy_stream(seed, Stream.REFEREE_SPLIT.format(side)) for side in ("real", "fake")]
    if real_train_count is None:
        real_parts = cut(streams[0].permutation(real_count), test_share)
    else:
        fit, choice, _ = cut(streams[0].permutation(real_train_count), 0.0)
        real_parts = [fit, choice, numpy_stream(seed, Stream.REFEREE_TEST_ORDER).permutation(real_count)]
        test_share = min(_MOST_SCORED_FAKE, max(TEST_SHARE, real_count / fake_count))
    fake_parts = cut(streams[1].permutation(fake_count), test_share)
    if duplicates is not None:
        real_parts, fake_parts = without_met(real_parts, fake_parts, duplicates)
    return Parts(real_parts[0], fake_parts[0], real_parts[1], fake_parts[1], real_parts[2], fake_parts[2])


def without_met(
    real_parts: list[np.ndarray], fake_parts: list[np.ndarray], duplicates: Duplicates
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The parts without samples whose value was met in an earlier part, but not often; parts in the order fit, choose,
    score."""
    met = np.zeros(1 + max(int(side.max()) for side in duplicates), dtype=np.int64)
    left: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for pieces in zip(real_parts, fake_parts, strict=True):
        values = [side[piece] for side, piece in zip(duplicates, pieces, strict=True)]
        for kept, piece, numbers in zip(left, pieces, values, strict=True):
            kept.append(piece[(met[numbers] == 0) | (met[numbers] > MOST_TWINS)])
        met = met + np.bincount(np.concatenate(values), minlength=len(met))
    return left


def play(parts: Parts, *, kind: SpaceKind, seed: int, classifiers: Sequence[Classifier]) -> Outcome:
    """Fit every member, choose one, score it once.

    Its logits on the scored part are clipped to the range that they have on the choosing part. A discriminator that
    may not say more than it was seen to say there loses next to nothing, and its worst logit is known before a sample
    is scored, which the bound on the distance needs.
    """
    prepare = preparation(kind, parts.real_train, parts.fake_train)
    fit: list[Rows] = [prepare(parts.real_train), prepare(parts.fake_train)]
    # Fitted scorers read all four remaining parts in one pass; the scored part's columns are opened only once chosen.
    others = [
        prepare(part) for part in (parts.real_validation, parts.fake_validation, parts.real_test, parts.fake_test)
    ]

    def scored_by(classifier: Classifier) -> list[np.ndarray]:
        scorer = classifier.fit(fit[0], fit[1], derived_seed(seed, Stream.REFEREE_CLASSIFIER.format(classifier.name)))
        return [scorer(rows) for rows in others]

    # What a caller brought, such as an extractor, may not be made for threads.
    known = available()
    ours = [classifier for classifier in classifiers if known.get(classifier.name) is classifier]
    found = side_by_side([partial(scored_by, classifier) for classifier in ours])
    scores = {classifier.name: each for classifier, each in zip(ours, found, strict=True)}
    scores |= {classifier.name: scored_by(classifier) for classifier in classifiers if classifier.name not in scores}
    by_part = [{classifier.name: scores[classifier.name][place] for classifier in classifiers} for place in range(4)]
    choice = choose(by_part[0], by_part[1])
    logits = [choice.logits(scored) for scored in by_part]
    limits = min(side.min() for side in logits[:2]), max(side.max() for side in logits[:2])
    real_logits, fake_logits = (np.clip(side, *limits) for side in logits[2:])
    return Outcome(choice, real_logits, fake_logits, limits, *others[2:], *fit)


def cut(order: np.ndarray, test_share: float) -> list[np.ndarray]:
    """Indices to fit on, to choose on and to score."""
    scored = round(len(order) * test_share)
    fitted = round((len(order) - scored) * TRAIN_SHARE / (TRAIN_SHARE + VALIDATION_SHARE))
    return [order[:fitted], order[fitted : len(order) - scored], order[len(order) - scored :]]
