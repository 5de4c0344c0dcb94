r"""Memorisation: are generated samples nearer to the training part than fresh real samples are?

For T the training part (of the run, or else of the classifiers), P held-out real samples and Q generated
ones, two statements.

The rank score of Meehan et al. compares d(q, T) with d(p, T) by a standardised Mann-Whitney statistic. A generator that
copies T has nearly all its distances below those of P. But one that stays where data are dense (too little variety) has
small distances too, and one that copies only some of its samples hardly moves the ranks.

The count of near-copies looks for those few, against a base rate that the same samples give: with the limit e below
which only 1 % of the held-out samples are near T,

.. math::
    c = \frac{1}{|Q|} \#\{q : d(q, T) < e\}, \qquad
    c_0 = 1 - \Big(1 - \frac{1}{|Q|} \#\{q : d(q, P) < e\}\Big)^{|T| / |P|}.

A generator that has seen neither T nor P is as likely to hit the neighbourhood of a sample of one as of the other,
however its own distribution looks: dense or narrow, c and c_0 then agree but for chance. Copies of T raise c alone.

Reference: Meehan, Chaudhuri and Dasgupta 2020, "A non-parametric test to detect data-copying in generative models",
arXiv:2004.05675 (the statistic C_T is the rank score taken cell by cell and averaged; here there is one cell). The
count of near-copies is ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from equipoise.referee.base import Evidence, Finding
from equipoise.referee.nearest import Nearest

NEAR_QUANTILE = 0.01
_STRIKING_SHARE = 0.02
"""Near-copies beyond the base rate that are worth a finding."""
_STRIKING_SCORE = 4.0
"""Standard errors by which the count must exceed its base rate: 3e-5 for independent samples, and near-copies of one
training sample go together, which makes the true error larger."""
_COPYING_SCORE = -3.0
_MOST_SAMPLES = 5000


def check_memorisation(evidence: Evidence) -> tuple[Finding, ...]:
    """The rank score of copying, and the share of near-copies beside its base rate."""
    if min(len(evidence.real), len(evidence.fake), len(evidence.real_train)) < 20:
        return ()
    distances = nearest_distances(evidence)
    score = copying_score(*distances)
    sides = (side.positions for side in (evidence.real_train, evidence.real, evidence.fake))
    copies = near_copies(*sides, to_fitted=distances)
    source = (
        "training samples" if evidence.is_training_part else "the real samples that the classifiers were trained on"
    )
    numbers = {
        "copying_z_score": score,
        "near_copy_share": copies.share,
        "expected_near_copy_share": copies.expected,
        "near_copy_z_score": copies.z_score,
    }
    if copies.share - copies.expected > _STRIKING_SHARE and copies.z_score > _STRIKING_SCORE:
        statement = (
            f"{copies.share:.1%} of the generated samples are near-copies of {source}, where {copies.expected:.1%} "
            "would be if the generator had not seen them: they look copied."
        )
        return (Finding("memorisation", statement, True, numbers),)
    if score < _COPYING_SCORE:
        statement = (
            f"Generated samples lie nearer to {source} than fresh real samples do (rank score {score:.1f}), but "
            f"near-copies ({copies.share:.1%}) are hardly commoner than chance makes them ({copies.expected:.1%}): "
            "too little variety does this."
        )
    else:
        statement = f"Generated samples lie no nearer to {source} than fresh real samples do: no sign of copying."
    return (Finding("memorisation", statement, numbers=numbers),)


@dataclass(frozen=True)
class NearCopies:
    """Share of generated samples near a fitted one, the share expected without copying, and their distance in
    standard errors."""

    share: float
    expected: float
    z_score: float


def near_copies(
    fitted: np.ndarray,
    held_out: np.ndarray,
    fake: np.ndarray,
    *,
    to_fitted: tuple[np.ndarray, np.ndarray] | None = None,
) -> NearCopies:
    """How many generated samples are nearer to a fitted sample than all but 1 % of the held-out ones are.

    Args:
        fitted: positions of the samples that may have been copied. Shape `(n_fitted, axes)`.
        held_out: positions of real samples that nobody has seen. Shape `(n_held_out, axes)`.
        fake: positions of generated samples.
        to_fitted: distances of the held-out and of the generated samples to the nearest fitted one, where they are
            known: of as many as are looked at.

    Numerics:
        Where real samples coincide by nature (rows of a table of levels) the limit is 0 and "near" means equal; the
        base rate counts such coincidences as well.
    """
    fake = fake[:_MOST_SAMPLES]
    of_held_out, of_fake = to_fitted or _to_nearest(fitted, held_out[:_MOST_SAMPLES], fake)
    limit = np.quantile(of_held_out, NEAR_QUANTILE)
    near_fitted, near_held_out = (
        float(np.mean(distances <= limit)) for distances in (of_fake, *_to_nearest(held_out, fake))
    )
    ratio = len(fitted) / len(held_out)
    expected = 1 - (1 - near_held_out) ** ratio
    # Binomial errors of both shares; that of the base rate grows with the ratio. One sample keeps them above 0.
    count, least = len(fake), 1 / len(fake)
    slope = ratio * (1 - near_held_out) ** (ratio - 1) if near_held_out < 1 else 0.0
    variances = [max(share * (1 - share), least) for share in (near_fitted, near_held_out)]
    error = math.sqrt((variances[0] + slope**2 * variances[1]) / count)
    return NearCopies(near_fitted, expected, (near_fitted - expected) / error)


def nearest_distances(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each held-out real and each generated sample to the nearest fitted real one."""
    sides = (side.positions[:_MOST_SAMPLES] for side in (evidence.real, evidence.fake))
    real, fake = _to_nearest(evidence.real_train.positions, *sides)
    return real, fake


def _to_nearest(points: np.ndarray, *sets: np.ndarray) -> list[np.ndarray]:
    nearest = Nearest(points)
    return [nearest.distances(each, 1)[:, 0] for each in sets]


def copying_score(real_distances: np.ndarray, fake_distances: np.ndarray) -> float:
    """Standardised Mann-Whitney statistic: about N(0, 1) when both follow one distribution, very negative under
    copying.

    Args:
        real_distances: of held-out real samples to the training part. Shape `(n_real,)`.
        fake_distances: of generated samples to it. Shape `(n_fake,)`.
    """
    from scipy.stats import rankdata

    n_real, n_fake = len(real_distances), len(fake_distances)
    ranks = rankdata(np.concatenate([fake_distances, real_distances]))
    statistic = ranks[:n_fake].sum() - n_fake * (n_fake + 1) / 2
    _, ties = np.unique(ranks, return_counts=True)
    total = n_real + n_fake
    variance = n_real * n_fake / 12 * ((total + 1) - (ties**3 - ties).sum() / (total * (total - 1)))
    return float((statistic - n_real * n_fake / 2) / math.sqrt(variance)) if variance > 0 else 0.0


CHECKS = {"memorisation": check_memorisation}
