r"""Logistic regression on how often each value was met on each side: codes, repeated values, lattices.

For column j and a row with the value v, counted in training rows of both sides,

.. math::
    \rho_j = \log \frac{r_v + \kappa}{f_v + \kappa}, \qquad \kappa = 1,

and a value met on neither side has :math:`\rho_j = 0` and a mark of its own: a place for codes never met. What is
counted is the value itself, to the last digit, be it one of three thousand codes or a price. The classifier reads, for
each column, the ratio, the mark, and the logarithm of how often the value was met at all, which says whether it
repeats; and the sum of all ratios.

Training rows are read against counts of the other folds, as in `pairs`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from equipoise.data.judging import Rows
from equipoise.referee.base import Classifier, Scorer
from equipoise.referee.classifiers.logistic import fit_logistic

_PRIOR = 1.0
_FOLDS = 5
_STRENGTHS = (3.0, 100.0)
_MOST_COLUMNS = 60
"""Beyond it only the first columns are read."""


def fit_values(real: Rows, fake: Rows, seed: int) -> Scorer:
    """Ridge logistic regression on what was met before."""
    del seed
    sides = [each.exact[:, :_MOST_COLUMNS] for each in (real, fake)]
    folds = [np.arange(len(side)) % _FOLDS for side in sides]
    width = 3 * min(sides[0].shape[1], _MOST_COLUMNS) + 1
    fitted: list[np.ndarray] = [np.zeros((len(side), width)) for side in sides]
    for fold in range(_FOLDS):
        met = _met(*(side[place != fold] for side, place in zip(sides, folds, strict=True)))
        for features, side, place in zip(fitted, sides, folds, strict=True):
            features[place == fold] = met(side[place == fold])
    met = _met(*sides)
    score = fit_logistic(*fitted, strengths=_STRENGTHS)
    return lambda rows: score(met(rows.exact))


def _met(real: np.ndarray, fake: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """What was met of each value: a function from rows of exact values to `(n, 3 x columns + 1)`."""
    tables = []
    for column in range(real.shape[1]):
        values, where = np.unique(np.concatenate([real[:, column], fake[:, column]]), return_inverse=True)
        tables.append((values, *(np.bincount(part, minlength=len(values)) for part in np.split(where, [len(real)]))))

    def features(at: np.ndarray) -> np.ndarray:
        ratios, marks, repeats = [], [], []
        for column, (values, real_counts, fake_counts) in enumerate(tables):
            place = np.minimum(np.searchsorted(values, at[:, column]), len(values) - 1)
            is_met = values[place] == at[:, column]
            reals, fakes = (np.where(is_met, counts[place], 0) for counts in (real_counts, fake_counts))
            # Sides of unlike sizes are brought to the same expected counts.
            scale = np.array([1 / len(real), 1 / len(fake)]) * min(len(real), len(fake))
            marks.append(~is_met)
            if len(values) == 1:
                # One value everywhere: its counts tell only how large the folds were.
                ratios.append(np.zeros(len(at)))
                repeats.append(np.zeros(len(at)))
                continue
            ratios.append(np.log(reals * scale[0] + _PRIOR) - np.log(fakes * scale[1] + _PRIOR))
            repeats.append(np.log1p(reals * scale[0] + fakes * scale[1]))
        stacked = np.stack(ratios, axis=1)
        return np.concatenate(
            [stacked, np.stack(marks, axis=1), np.stack(repeats, axis=1), stacked.sum(axis=1, keepdims=True)], axis=1
        )

    return features


CLASSIFIERS = {
    "values": Classifier(
        name="values",
        kinds=frozenset({"points", "table"}),
        fit=fit_values,
        sees="codes and values that one side has and the other has not, repeats",
    )
}
