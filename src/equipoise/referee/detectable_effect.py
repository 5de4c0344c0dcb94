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

from equipoise.referee.levels import shared_out

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


def theoretical_nats(
    real_count: int, fake_count: int, *, confidence: float, whole: tuple[int, int] | None = None
) -> float:
    r"""About the least JSD that is found with 95 % power by somebody who knew both densities.

    Two tests decide, and a difference counts as found if either finds it, so the least of what the two need is asked
    for. Where the e-value is alone (`whole` left out) it has the level alpha to itself; beside the companion each has
    its share of it (`levels`).

    The e-value. With the true log-odds, the log e-value of n pairs has mean `mu = 2 n JSD`. How much it varies depends
    on the kind of difference: least where the sides share no value in a small part of the space, so that each sample
    there counts log 2. Their number is a Poisson count and the variance `mu log 2`; smooth differences have up to
    `2 mu`, and need about twice the JSD. It must exceed log(1 / alpha_e) with probability 0.95:
    `mu - 1.645 sqrt(mu log 2) = log(1 / alpha_e)`.

    The companion. It compares all N pairs, not only those that are scored, by statistics that it did not have to learn.
    Its best one can be no better than the log-odds themselves. For a small smooth difference the mean log-odds of the
    sides differ by `4 JSD` or more exactly by :math:`\delta` standard errors with :math:`\delta^2 = 4 N \mathrm{JSD}`
    (a shift by d of a normal distribution: JSD = d^2 / 8, and the means differ by d sqrt(N / 2) standard errors). If
    that one statistic were all that it looked at, with the right sign, it must exceed the normal quantile of
    1 - alpha_c with probability 0.95: `sqrt(4 N JSD) = z(1 - alpha_c) + 1.645`.

    So the least is a limit on what is promised, not a promise: statistics are many and share alpha_c, and classifiers
    have to learn. `too_little_data` asks for twice as much (`Sensitivity.coarsest_nats`), and `equivalent` for injected
    defects, each looked for by both tests together.

    Args:
        real_count: real samples scored by the classifiers.
        fake_count: generated samples scored; unequal counts work like their harmonic mean, approximately.
        confidence: of the verdict, such as 0.95.
        whole: samples of both sides that the companion compares.

    Returns:
        Nats; at most log 2. With 3,000 pairs and the e-value alone at 95 % confidence it is 0.0011.
    """
    from scipy.special import ndtri

    levels = shared_out(confidence, has_companion=whole is not None)
    quantile = float(ndtri(POWER))
    half = quantile * math.sqrt(math.log(2)) / 2
    mean = (half + math.sqrt(half**2 - math.log(levels.e_process))) ** 2
    least = mean / (2 * _pairs(real_count, fake_count))
    if whole is not None:
        least = min(least, (quantile - float(ndtri(levels.companion))) ** 2 / (4 * _pairs(*whole)))
    return min(math.log(2), least)


def _pairs(real_count: int, fake_count: int) -> float:
    return 2 / (1 / real_count + 1 / fake_count)
