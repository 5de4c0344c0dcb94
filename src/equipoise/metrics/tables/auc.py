r"""The area under the ROC curve: the probability that a row of one side scores above one of the other, ties half.

.. math::
    \mathrm{AUC} = \frac{1}{mn} \sum_{i,j} [s_i > t_j] + \tfrac12 [s_i = t_j]
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy.stats import rankdata

CONFIDENCE = 0.95
RESAMPLES = 1000


@dataclass(frozen=True)
class Estimate:
    """A number with its interval at 95 % confidence, NaN where it could not be measured."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        """A dictionary of plain values."""
        return {"value": self.value, "low": self.low, "high": self.high}


UNKNOWN = Estimate(float("nan"), float("nan"), float("nan"))


def auc(positives: np.ndarray, negatives: np.ndarray) -> float:
    """The area, from 0 to 1; 1/2 where both sides score alike.

    Args:
        positives: scores of the side that should score higher. Shape `(m,)`.
        negatives: of the other. Shape `(n,)`.
    """
    count = len(positives)
    ranks = rankdata(np.concatenate([positives, negatives]))[:count]
    return float((ranks.sum() - count * (count + 1) / 2) / (count * len(negatives)))


def auc_variance(positives: np.ndarray, negatives: np.ndarray) -> float:
    """DeLong's variance of the area, from each row's own share of it.

    Reference:
        DeLong, DeLong and Clarke-Pearson 1988; Sun and Xu 2014 for the computation by ranks.
    """
    count, others = len(positives), len(negatives)
    ranks = rankdata(np.concatenate([positives, negatives]))
    of_positive = (ranks[:count] - rankdata(positives)) / others
    of_negative = 1 - (ranks[count:] - rankdata(negatives)) / count
    return float(sum(part.var(ddof=1) / len(part) if len(part) > 1 else 0.25 for part in (of_positive, of_negative)))


def auc_estimate(positives: np.ndarray, negatives: np.ndarray) -> Estimate:
    """The area with DeLong's interval."""
    return mean_auc([(positives, negatives)])


def mean_auc(folds: list[tuple[np.ndarray, np.ndarray]]) -> Estimate:
    """The mean area over folds whose rows are different ones, with the interval that the rows' number leaves.

    Each fold's scores come from a classifier of its own, so that they are not compared between folds. The interval is
    for these classifiers: that others, trained on other rows, would score otherwise is not in it.
    """
    value = float(np.mean([auc(*fold) for fold in folds]))
    variance = float(np.sum([auc_variance(*fold) for fold in folds])) / len(folds) ** 2
    reach = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * np.sqrt(variance)
    return Estimate(value, float(max(0.0, value - reach)), float(min(1.0, value + reach)))


def weighted_auc(scores: np.ndarray, is_positive: np.ndarray, weights: np.ndarray) -> float:
    """The area where each row counts as often as its weight says.

    Args:
        scores: in ascending order. Shape `(n,)`.
        is_positive: in the same order.
        weights: at least 0.
    """
    positive, negative = weights * is_positive, weights * ~is_positive
    _, first = np.unique(scores, return_index=True)
    positives, negatives = (np.add.reduceat(side, first) for side in (positive, negative))
    below = np.cumsum(negatives) - negatives
    total = positives.sum() * negatives.sum()
    return float((positives * (below + negatives / 2)).sum() / total) if total else float("nan")


def share_estimate(hits: np.ndarray) -> Estimate:
    """A mean of values from 0 to 1 with Wilson's interval, which holds near 0 and 1 too."""
    count, share = len(hits), float(hits.mean())
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    reach = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return Estimate(share, float(max(0.0, centre - reach)), float(min(1.0, centre + reach)))


def difference_of_shares(one: np.ndarray, other: np.ndarray) -> Estimate:
    """Difference of two shares of different rows, with Newcombe's interval from Wilson's two.

    Reference:
        Newcombe 1998, method 10.
    """
    first, second = share_estimate(one), share_estimate(other)
    value = first.value - second.value
    low = value - np.hypot(first.value - first.low, second.high - second.value)
    high = value + np.hypot(first.high - first.value, second.value - second.low)
    return Estimate(value, float(low), float(high))
