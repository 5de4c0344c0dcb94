r"""Collapse: does the generator repeat itself, exactly or nearly, more often than the data do?

A near-copy is a sample whose nearest fellow is closer than half of what counts as near among real samples: half of the
distance that all but 1 % of them keep. The half decides. In many dimensions nearest distances are all alike (of the
28 axes of digits the nearest 1 % lie at 0.6 of the median), so that samples which are merely drawn together by a tenth
fall below the quantile itself by the dozen, while they cover the data and repeat nothing. With it, in any number of
dimensions, samples at :math:`c` times the distances of the data have no more near-copies than the data have near
fellows as long as :math:`c \ge 1/2`:

.. math::
    P(c\, d < \tfrac12 q_{0.01}) \le P(d < q_{0.01}) = 0.01 .
"""

from __future__ import annotations

import math

import numpy as np

from equipoise.referee.base import Evidence, Finding
from equipoise.referee.nearest import Nearest

NEAR_QUANTILE = 0.01
"""Real samples count as near to each other when they are closer than all but 1 % of nearest ones are."""
REPEAT_SCALE = 0.5
"""Generated samples are near-copies of each other below this share of that distance. Arbitrary between 1, which calls
every tightened sample of many dimensions a repeat, and 0, which sees exact repeats only."""
_STRIKING_SHARE = 0.05
STRIKING_Z = 4.0
"""Deviations beyond which a number of repeats, or of near samples, is no chance."""
_MOST_SAMPLES = 5000


def check_collapse(evidence: Evidence) -> tuple[Finding, ...]:
    """Share of exact repeats, and of pairs much nearer to each other than real samples are."""
    count = min(len(evidence.real), len(evidence.fake), _MOST_SAMPLES)
    if count < 20:
        return ()
    keys = evidence.keys or (
        evidence.domain.row_keys(side[:count]) for side in (evidence.real_values, evidence.fake_values)
    )
    real_share, fake_share = (repeated_share(of_side[:count]) for of_side in keys)
    numbers = {"real_repeated_share": real_share, "fake_repeated_share": fake_share}
    findings = []
    if fake_share > real_share + _STRIKING_SHARE + STRIKING_Z * _repeats_error(real_share, fake_share, count=count):
        findings.append(
            Finding(
                "collapse",
                f"{fake_share:.1%} of the generated samples occur more than once among {count:,}; of the real ones "
                f"{real_share:.1%} do.",
                True,
                numbers,
            )
        )
    sides = evidence.real.positions[:count], evidence.fake.positions[:count]
    real_near, near, crowded = near_repeat_shares(*sides)
    numbers |= {
        "fake_near_repeat_share": near,
        "real_near_repeat_share": real_near,
        "fake_crowded_share": crowded,
        "real_crowded_share": NEAR_QUANTILE,
        "crowding_z_score": near_z_score(crowded, count=count),
    }
    is_striking = near > max(2 * _STRIKING_SHARE, fake_share + _STRIKING_SHARE)
    if is_striking and near_z_score(near, count=count) > STRIKING_Z:
        findings.append(
            Finding(
                "collapse",
                f"{near:.1%} of the generated samples have a near-copy among {count:,}; of the real ones "
                f"{real_near:.1%} have one as near.",
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


def _repeats_error(*shares: float, count: int) -> float:
    """Standard error of the difference of two shares of repeats among `count` samples of one law.

    Repeats come in pairs at least, so that a count of them varies twice as much as that of independent samples.
    """
    pooled = sum(shares) / len(shares)
    return math.sqrt(2 * 2 * pooled * (1 - pooled) / count)


def near_repeat_shares(real: np.ndarray, fake: np.ndarray) -> tuple[float, float, float]:
    """How often samples have a fellow that is near.

    Args:
        real: positions. Shape `(n, axes)`.
        fake: the same number of positions; with more samples, nearest ones are nearer.

    Returns:
        The shares of real and of generated samples with a near-copy, and the share of generated ones that are crowded:
        nearer to a fellow than all but 1 % of the real ones.
    """
    real_distances, fake_distances = (Nearest(side).distances(side, 2)[:, 1] for side in (real, fake))
    near = np.quantile(real_distances, NEAR_QUANTILE)
    return (
        float(np.mean(real_distances < REPEAT_SCALE * near)),
        float(np.mean(fake_distances < REPEAT_SCALE * near)),
        float(np.mean(fake_distances < near)),
    )


def near_z_score(share: float, *, count: int) -> float:
    """How many deviations the number of near samples lies above the 1 % of `count` that is expected by definition.

    Among few samples the nearest 1 % is one sample, and neighbours come in pairs.
    """
    expected = max(1.0, NEAR_QUANTILE * count)
    return (share * count - expected) / math.sqrt(2 * (expected + 1))


CHECKS = {"collapse": check_collapse}
