r"""Interim evaluations without false alarms: how the error of a whole run is spent on its planned evaluations.

Each evaluation has a null of its own, "the generator of this step has the distribution of the data", and its own level
:math:`\alpha_k` with :math:`\sum_k \alpha_k = \alpha`. It is the weight of its e-value in the sum that decides
(`evaluation_evidence`): the chance that any of them calls a perfect generator distinguished is at most alpha, however
they depend on each other, so the same held-out rows may serve them all. What it needs: the steps are planned before the
first evaluation, and what one finds never reaches the training (it may end a run, and may choose which checkpoint is
kept).

A run may be made longer after its evaluations have been seen. Those past the planned end therefore stand on a grid that
is fixed from the start (the spacing of the planned ones, on and on) and share a part of the level that was set aside:
the j-th of them gets :math:`\alpha_{reserve} / (j (j + 1))`, and these sum to the reserve over all j. Whether an
evaluation of the grid ever takes place may depend on anything.

References: Lan and DeMets 1983, "Discrete sequential boundaries for clinical trials", Biometrika 70(3) (alpha
spending); Kim and DeMets 1987, Biometrika 74(1) (the power family of spending functions). They use the joint
distribution of the evaluations to win some level back; here the nulls differ from one to the next, no joint
distribution is known, and level comes back from what earlier evaluations did not need.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Literal

from equipoise.data.domain import domain_of
from equipoise.data.judging import Values, concatenated
from equipoise.errors import ConfigError
from equipoise.randomness import Stream, derived_seed
from equipoise.referee.base import Classifier
from equipoise.referee.classifiers import available, classifiers_for
from equipoise.referee.detectable_effect import Sensitivity
from equipoise.referee.evaluation_evidence import log_e_needed
from equipoise.referee.sensitivity import sensitivity_of
from equipoise.referee.splits import split_indices
from equipoise.referee.two_sample_test import judge
from equipoise.referee.verdict import Conclusion, Verdict
from equipoise.spaces import SpaceKind

ClassifierSet = Literal["quick", "all"]
EVALUATION_CHECKS = ("collapse", "coverage")
"""Checks of an interim evaluation: what the trend is read from. The final verdict has all of them."""
RESERVE = 0.2
"""Share of a run's level that is set aside for evaluations past its planned end; it costs every planned one
log(1 / 0.8) = 0.22 in log E."""


@dataclass(frozen=True)
class EvaluationPlan:
    """At which steps there is an interim evaluation, and at what level.

    Attributes:
        steps: rising.
        levels: of each evaluation; they sum to at most 1 - `confidence`.
        confidence: of all of them together.
        reserve: share of 1 - `confidence` that is set aside for evaluations past the planned end.
        planned: how many were planned at first; the others are past that end.
    """

    steps: tuple[int, ...]
    levels: tuple[float, ...]
    confidence: float
    reserve: float = 0.0
    planned: int = 0

    def level_at(self, step: int) -> float:
        """The level of a planned step.

        Raises:
            ConfigError: none was planned there; an unplanned evaluation would break the error control.
        """
        if step not in self.steps:
            planned = ", ".join(f"{each:,}" for each in self.steps[:6]) + (", ..." if len(self.steps) > 6 else "")
            raise ConfigError("interim evaluations", f"none is planned at step {step:,}.", f"Planned: {planned}.")
        return self.levels[self.steps.index(step)]

    def confidence_at(self, step: int) -> float:
        """What to hand to `judge` at a planned step: 1 - its level.

        Raises:
            ConfigError: as `level_at`.
        """
        return 1 - self.level_at(step)

    def log_e_needed(self, step: int, earlier: Mapping[int, float]) -> float:
        """The log e-value at which the evaluation of a planned step says "distinguished", given those before it.

        Args:
            step: a planned one.
            earlier: log e-value by step of the evaluations before it that are under error control.

        Raises:
            ConfigError: as `level_at`.
        """
        self.level_at(step)
        levels = dict(zip(self.steps, self.levels, strict=True))
        return log_e_needed(step, earlier, levels=levels, level=1 - self.confidence)

    def next_after(self, step: int) -> int | None:
        """The first planned step later than `step`."""
        return next((planned for planned in self.steps if planned > step), None)

    def extended_to(self, steps: int) -> EvaluationPlan:
        """The same evaluations and those of the grid past the planned end, up to and including step `steps`.

        Without a reserve, or when the run is no longer than planned, they stay as they are.
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
        """Plain values, to be stored before the first evaluation."""
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
    r"""Plan evaluations over a run and spend its level by the power family, :math:`\alpha(t) = \alpha t^\rho`.

    With rho = 2 later evaluations get more of the level: an early generator is far off and is found at any level, a
    late one is near. The last of 10 has 19 % of the level, the first 1 %.

    Args:
        steps: how many steps the run has (evaluations are spread evenly and the last is at its end), or the steps
            themselves.
        evaluations: how many, when `steps` is a number; fewer if the run is shorter.
        confidence: of all of them together; 1 - alpha.
        power: rho; 1 spends the level evenly.
        reserve: share of alpha set aside for evaluations past the end; see `EvaluationPlan.extended_to`.
    """
    where = "interim evaluations"
    if not 0 <= reserve < 1:
        raise ConfigError(f"{where}, reserve", f"it is {reserve}.", "Expected at least 0 and below 1.")
    if not 0.5 <= confidence < 1:
        raise ConfigError(f"{where}, confidence", f"it is {confidence}.", "Expected at least 0.5 and below 1.")
    if isinstance(steps, int):
        if steps < 1 or evaluations < 1:
            raise ConfigError(where, f"{evaluations} evaluations over {steps} steps.", "Expected at least one of each.")
        count = min(evaluations, steps)
        chosen = tuple(math.ceil(steps * (place + 1) / count) for place in range(count))
    else:
        chosen = tuple(sorted(set(steps)))
        if not chosen:
            raise ConfigError(where, "no step is given.", "Expected at least one.")
    spent = [(place / len(chosen)) ** power for place in range(len(chosen) + 1)]
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
    earlier: Mapping[int, float] = MappingProxyType({}),
) -> Verdict:
    """The verdict of a planned evaluation: decided by the evidence of this and the earlier ones together, bounded at
    the level that was planned for it.

    All bounds of a run then hold together with its confidence. Where an evaluation is distinguished only because
    earlier ones left level to spend, its bound may be 0.

    Args:
        plan: of the run.
        step: the present one.
        real: held-out rows, the same at every evaluation; only tested on.
        fake: fresh samples of the generator as it is now.
        real_train: training rows, for training and validation of classifiers.
        kind: of the data.
        seed: of the whole run; the evaluation's own randomness comes from it and the step.
        classifiers: quick ones or all.
        margin: as in `judge`.
        sensitivity: measured before, by `quick_sensitivity`; the theoretical one when left out.
        checks: names of the checks to run.
        earlier: log e-value by step of the evaluations before it that are under error control.

    Raises:
        ConfigError: no evaluation is planned at this step.
    """
    verdict = judge(
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
        # The e-values of a run are added up; a p-value has no place in that sum.
        companion=False,
    )
    if verdict.sensitivity is None:  # too few samples to score any
        return verdict
    needed = plan.log_e_needed(step, earlier)
    is_found = verdict.log_e_value >= needed
    # The verdict then says what it needed, and that its classifiers spoke.
    verdict = replace(verdict, e_level=math.exp(-min(needed, verdict.log_e_value) if is_found else -needed))
    return replace(verdict, conclusion=Conclusion.DISTINGUISHED) if is_found else verdict


def quick_sensitivity(
    plan: EvaluationPlan,
    *,
    real: Values,
    real_train: Values,
    kind: SpaceKind,
    fake_count: int,
    classifiers: ClassifierSet,
) -> Sensitivity:
    """The smallest detectable JSD of each injected defect at the evaluations of a run, each severity tried once.

    It is measured at the strictest of the planned levels, so that it holds at every evaluation; most of them find
    slightly smaller ones. It takes about 20 evaluations' time and is made once, before the first step.
    """
    parts = split_indices(len(real), fake_count, seed=0, real_train_count=len(real_train))
    return sensitivity_of(
        concatenated(real, real_train),
        parts.counts,
        kind=kind,
        classifiers=classifiers_of(kind, classifiers),
        confidence=1 - min(plan.levels),
        repeats=1,
    )


def classifiers_of(kind: SpaceKind, classifiers: ClassifierSet) -> tuple[Classifier, ...]:
    """The quick classifiers of this kind of data, or all."""
    if classifiers == "all":
        return classifiers_for(kind)
    return tuple(available()[name] for name in domain_of(kind).quick_classifiers)
