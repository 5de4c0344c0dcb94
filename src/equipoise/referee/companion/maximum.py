r"""One maximum over statistics of every kind, and the p-value of it.

Each statistic is brought to a common scale: minus the logarithm of its own approximate p-value, plus the logarithm of
its weight. That approximation decides only how the error is shared among the statistics; the maximum's distribution is
that over permutations, which is exact.
"""

from __future__ import annotations

import math

import numpy as np

from equipoise.referee.companion.statistics import Family

_TIES = 1e-4
"""Maxima within this of the observed one count as equal to it: more than rounding in float32 can separate, so that
ties never speak against "one distribution"."""
_GRID = np.linspace(-12.0, 12.0, 193)
_LEAST_SKEWNESS = 0.05


def scores_of(families: list[Family], sums: np.ndarray, skewness: np.ndarray) -> np.ndarray:
    """Weighted minus log p-values of all statistics. Shape `(rows, statistics)`.

    Args:
        families: in the order of their features.
        sums: standardised sums of all features. Shape `(rows, features)`.
        skewness: of each feature's sum over permutations. Shape `(features,)`.
    """
    found, begin = [], 0
    for family in families:
        end = begin + family.features.shape[1]
        own = sums[:, begin:end]
        if family.spectrum is None:
            surprises = _of_single(own, skewness[begin:end])
        else:
            surprises = _of_squares(own, family.spectrum)[:, None]
        found.append(surprises + np.log(family.weights))
        begin = end
    return np.concatenate(found, axis=1)


def permutation_p_value(maxima: np.ndarray) -> float:
    """(1 + number of permutations whose maximum is at least the first) / (1 + number of permutations)."""
    return float(np.mean(maxima >= maxima[0] - _TIES))


def adjusted_p_values(scores: np.ndarray) -> np.ndarray:
    """For each statistic, how often the maximum over all of them is at least as large as it is. Shape `(statistics,)`.

    Reference:
        Westfall and Young 1993, "Resampling-based multiple testing", single-step maxT.
    """
    maxima = np.sort(scores.max(axis=1))
    return (len(maxima) - np.searchsorted(maxima, scores[0] - _TIES)) / len(maxima)


def threshold_of(scores: np.ndarray, level: float) -> float:
    """The least score that is rejected: maxima above it are at most `level` of all."""
    maxima = np.sort(scores.max(axis=1))[::-1]
    return float(maxima[min(len(maxima) - 1, math.floor(level * len(maxima) + 1e-9))])


def deviations_of(surprise: float) -> float:
    """How many standard errors a normal statistic with this minus log p-value is away from 0."""
    from scipy.special import ndtri_exp

    return float(-ndtri_exp(min(-math.log(2), -surprise - math.log(2))))


def _of_single(sums: np.ndarray, skewness: np.ndarray) -> np.ndarray:
    """Minus log of two-sided p-values: normal, or a gamma of the same skewness where the sums have one."""
    from scipy.special import log_ndtr

    surprises = -(log_ndtr(-np.abs(sums).astype(np.float64)) + math.log(2))
    skewed = np.flatnonzero(np.abs(skewness) > _LEAST_SKEWNESS)
    for column, on_grid in zip(skewed, _skewed(skewness[skewed]), strict=True):
        surprises[:, column] = np.interp(sums[:, column], _GRID, on_grid)
    return surprises


def _skewed(skewness: np.ndarray) -> np.ndarray:
    """Minus log of two-sided p-values: twice the smaller tail of Pearson's type III. Shape `(columns, grid)`."""
    from scipy.stats import pearson3

    if len(skewness) == 0:
        return np.zeros((0, len(_GRID)))
    with np.errstate(divide="ignore"):
        tails = np.minimum(*(tail(_GRID, skewness[:, None]) for tail in (pearson3.logsf, pearson3.logcdf)))
    # Beyond the end of a bounded tail nothing is possible; a count's discreteness still lands there.
    return np.minimum(-np.minimum(0.0, tails + math.log(2)), 700.0)


def _of_squares(sums: np.ndarray, spectrum: np.ndarray) -> np.ndarray:
    r"""Minus log p-value of :math:`\sum_i \lambda_i z_i^2`, by the chi-square with the same three first moments.

    Reference:
        Hall 1983, "Chi squared approximations to the distribution of a sum of independent random variables", Annals of
        Probability 11, Theorem 1; Buckley and Eagleson 1988.
    """
    from scipy.stats import chi2

    totals = np.square(sums, dtype=np.float64) @ spectrum
    first, second, third = (float(np.sum(spectrum**power)) for power in (1, 2, 3))
    degrees = second**3 / third**2
    scaled = (totals - first) * math.sqrt(degrees / second) + degrees
    return -chi2.logsf(np.maximum(scaled, 1e-9), degrees)
