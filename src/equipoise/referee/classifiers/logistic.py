r"""Ridge logistic regression with both sides weighted equally: the linear core of several classifiers.

.. math::
    \min_{w, c} \; \tfrac12 \overline{\mathrm{softplus}(-l(x))} + \tfrac12 \overline{\mathrm{softplus}(l(y))}
    + \frac{\lambda}{2 n} |w|^2, \qquad l(x) = w \cdot x + c
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

_MOST_STEPS, _MOST_CHEAP_STEPS = 25, 3
_SMALL_DECREMENT = 1e-7
"""Newton stops when the next step would lower the loss by less than this, in nats: far below what n samples resolve."""


def fit_logistic(
    real: np.ndarray, fake: np.ndarray, *, strengths: Sequence[float]
) -> Callable[[np.ndarray], np.ndarray]:
    """Fit once per ridge strength, strongest first, each from the last solution, by Newton's method.

    Args:
        real: features. Shape `(n_real, features)`.
        fake: features. Shape `(n_fake, features)`.
        strengths: lambda of the ridge on standardised features.

    Returns:
        A function from features `(n, features)` to logits `(n, len(strengths))`.
    """
    pooled = np.concatenate([real, fake])
    centre, scale = pooled.mean(axis=0), pooled.std(axis=0)
    scale = np.where(scale > 1e-12, scale, 1.0)
    design = np.concatenate([(pooled - centre) / scale, np.ones((len(pooled), 1))], axis=1)
    labels = np.concatenate([np.ones(len(real)), np.zeros(len(fake))])
    weights = np.concatenate([np.full(len(real), 0.5 / len(real)), np.full(len(fake), 0.5 / len(fake))])
    solution = np.zeros(design.shape[1])
    # Of the loss at chance level, and no less than that of any other solution: one matrix for all strengths.
    curvature = (design * (weights / 4)[:, None]).T @ design
    found = {}
    for strength in sorted(strengths, reverse=True):
        ridge = np.full(design.shape[1], strength / len(pooled))
        ridge[-1] = 0.0
        solution = _minimum(design, labels, weights, ridge, solution, curvature)
        found[strength] = solution
    factors = np.stack([found[strength][:-1] / scale for strength in strengths], axis=1)
    offsets = np.array([found[strength][-1] for strength in strengths]) - centre @ factors
    return lambda features: features @ factors + offsets


def _minimum(
    design: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    ridge: np.ndarray,
    start: np.ndarray,
    curvature: np.ndarray,
) -> np.ndarray:
    """Newton's method, with the curvature at chance level for as long as that is near enough: where sides are alike, or
    nearly so, two of these steps do, and the curvature is what takes the time."""
    solution, loss = start, _loss(design, labels, weights, ridge, start)
    for steps in range(_MOST_STEPS):
        chances = 1 / (1 + np.exp(-np.clip(design @ solution, -60, 60)))
        gradient = design.T @ (weights * (chances - labels)) + ridge * solution
        if steps >= _MOST_CHEAP_STEPS:
            curvature = (design * (weights * chances * (1 - chances))[:, None]).T @ design
        # The jitter keeps collinear columns (one-hot levels beside the constant) solvable; it is far below any ridge.
        step = np.linalg.solve(curvature + np.diag(ridge + 1e-9), gradient)
        decrement = float(gradient @ step) / 2
        if decrement < _SMALL_DECREMENT:
            break
        fraction = 1.0
        while fraction > 1e-4:
            candidate = solution - fraction * step
            lower = _loss(design, labels, weights, ridge, candidate)
            if lower < loss - 1e-4 * fraction * decrement:
                break
            fraction /= 2
        else:
            break
        solution, loss = candidate, lower
    return solution


def _loss(
    design: np.ndarray, labels: np.ndarray, weights: np.ndarray, ridge: np.ndarray, solution: np.ndarray
) -> float:
    logits = design @ solution
    margins = np.where(labels > 0, logits, -logits)
    return float(weights @ np.logaddexp(0.0, -margins) + (ridge * solution) @ solution / 2)
