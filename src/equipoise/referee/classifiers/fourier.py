r"""Logistic regression on random Fourier features at several length scales: smooth differences of any shape.

.. math::
    \phi_j(x) = \cos(\omega_j \cdot x + b_j), \qquad \omega_j \sim \mathcal{N}(0, I / s_j^2), \; b_j \sim U(0, 2 \pi)

Reference: Rahimi and Recht 2007, "Random features for large-scale kernel machines", Algorithm 1.
"""

from __future__ import annotations

import math

import numpy as np

from equipoise.data.judging import Rows
from equipoise.referee.base import Classifier, Scorer
from equipoise.referee.classifiers.logistic import fit_logistic

_FEATURES = 240
_SCALES = (1.0, 0.5, 0.2, 0.08)
"""Length scales s, in units of the typical distance of two real samples."""
_STRENGTHS = (10.0, 100.0, 1000.0)


def fit_fourier(real: Rows, fake: Rows, seed: int) -> Scorer:
    """Ridge logistic regression on the numbers, their squares and 240 random features."""
    stream = np.random.default_rng(seed)
    dimensions = real.numbers.shape[1]
    typical = math.sqrt(2.0 * max(float(real.numbers.var(axis=0).sum()), 1e-12))
    scales = np.repeat(_SCALES, _FEATURES // len(_SCALES)) * typical
    frequencies = stream.standard_normal((dimensions, len(scales))) / scales
    phases = stream.uniform(0, 2 * math.pi, len(scales))

    def features(rows: Rows) -> np.ndarray:
        waves = np.cos(rows.numbers @ frequencies + phases)
        return np.concatenate([rows.numbers, rows.numbers**2, waves], axis=1)

    score = fit_logistic(features(real), features(fake), strengths=_STRENGTHS)
    return lambda rows: score(features(rows))


CLASSIFIERS = {
    "Fourier": Classifier(
        name="Fourier",
        kinds=frozenset({"points"}),
        fit=fit_fourier,
        sees="smooth differences of any shape",
    )
}
