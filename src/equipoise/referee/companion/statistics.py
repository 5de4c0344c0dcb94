r"""Statistics of the companion: numbers per sample, whose sums over one side are compared with those over permutations.

A statistic is a mean over real samples against the mean over generated ones, of a number that each sample has: its age,
the square of that, whether it is a multiple of ten. Numbers of samples are computed from all samples together without
knowing their sides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from equipoise.referee.companion.result import Difference

_LEAST_DEVIATION = 1e-9
"""Numbers per sample that vary less than this, beside their size, are constant."""


@dataclass(frozen=True)
class Sides:
    """Which side each sample is on, for the words about a difference; no statistic is computed from it.

    Attributes:
        is_real: for each sample. Shape `(n,)`, bool.
        units: number of the unit (a row, or a group of rows) of each sample. Shape `(n,)`, int64.
    """

    is_real: np.ndarray
    units: np.ndarray

    def of(self, values: np.ndarray) -> tuple[float, float, float]:
        r"""Mean of the finite values on the real and on the generated side, and the standard error of their difference.

        The error is that of means of units: :math:`\sqrt{\sum_u (\sum_{i \in u} (x_i - \bar x))^2} / n` on each side.
        """
        finite = np.isfinite(values)
        means, squares = [], 0.0
        for on_side in (self.is_real & finite, ~self.is_real & finite):
            if not on_side.any():
                return np.nan, np.nan, np.nan
            inside = values[on_side]
            mean = float(inside.mean())
            residuals = np.bincount(self.units[on_side], weights=inside - mean)
            means.append(mean)
            squares += float(residuals @ residuals) / len(inside) ** 2
        return means[0], means[1], float(np.sqrt(squares))


Describe = Callable[[int, Sides, float], Difference]
"""From the number of a statistic in its family, the sides, and how many standard errors an interval spans to either
side: the difference in words. Its p-value is filled in later."""


@dataclass(frozen=True)
class Family:
    """Statistics of one kind.

    Attributes:
        name: of the kind.
        features: a number per sample for each statistic. Shape `(n, statistics)`.
        weights: share of the error that each statistic is given, up to a common factor. Shape `(statistics,)`; or
            `(1,)` where `spectrum` makes one statistic of all.
        describe: a difference in words.
        spectrum: where it is given, the features are uncorrelated and the one statistic is the sum of the squares of
            their standardised differences, each times its number here. Shape `(features,)`.
    """

    name: str
    features: np.ndarray
    weights: np.ndarray
    describe: Describe
    spectrum: np.ndarray | None = None


def standardised(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns with mean 0 and deviation 1, those that vary, and which these are. Float32 `(n, kept)`, int64 `(kept,)`.

    Numerics:
        Means and deviations in float64; float32 afterwards, whose rounding is far below the permutations' spread.
    """
    if features.shape[1] == 0:
        return np.zeros((len(features), 0), np.float32), np.zeros(0, np.int64)
    centres = features.mean(axis=0, dtype=np.float64)
    centred = (features - centres.astype(features.dtype)).astype(np.float32, copy=False)
    deviations = np.sqrt(np.einsum("ij,ij->j", centred, centred, dtype=np.float64) / len(features))
    kept = np.flatnonzero(deviations > _LEAST_DEVIATION * np.maximum(1.0, np.abs(centres)))
    if len(kept) < centred.shape[1]:
        centred, deviations = centred[:, kept], deviations[kept]
    centred /= deviations.astype(np.float32)
    return centred, kept


def normal_scores(values: np.ndarray) -> np.ndarray:
    r"""Normal scores of ranks, :math:`\Phi^{-1}((r - 1/2) / n)`, mean ranks for ties; gaps get 0. Shape `(n,)`.

    Whatever the shape of a column, an outlier weighs no more than the largest of as many normal numbers.
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata

    finite = np.isfinite(values)
    scores = np.zeros(len(values))
    if finite.any():
        scores[finite] = ndtri((rankdata(values[finite]) - 0.5) / finite.sum())
    return scores
