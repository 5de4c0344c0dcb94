"""Logistic regression on (x, x^2) and, where there are few columns, on products: shifts, spreads, correlations."""

from __future__ import annotations

import numpy as np

from equipoise.data.judging import Rows
from equipoise.referee.base import Classifier, Scorer
from equipoise.referee.classifiers.logistic import fit_logistic

_MOST_COLUMNS_WITH_PRODUCTS = 20
_MOST_COLUMNS = 200
_STRENGTHS = (1.0, 30.0, 1000.0)
"""Ridge strengths; each is a candidate, and the validation part picks one."""


def fit_quadratic(real: Rows, fake: Rows, seed: int) -> Scorer:
    """Ridge logistic regression on linear, squared and (up to 20 columns) product terms.

    For two Gaussians the log density ratio is exactly of this form.
    """
    directions = _main_directions(np.concatenate([real.numbers, fake.numbers]), seed)

    def terms(rows: Rows) -> np.ndarray:
        return _terms(rows.numbers if directions is None else rows.numbers @ directions)

    score = fit_logistic(terms(real), terms(fake), strengths=_STRENGTHS)
    return lambda rows: score(terms(rows))


def _main_directions(pooled: np.ndarray, seed: int) -> np.ndarray | None:
    """Leading directions of a thousand rows where there are very many columns, else `None`: Newton's cost is cubic."""
    if pooled.shape[1] <= _MOST_COLUMNS:
        return None
    rows = np.random.default_rng(seed).choice(len(pooled), size=min(len(pooled), 1000), replace=False)
    part = pooled[rows] - pooled.mean(axis=0)
    return np.linalg.svd(part, full_matrices=False)[2][:_MOST_COLUMNS].T


def _terms(numbers: np.ndarray) -> np.ndarray:
    blocks = [numbers, numbers**2]
    if numbers.shape[1] <= _MOST_COLUMNS_WITH_PRODUCTS:
        first, second = np.triu_indices(numbers.shape[1], k=1)
        blocks.append(numbers[:, first] * numbers[:, second])
    return np.concatenate(blocks, axis=1)


CLASSIFIERS = {
    "quadratic": Classifier(
        name="quadratic",
        kinds=frozenset({"points", "images", "table"}),
        fit=fit_quadratic,
        sees="shifts, changes of spread, changed correlations",
    )
}
