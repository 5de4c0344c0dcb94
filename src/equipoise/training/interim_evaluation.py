"""The referee's looks during training: a verdict on the selection part at each planned step, and what follows from it.

A look reads the game and never changes it: samples come from the averaged generator, discriminators of the referee's
own are fitted anew, and the copies that measure the duality gap are thrown away. All its randomness comes from
(seed, "look", step), so that a run that was stopped and resumed looks the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from equipoise.data.dataset import Dataset
from equipoise.randomness import Stream, derived_seed
from equipoise.referee import EvaluationPlan, Sensitivity, Verdict, evaluate
from equipoise.referee.evaluation_plan import EVALUATION_CHECKS, ClassifierSet
from equipoise.runfolder import RunFolder
from equipoise.training.best_checkpoint import best_evaluation, keep_if_best
from equipoise.training.duality_gap import duality_gap
from equipoise.training.events import EvaluationDue, Event, RolledBack
from equipoise.training.loop import Trainer
from equipoise.training.recorder import Progress
from equipoise.training.trend import trend_of

GOALS = {"not-distinguished": ("not_distinguished", "equivalent"), "equivalent": ("equivalent",)}
"""Conclusions that end a run, by what was asked for; `too_little_data` never does."""
MOST_GAP_ROWS = 2000
"""Selection rows on which the duality gap is measured: its table of all pairs then takes 32 MB."""


@dataclass(frozen=True)
class EvaluationData:
    """What a look is made of.

    Attributes:
        plan: the steps and their levels, fixed before the first of them.
        real: selection rows, scored at every look.
        train: training rows, for fitting and choosing.
        fake_count: samples drawn of the averaged generator.
        draw: `draw(trainer, count, seed)` gives samples of the averaged generator in natural values.
        members: quick ones or all.
        resolution: planted ones that were measured before the first step; `None` gives each look its floor.
        gap_rows: the selection rows as the players see them; `None` measures no duality gap.
        gap_labels: the class of each in a conditional game.
        duality_gap_steps: steps that each copy goes on alone.
        margin: the JSD in nats that the person calls small enough.
        goal: `not-distinguished` ends the run at the first such look (`equivalent`, when there is a margin).
        keep_best: whether the checkpoint with the smallest estimate is kept.
        seed: of the run.
    """

    plan: EvaluationPlan
    real: Dataset
    train: Dataset
    fake_count: int
    draw: Callable[[Trainer, int, int], Dataset]
    seed: int
    classifiers: ClassifierSet = "quick"
    sensitivity: Sensitivity | None = None
    gap_rows: torch.Tensor | None = None
    gap_labels: torch.Tensor | None = None
    duality_gap_steps: int = 0
    margin: float | None = None
    goal: str | None = None
    keep_best: bool = False


class InterimEvaluations:
    """A handler that looks when a look is due, and writes, tells and decides what follows.

    Args:
        folder: of the run; looks that it holds already count as this run's own.
        material: what a look is made of.
        progress: who is told, or `None`.
        screen_seconds: that the planted resolution took before the first step; it counts as time of looks.
    """

    def __init__(
        self,
        folder: RunFolder,
        material: EvaluationData,
        *,
        progress: Progress | None = None,
        quick_seconds: float = 0.0,
    ) -> None:
        self.folder = folder
        self.material = material
        self.progress = progress
        self.quick_seconds = quick_seconds
        self.rows = selection_rows(folder.read_verdicts())
        self.trainer: Trainer | None = None
        self.is_over = False

    def start(self, trainer: Trainer, *, goes_on: bool = False) -> None:
        """Take up the looks of a run that is resumed.

        A goal is reached once: a run that goes on after it (because the person asked for more steps) plays to its
        end, and one that was cut off between the look and its ending ends now.
        """
        self.trainer = trainer
        trainer.trend = trend_of(self.rows)
        reached = next((place for place, row in enumerate(self.rows) if self._ends(row)), None)
        if reached is None:
            return
        if self.rows[reached]["step"] == trainer.step and not goes_on:
            self._end(reached)
        self.is_over = True

    def _ends(self, row: dict[str, Any]) -> bool:
        return self.material.goal is not None and row["conclusion"] in GOALS[self.material.goal]

    def _end(self, place: int) -> None:
        assert self.trainer is not None
        self.trainer.goal_reached = goal_sentence(self.rows[place], place + 1, len(self.material.plan.steps))
        self.trainer.should_stop = True

    def __call__(self, event: Event) -> None:
        """Look, if a look is due; forget the looks of play that was put back."""
        assert self.trainer is not None, "give the looks their trainer before play begins"
        if isinstance(event, EvaluationDue):
            self._look(self.trainer)
        elif isinstance(event, RolledBack):
            self.rows = selection_rows(self.folder.read_verdicts())
            self.trainer.trend = trend_of(self.rows)
            self.trainer.goal_reached = ""
            self.is_over = any(self._ends(row) for row in self.rows)
            best = self._best() if self.rows else {"best": None}
            self.folder.write_status(trend=self.trainer.trend, **best)

    def _look(self, trainer: Trainer) -> None:
        started = time.perf_counter()
        verdict, gap = one_evaluation(trainer, self.material)
        row = {"step": trainer.step, "part": "selection", **verdict.to_json(), "duality_gap": gap}
        self.rows.append(row)
        trainer.trend = row["trend"] = trend_of(self.rows)
        if self.material.keep_best:
            row["is_best"] = keep_if_best(self.folder, trainer, self.rows)
        row["play_seconds"], row["look_seconds"] = trainer.seconds, time.perf_counter() - started
        self.folder.append(self.folder.verdicts, row)
        self.folder.write_status(
            trend=trainer.trend, last_verdict=summary(row), look_time=self.cost(trainer), **self._best()
        )
        self._tell(row)
        if self._ends(row) and not self.is_over:
            self._end(len(self.rows) - 1)

    def cost(self, trainer: Trainer) -> dict[str, float]:
        """Seconds of play and of looks so far, and the looks' share of both."""
        evaluations = self.quick_seconds + sum(row.get("look_seconds") or 0.0 for row in self.rows)
        return {
            "play_seconds": trainer.seconds,
            "look_seconds": evaluations,
            "share": evaluations / max(evaluations + trainer.seconds, 1e-9),
        }

    def live(self) -> dict[str, str]:
        """What the progress bar shows of the looks."""
        if not self.rows:
            return {}
        return {"referee": brief(self.rows[-1]), **({"trend": str(self.trainer.trend)} if self._has_trend() else {})}

    def _has_trend(self) -> bool:
        return self.trainer is not None and self.trainer.trend is not None

    def _best(self) -> dict[str, Any]:
        best = best_evaluation(self.rows) if self.material.keep_best else None
        return {} if best is None else {"best": {key: best[key] for key in ("step", "jsd_estimate_nats")}}

    def _tell(self, row: dict[str, Any]) -> None:
        if self.progress is not None:
            trend = f"; {row['trend']}" if row["trend"] else ""
            self.progress.message(f"look at step {row['step']:,}: {brief(row)}{trend}")


def one_evaluation(trainer: Trainer, material: EvaluationData) -> tuple[Verdict, dict[str, Any] | None]:
    """The verdict on the averaged generator as it is now, and the gains of both players' copies."""
    step, seed = trainer.step, material.seed
    fake = material.draw(trainer, material.fake_count, derived_seed(seed, Stream.EVALUATION, step))
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
    )
    if material.gap_rows is None or material.duality_gap_steps < 1:
        return verdict, None
    gap = duality_gap(
        trainer, steps=material.duality_gap_steps, real=material.gap_rows, labels=material.gap_labels, seed=seed
    )
    return verdict, gap


def selection_rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The looks among stored verdicts, in order of steps; of two for one step the later one counts."""
    by_step = {
        row["step"]: row
        for row in rows
        if row.get("part") == "selection" and isinstance(row.get("step"), int) and row.get("conclusion")
    }
    return [by_step[step] for step in sorted(by_step)]


def summary(row: dict[str, Any]) -> dict[str, Any]:
    """What `status.json` says of a verdict."""
    injected = [nats for nats in (row.get("sensitivity_nats") or {}).values() if nats is not None]
    return {
        "conclusion": row["conclusion"],
        "part": row["part"],
        "step": row["step"],
        "confidence": row["confidence"],
        "jsd_lower_bound_nats": row["jsd_lower_bound_nats"],
        "jsd_estimate_nats": row["jsd_estimate_nats"],
        "sensitivity_theoretical_nats": row["sensitivity_theoretical_nats"],
        "resolution_planted_nats": max(injected, default=None),
    }


def brief(row: dict[str, Any]) -> str:
    """'distinguished, at least 0.210 nats' or 'not distinguished (sees from 0.004 nats)'."""
    said = summary(row)
    words = str(said["conclusion"]).replace("_", " ")
    if said["conclusion"] == "distinguished":
        return f"{words}, at least {said['jsd_lower_bound_nats']:.3f} nats"
    sees = said["resolution_planted_nats"] or said["sensitivity_theoretical_nats"]
    return words if sees is None else f"{words} (sees from {sees:.2g} nats)"


def goal_sentence(row: dict[str, Any], count: int, planned: int) -> str:
    """Why a run ended before its last step, for the status and the report."""
    words = str(row["conclusion"]).replace("_", " ")
    return f"The referee's look {count} of {planned}, at step {row['step']:,}, said '{words}', which --until asked for."
