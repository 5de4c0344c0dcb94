"""How close generated points are to a law: true JSD where it can be had, else the referee and boosted trees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from points_data import Law, diamonds_held_out

from equipoise.metrics.divergence import jsd_of_probabilities
from equipoise.metrics.histogram import histogram_jsd
from equipoise.metrics.known import Mixture

DRAWS = 500_000
"""Generated points behind a true JSD."""
PER_SIDE = 12_000
"""Of each side behind the referee's estimate and the trees."""
COPIES_LOOKED_AT = 20_000
"""Generated points that are compared with training rows and with fresh ones, where training rows are few."""
BINS = 128
FEWEST_SHARE = 2e-4
"""Of all points within three deviations of a mode, for the mode to count as found."""
Sampler = Callable[[int, int], np.ndarray]
"""From a number of points and a seed to points `(n, d)`."""


def scores(law: Law, sampler: Sampler, *, seed: int, training_rows: np.ndarray) -> dict[str, Any]:
    """What a row stores about one attempt."""
    if law.score == "referee":
        found = _by_referee(law, sampler, seed)
    else:
        points = sampler(DRAWS, seed)
        if law.score == "histogram":
            found = {"jsd": _jsd_of_histograms(points, law, seed)}
        else:
            found = _of_modes(points, law.mixture) | {"jsd": _jsd_of_bins(points, law.mixture)}
    if law.rows <= 1000:
        points = sampler(COPIES_LOOKED_AT, seed) if law.score == "referee" else points[:COPIES_LOOKED_AT]
        found["closer_to_training_rows"] = _share_of_near_copies(points, training_rows, law, seed)
    return found


def _jsd_of_bins(points: np.ndarray, mixture: Mixture) -> float:
    if mixture.dimensions == 2:
        return histogram_jsd(points, mixture).jsd_nats
    from scipy.special import ndtr

    deviation = mixture.standard_deviation
    edges = np.arange(mixture.means.min() - 8 * deviation, mixture.means.max() + 8 * deviation, deviation / 2)
    exact = mixture.weights @ np.diff(ndtr((edges - mixture.means) / deviation), axis=1)
    share = np.histogram(points[:, 0], edges)[0] / len(points)
    both = [np.append(side, max(0.0, 1 - side.sum())) for side in (share, exact)]
    return jsd_of_probabilities(*(side / side.sum() for side in both))


def _jsd_of_histograms(points: np.ndarray, law: Law, seed: int) -> float:
    """Both sides in 128 x 128 bins over the middle 99.9 % of each axis; what lies outside shares one more."""
    real = law.fresh_rows(DRAWS, seed, "draws")
    low, high = np.quantile(real, [0.0005, 0.9995], axis=0)
    margin = 0.02 * (high - low)
    edges = [np.linspace(low[axis] - margin[axis], high[axis] + margin[axis], BINS + 1) for axis in range(2)]

    def shares(rows: np.ndarray) -> np.ndarray:
        counts = np.histogram2d(*rows.T, bins=edges)[0].ravel()
        return np.append(counts, len(rows) - counts.sum()) / len(rows)

    return jsd_of_probabilities(shares(points), shares(real))


def _of_modes(points: np.ndarray, mixture: Mixture) -> dict[str, Any]:
    """Modes found, share within three deviations, and the parts of the error: weights, centres and widths."""
    from scipy.stats import chi

    nearest, squares = np.empty(len(points), dtype=int), np.empty(len(points))
    for start in range(0, len(points), 50_000):
        part = slice(start, start + 50_000)
        distances = mixture.squared_distances(points[part])
        nearest[part] = distances.argmin(axis=1)
        squares[part] = distances.min(axis=1)
    distance = np.sqrt(squares) / mixture.standard_deviation
    is_near = distance <= 3
    counts = np.bincount(nearest[is_near], minlength=mixture.modes)
    shares = np.maximum(np.bincount(nearest, minlength=mixture.modes) / len(points), 1e-12)
    centres, covariances = np.zeros_like(mixture.means), np.zeros((mixture.modes, *2 * [mixture.dimensions]))
    is_found = np.zeros(mixture.modes, dtype=bool)
    for mode in range(mixture.modes):
        mine = (points[(nearest == mode) & (distance <= 4)] - mixture.means[mode]) / mixture.standard_deviation
        if len(mine) > 20:
            is_found[mode] = True
            centres[mode], covariances[mode] = mine.mean(axis=0), np.cov(mine.T)
    spread = np.sqrt(np.linalg.eigvalsh(covariances[is_found])) if is_found.any() else np.zeros((1, 1))
    return _parts(mixture, shares / shares.sum(), centres, covariances) | {
        "modes": int((counts >= FEWEST_SHARE * len(points)).sum()),
        "within_3": float(is_near.mean()),
        "width_ratio": float(np.median(distance) / chi(mixture.dimensions).median()),
        "weights_kl": float((shares * np.log(shares / mixture.weights)).sum()),
        "centre_error": float(np.sqrt(np.mean(centres[is_found] ** 2))) if is_found.any() else None,
        "narrowest": float(spread[:, 0].mean()),
        "widest": float(spread[:, -1].mean()),
    }


def _parts(mixture: Mixture, shares: np.ndarray, centres: np.ndarray, covariances: np.ndarray) -> dict[str, float]:
    """JSD of the true mixture with one kind of error of the generator's kept: weights, centres or widths of its modes.

    Centres and covariances are in deviations. Normal modes stand in for the generator's, so that the error of their
    shape, and samples between them, are in none of the three.
    """
    if mixture.dimensions != 2:
        return {}
    stream = np.random.default_rng(3)
    noise = stream.normal(size=(DRAWS, 2))
    roots = np.linalg.cholesky(covariances + 1e-9 * np.eye(2))
    even, own = (stream.choice(mixture.modes, DRAWS, p=weights) for weights in (mixture.weights, shares))
    kept = {
        "weights": (own, noise),
        "centres": (even, noise + centres[even]),
        "widths": (even, np.einsum("nij,nj->ni", roots[even], noise)),
    }
    return {
        f"jsd_of_{name}": histogram_jsd(mixture.means[mode] + mixture.standard_deviation * place, mixture).jsd_nats
        for name, (mode, place) in kept.items()
    }


def _share_of_near_copies(points: np.ndarray, training_rows: np.ndarray, law: Law, seed: int) -> float:
    """Share of generated points that are closer to a training row than to any of as many fresh rows; 1/2 by chance.

    Distances are those of standardised coordinates, but for mixtures of round modes, whose axes have one unit.
    """
    from scipy.spatial import cKDTree

    fresh = law.fresh_rows(len(training_rows), seed, "rows beside the training rows")
    units = 1.0 if law.mixture is not None else training_rows.std(axis=0)
    to_training, to_fresh = (cKDTree(rows / units).query(points / units)[0] for rows in (training_rows, fresh))
    return float((to_training < to_fresh).mean())


def _by_referee(law: Law, sampler: Sampler, seed: int) -> dict[str, Any]:
    import equipoise as eq

    real = diamonds_held_out(seed, PER_SIDE) if law.name == "diamonds" else law.fresh_rows(PER_SIDE, seed, "other side")
    fake = sampler(PER_SIDE, seed)
    verdict = eq.judge(real, fake, seed=seed)
    return {
        "auc": _auc(real, fake, seed),
        "estimate": float(verdict.jsd_estimate_nats),
        "bound": float(verdict.jsd_lower_bound_nats),
        "conclusion": str(verdict.conclusion),
    }


def _auc(real: np.ndarray, fake: np.ndarray, seed: int) -> float:
    """Of boosted trees that learn from one half of the rows and are scored on the other."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score

    rows, labels = np.concatenate([fake, real]), np.repeat([0, 1], [len(fake), len(real)])
    order = np.random.default_rng(seed).permutation(len(rows))
    rows, labels = rows[order], labels[order]
    half = len(rows) // 2
    trees = HistGradientBoostingClassifier(
        max_iter=150, learning_rate=0.08, max_leaf_nodes=15, early_stopping=True, random_state=0
    )
    trees.fit(rows[:half], labels[:half])
    return float(roc_auc_score(labels[half:], trees.predict_proba(rows[half:])[:, 1]))
