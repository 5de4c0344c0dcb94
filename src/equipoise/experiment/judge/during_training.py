"""The interim evaluations of a run: how many fit, decided once from a timed step and evaluation, and their material.

The number is stored, so that the stored configuration trained again gives the same evaluations on any machine. What an
evaluation is made of climbs a ladder (quick classifiers on 1,000 rows, on 2,000 and 5,000, all classifiers on 5,000 and
20,000) as long as ten of them fit; a run too short for its lowest level has none.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path

import torch

from equipoise.data import PreparedData
from equipoise.data.dataset import Dataset
from equipoise.distributed import SINGLE_PROCESS, process_group
from equipoise.errors import ConfigError, RunFolderError
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.config.schema import EvaluationsConfig, RunConfig
from equipoise.experiment.generator import Gan
from equipoise.experiment.judge.datasets import at_most, drawn
from equipoise.experiment.planned import Planned
from equipoise.experiment.run_length import EVALUATIONS_SHARE
from equipoise.experiment.step_timing import median_seconds
from equipoise.experiment.weighted_density import thinned_rows
from equipoise.referee import EvaluationPlan, Sensitivity, plan_evaluations, quick_sensitivity
from equipoise.referee.detectable_effect import theoretical_nats
from equipoise.referee.evaluation_plan import RESERVE
from equipoise.referee.splits import TEST_SHARE
from equipoise.referee.two_sample_test import samples_needed
from equipoise.runfolder import RunFolder
from equipoise.training import Trainer, TrainingState
from equipoise.training.interim_evaluation import MOST_GAP_ROWS, EvaluationData, InterimEvaluations, one_evaluation
from equipoise.training.progress import Progress

LADDER = (("quick", 1_000), ("quick", 2_000), ("quick", 5_000), ("all", 5_000), ("all", 20_000))
"""Classifiers of an evaluation and most rows that it scores, from the cheapest."""
WANTED, MOST, FEWEST_ASKED = 10, 20, 3
"""Evaluations that should fit before they are made finer; most of them; fewest in a run with --until or --keep-best,
which then has them even if they take more than their share of the time. A run where two fit has three, too: weights can
then be kept from a third and from two thirds of it, and the evaluations take at most half as much again."""
STEP_SECONDS = 0.2
"""For which steps are timed; slow ones are three, whose median is as good as the time of the one evaluation."""
LEAST_SECONDS = 0.25
"""A run whose share for evaluations is below this has none; not even the cheapest would fit."""
COARSE, FEWEST_FINE = 2.0, 4
"""Of a table, evaluations that see from more than so many times what the final verdict sees are made finer as long as
so few fit: ten that see nothing say less than four that do."""
_GAP_SHARE, _MOST_GAP_STEPS, _FEWEST_GAP_STEPS = 0.25, 50, 5
_QUICK_EVALUATIONS, _QUICK_SHARE = 25, 0.25
"""Quick sensitivity takes about so many evaluations' time, and is measured when that is at most this share."""


@dataclass(frozen=True)
class EvaluationState:
    """What `evaluations.json` holds: the plan, fixed before the first step, and what it was chosen from.

    Attributes:
        plan: steps and levels; `None` for a run without evaluations.
        sensitivity: measured with injected differences; `None` where each evaluation computes a theoretical one.
        quick_seconds: that measuring it took.
        timing: seconds that were measured to choose the number of evaluations; empty where it was given.
    """

    plan: EvaluationPlan | None = None
    sensitivity: Sensitivity | None = None
    quick_seconds: float = 0.0
    timing: dict[str, float] = field(default_factory=dict)

    def write(self, run: RunFolder) -> None:
        """Store it in the run folder."""
        sensitivity = None if self.sensitivity is None else self.sensitivity.to_json()
        plan = None if self.plan is None else self.plan.to_json()
        run.write_json(
            run.evaluations,
            {"plan": plan, "resolution": sensitivity, "screen_seconds": self.quick_seconds, "timing": self.timing},
        )

    @classmethod
    def read(cls, run: RunFolder) -> EvaluationState:
        """What a run folder holds; a run of the first version has none.

        Raises:
            RunFolderError: the file is not one that equipoise wrote.
        """
        state = run.read_json(run.evaluations)
        if not state.get("plan"):
            return cls()
        sensitivity = state.get("resolution")
        try:
            return cls(
                EvaluationPlan.from_json(state["plan"]),
                None if sensitivity is None else Sensitivity.from_json(sensitivity),
                float(state.get("screen_seconds") or 0.0),
                dict(state.get("timing") or {}),
            )
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise RunFolderError(
                str(run.evaluations),
                f"the plan of the interim evaluations is incomplete ({error!r}).",
                "Expected one that equipoise wrote.",
                "Restore it from a copy.",
            ) from error

    @property
    def steps(self) -> frozenset[int]:
        """The steps after which the referee evaluates."""
        return frozenset() if self.plan is None else frozenset(self.plan.steps)

    def extended_to(self, steps: int) -> EvaluationState:
        """With the evaluations of a longer run, at levels that were set aside."""
        return self if self.plan is None else replace(self, plan=self.plan.extended_to(steps))


def evaluation_settings(until: str | None, margin: float | None, keep_best: bool | None) -> list[str]:
    """The three wishes about interim evaluations as settings."""
    wishes = [] if until is None else [f"evaluations.until={until.replace('_', '-')}"]
    wishes += [] if margin is None else [f"evaluations.margin={margin!r}"]
    return wishes if keep_best is None else [*wishes, f"evaluations.keep_best={str(keep_best).lower()}"]


def plan_interim_evaluations(planned: Planned) -> tuple[Planned, EvaluationState]:
    """The configuration with every choice about evaluations made, and their plan; called once, before the first step.

    Raises:
        ConfigError: `until` or `keep_best` on data that are too few to hold some out.
    """
    _metrics_asked(planned.config.evaluations, planned.data, seed=planned.config.seed)
    section, timing = settled(planned)
    chosen = replace(planned, config=planned.config.model_copy(update={"evaluations": section}))
    if not section.count:
        return chosen, EvaluationState(timing=timing)
    plan = plan_evaluations(
        evaluation_steps(chosen.config, section.count), confidence=section.confidence, reserve=RESERVE
    )
    state = EvaluationState(plan=plan, timing=timing)
    if section.sensitivity == "quick":
        started = time.perf_counter()
        material = evaluation_data(chosen, state)
        sensitivity = quick_sensitivity(
            plan,
            real=material.real.values,
            real_train=material.train.values,
            kind=material.real.kind,
            fake_count=material.fake_count,
            classifiers=material.classifiers,
        )
        state = replace(state, sensitivity=sensitivity, quick_seconds=time.perf_counter() - started)
    return chosen, state


def evaluation_steps(config: RunConfig, count: int) -> list[int]:
    """Steps spread evenly over a run, the last at its end; of a run in two stages one at the end of the first.

    That one takes the place of the nearest that is not the last.
    """
    total, stage = config.training.steps, config.stage_steps
    count = min(count, total)
    steps = [math.ceil(total * (place + 1) / count) for place in range(count)]
    if stage and count > 1:
        nearest = min(range(count - 1), key=lambda place: abs(steps[place] - stage))
        steps[nearest] = stage
    return steps


def settled(planned: Planned) -> tuple[EvaluationsConfig, dict[str, float]]:
    """The section on evaluations with nothing left open, and the seconds that were measured for it."""
    section, timing = _timed(planned)
    if section.keep_best is None:
        section = section.model_copy(update={"keep_best": section.count > 0})
    return section, timing


def _timed(planned: Planned) -> tuple[EvaluationsConfig, dict[str, float]]:
    """As `settled`, without the choice that needs no clock."""
    section = planned.config.evaluations
    is_asked = section.until is not None or section.keep_best or bool(section.metrics)
    if section.count == 0:
        return _filled(section), {}
    if not _has_enough_rows(planned.data):
        if is_asked or section.count:
            raise ConfigError(
                "evaluations",
                f"{len(planned.data.split.selection)} rows are held out for interim evaluations.",
                f"Expected enough for the referee: {samples_needed(section.confidence)} rows on each side.",
                "Give more data, or train without --until, --keep-best and evaluations.metrics.",
            )
        return _filled(section.model_copy(update={"count": 0})), {}
    if section == _filled(section) and section.count is not None:
        return section, {}
    # Alone: of many processes only the first one evaluates; the others are not asked to run a trial with it.
    trainer = build_trainer(planned.config, planned.data, parts=planned.parts, group=SINGLE_PROCESS)
    step = median_seconds(trainer, fewest=3, most=50, seconds=STEP_SECONDS) / process_group().world_size
    budget = planned.config.training.steps * step * EVALUATIONS_SHARE / (1 - EVALUATIONS_SHARE)
    if budget < LEAST_SECONDS and not is_asked and section.count is None:
        return _filled(section.model_copy(update={"count": 0})), {"seconds_per_step": step}
    if section.duality_gap_steps is None:
        fits = int(_GAP_SHARE * budget / (WANTED * step))
        steps = min(_MOST_GAP_STEPS, fits) if fits >= _FEWEST_GAP_STEPS else 0
        section = section.model_copy(update={"duality_gap_steps": steps})
    section, evaluation = _finest_affordable(planned, section, trainer, budget)
    if section.sensitivity is None:
        affordable = _QUICK_EVALUATIONS * evaluation <= _QUICK_SHARE * budget
        section = section.model_copy(
            update={"sensitivity": "quick" if affordable or section.margin is not None else "theoretical"}
        )
    quick = _QUICK_EVALUATIONS * evaluation if section.sensitivity == "quick" else 0.0
    if section.count is None:
        fits = min(MOST, int((budget - quick) / evaluation), planned.config.training.steps)
        fewest = FEWEST_ASKED if is_asked or fits >= FEWEST_ASKED - 1 else 0
        section = section.model_copy(update={"count": max(fits, fewest, 0)})
    seconds = section.count * evaluation + (quick if section.count else 0.0)
    share = seconds / (seconds + planned.config.training.steps * step)
    return section, {"seconds_per_step": step, "seconds_per_look": evaluation, "planned_share": share}


def evaluation_data(planned: Planned, state: EvaluationState) -> EvaluationData:
    """What the evaluations of a run are made of; the same configuration and data give the same."""
    config, data = planned.config, planned.data
    section = _filled(config.evaluations)
    count, seed = section.samples, config.seed
    # Numbers are drawn before rows are read: of large data, which stay on disk, no more than these come into memory.
    real, train = (
        data.raw.rows(drawn(thinned_rows(config, data, name), most, seed=seed))
        for name, most in (("selection", count), ("train", 2 * count))
    )
    gap_rows, gap_labels = _gap_rows(planned, real) if section.duality_gap_steps else (None, None)
    assert state.plan is not None, "a run without evaluations has no material for them"
    return EvaluationData(
        plan=state.plan,
        real=real,
        train=train,
        fake_count=max(round(len(real) / TEST_SHARE), len(train)),
        draw=lambda game, count, seed: _drawn(config, data, game, count, seed),
        seed=seed,
        classifiers=section.classifiers,
        sensitivity=state.sensitivity,
        gap_rows=gap_rows,
        gap_labels=gap_labels,
        duality_gap_steps=section.duality_gap_steps,
        margin=section.margin,
        goal=None if section.until is None else "equivalent" if section.margin is not None else section.until,
        keep_best=section.keep_best is True,
        measure=_metrics_asked(section, data, seed=seed),
    )


def _gap_rows(planned: Planned, real: Dataset) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The selection rows that the duality gap is measured on, as the players see them, and their classes."""
    config, data = planned.config, planned.data
    rows = at_most(real, MOST_GAP_ROWS, seed=config.seed)
    labels = rows.labels if config.networks.conditional else None
    stored = data.domain.stored(data.encoder, rows.values)
    return data.encoder.to_float(stored), None if labels is None else torch.from_numpy(labels)


def _metrics_asked(
    section: EvaluationsConfig, data: PreparedData, *, seed: int
) -> Callable[[Dataset, Dataset], dict[str, float]] | None:
    """What measures the metrics that evaluations were asked for.

    Raises:
        ConfigError: there is no such metric or feature function, or it does not suit the data.
    """
    from equipoise.experiment.measure import metrics_of_evaluations  # it loads runs, and a run loads this

    if not section.metrics:
        return None
    return metrics_of_evaluations(data, section.metrics, features=section.features, seed=seed)


def evaluations_handler(
    run: RunFolder, planned: Planned, state: EvaluationState, *, progress: Progress
) -> InterimEvaluations | None:
    """The handler that evaluates; `None` for a run without interim evaluations."""
    if state.plan is None:
        return None
    return InterimEvaluations(
        run, evaluation_data(planned, state), progress=progress, quick_seconds=state.quick_seconds
    )


def _finest_affordable(
    planned: Planned, section: EvaluationsConfig, trainer: Trainer, budget: float
) -> tuple[EvaluationsConfig, float]:
    """The section with the finest samples and classifiers that fit, and the seconds of one such evaluation."""
    held_out = len(planned.data.split.selection)
    levels = [
        section.model_copy(
            update={"classifiers": section.classifiers or classifiers, "samples": section.samples or samples}
        )
        for place, (classifiers, samples) in enumerate(LADDER)
        if place == 0 or classifiers != LADDER[place - 1][0] or held_out > LADDER[place - 1][1]
    ]
    levels = [level for place, level in enumerate(levels) if level not in levels[:place]]
    _load_what_evaluations_use(planned, levels[0], trainer)
    chosen, seconds = levels[0], _timed_evaluation(planned, levels[0], trainer)
    for level in levels[1:]:
        is_coarse = planned.data.space.kind == "table" and times_the_final(planned, chosen) > COARSE
        wanted = section.count or (FEWEST_FINE if is_coarse else WANTED)
        if budget / seconds < 2 * wanted:  # a finer one takes at least twice as long
            break
        if is_coarse and level.classifiers == chosen.classifiers and level.samples and chosen.samples:
            finer = seconds * level.samples / chosen.samples  # at most: trees take less for each of more rows
        else:
            finer = _timed_evaluation(planned, level, trainer)
        if budget / finer < wanted:
            break
        chosen, seconds = level, finer
    return chosen, seconds


def _load_what_evaluations_use(planned: Planned, section: EvaluationsConfig, trainer: Trainer) -> None:
    """What happens once in a process and is no part of an evaluation's time: of rows on a CPU imports, and no more."""
    if planned.data.space.kind != "images" and planned.config.runtime.device == "cpu":
        import_module("scipy.stats")  # either takes as long as a quick evaluation
        import_module("sklearn.ensemble")
    else:
        _timed_evaluation(planned, section.model_copy(update={"samples": 100}), trainer)


def times_the_final(planned: Planned, section: EvaluationsConfig) -> float:
    """What the last of several evaluations sees from, in theory, as a multiple of what the final verdict does."""
    rows, final = min(section.samples or 0, len(planned.data.split.selection)), len(planned.data.split.final)
    level = plan_evaluations(FEWEST_FINE, evaluations=FEWEST_FINE, reserve=RESERVE).levels[-1]
    interim = theoretical_nats(rows, rows, confidence=1 - level)
    return interim / theoretical_nats(final, final, confidence=section.confidence, whole=(final, final))


def _timed_evaluation(planned: Planned, section: EvaluationsConfig, trainer: Trainer) -> float:
    """Seconds of one evaluation of the throw-away trainer's generator."""
    config = planned.config.model_copy(update={"evaluations": section})
    plan = EvaluationPlan((trainer.step,), (0.01,), 0.99)
    material = evaluation_data(replace(planned, config=config), EvaluationState(plan=plan))
    started = time.perf_counter()
    one_evaluation(trainer.state, material)
    return time.perf_counter() - started


def _filled(section: EvaluationsConfig) -> EvaluationsConfig:
    """Plain values for what was left open."""
    classifiers, samples = LADDER[0]
    usual = {"samples": samples, "classifiers": classifiers, "sensitivity": "theoretical", "duality_gap_steps": 0}
    return section.model_copy(update={key: value for key, value in usual.items() if getattr(section, key) is None})


def _has_enough_rows(data: PreparedData) -> bool:
    held_out, train = len(data.split.selection), len(data.split.train)
    # At the strictest level that a plan of at most 20 evaluations can have.
    needed = samples_needed(1 - 0.05 * (1 - RESERVE) / MOST**2)
    return min(held_out / TEST_SHARE, train / (1 - TEST_SHARE)) >= needed


def _drawn(config: RunConfig, data: PreparedData, state: TrainingState, count: int, seed: int) -> Dataset:
    """Samples of the averaged generator, as `Gan` draws them."""
    gan = Gan(
        folder=Path(),
        config=config,
        encoder=data.encoder,
        generator=state.sampled_generator,
        label_names=tuple(str(name) for name in data.raw.label_names),
        class_shares=torch.from_numpy(data.class_shares) if data.n_classes else None,
        step=state.step,
        names=tuple(str(name) for name in data.raw.names),
    )
    return gan.sample_raw(count, seed=seed)
