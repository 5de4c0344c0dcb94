r"""Energy distance: how much further samples are from the other set than from their own.

.. math::
    D^2 = 2\, \mathbb{E} \|x - y\| - \mathbb{E} \|x - x'\| - \mathbb{E} \|y - y'\|
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from equipoise.metrics.base import Metric
from equipoise.metrics.pairwise import distance_blocks


def energy_distance(real: np.ndarray, fake: np.ndarray) -> float:
    r"""Squared energy distance, each mean taken over pairs of different samples.

    It is 0 only for equal distributions. Between point masses at distance a it is 2 a; between
    :math:`\mathcal{N}(0, 1)` and :math:`\mathcal{N}(\mu, 1)` it is
    :math:`2 [2 \sqrt{1/\pi}\, e^{-\mu^2/4} + \mu\, \mathrm{erf}(\mu / 2)] - 4 / \sqrt{\pi}`.

    Args:
        real: shape `(n, d)`, with n of 2 or more.
        fake: shape `(m, d)`, with m of 2 or more.

    Returns:
        In units of the features; 0 on average for equal distributions, and so below 0 at times.

    Reference:
        Szekely and Rizzo 2013, "Energy statistics: a class of statistics based on distances", Eq. 1.3.
    """
    return 2 * _mean_distance(real, fake) - _mean_distance(real, real) - _mean_distance(fake, fake)


def _mean_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Mean over all pairs; of one set with itself, over pairs of different samples."""
    total = sum(float(block.sum()) for _, block in distance_blocks(first, second))
    return total / (len(first) * (len(second) - (first is second)))


def _values(real: np.ndarray, fake: np.ndarray) -> Mapping[str, float]:
    return {"energy_distance": energy_distance(real, fake)}


METRICS = {
    "energy_distance": Metric(
        "energy_distance",
        "Energy distance",
        _values,
        "Lower is better, in units of the features; equal distributions, and no others, score 0 on average.",
        "Szekely and Rizzo 2013, J. Stat. Plan. Inference 143",
        most=5_000,
    )
}
