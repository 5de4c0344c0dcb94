r"""Looking often without crying wolf: how the error of a whole run is shared out among its planned looks.

Each look has a null of its own, "the generator of this step has the law of the data", and its own level
:math:`\alpha_k` with :math:`\sum_k \alpha_k = \alpha`. By Bonferroni's inequality the chance that any look calls a
perfect generator distinguished is at most alpha, however the looks depend on each other, so the same held-out rows may
serve them all. What it needs: the steps are planned before the first look, and what a look sees never reaches the
training (a look may end a run, and may choose which checkpoint is kept).

References: Lan and DeMets 1983, "Discrete sequential boundaries for clinical trials", Biometrika 70(3) (spending a
level over looks); Kim and DeMets 1987, Biometrika 74(1) (the power family of spending functions). Where they use the
joint law of the looks to win some level back, we use Bonferroni: the nulls differ from look to look, and no joint law
is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from equipoise.errors import ConfigError


@dataclass(frozen=True)
class LookPlan:
    """Which steps are looked at, and at what level.

    Attributes:
        steps: at which the referee looks, rising.
        levels: of each look; they sum to 1 - `confidence`.
        confidence: of all looks together.
    """

    steps: tuple[int, ...]
    levels: tuple[float, ...]
    confidence: float

    def confidence_at(self, step: int) -> float:
        """What to hand to `judge` at a planned step.

        Raises:
            ConfigError: no look was planned there; an unplanned look would break the error control.
        """
        if step not in self.steps:
            planned = ", ".join(f"{each:,}" for each in self.steps[:6]) + (", ..." if len(self.steps) > 6 else "")
            raise ConfigError("the referee's looks", f"no look is planned at step {step:,}.", f"Planned: {planned}.")
        return 1 - self.levels[self.steps.index(step)]

    def next_after(self, step: int) -> int | None:
        """The first planned step later than `step`."""
        return next((planned for planned in self.steps if planned > step), None)

    def to_json(self) -> dict[str, Any]:
        """Plain values, to be stored before the first look."""
        return {"steps": list(self.steps), "levels": list(self.levels), "confidence": self.confidence}

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> LookPlan:
        """The inverse of `to_json`."""
        return cls(tuple(state["steps"]), tuple(state["levels"]), state["confidence"])


def plan_looks(
    steps: int | Sequence[int], *, looks: int = 10, confidence: float = 0.95, power: float = 2.0
) -> LookPlan:
    r"""Plan looks over a run and share out its level by the power family, :math:`\alpha(t) = \alpha t^\rho`.

    With rho = 2 later looks get more of the level: an early generator is far off and is found at any level, a late one
    is near. The last of 10 looks has 19 % of the level, the first 1 %.

    Args:
        steps: how many steps the run has (looks are spread evenly and the last is at its end), or the steps themselves.
        looks: how many, when `steps` is a number; fewer if the run is shorter.
        confidence: of all looks together; 1 - alpha.
        power: rho; 1 shares the level evenly.
    """
    if not 0.5 <= confidence < 1:
        raise ConfigError(
            "the referee's looks, confidence", f"it is {confidence}.", "Expected at least 0.5 and below 1."
        )
    if isinstance(steps, int):
        if steps < 1 or looks < 1:
            raise ConfigError(
                "the referee's looks", f"{looks} looks over {steps} steps.", "Expected at least one of each."
            )
        looks = min(looks, steps)
        chosen = tuple(math.ceil(steps * (look + 1) / looks) for look in range(looks))
    else:
        chosen = tuple(sorted(set(steps)))
        if not chosen:
            raise ConfigError("the referee's looks", "no step is given.", "Expected at least one.")
    spent = [(look / len(chosen)) ** power for look in range(len(chosen) + 1)]
    levels = tuple((1 - confidence) * (after - before) for before, after in pairwise(spent))
    return LookPlan(chosen, levels, confidence)
