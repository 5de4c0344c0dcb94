r"""Trees on how usual each pair of a row's values is: broken dependence between columns of a table.

For columns j and k and a row with values a and b, counted in training rows of both sides,

.. math::
    \mathrm{pmi}_{jk} = \log \frac{n_{ab} + \kappa_{ab}}{e_{ab} + \kappa_{ab}}, \qquad e_{ab} = \frac{n_a n_b}{n},
    \qquad \rho_{jk} = \log \frac{r_{ab} + \kappa}{f_{ab} + \kappa}.

The first compares a count with what independence expects: a generator that breaks the dependence of column j writes
rows whose pairs with j are unusual. The second compares the real rows with such a pair with the generated ones. Trees
read, for each column, the sum and the least of the first and the sum of the second over its partners.

Training rows are read against counts of the other folds. Leaving out only the row itself would not do: a real row then
sees one real row less, a generated row one generated row less, and trees learn that trace of the label.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from equipoise.data.judging import Rows
from equipoise.referee.base import Classifier, Scorer
from equipoise.referee.classifiers.trees import boosted

_BINS = 12
"""Numbers are cut at so many quantiles; values that are commoner than a bin keep one of their own."""
_PRIOR = 5.0
"""Rows of each side that a cell starts with in the ratio; fewer make rare cells shout."""
_COUNTED = 10_000.0
"""Counts are scaled to so many rows in all."""
_FOLDS = 5
_MOST_COLUMNS = 40
"""Beyond it only the first columns are paired: the number of pairs grows with the square."""


def fit_pairs(real: Rows, fake: Rows, seed: int) -> Scorer:
    """Boosted trees on sums and minima over each column's partners."""
    encode = _encoder(np.concatenate([real.mixed, fake.mixed]), real.is_category)
    codes = [encode(real.mixed), encode(fake.mixed)]
    levels = 1 + np.max([side.max(axis=0) for side in codes], axis=0)
    folds = [np.arange(len(side)) % _FOLDS for side in codes]
    fitted = [np.zeros((len(side), 3 * side.shape[1] + 3)) for side in codes]
    for fold in range(_FOLDS):
        rest = [side[place != fold] for side, place in zip(codes, folds, strict=True)]
        inside = [side[place == fold] for side, place in zip(codes, folds, strict=True)]
        seen = _usualness(np.concatenate(inside), *rest, levels)
        for features, place, part in zip(fitted, folds, np.split(seen, [len(inside[0])]), strict=True):
            features[place == fold] = part

    def features_of(rows: Rows) -> np.ndarray:
        return _usualness(np.minimum(encode(rows.mixed), levels - 1), *codes, levels)

    return boosted(fitted[0], fitted[1], seed=seed, of=features_of, leaves=15, stages=(10, 30, 80))


def _usualness(at: np.ndarray, real: np.ndarray, fake: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Per column the sum and least information and the summed ratio, and each over all columns. `(n, 3 x columns + 3)`.

    Args:
        at: codes of the rows to describe. Shape `(n, columns)`.
        real: codes of the real rows to count.
        fake: codes of the generated rows to count.
        levels: number of codes of each column.
    """
    columns, total = at.shape[1], len(real) + len(fake)
    # Counts are brought to the same total, so that folds and the whole look alike.
    scale = _COUNTED / total
    singles = [
        scale * sum(np.bincount(side[:, j], minlength=levels[j]) for side in (real, fake))[at[:, j]]
        for j in range(columns)
    ]
    information, least, ratios = np.zeros(at.shape), np.full(at.shape, np.inf), np.zeros(at.shape)
    for j in range(columns):
        for k in range(j):
            cell = at[:, j] * levels[k] + at[:, k]
            counts = [
                np.bincount(side[:, j] * levels[k] + side[:, k], minlength=levels[j] * levels[k])[cell]
                * (_COUNTED / 2 / len(side))
                for side in (real, fake)
            ]
            expected = (singles[j] * singles[k]) / _COUNTED
            prior = np.minimum(expected, 1.0) + 0.1
            pmi = np.log((counts[0] + counts[1] + prior) / (expected + prior))
            ratio = np.log((counts[0] + _PRIOR) / (counts[1] + _PRIOR))
            for column in (j, k):
                information[:, column] += pmi
                ratios[:, column] += ratio
                np.minimum(least[:, column], pmi, out=least[:, column])
    overall = [information.sum(axis=1), least.min(axis=1), ratios.sum(axis=1)]
    return np.concatenate([information, least, ratios, np.stack(overall, axis=1)], axis=1)


def _encoder(pooled: np.ndarray, is_category: tuple[bool, ...]) -> Callable[[np.ndarray], np.ndarray]:
    """From mixed columns to small whole numbers; gaps have a code of their own."""
    width = min(pooled.shape[1], _MOST_COLUMNS)
    edges = []
    for column in range(width):
        values = pooled[:, column][np.isfinite(pooled[:, column])]
        if is_category[column] or len(values) == 0:
            edges.append(np.arange(values.max() + 1) + 0.5 if len(values) else np.zeros(1))
        else:
            edges.append(np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:], method="inverted_cdf")))

    def encode(mixed: np.ndarray) -> np.ndarray:
        codes = [
            np.where(np.isnan(mixed[:, column]), len(cuts) + 1, np.searchsorted(cuts, mixed[:, column]))
            for column, cuts in enumerate(edges)
        ]
        return np.stack(codes, axis=1).astype(np.int64)

    return encode


CLASSIFIERS = {
    "pairs": Classifier(
        name="pairs",
        kinds=frozenset({"table"}),
        fit=fit_pairs,
        sees="broken dependence between columns, impossible combinations",
    )
}
