r"""Jensen-Shannon divergence, in nats, where both densities or both sets of probabilities are known.

.. math::
    \mathrm{JSD}(p, q) = \tfrac12 \mathrm{KL}(p \| m) + \tfrac12 \mathrm{KL}(q \| m), \qquad m = \tfrac12 (p + q)
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

_SMALLEST = 1e-300
"""Probabilities below it count as 0: half of the smallest float64 underflows, and its logarithm would be infinite."""
MAXIMAL_JSD_NATS = math.log(2)
"""JSD of two distributions that share no outcome."""


def jsd_of_probabilities(p: np.ndarray, q: np.ndarray) -> float:
    """JSD of two discrete distributions over the same outcomes, in nats: 0 when equal, log 2 when they share no
    outcome.

    Args:
        p: probabilities. Shape `(outcomes,)`, sums to 1.
        q: the same.
    """
    middle = (p + q) / 2
    return float(_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2


def jsd_by_quadrature(
    log_p: Callable[[np.ndarray], np.ndarray],
    log_q: Callable[[np.ndarray], np.ndarray],
    *,
    low: float,
    high: float,
    cells: int,
    dimensions: int = 2,
) -> float:
    """JSD of two densities by the midpoint rule on a cube, in nats.

    Args:
        log_p: log density; maps `(n, dimensions)` to `(n,)`.
        log_q: the same for the other distribution.
        low: lower edge of the cube along every axis; mass outside it is ignored.
        high: upper edge.
        cells: cells along one axis. The rule is exact to about `exp(-2 (pi s / cell)^2)` for modes of width `s`.
        dimensions: 1 or 2.
    """
    edges = np.linspace(low, high, cells + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    volume = ((high - low) / cells) ** dimensions
    total = 0.0
    slabs = [None] if dimensions == 1 else centres
    for first in slabs:
        points = centres[:, None] if first is None else np.stack([np.full(cells, first), centres], axis=1)
        lp, lq = log_p(points), log_q(points)
        middle = np.logaddexp(lp, lq) - math.log(2)
        p, q = np.exp(lp), np.exp(lq)
        total += np.sum(np.where(p > 0, p * (lp - middle), 0.0)) + np.sum(np.where(q > 0, q * (lq - middle), 0.0))
    return float(total * volume / 2)


def jsd_of_contamination(share: float) -> float:
    r"""JSD between p and `(1 - share) p + share s`, where s lives where p does not: the most a contamination can cost.

    .. math::
        h(f) = \tfrac12 \left[ \log\frac{2}{2-f} + (1-f) \log\frac{2(1-f)}{2-f} + f \log 2 \right]

    For any distribution s at all, the JSD of p and `(1 - f) p + f s` is at most h(f): h(f) is what remains to be
    distinguished when every contaminated row carries a mark, and marks can only help. By symmetry it is also the JSD of
    p and of p without a region of probability f; one missing mode of 25, f = 1/25, gives 0.01407 nats.

    Args:
        share: f, between 0 and 1.

    Returns:
        Nats; 0 at f = 0 and log 2 at f = 1.
    """
    kept = 1 - share
    first = math.log(2 / (1 + kept))
    second = kept * math.log(2 * kept / (1 + kept)) if kept > 0 else 0.0
    return (first + second + share * math.log(2)) / 2


def contamination_of_jsd(jsd_nats: float) -> float:
    """The inverse of `jsd_of_contamination`; at most 1."""
    from scipy.optimize import brentq

    if jsd_nats >= MAXIMAL_JSD_NATS:
        return 1.0
    return float(brentq(lambda share: jsd_of_contamination(share) - jsd_nats, 0.0, 1.0, xtol=1e-12))


def _relative_entropy(p: np.ndarray, reference: np.ndarray) -> float:
    present = p > _SMALLEST
    return float(np.sum(p[present] * np.log(p[present] / reference[present])))
