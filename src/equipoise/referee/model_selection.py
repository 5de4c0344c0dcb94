r"""Model selection: which classifier and setting does best on the validation part, and how far to trust its logits.

A single classifier's logits are multiplied by a factor a in 0 .. 1.2: overfitted classifiers are over-confident, and a
smaller a repairs that; a = 0 is chance level. A stack is a sum of classifiers' logits with factors of 0 or more, fitted
on the validation part. Single or stack: what did better on one half of the validation part when selected on the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from equipoise.referee.bound import EQUILIBRIUM_VALUE, clip_logits, value_estimate

FACTORS = tuple(round(0.1 * step, 1) for step in range(13))
AT_CHANCE_LEVEL, STACK = "chance level", "stack"
_LEAST_FOR_STACK = 40
"""Samples per side of the validation part below which nothing is stacked: its weights would be noise."""
_STACK_RIDGE = 1.0
"""Price of a stack's weights, small beside what a detectable difference gains; it settles ties between like
classifiers."""


@dataclass(frozen=True)
class SelectedClassifier:
    """A weighted sum of classifiers' logits.

    Attributes:
        name: of the classifier, "chance level", or "stack" when several are weighed together.
        weights: factor of each (classifier, candidate column) in use.
        offset: added to the sum.
        value: V on the validation part, in nats; optimistic, since it was maximised there.
        classifier_values: best V of each classifier alone on the validation part, in nats.
    """

    name: str
    weights: Mapping[tuple[str, int], float]
    offset: float
    value: float
    classifier_values: Mapping[str, float]

    def logits(self, scores: Mapping[str, np.ndarray]) -> np.ndarray:
        """Clipped logits from the classifiers' scores `(n, candidates)`."""
        count = len(next(iter(scores.values())))
        total = np.full(count, self.offset)
        for (classifier, column), weight in self.weights.items():
            total = total + weight * scores[classifier][:, column]
        return clip_logits(total)


def select(real: Mapping[str, np.ndarray], fake: Mapping[str, np.ndarray]) -> SelectedClassifier:
    """The classifier, candidate and factor, or the stack of classifiers, that does best on the validation part.

    Args:
        real: by classifier, logits on the validation part's real samples. Shape `(n_real, candidates)`. Rows in random
            order.
        fake: the same on generated samples.
    """
    single, values = best_single(real, fake)
    fewest = min(len(next(iter(side.values()))) for side in (real, fake))
    if single.name == AT_CHANCE_LEVEL or len(real) < 2 or fewest < _LEAST_FOR_STACK:
        return replace(single, classifier_values=values)
    halves = [[_every_other(side, start) for side in (real, fake)] for start in (0, 1)]
    gains = {"single": 0.0, "stack": 0.0}
    for selected_on, checked_on in (halves, halves[::-1]):
        alone, _ = best_single(*selected_on)
        for name, selected in (("single", alone), ("stack", best_stack(*selected_on))):
            gains[name] += value_estimate(selected.logits(checked_on[0]), selected.logits(checked_on[1])).value
    best = best_stack(real, fake) if gains["stack"] > gains["single"] else single
    return replace(best, classifier_values=values)


def best_single(
    real: Mapping[str, np.ndarray], fake: Mapping[str, np.ndarray]
) -> tuple[SelectedClassifier, dict[str, float]]:
    """The one (classifier, candidate, factor) with the largest V, and each classifier's largest V."""
    best, values = SelectedClassifier(AT_CHANCE_LEVEL, {}, 0.0, EQUILIBRIUM_VALUE, {}), {}
    for name in real:
        values[name] = EQUILIBRIUM_VALUE
        for column in range(real[name].shape[1]):
            value, factor = best_factor(real[name][:, column], fake[name][:, column], FACTORS)
            values[name] = max(values[name], value)
            if value > best.value:
                best = SelectedClassifier(name, {(name, column): factor}, 0.0, value, {})
    return best, values


def best_factor(real: np.ndarray, fake: np.ndarray, factors: Sequence[float]) -> tuple[float, float]:
    """The largest V over `factors` times the logits, and the factor that gives it."""
    scored = [(value_estimate(clip_logits(a * real), clip_logits(a * fake)).value, a) for a in factors]
    return max(scored, key=lambda pair: (pair[0], -pair[1]))


def best_stack(real: Mapping[str, np.ndarray], fake: Mapping[str, np.ndarray]) -> SelectedClassifier:
    r"""Weights of 0 or more and an offset that maximise V, less a small price for size.

    .. math::
        \max_{w \ge 0, c} \; V\Big(c + \sum_j w_j l_j\Big) - \frac{\lambda}{n} \big( |w|^2 + c^2 \big)

    Each classifier takes part with its best candidate.
    """
    from scipy.optimize import minimize

    columns = {}
    for name in real:
        scored = [best_factor(real[name][:, k], fake[name][:, k], FACTORS)[0] for k in range(real[name].shape[1])]
        columns[name] = int(np.argmax(scored))
    keys = [(name, column) for name, column in columns.items()]
    sides = [np.stack([clip_logits(side[name][:, k]) for name, k in keys], axis=1) for side in (real, fake)]
    price = _STACK_RIDGE / min(len(side) for side in sides)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        weights, offset = parameters[:-1], parameters[-1]
        logits = [side @ weights + offset for side in sides]
        total = np.logaddexp(0.0, -logits[0]).mean() + np.logaddexp(0.0, logits[1]).mean()
        errors = [-_sigmoid(-logits[0]) / len(logits[0]), _sigmoid(logits[1]) / len(logits[1])]
        gradient = np.append(
            sum(side.T @ error for side, error in zip(sides, errors, strict=True)), errors[0].sum() + errors[1].sum()
        )
        return float(total + price * parameters @ parameters), gradient + 2 * price * parameters

    start = np.append(np.full(len(keys), 0.3 / len(keys)), 0.0)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, 2.0)] * len(keys) + [(-1.0, 1.0)])
    weights = {key: float(weight) for key, weight in zip(keys, found.x[:-1], strict=True) if weight > 1e-6}
    stack = SelectedClassifier(STACK, weights, float(found.x[-1]), EQUILIBRIUM_VALUE, {})
    return replace(stack, value=value_estimate(stack.logits(real), stack.logits(fake)).value)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def _every_other(side: Mapping[str, np.ndarray], start: int) -> dict[str, np.ndarray]:
    return {name: scores[start::2] for name, scores in side.items()}
