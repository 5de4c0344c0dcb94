"""Coverage: are there regions of the data that the generator does not reach, or reaches where no data are?

Scores of neighbourhoods are read against the same score between two real parts, which the keys of the numbers call
their floor, because even perfect samples leave some real samples without a neighbour.
"""

from __future__ import annotations

import math

import numpy as np

from equipoise.referee.base import Evidence, Finding

NEIGHBOURS = 5
MOST_SAMPLES = 2000
_REGIONS = 30
_LEAST_IN_REGION = 10
"""Real samples that a region must be expected to hold for its share to be compared."""


def check_coverage(evidence: Evidence) -> tuple[Finding, ...]:
    """Precision, recall, density and coverage with their floors, and the regions whose share is wrong."""
    count = min(len(evidence.real), len(evidence.fake), len(evidence.real_train), MOST_SAMPLES)
    if count < 4 * NEIGHBOURS:
        return ()
    real, fake, other = (side.positions[:count] for side in (evidence.real, evidence.fake, evidence.real_train))
    radius = _ball_radius(real)
    scores, floor = (neighbourhood_scores(real, side, real_radius=radius) for side in (fake, other))
    findings = []
    for name, sense in (
        ("coverage", "of the real samples have a generated one in their neighbourhood"),
        ("precision", "of the generated samples lie in the neighbourhood of a real one"),
    ):
        # Two shares of `count` samples; four deviations of their difference, as samples of one ball go together.
        spread = math.sqrt(2 * max(floor[name] * (1 - floor[name]), 1 / count) / count)
        if scores[name] < floor[name] - 4 * spread - 0.01:
            findings.append(
                Finding(
                    "coverage",
                    f"{name.capitalize()} is low: {scores[name]:.1%} {sense}; between two real sets it is "
                    f"{floor[name]:.1%}.",
                    True,
                    {f"{name}_share": scores[name], f"{name}_floor_share": floor[name]},
                )
            )
    numbers = {f"{name}_share": score for name, score in scores.items()}
    numbers |= {f"{name}_floor_share": score for name, score in floor.items()}
    summary = ", ".join(
        f"{name} {scores[name]:.2f} ({floor[name]:.2f})" for name in ("precision", "recall", "coverage")
    )
    findings.append(Finding("coverage", f"In brackets what two real sets reach: {summary}.", numbers=numbers))
    return (*findings, *_regions(evidence))


def neighbourhood_scores(
    real: np.ndarray, fake: np.ndarray, *, real_radius: np.ndarray | None = None
) -> dict[str, float]:
    """Precision, recall, density and coverage of equally many samples, by the balls to the 5th neighbour.

    Args:
        real: positions of real samples. Shape `(n, axes)`.
        fake: positions of generated samples.
        real_radius: distance of each real sample to its 5th neighbour, where it is known.

    Returns:
        Shares; density may exceed 1. For two sets of one distribution coverage is about `1 - 2^-5 = 0.969`.

    Reference:
        Kynkäänniemi et al. 2019, arXiv:1904.06991, Eq. 2 (precision, recall); Naeem et al. 2020, arXiv:2002.09797, Eqs.
        3-5.
    """
    from scipy.spatial.distance import cdist

    between = cdist(real, fake)
    real_radius, fake_radius = _ball_radius(real) if real_radius is None else real_radius, _ball_radius(fake)
    in_real_ball = between <= real_radius[:, None]
    return {
        "precision": float(in_real_ball.any(axis=0).mean()),
        "density": float(in_real_ball.sum(axis=0).mean() / NEIGHBOURS),
        "recall": float((between <= fake_radius).any(axis=1).mean()),
        "coverage": float(in_real_ball.any(axis=1).mean()),
    }


def _ball_radius(side: np.ndarray) -> np.ndarray:
    """Distance of each sample to its 5th neighbour; the sample itself is the 0th."""
    from scipy.spatial.distance import cdist

    return np.partition(cdist(side, side), NEIGHBOURS, axis=1)[:, NEIGHBOURS]


def _regions(evidence: Evidence) -> list[Finding]:
    """Regions (k-means of the real training samples) whose share among generated samples is wrong beyond chance."""
    from scipy.stats import norm
    from sklearn.cluster import KMeans

    regions = min(_REGIONS, len(evidence.real) // (2 * _LEAST_IN_REGION), len(evidence.real_train) // 10)
    if regions < 2:
        return []
    fitted = evidence.real_train.positions[:MOST_SAMPLES]
    regions = min(regions, len(np.unique(fitted, axis=0)))
    clusters = KMeans(regions, n_init=1, random_state=evidence.seed % 2**31).fit(fitted)
    counts = [
        np.bincount(clusters.predict(side.positions), minlength=regions) for side in (evidence.real, evidence.fake)
    ]
    shares = [count / count.sum() for count in counts]
    pooled = (counts[0] + counts[1]) / (counts[0].sum() + counts[1].sum())
    spread = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-12) * (1 / counts[0].sum() + 1 / counts[1].sum()))
    scores = (shares[1] - shares[0]) / spread
    limit = norm.ppf(1 - (1 - evidence.confidence) / (2 * regions))
    enough = counts[0] + counts[1] >= 2 * _LEAST_IN_REGION
    rows = [
        {"region": int(region), "real_share": float(shares[0][region]), "fake_share": float(shares[1][region])}
        for region in np.argsort(scores)
        if enough[region] and abs(scores[region]) > limit
    ]
    if not rows:
        return []
    missing = [row for row in rows if row["fake_share"] < row["real_share"] / 5]
    if missing:
        worst = missing[0]
        statement = (
            f"{len(missing)} of {regions} regions of the data are missing or nearly so; the worst holds "
            f"{worst['real_share']:.1%} of the real samples and {worst['fake_share']:.1%} of the generated ones."
        )
    else:
        worst = max(rows, key=lambda row: abs(row["fake_share"] - row["real_share"]))
        statement = (
            f"{len(rows)} of {regions} regions of the data have the wrong share; one holds {worst['real_share']:.1%} "
            f"of the real samples and {worst['fake_share']:.1%} of the generated ones."
        )
    return [Finding("coverage", statement, True, {"regions": regions, "wrong_regions": len(rows)}, tuple(rows[:10]))]


CHECKS = {"coverage": check_coverage}
