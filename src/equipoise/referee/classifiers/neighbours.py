r"""Classifiers on distances to neighbours: where real samples are dense and generated ones are not, and how dense.

They read :math:`\log d_k` for several k: the distance to the k-th nearest generated sample less that to the k-th
nearest real one, and the distance to the 2k-th nearest of both together. The first estimates the ratio of the
densities; the second says how far out in its mode a sample lies, so that one curve serves all modes alike, where a
function of the coordinates would have to learn each mode anew.

Training samples are measured against the other folds. Leaving out only the sample itself would not do: a real sample
then lacks one real neighbour, a generated one a generated neighbour, and the classifiers learn that trace of the label.
"""

from __future__ import annotations

import numpy as np

from equipoise.data.judging import POSITION_DIGITS, Rows
from equipoise.referee.base import Classifier, Scorer
from equipoise.referee.classifiers.logistic import fit_logistic
from equipoise.referee.classifiers.trees import boosted
from equipoise.referee.nearest import Nearest

_NEIGHBOURS = (1, 2, 4, 8, 16, 32, 64)
_STRENGTHS = (1.0, 30.0, 300.0, 3000.0)
_FEW_AXES, _MOST_IN_MANY_AXES = 6, 16
"""In many axes far neighbours take most of the time and say least: fewer are asked for."""
_MOST_FITTED_IN_MANY_AXES = 2_500
"""Of either side: in many axes a tree of positions saves nothing, and time grows with the square of their number."""
_FOLDS = 5
_SMALLEST_DISTANCE = 1e-12
"""Under it two samples count as the same; the logarithm needs a floor."""


def fit_neighbour_trees(real: Rows, fake: Rows, seed: int) -> Scorer:
    """Boosted trees on positions and log-distances."""

    def joined(rows: Rows, logs: np.ndarray) -> np.ndarray:
        return np.concatenate([rows.positions, logs], axis=1)

    near, fitted = real.once(fake, lambda: _fitted_logs(real, fake))
    return boosted(
        *(
            np.concatenate([side.positions[: len(logs)], logs], axis=1)
            for side, logs in zip((real, fake), fitted, strict=True)
        ),
        seed=seed,
        of=lambda rows: joined(rows, near.of(rows)),
        leaves=15,
        stages=(10, 30, 80),
    )


def fit_neighbour_curves(real: Rows, fake: Rows, seed: int) -> Scorer:
    """Ridge logistic regression on log-distances, their squares and products: few parameters, so little overfits."""
    del seed
    near, fitted = real.once(fake, lambda: _fitted_logs(real, fake))
    centre = fitted[0].mean(axis=0)

    def terms(logs: np.ndarray) -> np.ndarray:
        first, second = np.triu_indices(logs.shape[1])
        centred = logs - centre
        return np.concatenate([centred, centred[:, first] * centred[:, second]], axis=1)

    score = fit_logistic(terms(fitted[0]), terms(fitted[1]), strengths=_STRENGTHS)
    return lambda rows: score(terms(near.of(rows)))


class Neighbours:
    """Log-distances to two sets of samples, read at given ranks.

    Args:
        real: positions of real samples. Shape `(n, axes)`.
        fake: positions of generated samples.
        ranks: which neighbours are read, rising; they need not be whole numbers.
    """

    def __init__(self, real: np.ndarray, fake: np.ndarray, ranks: np.ndarray) -> None:
        self._sides = [Nearest(side) for side in (real, fake)]
        self._ranks = ranks

    def of(self, rows: Rows) -> np.ndarray:
        """What a call returns for the positions of rows, computed once for all classifiers that read it."""
        return rows.once(self, lambda: self(rows.positions))

    def __call__(self, at: np.ndarray) -> np.ndarray:
        """Log ratios of distances, generated over real, then log-distances to both together. `(n, 2 x ranks)`."""
        wanted = int(np.ceil(self._ranks[-1])) + 1
        found = [side.distances(at, wanted) for side in self._sides]
        both = np.sort(np.concatenate(found, axis=1), axis=1)
        real, fake, pooled = (np.log(np.maximum(distances, _SMALLEST_DISTANCE)) for distances in (*found, both))
        ratios = _at_ranks(fake, self._ranks) - _at_ranks(real, self._ranks)
        return np.round(np.concatenate([ratios, _at_ranks(pooled, 2 * self._ranks)], axis=1), POSITION_DIGITS)


def _fitted_logs(real: Rows, fake: Rows) -> tuple[Neighbours, list[np.ndarray]]:
    """Log-distances for new samples, and those of training samples of both sides, each against the other folds."""
    axes = real.positions.shape[1]
    sides = [
        each.positions if axes <= _FEW_AXES else each.positions[:_MOST_FITTED_IN_MANY_AXES] for each in (real, fake)
    ]
    folds = [np.arange(len(side)) % _FOLDS for side in sides]
    fewest = min(len(side) for side in sides) * (_FOLDS - 1) // _FOLDS
    most = _NEIGHBOURS[-1] if axes <= _FEW_AXES else _MOST_IN_MANY_AXES
    ranks = np.array([float(k) for k in _NEIGHBOURS if k == 1 or (k <= most and 1.5 * k < fewest)])
    parts: list[list[np.ndarray]] = [[], []]
    for fold in range(_FOLDS):
        near = Neighbours(*(side[place != fold] for side, place in zip(sides, folds, strict=True)), ranks)
        for part, side, place in zip(parts, sides, folds, strict=True):
            part.append(near(side[place == fold]))
    fitted = []
    for part, place in zip(parts, folds, strict=True):
        logs = np.empty((len(place), part[0].shape[1]))
        for fold in range(_FOLDS):
            logs[place == fold] = part[fold]
        fitted.append(logs)
    # All training samples together are denser than the folds by this factor: the same density is found at larger ranks.
    return Neighbours(*sides, ranks * _FOLDS / (_FOLDS - 1)), fitted


def _at_ranks(sorted_logs: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Columns of `sorted_logs` at ranks that need not be whole, by linear interpolation; rank 1 is the first column."""
    below = np.minimum(ranks.astype(int), sorted_logs.shape[1]) - 1
    above = np.minimum(below + 1, sorted_logs.shape[1] - 1)
    share = ranks - np.floor(ranks)
    return (1 - share) * sorted_logs[:, below] + share * sorted_logs[:, above]


CLASSIFIERS = {
    "neighbour trees": Classifier(
        name="neighbour trees",
        kinds=frozenset({"points", "images", "table"}),
        fit=fit_neighbour_trees,
        sees="missing modes, modes of the wrong width, copies",
    ),
    "neighbour curves": Classifier(
        name="neighbour curves",
        kinds=frozenset({"points", "images"}),
        fit=fit_neighbour_curves,
        sees="slightly wrong widths, missing modes",
    ),
}
