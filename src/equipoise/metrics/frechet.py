r"""Frechet distance between Gaussians with the moments of two sets; called FID when the features are Inception's.

.. math::
    d^2 = \|\mu_1 - \mu_2\|^2 + \mathrm{tr}\left(\Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2}\right)
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from equipoise.metrics.base import Metric


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    r"""Squared Frechet (2-Wasserstein) distance between Gaussians of the sets' means and covariances.

    With centred sets A and B, divided by the roots of their degrees of freedom, :math:`\Sigma_1 = A^\top A`,
    :math:`\Sigma_2 = B^\top B` and :math:`\mathrm{tr} (\Sigma_1 \Sigma_2)^{1/2} = \|A B^\top\|_*`, the sum of the
    singular values. Between :math:`\mathcal{N}(0, I)` and :math:`\mathcal{N}(\mu, s^2 I)` in d dimensions the distance
    is :math:`\|\mu\|^2 + d (1 - s)^2`.

    Args:
        real: shape `(n, d)`.
        fake: shape `(m, d)`.

    Returns:
        In squared units of the features. It is biased upwards: between two sets of one distribution it is above 0, by
        about as much as 1/n + 1/m allows.

    Numerics:
        No square root of a matrix is taken, so that covariances without full rank (more features than samples) are no
        special case; exact to about 1e-13 of the traces.

    Reference:
        Dowson and Landau 1982, "The Frechet distance between multivariate normal distributions"; as a score of
        generators: Heusel et al. 2017, arXiv:1706.08500, Eq. 6.
    """
    roots = [_root_of_covariance(side) for side in (real, fake)]
    traces = sum(float((root**2).sum()) for root in roots)
    shared = float(np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum())
    shift = float(((real.mean(axis=0) - fake.mean(axis=0)) ** 2).sum())
    return max(0.0, shift + traces - 2 * shared)


def _root_of_covariance(samples: np.ndarray) -> np.ndarray:
    """R with `R^T R` the covariance; at most as many rows as features."""
    centred = (samples - samples.mean(axis=0)) / np.sqrt(len(samples) - 1)
    return np.linalg.qr(centred, mode="r") if len(centred) > centred.shape[1] else centred


def _values(real: np.ndarray, fake: np.ndarray) -> Mapping[str, float]:
    return {"frechet_distance": frechet_distance(real, fake)}


METRICS = {
    "frechet_distance": Metric(
        "frechet_distance",
        "Frechet distance",
        _values,
        "Lower is better, in squared units of the features; equal distributions score above 0, the more the fewer "
        "samples. It sees means and covariances alone.",
        "Heusel et al. 2017, arXiv:1706.08500",
        bounds=(0.0, math.inf),
    )
}
