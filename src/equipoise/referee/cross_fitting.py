r"""How far apart, measured on every sample: fitting and scoring crosswise.

The decision rests on one split, because its e-value needs one discriminator that was fixed before the scored samples
were looked at. The *size* of a difference need not: for every discriminator JSD >= (V + log 4) / 2, and so for a mean
of several. The samples that the first discriminator was fitted to and chosen on are cut into pieces; for each piece
another one is fitted and chosen on everything else, and scores that piece. Every sample then counts once, scored by the
one discriminator that had not seen it:

.. math::
    \mathrm{JSD}(p, q) \ge \tfrac12 \Big( \sum_k w_k V(D_k) + \log 4 \Big), \qquad w_k \text{ the share scored by } D_k

Two and a half times as many scored samples leave less to chance, and discriminators that are fitted to more of them
see more. The pooled standard error is that of independent terms. Folds share fitted samples, so they are not quite
independent; under stability (one sample changes a fit by little) the interval holds for many samples all the same, as
the reference shows for one sample; for two, and few, it is measured: `bound.*` of benchmarks/referee.py.

A sample whose value was met while fitting is not asked about (`playing.places`); it counts as undecided, with logit 0
(`jsd_bound.with_abstained`).

Reference: Bayle, Bayle, Janson and Mackey 2020, "Cross-validation confidence intervals for test error",
arXiv:2007.12671.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import dataclass

import numpy as np

from equipoise.randomness import Stream, derived_seed, numpy_stream
from equipoise.referee.base import Classifier, Tell, Values
from equipoise.referee.bound import ValueEstimate, jsd_lower_bound_nats, value_estimate, with_abstained
from equipoise.referee.fit_and_score import Duplicates, Outcome, Parts, cut, places, play, without_met
from equipoise.spaces import SpaceKind

FOLDS = 3
"""Discriminators that measure the distance, the first one included. At 10,000 a side 5 of them prove 0.001 of the truth
more of a 25-grid generator (rows `tight.generator_middle*` of benchmarks/referee.py), for nearly twice the time."""
MOST_FOLDS = 20
LEAST_OF_A_PIECE = 6
"""Samples of either side; smaller pieces are not made, so that few samples get fewer folds."""
LEAST_OF_A_PART = 2
"""Where hundreds of samples share few values, twins may leave less to choose on or to score: then there is no verdict,
or, of a later fold, all samples of the piece count as undecided."""
_WHAT = "the distance, with discriminators fitted to the rest"


@dataclass(frozen=True)
class Measured:
    """What several discriminators say of samples that none of them had seen.

    Attributes:
        real_logits: clipped logits of the real samples, 0 of those that are not asked about. Shape `(n_real,)`.
        fake_logits: of the generated samples.
        limits: the lowest and the highest logit that any of the discriminators may give.
        folds: how many discriminators there are.
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

    def lower_bound_nats(self, confidence: float) -> float:
        """The lower confidence bound on the JSD that these logits prove."""
        return jsd_lower_bound_nats(self.real_logits, self.fake_logits, confidence=confidence, limits=self.limits)


def measured_once(outcome: Outcome, *, left_out: tuple[int, int] = (0, 0)) -> Measured:
    """What the one discriminator of a single split says of its scored part.

    Args:
        outcome: of the split.
        left_out: real and generated samples of the scored part that are not asked about.
    """
    return Measured(*with_abstained(outcome.real_logits, outcome.fake_logits, outcome.limits, left_out), 1)


def cross_fitted(
    real: Values,
    fake: Values,
    outcome: Outcome,
    *,
    folds: int,
    kind: SpaceKind,
    seed: int,
    classifiers: Sequence[Classifier],
    duplicates: Duplicates | None = None,
    tell: Tell | None = None,
) -> Measured:
    """The scored part of a first split, and the rest of both sides scored by discriminators fitted for that.

    Args:
        real: real samples.
        fake: generated samples.
        outcome: of the first split, made by `playing.places` from the same seed and twins.
        folds: discriminators in all; fewer where pieces would have less than `LEAST_OF_A_PIECE` samples of a side.
        kind: of the data.
        seed: of the first split.
        members: what each discriminator is made of.
        twins: as in `playing.places`: no sample is asked about whose value was met while fitting.
        tell: is told that the distance is measured, and how many discriminators have scored.
    """
    whole = places(len(real), len(fake), seed=seed)
    found = [measured_once(outcome, left_out=left_out_of(whole, outcome.real, outcome.fake))]
    for parts in _folds(whole, folds - 1, seed=seed):
        if tell is not None:
            tell(_WHAT, len(found))
        asked = parts if duplicates is None else _without_met(parts, duplicates)
        left_out = left_out_of(parts, asked.real_test, asked.fake_test)
        if min(len(part) for part in vars(asked).values()) < LEAST_OF_A_PART:
            abstained = np.zeros(len(parts.real_test)), np.zeros(len(parts.fake_test))
            found.append(Measured(*abstained, (0.0, 0.0), 1))
            continue
        fold_seed = derived_seed(seed, Stream.REFEREE_FOLD, len(found))
        fold = play(asked.taken_from(real, fake), kind=kind, seed=fold_seed, classifiers=classifiers)
        found.append(measured_once(fold, left_out=left_out))
    return Measured(
        np.concatenate([each.real_logits for each in found]),
        np.concatenate([each.fake_logits for each in found]),
        (min(each.limits[0] for each in found), max(each.limits[1] for each in found)),
        len(found),
    )


def left_out_of(whole: Parts, real: Sized, fake: Sized) -> tuple[int, int]:
    """How many samples of the scored parts are not among those that were scored."""
    return len(whole.real_test) - len(real), len(whole.fake_test) - len(fake)


def _folds(whole: Parts, pieces: int, *, seed: int) -> list[Parts]:
    """For each piece of what was fitted and chosen on: that piece to score, everything else to fit and to choose on."""
    sides = (
        (np.concatenate([whole.real_train, whole.real_validation]), whole.real_test),
        (np.concatenate([whole.fake_train, whole.fake_validation]), whole.fake_test),
    )
    pieces = min(pieces, min(len(seen) for seen, _ in sides) // LEAST_OF_A_PIECE)
    found = []
    for piece in range(pieces):
        cuts = []
        for name, (seen, scored) in zip(("real", "fake"), sides, strict=True):
            is_here = np.arange(len(seen)) % pieces == piece
            rest = numpy_stream(seed, Stream.REFEREE_FOLD_SPLIT.format(name), piece).permutation(
                np.append(seen[~is_here], scored)
            )
            fit, choice, _ = cut(rest, 0.0)
            cuts.append([fit, choice, seen[is_here]])
        found.append(_joined(*cuts))
    return found


def _without_met(parts: Parts, duplicates: Duplicates) -> Parts:
    real, fake = without_met(
        [parts.real_train, parts.real_validation, parts.real_test],
        [parts.fake_train, parts.fake_validation, parts.fake_test],
        duplicates,
    )
    return _joined(real, fake)


def _joined(real: Sequence[np.ndarray], fake: Sequence[np.ndarray]) -> Parts:
    """Positions of both sides, each to fit, to choose on and to score."""
    return Parts(real[0], fake[0], real[1], fake[1], real[2], fake[2])
