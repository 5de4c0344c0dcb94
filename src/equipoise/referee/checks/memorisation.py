r"""Memorisation: are generated samples nearer to the fitting part than fresh real samples are?

For T the fitting part (the training part, when the verdict is about a run), P held-out real samples and Q generated
ones, the rank test compares d(q, T) with d(p, T). A generator that copies T has nearly all its distances below those of
P.

Reference: Meehan, Chaudhuri and Dasgupta 2020, "A non-parametric test to detect data-copying in generative models",
arXiv:2004.05675, section 3.1 (the global statistic C_T, without its cells).
"""

from __future__ import annotations

import math

import numpy as np

from equipoise.referee.base import Evidence, Finding

NEAR_QUANTILE = 0.01
_STRIKING_SHARE = 0.05
"""Near-copies beyond the 1 % expected; narrow modes alone bring about 2 %, since they lie where data are dense."""
_COPYING_SCORE = -3.0
_MOST_SAMPLES = 5000


def check_memorisation(evidence: Evidence) -> tuple[Finding, ...]:
    """The rank score of copying, and the share of near-copies."""
    if min(len(evidence.real), len(evidence.fake), len(evidence.real_fit)) < 20:
        return ()
    distances = nearest_distances(evidence)
    score = copying_score(*distances)
    near = near_copy_share(*distances)
    source = "training samples" if evidence.is_training_part else "the real samples used for fitting"
    numbers = {"copying_z_score": score, "near_copy_share": near, "expected_near_copy_share": NEAR_QUANTILE}
    if near > _STRIKING_SHARE and score < _COPYING_SCORE:
        return (
            Finding(
                "memorisation",
                f"{near:.1%} of the generated samples lie closer to {source} than all but {NEAR_QUANTILE:.0%} of "
                f"fresh real samples do: they look copied.",
                True,
                numbers,
            ),
        )
    if score < _COPYING_SCORE:
        statement = (
            f"Generated samples lie nearer to {source} than fresh real samples do (rank score {score:.1f}), but few "
            "are near-copies: too little variety can do this as well as copying."
        )
    else:
        statement = f"Generated samples lie no nearer to {source} than fresh real samples do: no sign of copying."
    return (Finding("memorisation", statement, numbers=numbers),)


def nearest_distances(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each held-out real and each generated sample to the nearest fitted real one."""
    from scipy.spatial import cKDTree

    tree = cKDTree(evidence.real_fit.positions)
    real, fake = (tree.query(side.positions[:_MOST_SAMPLES])[0] for side in (evidence.real, evidence.fake))
    return real, fake


def copying_score(real_distances: np.ndarray, fake_distances: np.ndarray) -> float:
    """Standardised Mann-Whitney statistic: about N(0, 1) when both follow one law, very negative under copying.

    Args:
        real_distances: of held-out real samples to the fitting part. Shape `(n_real,)`.
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


def near_copy_share(real_distances: np.ndarray, fake_distances: np.ndarray) -> float:
    """Share of generated samples nearer to the fitting part than the nearest 1 % of held-out real ones.

    Distances that real samples share by nature (0 in tables whose rows coincide) are no sign of copying, so "nearer" is
    strict.
    """
    limit = np.quantile(real_distances, NEAR_QUANTILE)
    if limit > 0:
        return float(np.mean(fake_distances < limit))
    # Rows coincide by nature: compare how often.
    excess = float(np.mean(fake_distances <= 0) - np.mean(real_distances <= 0))
    return max(0.0, excess)


CHECKS = {"memorisation": check_memorisation}
