r"""Looking often without crying wolf: how the error of a whole run is shared out among its planned looks.

Each look has a null of its own, "the generator of this step has the law of the data", and its own level
:math:`\alpha_k` with :math:`\sum_k \alpha_k = \alpha`. By Bonferroni's inequality the chance that any look calls a
perfect generator distinguished is at most alpha, however the looks depend on each other, so the same held-out rows may
serve them all. What it needs: the steps are planned before the first look, and what a look sees never reaches the
training (a look may end a run, and may choose which checkpoint is kept).

A run may be made longer after its looks have been seen. Looks past the planned end therefore stand on a grid that is
fixed from the start (the spacing of the planned ones, on and on) and share a part of the level that was set aside:
the j-th of them gets :math:`\alpha_{reserve} / (j (j + 1))`, and these sum to the reserve over all j. Whether a look of
the grid ever takes place may depend on anything.

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
from typing import TYPE_CHECKING, Any, Literal

from equipoise.errors import ConfigError
from equipoise.spaces import SpaceKind

if TYPE_CHECKING:
    from equipoise.referee.base import Classifier, Values
    from equipoise.referee.detectable_effect import Sensitivity
    from equipoise.referee.verdict import Verdict

ClassifierSet = Literal["quick", "all"]
QUICK_CLASSIFIERS: dict[SpaceKind, tuple[str, ...]] = {
    "points": ("neighbour curves", "quadratic"),
    "table": ("boosted trees", "quadratic"),
    "images": ("boosted trees", "neighbour curves", "quadratic"),
}
"""The cheaper members: one for the broad shape and one or two for detail."""
EVALUATION_CHECKS = ("collapse", "coverage")
"""Checks at a look: what the trend is read from. The final verdict has all of them."""
RESERVE = 0.2
"""Share of a run's level that is set aside for looks past its planned end; it costs every planned look
log(1 / 0.8) = 0.22 in log E."""


@dataclass(frozen=True)
class EvaluationPlan:
    """Which steps are looked at, and at what level.

    Attributes:
        steps: at which the referee looks, rising.
        levels: of each look; they sum to at most 1 - `confidence`.
        confidence: of all looks together.
        reserve: share of 1 - `confidence` that is set aside for looks past the planned end.
        planned: how many of the looks were planned at first; the others are past that end.
    """

    steps: tuple[int, ...]
    levels: tuple[float, ...]
    confidence: float
    reserve: float = 0.0
    planned: int = 0

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

    def extended_to(self, steps: int) -> EvaluationPlan:
        """The same looks and those of the grid past the planned end, up to and including step `steps`.

        Without a reserve, or when the run is no longer than planned, the looks stay as they are.
        """
        count = self.planned or len(self.steps)
        end = self.steps[count - 1]
        spacing = end - self.steps[count - 2] if count > 1 else end
        added = max(0, (steps - end) // spacing) if self.reserve > 0 else 0
        level = (1 - self.confidence) * self.reserve
        return EvaluationPlan(
            steps=(*self.steps[:count], *(end + place * spacing for place in range(1, added + 1))),
            levels=(*self.levels[:count], *(level / (place * (place + 1)) for place in range(1, added + 1))),
            confidence=self.confidence,
            reserve=self.reserve,
            planned=count,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, to be stored before the first look."""
        return {**vars(self), "steps": list(self.steps), "levels": list(self.levels)}

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> EvaluationPlan:
        """The inverse of `to_json`."""
        return cls(
            tuple(state["steps"]),
            tuple(state["levels"]),
            state["confidence"],
            float(state.get("reserve", 0.0)),
            int(state.get("planned", 0)),
        )


def plan_evaluations(
    steps: int | Sequence[int],
    *,
    evaluations: int = 10,
    confidence: float = 0.95,
    power: float = 2.0,
    reserve: float = 0.0,
) -> EvaluationPlan:
    r"""Plan looks over a run and share out its level by the power family, :math:`\alpha(t) = \alpha t^\rho`.

    With rho = 2 later looks get more of the level: an early generator is far off and is found at any level, a late one
    is near. The last of 10 looks has 19 % of the level, the first 1 %.

    Args:
        steps: how many steps the run has (looks are spread evenly and the last is at its end), or the steps themselves.
        looks: how many, when `steps` is a number; fewer if the run is shorter.
        confidence: of all looks together; 1 - alpha.
        power: rho; 1 shares the level evenly.
        reserve: share of alpha set aside for looks past the end; see `EvaluationPlan.extended_to`.
    """
    if not 0 <= reserve < 1:
        raise ConfigError("the referee's looks, reserve", f"it is {reserve}.", "Expected at least 0 and below 1.")
    if not 0.5 <= confidence < 1:
        raise ConfigError(
            "the referee's looks, confidence", f"it is {confidence}.", "Expected at least 0.5 and below 1."
        )
    if isinstance(steps, int):
        if steps < 1 or evaluations < 1:
            raise ConfigError(
                "the referee's looks", f"{evaluations} looks over {steps} steps.", "Expected at least one of each."
            )
        evaluations = min(evaluations, steps)
        chosen = tuple(math.ceil(steps * (look + 1) / evaluations) for look in range(evaluations))
    else:
        chosen = tuple(sorted(set(steps)))
        if not chosen:
            raise ConfigError("the referee's looks", "no step is given.", "Expected at least one.")
    spent = [(look / len(chosen)) ** power for look in range(len(chosen) + 1)]
    levels = tuple((1 - confidence) * (1 - reserve) * (after - before) for before, after in pairwise(spent))
    return EvaluationPlan(chosen, levels, confidence, reserve, len(chosen))


def evaluate(
    plan: EvaluationPlan,
    step: int,
    *,
    real: Values,
    fake: Values,
    real_train: Values,
    kind: SpaceKind,
    seed: int,
    classifiers: ClassifierSet = "quick",
    margin: float | None = None,
    sensitivity: Sensitivity | None = None,
    checks: Sequence[str] = EVALUATION_CHECKS,
) -> Verdict:
    """The verdict of a planned look, at the level that was planned for it.

    Args:
        plan: which steps are looked at.
        step: the present one.
        real: held-out rows, the same at every look; only scored.
        fake: fresh samples of the generator as it is now.
        real_train: training rows, for fitting and choosing.
        kind: of the data.
        seed: of the whole run; the look's own randomness comes from (seed, "look", step).
        members: `quick` ones or all.
        margin: as in `judge`.
        resolution: measured before, by `quick_sensitivity`; the floor when left out.
        checks: names of the checks to run.

    Raises:
        ConfigError: no look is planned at this step.
    """
    from equipoise.randomness import Stream, derived_seed
    from equipoise.referee.judge import judge

    return judge(
        real,
        fake,
        kind=kind,
        confidence=plan.confidence_at(step),
        margin=margin,
        seed=derived_seed(seed, Stream.EVALUATION, step),
        real_train=real_train,
        classifiers=classifiers_of(kind, classifiers),
        checks=checks,
        sensitivity="theoretical" if sensitivity is None else sensitivity,
    )


def quick_sensitivity(
    plan: EvaluationPlan,
    *,
    real: Values,
    real_train: Values,
    kind: SpaceKind,
    fake_count: int,
    classifiers: ClassifierSet,
) -> Sensitivity:
    """The smallest visible JSD of each planted defect at the looks of a run, each size tried once.

    It is measured at the strictest of the planned levels, so that it holds at every look; most of them see a little
    more. It takes about 20 looks' time and is made once, before the first step.
    """
    import numpy as np

    from equipoise.referee.base import joined
    from equipoise.referee.fit_and_score import split
    from equipoise.referee.sensitivity import sensitivity_of

    parts = split(np.arange(len(real)), np.arange(fake_count), seed=0, real_train=np.arange(len(real_train)))
    return sensitivity_of(
        joined(real, real_train),
        parts.counts,
        kind=kind,
        classifiers=classifiers_of(kind, classifiers),
        confidence=1 - min(plan.levels),
        repeats=1,
    )


def classifiers_of(kind: SpaceKind, classifiers: ClassifierSet) -> tuple[Classifier, ...]:
    """The members that look: the quick ones of this kind of data, or all."""
    from equipoise.referee.classifiers import available, classifiers_for

    return (
        classifiers_for(kind) if classifiers == "all" else tuple(available()[name] for name in QUICK_CLASSIFIERS[kind])
    )
