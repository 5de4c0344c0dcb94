r"""Chooses the discriminator on the choosing part: which member and setting, and how far to trust its logits.

The logits are multiplied by a factor a in 0 .. 1.2. Overfitted members are over-confident, and a smaller a repairs
that; a = 0 is the blind discriminator, which is chosen when no member does better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.referee.checks.jsd_bound import EQUILIBRIUM_VALUE, clip_logits, value_estimate

FACTORS = tuple(round(0.1 * step, 1) for step in range(13))
BLIND = "blind"


@dataclass(frozen=True)
class Choice:
    """A weighted sum of members' logits.

    Attributes:
        name: of the member, "blind", or "stack" when several are weighed together.
        weights: factor of each (member, candidate column) in use.
        offset: added to the sum.
        value: V on the choosing part, in nats; optimistic, since it was maximised there.
        member_values: best V of each member alone on the choosing part, in nats.
    """

    name: str
    weights: Mapping[tuple[str, int], float]
    offset: float
    value: float
    member_values: Mapping[str, float]

    def logits(self, scores: Mapping[str, np.ndarray]) -> np.ndarray:
        """Clipped logits from the members' scores `(n, candidates)`."""
        count = len(next(iter(scores.values())))
        total = np.full(count, self.offset)
        for (member, column), weight in self.weights.items():
            total = total + weight * scores[member][:, column]
        return clip_logits(total)


def choose(real: Mapping[str, np.ndarray], fake: Mapping[str, np.ndarray]) -> Choice:
    """The member, candidate and factor with the largest V on the choosing part.

    Args:
        real: by member, logits on the choosing part's real samples. Shape `(n_real, candidates)`.
        fake: the same on generated samples.
    """
    best = Choice(BLIND, {}, 0.0, EQUILIBRIUM_VALUE, {})
    values: dict[str, float] = {}
    for name in real:
        values[name] = EQUILIBRIUM_VALUE
        for column in range(real[name].shape[1]):
            value, factor = best_factor(real[name][:, column], fake[name][:, column], FACTORS)
            values[name] = max(values[name], value)
            if value > best.value:
                best = Choice(name, {(name, column): factor}, 0.0, value, {})
    return Choice(best.name, best.weights, best.offset, best.value, values)


def best_factor(real: np.ndarray, fake: np.ndarray, factors: Sequence[float]) -> tuple[float, float]:
    """The largest V over `factors` times the logits, and the factor that gives it."""
    scored = [(value_estimate(clip_logits(a * real), clip_logits(a * fake)).value, a) for a in factors]
    return max(scored, key=lambda pair: (pair[0], -pair[1]))
