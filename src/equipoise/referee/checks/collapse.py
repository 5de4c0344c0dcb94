"""Collapse: does the generator repeat itself, exactly or nearly, more often than the data do?"""

from __future__ import annotations

import math

import numpy as np

from equipoise.referee.base import Evidence, Finding

NEAR_QUANTILE = 0.01
"""Samples count as nearly the same when they are closer than all but 1 % of nearest real samples are to each other."""
_STRIKING_SHARE = 0.05
_MOST_SAMPLES = 5000


def check_collapse(evidence: Evidence) -> tuple[Finding, ...]:
    """Share of exact repeats, and of pairs much nearer to each other than real samples are."""
    count = min(len(evidence.real), len(evidence.fake), _MOST_SAMPLES)
    if count < 20:
        return ()
    real_share, fake_share = (
        repeated_share(evidence.domain.row_keys(side[:count])) for side in (evidence.real_values, evidence.fake_values)
    )
    numbers = {"real_repeated_share": real_share, "fake_repeated_share": fake_share}
    findings = []
    if fake_share > real_share + _STRIKING_SHARE:
        findings.append(
            Finding(
                "collapse",
                f"{fake_share:.1%} of the generated samples occur more than once among {count:,}; of the real ones "
                f"{real_share:.1%} do.",
                True,
                numbers,
            )
        )
    near = near_repeat_share(evidence.real.positions[:count], evidence.fake.positions[:count])
    numbers = {"fake_near_repeat_share": near, "real_near_repeat_share": NEAR_QUANTILE}
    # A generator with modes of half the right width has a share of about 4 %; a collapsed one has most of its samples.
    # Among few samples the nearest 1 % is one sample, and neighbours come in pairs: four deviations of such a count.
    expected = max(1.0, NEAR_QUANTILE * count)
    is_chance = near * count <= expected + 4 * math.sqrt(2 * (expected + 1))
    if near > max(2 * _STRIKING_SHARE, fake_share + _STRIKING_SHARE) and not is_chance:
        findings.append(
            Finding(
                "collapse",
                f"{near:.1%} of the generated samples have a near-copy among {count:,}; of the real ones "
                f"{NEAR_QUANTILE:.0%} have one as near.",
                True,
                numbers,
            )
        )
    return tuple(findings) or (
        Finding("collapse", "Generated samples repeat themselves no more than real ones do.", numbers=numbers),
    )


def repeated_share(keys: np.ndarray) -> float:
    """Share of samples that occur more than once."""
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return float(np.mean(counts[inverse] > 1))


def near_repeat_share(real: np.ndarray, fake: np.ndarray) -> float:
    """Share of generated samples whose nearest fellow is closer than the 1 % quantile of that distance among real ones.

    Args:
        real: positions. Shape `(n, axes)`.
        fake: the same number of positions; with more samples, nearest ones are nearer.
    """
    from scipy.spatial import cKDTree

    real_distances, fake_distances = (cKDTree(side).query(side, k=2)[0][:, 1] for side in (real, fake))
    return float(np.mean(fake_distances < np.quantile(real_distances, NEAR_QUANTILE)))


CHECKS = {"collapse": check_collapse}
