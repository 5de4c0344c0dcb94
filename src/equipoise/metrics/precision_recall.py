r"""Precision, recall, density and coverage: how well balls around the samples of one side hold those of the other.

Each sample's ball reaches to its k-th nearest neighbour in its own set. With B(x) the ball of x:

.. math::
    \mathrm{precision} = P\Big(y \in \bigcup_i B(x_i)\Big), \quad \mathrm{recall} = P\Big(x \in \bigcup_j B(y_j)\Big),
    \quad \mathrm{density} = \frac{1}{k m} \sum_{i,j} 1[y_j \in B(x_i)], \quad
    \mathrm{coverage} = \frac1n \sum_i 1[\exists j: y_j \in B(x_i)]
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from equipoise.metrics.base import Metric
from equipoise.metrics.pairwise import distance_blocks

NEIGHBOURS = 5
"""k; the choice of Naeem et al. (Kynkaanniemi et al. take 3). Part of the scores' definition."""


def precision_recall(real: np.ndarray, fake: np.ndarray, *, neighbours: int = NEIGHBOURS) -> Mapping[str, float]:
    r"""The four shares.

    For two sets of n samples of one continuous distribution, density is 1 on average and coverage is
    :math:`1 - \prod_{j=1}^{k} \frac{n - j}{2n - j}`, about :math:`1 - 2^{-k}` = 0.969.

    Args:
        real: shape `(n, d)`, with n above `neighbours`.
        fake: shape `(m, d)`, with m above `neighbours`.
        neighbours: k.

    Returns:
        `precision`, `recall` and `coverage` between 0 and 1; `density` is 0 or more.

    Numerics:
        A sample on the edge of a ball is inside, so that copies count (tables of levels consist of them).

    Reference:
        Kynkaanniemi et al. 2019, arXiv:1904.06991, Eq. 1-2; Naeem et al. 2020, arXiv:2002.09797, Eq. 3-4, Lemma 1-2.
    """
    real_radii, fake_radii = _radii(real, neighbours), _radii(fake, neighbours)
    inside_real, is_inside_fake, is_covered = np.zeros(len(fake)), np.zeros(len(real), bool), np.zeros(len(real), bool)
    for rows, distances in distance_blocks(real, fake):
        in_ball = distances <= real_radii[rows, None]
        inside_real += in_ball.sum(axis=0)
        is_covered[rows] = in_ball.any(axis=1)
        is_inside_fake[rows] = (distances <= fake_radii).any(axis=1)
    return {
        "precision": float((inside_real > 0).mean()),
        "recall": float(is_inside_fake.mean()),
        "density": float(inside_real.mean() / neighbours),
        "coverage": float(is_covered.mean()),
    }


def _radii(samples: np.ndarray, neighbours: int) -> np.ndarray:
    """Distance of each sample to its k-th nearest other one."""
    return np.concatenate(
        [np.partition(block, neighbours, axis=1)[:, neighbours] for _, block in distance_blocks(samples, samples)]
    )


METRICS = {
    "precision_recall": Metric(
        "precision_recall",
        "Precision, recall, density, coverage",
        precision_recall,
        "Higher is better, up to what two real sets reach: precision and density say whether generated samples look "
        "like real ones, recall and coverage whether all kinds of real ones occur.",
        "Kynkaanniemi et al. 2019, arXiv:1904.06991; Naeem et al. 2020, arXiv:2002.09797",
        least=NEIGHBOURS + 1,
        most=5_000,
        bounds=(0.0, math.inf),
        shares=("precision", "recall", "coverage"),
    )
}
