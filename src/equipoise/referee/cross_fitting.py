r"""How far apart, measured on every sample: cross-fitting.

The decision is made in turn (`predictive`), because its e-value needs classifiers that were fixed before the samples
were looked at. The *size* of a difference need not: for every classifier D, JSD >= (V(D) + log 4) / 2, and so for a
mean of several. The later half of the samples counts with the logits of the decision. The earlier half is cut into
pieces; for each piece a classifier is trained and selected on everything else, and scores that piece. Every sample
then counts once, scored by a classifier that had not seen it:

.. math::
    \mathrm{JSD}(p, q) \ge \tfrac12 \Big( \sum_k w_k V(D_k) + \log 4 \Big), \qquad w_k \text{ the share scored by } D_k

Two and a half times as many scored samples leave less to chance, and classifiers that are trained on more of them see
more. The pooled standard error is that of independent terms. Folds share training samples, so they are not quite
independent; under stability (one sample changes a classifier by little) the interval holds for many samples all the
same, as the reference shows for one sample; for two, and few, it is measured: `bound.*` of benchmarks/referee.py.

A sample whose value is also among the samples that a classifier was trained on is left out, once both sides of these
share a value (`splits.split_indices`); the classifier abstains from it, with logit 0 (`bound.with_abstained`). What is
left out depends on the other samples alone, so that this, too, is a classifier fixed before it is tested.

Reference: Bayle, Bayle, Janson and Mackey 2020, "Cross-validation confidence intervals for test error",
arXiv:2007.12671.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass

import numpy as np

from equipoise.data.judging import Values
from equipoise.randomness import Stream, derived_seed, numpy_stream
from equipoise.referee.base import Classifier, Tell
from equipoise.referee.bound import ValueEstimate, jsd_lower_bound_nats, value_estimate, with_abstained
from equipoise.referee.groups import Groups, group_numbers, logits_of_log_means
from equipoise.referee.splits import Duplicates, Parts, cut
from equipoise.referee.train_and_test import Outcome, train_and_test
from equipoise.spaces import SpaceKind

FOLDS = 3
"""Classifiers that measure the distance, the first one included. At 10,000 a side 5 of them prove 0.001 of the truth
more of a 25-grid generator (rows `tight.generator_middle*` of benchmarks/referee.py), for nearly twice the time."""
MOST_FOLDS = 20
LEAST_OF_A_PIECE = 6
"""Samples of either side; smaller pieces are not made, so that few samples get fewer folds."""
LEAST_OF_A_PART = 2
"""Where hundreds of samples share few values, leaving duplicates out may leave less to validate or to test on: then
there is no verdict, or, of a later fold, the classifier abstains from all samples of the piece."""
_WHAT = "the distance, by cross-fitting"


@dataclass(frozen=True)
class Measured:
    """What several classifiers say of samples that none of them had seen; of groups, where samples come in groups.

    Attributes:
        real_logits: clipped logits of the real samples, 0 of those that are left out. Shape `(n_real,)`.
        fake_logits: of the generated samples.
        limits: the lowest and the highest logit that any of the classifiers may give.
        folds: how many classifiers there are.
    """

    real_logits: np.ndarray
    fake_logits: np.ndarray
    limits: tuple[float, float]
    folds: int

    @property
    def estimate(self) -> ValueEstimate:
        """V, the mean over all of these samples, with its standard error."""
        return value_estimate(self.real_logits, self.fake_logits)

    @property
    def counts(self) -> tuple[int, int]:
        """Real and generated samples that count."""
        return len(self.real_logits), len(self.fake_logits)

    @property
    def turned(self) -> Measured:
        """The same with the sides in each other's place."""
        return Measured(-self.fake_logits, -self.real_logits, (-self.limits[1], -self.limits[0]), self.folds)

    @classmethod
    def of(
        cls, real: np.ndarray, fake: np.ndarray, limits: tuple[float, float], left_out: tuple[int, int] = (0, 0)
    ) -> Measured:
        """Logits of one classifier, which abstains from samples that are left out."""
        return cls(*with_abstained(real, fake, limits, left_out), 1)

    def of_groups(self, left_out: tuple[np.ndarray, np.ndarray], scored: tuple[np.ndarray, np.ndarray]) -> Measured:
        """Each group as one term, the mean over its samples, those that are left out with it.

        Args:
            left_out: the groups of the real and of the generated samples that are left out, in any order.
            scored: the groups of the others, in the order of their logits.
        """
        # Samples that are left out have logit 0, and come last.
        of_each = [np.concatenate([kept, out]) for kept, out in zip(scored, left_out, strict=True)]
        return Measured(
            logits_of_log_means(self.real_logits, of_each[0], is_real=True),
            logits_of_log_means(self.fake_logits, of_each[1], is_real=False),
            self.limits,
            self.folds,
        )

    def lower_bound_nats(self, confidence: float) -> float:
        """The lower confidence bound on the JSD that these logits prove."""
        return jsd_lower_bound_nats(self.real_logits, self.fake_logits, confidence=confidence, limits=self.limits)


def measured_once(outcome: Outcome, *, left_out: tuple[int, int] = (0, 0)) -> Measured:
    """What the one classifier of a single split says of its test part.

    Args:
        outcome: of the split.
        left_out: real and generated samples of the test part that are left out.
    """
    return Measured.of(outcome.real_logits, outcome.fake_logits, outcome.limits, left_out)


def cross_fitted(
    real: Values,
    fake: Values,
    first: Measured,
    whole: Parts,
    *,
    folds: int,
    kind: SpaceKind,
    seed: int,
    classifiers: Sequence[Classifier],
    duplicates: Duplicates | None = None,
    groups: Groups | None = None,
    tell: Tell | None = None,
) -> Measured:
    """The tested part of a first split as it was scored, and the rest of both sides scored by classifiers trained for
    that.

    Args:
        real: real samples.
        fake: generated samples.
        first: what was said of the tested part, with what was left out.
        whole: indices of the first split, nothing left out.
        folds: classifiers in all; fewer where pieces would have less than `LEAST_OF_A_PIECE` samples of a side.
        kind: of the data.
        seed: of the pieces and the classifiers.
        classifiers: what each of them is selected from.
        duplicates: as in `split_indices`.
        groups: of all samples, where they come in groups; each is in one piece, and counts as one term.
        tell: is told that the distance is measured, and how many classifiers have scored.
    """
    found = [first]
    for parts in _folds(whole, folds - 1, seed=seed, groups=groups):
        if tell is not None:
            tell(_WHAT, len(found))
        asked = parts if duplicates is None else parts.without_duplicates(duplicates)
        left_out = left_out_of(parts, asked.real_test, asked.fake_test)
        if min(len(part) for part in vars(asked).values()) < LEAST_OF_A_PART:
            tested = parts.real_test, parts.fake_test
            units = tested if groups is None else [np.unique(of[at]) for of, at in zip(groups, tested, strict=True)]
            found.append(Measured(*(np.zeros(len(side)) for side in units), (0.0, 0.0), 1))
            continue
        fold_seed = derived_seed(seed, Stream.REFEREE_FOLD, len(found))
        fold = train_and_test(asked.taken_from(real, fake), kind=kind, seed=fold_seed, classifiers=classifiers)
        once = measured_once(fold, left_out=left_out)
        found.append(once if groups is None else in_groups(once, parts, asked.real_test, asked.fake_test, groups))
    return Measured(
        np.concatenate([each.real_logits for each in found]),
        np.concatenate([each.fake_logits for each in found]),
        (min(each.limits[0] for each in found), max(each.limits[1] for each in found)),
        len(found),
    )


def left_out_of(whole: Parts, real: Sized, fake: Sized) -> tuple[int, int]:
    """How many samples of the test parts are not among those that were scored."""
    return len(whole.real_test) - len(real), len(whole.fake_test) - len(fake)


def in_groups(measured: Measured, whole: Parts, real: np.ndarray, fake: np.ndarray, groups: Groups) -> Measured:
    """What was measured of samples, with each group as one term.

    Args:
        measured: logits of `real` and `fake`, then of those left out.
        whole: of the split, nothing left out.
        real: indices of the tested real samples that were scored.
        fake: of the generated ones.
        groups: of all samples.
    """
    sides = list(zip(groups, (whole.real_test, whole.fake_test), (real, fake), strict=True))
    left_out = tuple(of[np.setdiff1d(tested, scored)] for of, tested, scored in sides)
    return measured.of_groups(left_out, tuple(of[scored] for of, _, scored in sides))


def _folds(whole: Parts, pieces: int, *, seed: int, groups: Groups | None = None) -> Iterator[Parts]:
    """For each piece of the training and validation parts: that piece to test on, everything else for the rest."""
    sides = {
        "real": (np.concatenate([whole.real_train, whole.real_validation]), whole.real_test),
        "fake": (np.concatenate([whole.fake_train, whole.fake_validation]), whole.fake_test),
    }
    of_side = dict(zip(sides, (None, None) if groups is None else groups, strict=True))
    # Samples are numbered in their order, or groups are; a piece has every so many of them.
    numbers = {
        name: np.arange(len(seen)) if of_side[name] is None else group_numbers(of_side[name][seen])
        for name, (seen, _) in sides.items()
    }
    pieces = min(pieces, min(1 + int(each.max(initial=-1)) for each in numbers.values()) // LEAST_OF_A_PIECE)
    for piece in range(pieces):
        cuts = []
        for name, (seen, tested) in sides.items():
            is_here = numbers[name] % pieces == piece
            stream = numpy_stream(seed, Stream.REFEREE_FOLD_SPLIT.format(name), piece)
            others = np.append(seen[~is_here], tested)
            if of_side[name] is None:
                train, validation, _ = cut(stream.permutation(others), 0.0)
            else:
                of_others = group_numbers(of_side[name][others])
                in_parts = cut(stream.permutation(int(of_others.max()) + 1), 0.0)
                train, validation = (others[np.isin(of_others, part)] for part in in_parts[:2])
            cuts.append([train, validation, seen[is_here]])
        yield Parts.of_sides(*cuts)
