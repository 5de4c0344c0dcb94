r"""Kernel distance: the unbiased squared maximum mean discrepancy with a cubic kernel; KID on Inception's features.

.. math::
    \mathrm{MMD}^2 = \mathbb{E}\, k(x, x') + \mathbb{E}\, k(y, y') - 2\, \mathbb{E}\, k(x, y), \qquad
    k(x, y) = \left(\tfrac1d x^\top y + 1\right)^3
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from equipoise.metrics.base import Metric
from equipoise.metrics.pairwise import BLOCK_ROWS


def kernel_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Squared maximum mean discrepancy, each mean taken over pairs of different samples.

    The cubic kernel compares means, covariances and third moments. For `d = 1` it is
    `3 m1^2 + 3 m2^2 + m3^2`, with m1, m2, m3 the differences of the first three raw moments.

    Args:
        real: shape `(n, d)`, with n of 2 or more.
        fake: shape `(m, d)`, with m of 2 or more.

    Returns:
        In no unit; 0 on average for equal distributions, whatever the numbers of samples, and so below 0 at times.

    Reference:
        Gretton et al. 2012, JMLR 13, Eq. 3 (the estimate); Binkowski et al. 2018, arXiv:1801.01401, section 4 (the
        kernel). Their code averages over subsets of 1,000 samples; here every pair is used once.
    """
    return _mean_kernel(real, real) + _mean_kernel(fake, fake) - 2 * _mean_kernel(real, fake)


def _mean_kernel(first: np.ndarray, second: np.ndarray) -> float:
    """Mean of the kernel over all pairs; of one set with itself, over pairs of different samples."""
    total = 0.0
    for start in range(0, len(first), BLOCK_ROWS):
        total += float(_kernel(first[start : start + BLOCK_ROWS] @ second.T, first.shape[1]).sum())
    if first is not second:
        return total / (len(first) * len(second))
    total -= float(_kernel((first**2).sum(axis=1), first.shape[1]).sum())
    return total / (len(first) * (len(first) - 1))


def _kernel(products: np.ndarray, dimensions: int) -> np.ndarray:
    return (products / dimensions + 1) ** 3


def _values(real: np.ndarray, fake: np.ndarray) -> Mapping[str, float]:
    return {"kernel_distance": kernel_distance(real, fake)}


METRICS = {
    "kernel_distance": Metric(
        "kernel_distance",
        "Kernel distance",
        _values,
        "Lower is better; equal distributions score 0 on average, whatever the number of samples. It sees the first "
        "three moments.",
        "Binkowski et al. 2018, arXiv:1801.01401",
    )
}
