"""The referee's interim evaluations during training: a verdict on the selection part at each planned step.

An evaluation reads the game and never changes it: samples come from the averaged generator, the referee trains
discriminators of its own, and the copies that measure the duality gap are thrown away. All its randomness comes from
(seed, step), and what earlier evaluations leave it of the run's level from the stored ones, so that a run that was
stopped and resumed evaluates the same. After training was changed because of one, the later ones describe only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import torch

from equipoise.data.dataset import Dataset
from equipoise.entries import finite
from equipoise.randomness import Stream, derived_seed
from equipoise.referee import EvaluationPlan, Sensitivity, Verdict, evaluate
from equipoise.referee.base import Finding
from equipoise.referee.evaluation_plan import EVALUATION_CHECKS, ClassifierSet
from equipoise.runfolder import RunFolder
from equipoise.training.best_checkpoint import best_evaluation, keep_if_best
from equipoise.training.duality_gap import duality_gap
from equipoise.training.events import EvaluationDue, Event, RolledBack, Stop
from equipoise.training.progress import Progress
from equipoise.training.rises import significant_rise
from equipoise.training.state import TrainingState
from equipoise.training.steering import steered_since
from equipoise.training.trend import Trend, trend_of
from equipoise.training.until import Goal, goal_sentence, is_reached

MOST_GAP_ROWS = 2000
"""Selection rows on which the duality gap is measured: its table of all pairs then takes 32 MB."""


@dataclass(frozen=True)
class EvaluationData:
    """What an interim evaluation is made of.

    Attributes:
        plan: the steps and their levels, fixed before the first of them.
        real: selection rows, scored at every evaluation.
        train: training rows, on which classifiers are trained and selected.
        fake_count: samples drawn of the averaged generator.
        draw: `draw(state, count, seed)` gives samples of the averaged generator in natural values.
        classifiers: quick ones or all.
        sensitivity: measured with injected differences before the first step; `None` gives each evaluation its own
            theoretical one.
        gap_rows: the selection rows as the players see them; `None` measures no duality gap.
        gap_labels: the class of each in a conditional game.
        duality_gap_steps: steps that each copy goes on alone.
        margin: the JSD in nats that the person calls small enough.
        goal: `not-distinguished` ends the run at the first such evaluation (`equivalent`, when there is a margin).
        keep_best: whether the checkpoint with the smallest estimate is kept.
        seed: of the run.
        measure: metrics of the real and the generated side, by name; `None`: nobody asked for any.
    """

    plan: EvaluationPlan
    real: Dataset
    train: Dataset
    fake_count: int
    draw: Callable[[TrainingState, int, int], Dataset]
    seed: int
    classifiers: ClassifierSet = "quick"
    sensitivity: Sensitivity | None = None
    gap_rows: torch.Tensor | None = None
    gap_labels: torch.Tensor | None = None
    duality_gap_steps: int = 0
    margin: float | None = None
    goal: Goal | None = None
    keep_best: bool = False
    measure: Callable[[Dataset, Dataset], dict[str, float]] | None = None


class InterimEvaluations:
    """A handler that evaluates when it is due, and writes, tells and decides what follows.

    Args:
        folder: of the run; evaluations that it holds already count as this run's own.
        material: what an evaluation is made of.
        progress: who is told.
        quick_seconds: that measuring the sensitivity took before the first step; it counts as time of evaluations.

    Attributes:
        trend: what the evaluations say of the run so far; `None` while they say nothing.
    """

    def __init__(
        self,
        folder: RunFolder,
        material: EvaluationData,
        *,
        progress: Progress,
        quick_seconds: float = 0.0,
    ) -> None:
        self.folder = folder
        self.material = material
        self.progress = progress
        self.quick_seconds = quick_seconds
        self._reread()

    def _reread(self) -> None:
        self.rows = selection_rows(self.folder.read_verdicts())
        self.trend: Trend | None = trend_of(self.rows)
        self.is_over = any(is_reached(self.material.goal, row) for row in self.rows)

    def taken_up(self, step: int, *, goes_on: bool) -> Stop | None:
        """How a run that is resumed at `step` begins: with its end, if it was cut off between the evaluation that
        reached the goal and its ending.

        A goal is reached once: a run that goes on after it, because the person asked for more steps, trains to its end.
        """
        place = next((place for place, row in enumerate(self.rows) if is_reached(self.material.goal, row)), None)
        return self._end(place) if place is not None and self.rows[place]["step"] == step and not goes_on else None

    def _end(self, place: int) -> Stop:
        return Stop(goal=goal_sentence(self.rows[place], place + 1, len(self.material.plan.steps)))

    def __call__(self, event: Event) -> Stop | None:
        """Evaluate when it is due; forget the evaluations of steps that were taken back."""
        if isinstance(event, EvaluationDue):
            return self._evaluate(event.state)
        if isinstance(event, RolledBack):
            self._reread()
            best = self._best() if self.rows else {"best": None}
            self.folder.write_status(trend=self.trend, **best)
        return None

    def _evaluate(self, state: TrainingState) -> Stop | None:
        started = time.perf_counter()
        since = steered_since(state.rollbacks)
        earlier = evidence_of(self.rows) if since is None else {}
        verdict, gap = one_evaluation(state, self.material, earlier=earlier)
        row = {"step": state.step, "part": "selection", **described(verdict, since).to_json(), "duality_gap": gap}
        row |= {"is_descriptive": since is not None, "descriptive_since": since}
        if self.material.measure is not None:
            row["scores"] = self.material.measure(self.material.real, drawn_samples(state, self.material))
        row["log_e_needed"] = None if since is not None else self.material.plan.log_e_needed(state.step, earlier)
        self.rows.append(row)
        self.trend = row["trend"] = trend_of(self.rows)
        row["rise"] = significant_rise(
            self.rows,
            planned=self.material.plan.planned or len(self.material.plan.steps),
            changed_at=[change["step"] for change in state.rollbacks if change.get("reason") == "rise"],
        )
        if self.material.keep_best:
            row["is_best"] = keep_if_best(self.folder, state, self.rows)
        row["play_seconds"], row["look_seconds"] = state.seconds, time.perf_counter() - started
        self.folder.append(self.folder.verdicts, row)
        self.folder.write_status(
            trend=self.trend, last_verdict=summary(row), look_time=self.cost(state.seconds), **self._best()
        )
        trend = f"; {self.trend}" if self.trend else ""
        self.progress.message(f"interim evaluation at step {state.step:,}: {brief(row)}{trend}")
        if self.is_over or not is_reached(self.material.goal, row):
            return None
        return self._end(len(self.rows) - 1)

    def cost(self, training_seconds: float) -> dict[str, float]:
        """Seconds of training and of evaluations so far, and the evaluations' share of both."""
        evaluations = self.quick_seconds + sum(row.get("look_seconds") or 0.0 for row in self.rows)
        return {
            "play_seconds": training_seconds,
            "look_seconds": evaluations,
            "share": evaluations / max(evaluations + training_seconds, 1e-9),
        }

    def live(self) -> dict[str, str]:
        """What a progress bar shows of the evaluations."""
        if not self.rows:
            return {}
        return {"referee": brief(self.rows[-1]), **({} if self.trend is None else {"trend": self.trend})}

    def _best(self) -> dict[str, Any]:
        best = best_evaluation(self.rows) if self.material.keep_best else None
        return {} if best is None else {"best": {key: best[key] for key in ("step", "jsd_estimate_nats")}}


def one_evaluation(
    state: TrainingState, material: EvaluationData, *, earlier: Mapping[int, float] = MappingProxyType({})
) -> tuple[Verdict, dict[str, Any] | None]:
    """The verdict on the averaged generator as it is now, and the gains of both players' copies.

    Args:
        state: of training.
        material: what the evaluation is made of.
        earlier: log e-value by step of the evaluations before it that are under error control.
    """
    step, seed = state.step, material.seed
    fake = drawn_samples(state, material)
    verdict = evaluate(
        material.plan,
        step,
        real=material.real.values,
        fake=fake.values,
        real_train=material.train.values,
        kind=material.real.kind,
        seed=seed,
        classifiers=material.classifiers,
        margin=material.margin,
        sensitivity=material.sensitivity,
        checks=EVALUATION_CHECKS,
        earlier=earlier,
    )
    if material.gap_rows is None or material.duality_gap_steps < 1:
        return verdict, None
    gap = duality_gap(
        state, steps=material.duality_gap_steps, real=material.gap_rows, labels=material.gap_labels, seed=seed
    )
    return verdict, gap


def drawn_samples(state: TrainingState, material: EvaluationData) -> Dataset:
    """The samples of the averaged generator that an evaluation is made with; each call draws the same."""
    return material.draw(state, material.fake_count, derived_seed(material.seed, Stream.EVALUATION, state.step))


def selection_rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The interim evaluations among stored verdicts, in order of steps; of two for one step the later one counts."""
    by_step = {
        row["step"]: row
        for row in rows
        if row.get("part") == "selection" and isinstance(row.get("step"), int) and row.get("conclusion")
    }
    return [by_step[step] for step in sorted(by_step)]


def evidence_of(rows: Sequence[Mapping[str, Any]]) -> dict[int, float]:
    """Log e-value by step of the evaluations under error control, read from their stored rows."""
    found = {row["step"]: finite(row.get("log_e_value")) for row in rows if not row.get("is_descriptive")}
    return {step: log_e for step, log_e in found.items() if log_e is not None}


def described(verdict: Verdict, since: int | None) -> Verdict:
    """The verdict, with a word on what it is worth where training was steered by evaluations from step `since` on."""
    if since is None:
        return verdict
    statement = (
        f"This evaluation is descriptive: after step {since:,} training was changed because of what an evaluation "
        "found, so that the generator is no longer independent of the rows it is scored on. Its confidence does not "
        "hold; the final part alone confirms."
    )
    return replace(verdict, findings=(Finding("inputs", statement, True, {"since_step": since}), *verdict.findings))


def summary(row: dict[str, Any]) -> dict[str, Any]:
    """What `status.json` says of a verdict."""
    injected = [nats for nats in (row.get("sensitivity_nats") or {}).values() if nats is not None]
    return {
        "conclusion": row["conclusion"],
        "part": row["part"],
        "step": row["step"],
        "is_descriptive": bool(row.get("is_descriptive")),
        "confidence": row["confidence"],
        "jsd_lower_bound_nats": row["jsd_lower_bound_nats"],
        "jsd_estimate_nats": row["jsd_estimate_nats"],
        "sensitivity_theoretical_nats": row["sensitivity_theoretical_nats"],
        "resolution_planted_nats": max(injected, default=None),
    }


def brief(row: dict[str, Any]) -> str:
    """'distinguished, at least 0.210 nats' or 'not distinguished (sees from 0.004 nats)'."""
    said = summary(row)
    words = str(said["conclusion"]).replace("_", " ") + (" (descriptive)" if said["is_descriptive"] else "")
    if said["conclusion"] == "distinguished":
        bound = said["jsd_lower_bound_nats"]
        return f"{words}, at least {bound:.3f} nats" if bound > 0 else f"{words}, size not established"
    sees = said["resolution_planted_nats"] or said["sensitivity_theoretical_nats"]
    return words if sees is None else f"{words} (sees from {sees:.2g} nats)"
