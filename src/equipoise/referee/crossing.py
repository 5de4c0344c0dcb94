r"""How far apart, measured on every sample: fitting and scoring crosswise.

The decision rests on one split, because its e-value needs one discriminator that was fixed before the scored samples
were looked at. The *size* of a difference need not: for every discriminator JSD >= (V + log 4) / 2, and so for a mean
of several. The samples that the first discriminator was fitted to and chosen on are cut into pieces; for each piece
another one is fitted and chosen on everything else, and scores that piece. Every sample is then scored once, by a
discriminator that had not seen it:

.. math::
    \mathrm{JSD}(p, q) \ge \tfrac12 \Big( \sum_k w_k V(D_k) + \log 4 \Big), \qquad w_k \text{ the share scored by } D_k

Two and a half times as many scored samples leave less to chance, and discriminators that are fitted to more of them
see more. The pooled standard error is that of independent terms. Folds share fitted samples, so they are not quite
independent; that the interval is right nonetheless, as long as one sample changes a fit by little, is shown in the
reference, and measured by `bound.*` of benchmarks/referee.py.

Reference: Bayle, Bayle, Janson and Mackey 2020, "Cross-validation confidence intervals for test error",
arXiv:2007.12671.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.randomness import derived_seed, numpy_stream
from equipoise.referee.base import Member, Tell, Values
from equipoise.referee.checks.jsd_bound import ValueEstimate, jsd_lower_bound_nats, value_estimate
from equipoise.referee.playing import Outcome, Parts, Twins, cut, play, without_met
from equipoise.spaces import SpaceKind

FOLDS = 3
"""Discriminators that measure the distance, the first one included. At 10,000 a side 5 proved 0.004 of the truth more
of a 25-grid generator and nothing more of a missing mode or a shift (6 trials each), for twice the time."""
MOST_FOLDS = 20
LEAST_OF_A_PIECE = 6
"""Samples of either side; smaller pieces are not made, so that few samples get fewer folds."""


@dataclass(frozen=True)
class Measured:
    """What several discriminators say of samples that none of them had seen.

    Attributes:
        real_logits: clipped logits of the scored real samples. Shape `(n_real,)`.
        fake_logits: of the scored generated samples.
        limits: the lowest and the highest logit that any of the discriminators may give.
        folds: how many discriminators there are.
    """

    real_logits: np.ndarray
    fake_logits: np.ndarray
    limits: tuple[float, float]
    folds: int

    @property
    def estimate(self) -> ValueEstimate:
        """V, the mean over all scored samples, with its standard error."""
        return value_estimate(self.real_logits, self.fake_logits)

    @property
    def counts(self) -> tuple[int, int]:
        """Real and generated samples that were scored."""
        return len(self.real_logits), len(self.fake_logits)

    def lower_bound_nats(self, confidence: float) -> float:
        """The lower confidence bound on the JSD that these logits prove."""
        return jsd_lower_bound_nats(self.real_logits, self.fake_logits, confidence=confidence, limits=self.limits)


def measured_once(outcome: Outcome) -> Measured:
    """What the one discriminator of a single split says of its scored part."""
    return Measured(outcome.real_logits, outcome.fake_logits, outcome.limits, 1)


def measured_crosswise(
    real: Values,
    fake: Values,
    where: Parts,
    outcome: Outcome,
    *,
    folds: int,
    kind: SpaceKind,
    seed: int,
    members: Sequence[Member],
    twins: Twins | None = None,
    tell: Tell | None = None,
) -> Measured:
    """The scored part of a first split, and the rest of both sides scored by discriminators fitted for that.

    Args:
        real: real samples.
        fake: generated samples.
        where: positions of the first split on both sides, from `playing.places` without a fitting part of its own.
        outcome: of the first split.
        folds: discriminators in all; fewer where pieces would have less than `LEAST_OF_A_PIECE` samples of a side.
        kind: of the data.
        seed: of the first split.
        members: what each discriminator is made of.
        twins: as in `playing.places`: no sample is scored whose value was met while fitting.
        tell: is told that the distance is measured, and how many discriminators have scored.
    """
    found = [measured_once(outcome)]
    for fold, parts in enumerate(_folds(where, folds - 1, seed=seed, twins=twins), 1):
        if tell is not None:
            tell("the distance, with discriminators fitted to the rest", fold)
        if min(len(part) for part in vars(parts).values()) > 1:  # the twins may leave nothing to choose on or to score
            fold_seed = derived_seed(seed, "referee fold", fold)
            found.append(measured_once(play(parts.taken_from(real, fake), kind=kind, seed=fold_seed, members=members)))
    return Measured(
        np.concatenate([each.real_logits for each in found]),
        np.concatenate([each.fake_logits for each in found]),
        (min(each.limits[0] for each in found), max(each.limits[1] for each in found)),
        len(found),
    )


def _folds(where: Parts, pieces: int, *, seed: int, twins: Twins | None) -> list[Parts]:
    """For each piece of what was fitted and chosen on: that piece to score, everything else to fit and to choose on."""
    sides = (
        (np.concatenate([where.real_fit, where.real_choice]), where.real_score),
        (np.concatenate([where.fake_fit, where.fake_choice]), where.fake_score),
    )
    pieces = min(pieces, min(len(seen) for seen, _ in sides) // LEAST_OF_A_PIECE)
    found = []
    for piece in range(pieces):
        cuts = []
        for name, (seen, scored) in zip(("real", "fake"), sides, strict=True):
            is_here = np.arange(len(seen)) % pieces == piece
            rest = numpy_stream(seed, f"referee fold {name}", piece).permutation(np.append(seen[~is_here], scored))
            fit, choice, _ = cut(rest, 0.0)
            cuts.append([fit, choice, seen[is_here]])
        if twins is not None:
            cuts = list(without_met(*cuts, twins))
        (real_fit, real_choice, real_score), (fake_fit, fake_choice, fake_score) = cuts
        found.append(Parts(real_fit, fake_fit, real_choice, fake_choice, real_score, fake_score))
    return found
