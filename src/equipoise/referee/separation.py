"""Accuracy and AUC of a classifier on held-out samples, each with an interval; 1/2 is guessing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """An estimate with a two-sided confidence interval."""

    estimate: float
    low: float
    high: float

    def to_json(self, name: str) -> dict[str, float]:
        """The three numbers under `name`, `name_low` and `name_high`."""
        return {name: self.estimate, f"{name}_low": self.low, f"{name}_high": self.high}


def balanced_accuracy(real_logits: np.ndarray, fake_logits: np.ndarray, *, confidence: float) -> Interval:
    """Mean of the share of real called real and of fake called fake, with Newcombe's interval from Wilson's.

    At p = q it is 1/2 with standard error `1 / (2 sqrt(n))` for n samples in both sides together.

    Args:
        real_logits: log-odds of being real, on real samples. Shape `(n_real,)`. A logit of 0 counts as half right.
        fake_logits: the same on generated samples. Shape `(n_fake,)`.
        confidence: of the two-sided interval.

    Reference:
        Newcombe 1998, "Interval estimation for the difference between independent proportions", method 10.
    """
    z = _two_sided_z(confidence)
    shares = [float(np.mean(right > 0) + np.mean(right == 0) / 2) for right in (real_logits, -fake_logits)]
    limits = [_wilson(share, len(side), z) for share, side in zip(shares, (real_logits, fake_logits), strict=True)]
    centre = sum(shares) / 2
    below = math.hypot(*(share - low for share, (low, _) in zip(shares, limits, strict=True))) / 2
    above = math.hypot(*(high - share for share, (_, high) in zip(shares, limits, strict=True))) / 2
    return Interval(centre, max(0.0, centre - below), min(1.0, centre + above))


def area_under_curve(real_logits: np.ndarray, fake_logits: np.ndarray, *, confidence: float) -> Interval:
    r"""P(l(x) > l(y)) + P(l(x) = l(y)) / 2 for a real x and a fake y, with DeLong's variance.

    Args:
        real_logits: log-odds of being real, on real samples. Shape `(n_real,)`.
        fake_logits: the same on generated samples. Shape `(n_fake,)`.
        confidence: of the two-sided interval.

    Numerics:
        At total separation the variance is 0; the interval is then widened by `log(2 / alpha) / n` of the smaller side,
        as for a proportion of which no exception was seen.

    Reference:
        DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44(3); ranks as in Sun and Xu 2014.
    """
    from scipy.stats import rankdata

    n_real, n_fake = len(real_logits), len(fake_logits)
    ranks = rankdata(np.concatenate([real_logits, fake_logits]))
    above_fake = (ranks[:n_real] - rankdata(real_logits)) / n_fake
    below_real = 1 - (ranks[n_real:] - rankdata(fake_logits)) / n_real
    area = float(above_fake.mean())
    error = math.sqrt(_mean_variance(above_fake) + _mean_variance(below_real))
    spare = math.log(2 / (1 - confidence)) / min(n_real, n_fake) if error == 0 and area in (0.0, 1.0) else 0.0
    reach = _two_sided_z(confidence) * error + spare
    return Interval(area, max(0.0, area - reach), min(1.0, area + reach))


def _wilson(share: float, count: int, z: float) -> tuple[float, float]:
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    reach = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return centre - reach, centre + reach


def _two_sided_z(confidence: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + confidence) / 2))


def _mean_variance(terms: np.ndarray) -> float:
    return float(np.var(terms, ddof=1)) / len(terms) if len(terms) > 1 else 0.25
