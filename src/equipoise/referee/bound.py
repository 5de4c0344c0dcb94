r"""The JSD bound: from a classifier's logits on held-out samples to a proof that two distributions differ, and by how
much.

For every classifier D, trained without the samples it is now measured on,

.. math::
    \mathrm{JSD}(p, q) \ge \tfrac12 \big( V(D) + \log 4 \big), \qquad
    V(D) = E_{x \sim p}[\log D(x)] + E_{y \sim q}[\log(1 - D(y))],

with equality at D = p / (p + q). At chance level, D = 1/2, V = -log 4 and proves nothing.

Reference: Goodfellow et al. 2014, arXiv:1406.2661, Theorem 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

LOGIT_LIMIT = 6.0
"""Logits are clipped at +-6: one sample can then cost at most log 2 - log(1 + e^6) = -5.3 nats. It caps what can be
proved: total separation is certified as 0.6907 nats, not as log 2 = 0.6931."""

EQUILIBRIUM_VALUE = -math.log(4)
"""V of the best classifier when p = q, in nats."""


@dataclass(frozen=True)
class ValueEstimate:
    """V(D) on held-out samples, in nats, and the standard error of that mean."""

    value: float
    standard_error: float

    @property
    def jsd_nats(self) -> float:
        """The point estimate of what this classifier proves, (V + log 4) / 2; negative if it is worse than guessing."""
        return (self.value - EQUILIBRIUM_VALUE) / 2


def clip_logits(logits: np.ndarray) -> np.ndarray:
    """Logits within +-`LOGIT_LIMIT`; NaN becomes 0, which is chance level."""
    return np.clip(np.nan_to_num(logits, nan=0.0, posinf=LOGIT_LIMIT, neginf=-LOGIT_LIMIT), -LOGIT_LIMIT, LOGIT_LIMIT)


def value_estimate(real_logits: np.ndarray, fake_logits: np.ndarray) -> ValueEstimate:
    r"""V of the classifier with its standard error, :math:`\sqrt{s_r^2 / n_r + s_f^2 / n_f}`.

    It is -log 4 = -1.3863 at chance level, and 0 at perfect separation.

    Args:
        real_logits: log-odds of being real, on real samples. Shape `(n_real,)`.
        fake_logits: the same on generated samples. Shape `(n_fake,)`.

    Numerics:
        log D = -softplus(-l) and log(1 - D) = -softplus(l), in float64.

    Reference:
        Goodfellow et al. 2014, arXiv:1406.2661, Eq. 1.
    """
    real_terms, fake_terms = -np.logaddexp(0.0, -real_logits), -np.logaddexp(0.0, fake_logits)
    error = math.sqrt(_variance(real_terms) / len(real_terms) + _variance(fake_terms) / len(fake_terms))
    return ValueEstimate(float(real_terms.mean() + fake_terms.mean()), error)


def log_e_value(real_logits: np.ndarray, fake_logits: np.ndarray) -> float:
    r"""Evidence against "both sides come from one distribution", as the logarithm of an e-value; exact at any sample
    size.

    .. math::
        \log E = \sum_i \log\big( 4 \, D(x_i) \, (1 - \bar D_i) \big)

    Each pair i has one sample of the smaller side and its share of the larger one: :math:`\bar D_i` is the mean of
    D over that share (or, when the real side is the larger, the mean is taken over D(x)). At equal counts it is
    `n (V + log 4)`, so it grows by 2 JSD per pair at the best D.

    Why it is exact. Fix D, and let p = q. Samples are independent, so a pair has expectation
    `4 m (1 - m)` with m = E[D], which is at most 1 for every D, clipped or not, good or bad. Pairs are independent of
    each other, so E[E] <= 1, and by Markov's inequality P(E >= 1 / alpha) <= alpha: rejecting at
    `log E >= log(1 / alpha)` has a false-alarm rate of at most alpha at any n, with no approximation. What it needs:
    D was fixed before these samples were looked at; samples are independent draws; none is used in two pairs.

    Args:
        real_logits: log-odds of being real, on held-out real samples, in random order. Shape `(n_real,)`.
        fake_logits: the same on generated samples. Shape `(n_fake,)`.

    Returns:
        log E in nats; 0 at chance level; 3.0 is "once in 20".

    Numerics:
        Means of probabilities are taken as log-sum-exp of their logarithms.

    Reference:
        Pandeva et al. 2024, "E-valuating classifier two-sample tests", arXiv:2210.13027; Vovk and Wang 2021,
        "E-values: calibration, combination and applications", Annals of Statistics 49(3), section 2.
    """
    return float(log_e_values(real_logits, fake_logits))


def log_e_values(real_logits: np.ndarray, fake_logits: np.ndarray) -> np.ndarray:
    """`log_e_value` of several classifiers at once. Shapes `(n_real, classifiers)` and `(n_fake, classifiers)`."""
    log_real, log_fake = -np.logaddexp(0.0, -real_logits), -np.logaddexp(0.0, fake_logits)
    small, large = sorted([log_real, log_fake], key=len)
    return np.sum(small + _log_means_of_shares(large, len(small)) + math.log(4), axis=0)


def is_distinguished(log_e: float, *, confidence: float) -> bool:
    """Whether the e-value rejects "one distribution" at the level `1 - confidence`."""
    return log_e >= -math.log(1 - confidence)


def jsd_lower_bound_nats(
    real_logits: np.ndarray,
    fake_logits: np.ndarray,
    *,
    confidence: float,
    limits: tuple[float, float] = (-LOGIT_LIMIT, LOGIT_LIMIT),
) -> float:
    r"""A lower confidence bound on JSD(p, q), one-sided.

    .. math::
        \tfrac12 \big( \tilde V + \log 4 - z \, \mathrm{se}(\tilde V) \big), \quad \text{not below } 0

    where each side's mean and variance are taken with w samples more, of the worst value that the classifier could have
    given: log D of its lowest logit on the real side, log(1 - D) of its highest on the generated one. Without
    them it is the central limit theorem's bound, which trusts that what was not seen does not exist: a hundred samples
    that all look certain have no variance, and yet one in fifty may be of the other kind. With w from
    :math:`w + z \sqrt w = \log(1 / \alpha)`, n samples of which none is of the worst kind leave room for a share
    :math:`\log(1 / \alpha) / n` of it, which is exact (at 95 %, the "rule of three"). At thousands of samples they
    hardly count.

    Unlike the e-value it is an approximation: it says how large the distance is at least, and is not used to decide
    whether there is one. Its coverage is measured, from 8 samples a side on (tests/theory/test_referee_bound.py).

    Args:
        real_logits: log-odds of being real, on held-out real samples. Shape `(n_real,)`.
        fake_logits: the same on generated samples. Shape `(n_fake,)`.
        confidence: c, such as 0.95; z is its normal quantile.
        limits: the lowest and the highest logit that the classifier may give, fixed before it was tested. The
            narrower they are, the smaller is the price.

    Returns:
        Nats, between 0 and log 2.

    Reference:
        Agresti and Coull 1998, "Approximate is better than 'exact' for interval estimation of binomial proportions",
        The American Statistician 52(2), add samples to a proportion for the same reason.
    """
    from scipy.special import ndtri

    quantile = float(ndtri(confidence))
    added = ((math.sqrt(quantile**2 - 4 * math.log1p(-confidence)) - quantile) / 2) ** 2
    lowest, highest = limits
    means, errors = zip(
        _with_worst(-np.logaddexp(0.0, -real_logits), -float(np.logaddexp(0.0, -lowest)), added),
        _with_worst(-np.logaddexp(0.0, fake_logits), -float(np.logaddexp(0.0, highest)), added),
        strict=True,
    )
    return max(0.0, (sum(means) - EQUILIBRIUM_VALUE - quantile * math.hypot(*errors)) / 2)


def with_abstained(
    real_logits: np.ndarray, fake_logits: np.ndarray, limits: tuple[float, float], left_out: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Logits of both sides and their limits, with logit 0 for samples that the classifier abstains from.

    A sample is left out of the test part if its value is in another part. "D where the value is new, 1/2 where it is
    known" is a classifier, too, fixed before anything is tested: with these zeros V bounds the JSD of the whole
    distributions. Without them it is about the rest of them, which may lie much further apart.

    Args:
        real_logits: of the real samples that were scored.
        fake_logits: of the generated ones.
        limits: the lowest and the highest logit that the classifier may give.
        left_out: how many real and generated samples were left out.
    """
    if max(left_out) == 0:
        return real_logits, fake_logits, limits
    real, fake = (np.append(side, np.zeros(n)) for side, n in zip((real_logits, fake_logits), left_out, strict=True))
    return real, fake, (min(limits[0], 0.0), max(limits[1], 0.0))


def _with_worst(terms: np.ndarray, worst: float, added: float) -> tuple[float, float]:
    """Mean of the terms and `added` times `worst`, and the standard error of that mean."""
    count = len(terms) + added
    mean = (terms.sum() + added * worst) / count
    squares = float(np.sum((terms - mean) ** 2)) + added * (worst - mean) ** 2
    return float(mean), math.sqrt(squares / (count - 1) / count)


def _log_means_of_shares(log_terms: np.ndarray, shares: int) -> np.ndarray:
    """Split `log_terms` into `shares` neighbouring runs of nearly equal length; log of the mean of exp over each."""
    if len(log_terms) == shares:
        return log_terms
    edges = np.linspace(0, len(log_terms), shares + 1).astype(int)
    totals = np.logaddexp.reduceat(log_terms, edges[:-1], axis=0)
    return (totals.T - np.log(np.diff(edges))).T


def _variance(terms: np.ndarray) -> float:
    return float(np.var(terms, ddof=1)) if len(terms) > 1 else math.inf
