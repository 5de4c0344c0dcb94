r"""The minimum detectable effect: the smallest difference that would have been found.

Without it "not distinguished" means nothing. There are two ways to know it. The theoretical one is arithmetic: even a
classifier that knew both densities would need about a certain JSD with so many samples. The injected one is measured:
known defects are injected into real data and the same referee is sent to find them (`referee/sensitivity.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

POWER = 0.95
"""Chance of being found that a difference must have to count as detectable."""
COARSE_NATS = 0.05
"""Without a margin, a referee that could not have found a JSD of 0.05 has too little data to say anything."""


@dataclass(frozen=True)
class Sensitivity:
    """How small a difference the referee finds with these counts.

    Attributes:
        method: "theoretical" when only `theoretical_nats` is known; "injected" when defects were injected.
        theoretical_nats: about the least JSD that a classifier knowing both densities would need; see the function of
            that name.
        power: the chance of detection that all these numbers refer to.
        by_defect_nats: smallest detectable JSD of each injected defect; infinite when even the largest was not found.
        intervals_nats: 90 % interval of each of them.
        absent: defects that changed nothing at any severity because the data have nothing of the kind to break: columns
            that do not depend on each other have no dependence to lose.
        trials: how many times a defect was injected and looked for.
        per_side: samples on each side when it was measured; 0 when it was not.
    """

    method: Literal["theoretical", "injected"]
    theoretical_nats: float
    power: float = POWER
    by_defect_nats: Mapping[str, float] = field(default_factory=dict)
    intervals_nats: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    trials: int = 0
    per_side: int = 0

    @property
    def coarsest_nats(self) -> float:
        """The worst injected defect's JSD, by the upper end of its interval.

        Twice the theoretical one when nothing was injected: what a smooth difference needs at least.
        """
        if not self.by_defect_nats:
            return 2 * self.theoretical_nats
        return max(self.intervals_nats[name][1] for name in self.by_defect_nats)

    def to_json(self) -> dict[str, Any]:
        """Plain values; what was never found, an infinite JSD, is `None`."""
        return {
            **vars(self),
            "by_defect_nats": {name: _or_none(nats) for name, nats in self.by_defect_nats.items()},
            "intervals_nats": {name: [_or_none(end) for end in ends] for name, ends in self.intervals_nats.items()},
            "absent": list(self.absent),
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Sensitivity:
        """The inverse of `to_json`."""
        intervals = {
            name: (_or_infinite(ends[0]), _or_infinite(ends[1])) for name, ends in state["intervals_nats"].items()
        }
        seen = {name: _or_infinite(nats) for name, nats in state["by_defect_nats"].items()}
        return cls(**{**state, "by_defect_nats": seen, "intervals_nats": intervals, "absent": tuple(state["absent"])})


def _or_none(nats: float) -> float | None:
    return nats if math.isfinite(nats) else None


def _or_infinite(nats: float | None) -> float:
    return math.inf if nats is None else nats


def theoretical_nats(real_count: int, fake_count: int, *, confidence: float) -> float:
    r"""About the least JSD that a classifier which knew both densities would find with 95 % power by the e-value.

    With the true log-odds, the log e-value of n pairs has mean `mu = 2 n JSD`. How much it varies depends on the kind
    of difference: least where the sides share no value in a small part of the space, so that each sample there counts
    log 2. Their number is a Poisson count and the variance `mu log 2`; smooth differences have up to `2 mu`, and need
    about twice the JSD. The least is asked for: it must exceed log(1 / alpha) with probability 0.95,
    `mu - 1.645 sqrt(mu log 2) = log(1 / alpha)`. For 3,000 pairs and 95 % confidence this is 0.0011 nats.

    Args:
        real_count: real samples scored.
        fake_count: generated samples scored; unequal counts work like their harmonic mean, approximately.
        confidence: of the test, such as 0.95.

    Returns:
        Nats; at most log 2.
    """
    from scipy.special import ndtri

    pairs = 2 / (1 / real_count + 1 / fake_count)
    half = float(ndtri(POWER)) * math.sqrt(math.log(2)) / 2
    mean = (half + math.sqrt(half**2 - math.log(1 - confidence))) ** 2
    return min(math.log(2), mean / (2 * pairs))
