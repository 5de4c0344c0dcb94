"""The referee's looks of a run: how many fit, decided once from a timed step and looks, and what they are made of.

The number is stored, so that the stored configuration trained again gives the same looks on any machine. What a look
is made of climbs a ladder (quick members on 1,000 rows, on 2,000 and 5,000, all members on 5,000 and 20,000) as long as
ten of them fit; a run too short for the first rung has no looks.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from equipoise.data import PreparedData
from equipoise.data.raw import RawData
from equipoise.distributed import ALONE, here
from equipoise.errors import ConfigError, RunFolderError
from equipoise.experiment.build import build_trainer
from equipoise.experiment.config import LooksConfig, RunConfig
from equipoise.experiment.gan import Gan
from equipoise.experiment.judging_run import at_most, drawn
from equipoise.experiment.preparing import LOOKS_SHARE, Planned, prepare_data, timed_step
from equipoise.experiment.weighted_density import thinned_rows
from equipoise.referee import LookPlan, Resolution, plan_looks, screened_resolution
from equipoise.referee.judge import samples_needed
from equipoise.referee.looks import RESERVE
from equipoise.referee.playing import SCORE_SHARE
from equipoise.runfolder import RunFolder
from equipoise.training import Trainer
from equipoise.training.looks import MOST_GAP_ROWS, LookMaterial, Looks, one_look
from equipoise.training.recorder import Progress

LADDER = (("quick", 1_000), ("quick", 2_000), ("quick", 5_000), ("all", 5_000), ("all", 20_000))
"""Members of a look and most rows that it scores, from the cheapest."""
WANTED, MOST, FEWEST_ASKED = 10, 20, 3
"""Looks that should fit before they are made finer; most looks; fewest looks of a run with --until or --keep-best,
which then has them even if they take more than their share of the time."""
LEAST_SECONDS = 0.25
"""A run whose share for looks is below this has none; not even the cheapest would fit."""
_GAP_SHARE, _MOST_GAP_STEPS, _FEWEST_GAP_STEPS = 0.25, 50, 5
_SCREEN_LOOKS, _SCREEN_SHARE = 25, 0.25
"""A screen of the resolution takes about so many looks' time, and is made when that is at most this share."""


@dataclass(frozen=True)
class LookState:
    """What `looks.json` holds: the plan, fixed before the first step, and what it was chosen from.

    Attributes:
        plan: steps and levels; `None` for a run without looks.
        resolution: planted ones; `None` where each look computes its floor.
        screen_seconds: that the planting took.
        timing: seconds that were measured to choose the number of looks; empty where it was given.
    """

    plan: LookPlan | None = None
    resolution: Resolution | None = None
    screen_seconds: float = 0.0
    timing: dict[str, float] = field(default_factory=dict)

    def write(self, run: RunFolder) -> None:
        """Store it in the run folder."""
        resolution = None if self.resolution is None else self.resolution.to_json()
        plan = None if self.plan is None else self.plan.to_json()
        run.write_json(
            run.looks,
            {"plan": plan, "resolution": resolution, "screen_seconds": self.screen_seconds, "timing": self.timing},
        )

    @classmethod
    def read(cls, run: RunFolder) -> LookState:
        """What a run folder holds; a run of an earlier version has no looks.

        Raises:
            RunFolderError: the file is not one that equipoise wrote.
        """
        state = run.read_json(run.looks)
        if not state.get("plan"):
            return cls()
        resolution = state.get("resolution")
        try:
            return cls(
                LookPlan.from_json(state["plan"]),
                None if resolution is None else Resolution.from_json(resolution),
                float(state.get("screen_seconds") or 0.0),
                dict(state.get("timing") or {}),
            )
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise RunFolderError(
                str(run.looks),
                f"the plan of the looks is incomplete ({error!r}).",
                "Expected a looks.json that equipoise wrote.",
                "Restore it from a copy.",
            ) from error

    @property
    def steps(self) -> frozenset[int]:
        """The steps to be looked at, for the trainer's plan."""
        return frozenset() if self.plan is None else frozenset(self.plan.steps)

    def extended_to(self, steps: int) -> LookState:
        """With the looks of a longer run, at levels that were set aside."""
        return self if self.plan is None else replace(self, plan=self.plan.extended_to(steps))


def looks_settings(until: str | None, margin: float | None, keep_best: bool) -> list[str]:
    """The three wishes about looks as settings."""
    wishes = [] if until is None else [f"looks.until={until.replace('_', '-')}"]
    wishes += [] if margin is None else [f"looks.margin={margin!r}"]
    return [*wishes, "looks.keep_best=true"] if keep_best else wishes


def plan_the_looks(planned: Planned) -> tuple[Planned, LookState]:
    """The configuration with every choice about looks made, and their plan; called once, before the first step.

    Raises:
        ConfigError: `until` or `keep_best` on data that are too few to hold some out.
    """
    section, timing = settled(planned)
    chosen = replace(planned, config=planned.config.model_copy(update={"looks": section}))
    if not section.count:
        return chosen, LookState(timing=timing)
    plan = plan_looks(chosen.config.play.steps, looks=section.count, confidence=section.confidence, reserve=RESERVE)
    state = LookState(plan=plan, timing=timing)
    if section.resolution == "screen":
        started = time.perf_counter()
        material = look_material(chosen, state)
        resolution = screened_resolution(
            plan,
            real=material.real.values,
            real_fit=material.train.values,
            kind=material.real.kind,
            fake_count=material.fake_count,
            members=material.members,
        )
        state = replace(state, resolution=resolution, screen_seconds=time.perf_counter() - started)
    return chosen, state


def with_looks(config: RunConfig) -> RunConfig:
    """The configuration as a run would store it, with the choices about looks that would be made now."""
    section, _ = settled(Planned(config, prepare_data(config.data.source, config.data, config.seed)))
    return config.model_copy(update={"looks": section})


def settled(planned: Planned) -> tuple[LooksConfig, dict[str, float]]:
    """The section on looks with nothing left open, and the seconds that were measured for it."""
    section = planned.config.looks
    is_asked = section.until is not None or section.keep_best
    if section.count == 0:
        return _filled(section), {}
    if not _has_enough_rows(planned.data):
        if is_asked or section.count:
            raise ConfigError(
                "looks",
                f"{len(planned.data.split.selection)} rows are held out for looks.",
                f"Expected enough for the referee: {samples_needed(section.confidence)} rows on each side.",
                "Give more data, or train without --until and --keep-best.",
            )
        return _filled(section.model_copy(update={"count": 0})), {}
    if section == _filled(section) and section.count is not None:
        return section, {}
    # Alone: of many processes only the first one looks, and the others are not asked to play a trial with it.
    trainer = build_trainer(planned.config, planned.data, group=ALONE)
    step = _seconds_per_step(trainer) / here().processes
    budget = planned.config.play.steps * step * LOOKS_SHARE / (1 - LOOKS_SHARE)
    if budget < LEAST_SECONDS and not is_asked and section.count is None:
        return _filled(section.model_copy(update={"count": 0})), {"seconds_per_step": step}
    if section.gap_steps is None:
        fits = int(_GAP_SHARE * budget / (WANTED * step))
        steps = min(_MOST_GAP_STEPS, fits) if fits >= _FEWEST_GAP_STEPS else 0
        section = section.model_copy(update={"gap_steps": steps})
    section, look = _climbed(planned, section, trainer, budget)
    if section.resolution is None:
        affordable = _SCREEN_LOOKS * look <= _SCREEN_SHARE * budget
        section = section.model_copy(
            update={"resolution": "screen" if affordable or section.margin is not None else "floor"}
        )
    screen = _SCREEN_LOOKS * look if section.resolution == "screen" else 0.0
    if section.count is None:
        fits = min(MOST, int((budget - screen) / look), planned.config.play.steps)
        section = section.model_copy(update={"count": max(fits, FEWEST_ASKED if is_asked else 0, 0)})
    seconds = section.count * look + (screen if section.count else 0.0)
    share = seconds / (seconds + planned.config.play.steps * step)
    return section, {"seconds_per_step": step, "seconds_per_look": look, "planned_share": share}


def look_material(planned: Planned, state: LookState, device: torch.device | str = "cpu") -> LookMaterial:
    """What the looks of a run are made of; the same configuration and data give the same."""
    config, data = planned.config, planned.data
    section = _filled(config.looks)
    count, seed = section.samples, config.seed
    # Numbers are drawn before rows are read: of large data, which stay on disk, no more than these come into memory.
    real, train = (
        data.raw.rows(drawn(thinned_rows(config, data, name), most, seed=seed))
        for name, most in (("selection", count), ("train", 2 * count))
    )
    rows = at_most(real, MOST_GAP_ROWS, seed=seed)
    encoded = torch.from_numpy(rows.values if rows.kind == "images" else data.codec.encode(rows.values))
    labels = rows.labels if config.networks.conditional else None
    assert state.plan is not None, "a run without looks has no material for them"
    return LookMaterial(
        plan=state.plan,
        real=real,
        train=train,
        fake_count=max(round(len(real) / SCORE_SHARE), len(train)),
        draw=lambda trainer, count, seed: _drawn(config, data, trainer, count, seed),
        seed=seed,
        members=section.members,
        resolution=state.resolution,
        gap_rows=(data.codec.to_float(encoded) if rows.kind == "images" else encoded).to(device),
        gap_labels=None if labels is None else torch.from_numpy(labels).to(device),
        gap_steps=section.gap_steps,
        margin=section.margin,
        goal=None if section.until is None else "equivalent" if section.margin is not None else section.until,
        keep_best=section.keep_best,
    )


def looks_handler(
    run: RunFolder, planned: Planned, state: LookState, trainer: Trainer, *, progress: Progress | None, goes_on: bool
) -> Looks | None:
    """The handler that looks; `None` for a run without looks.

    Args:
        run: its folder.
        planned: configuration and data.
        state: the plan, extended if the run is.
        trainer: who is told the trend of a resumed run.
        progress: who is told.
        goes_on: whether the person asked for more steps of a run whose goal was reached.
    """
    if state.plan is None:
        return None
    material = look_material(planned, state, trainer.discriminator.parameters[0].device)
    looks = Looks(run, material, progress=progress, screen_seconds=state.screen_seconds)
    looks.start(trainer, goes_on=goes_on)
    return looks


def _climbed(planned: Planned, section: LooksConfig, trainer: Trainer, budget: float) -> tuple[LooksConfig, float]:
    """The section with samples and members of the highest rung that fits, and the seconds of one such look."""
    wanted = section.count or WANTED
    held_out = len(planned.data.split.selection)
    rungs = [
        section.model_copy(update={"members": section.members or members, "samples": section.samples or samples})
        for place, (members, samples) in enumerate(LADDER)
        if place == 0 or members != LADDER[place - 1][0] or held_out > LADDER[place - 1][1]
    ]
    rungs = [rung for place, rung in enumerate(rungs) if rung not in rungs[:place]]
    _timed_look(planned, rungs[0].model_copy(update={"samples": 100}), trainer)  # imports, caches
    chosen, seconds = rungs[0], _timed_look(planned, rungs[0], trainer)
    for rung in rungs[1:]:
        if budget / seconds < 2 * wanted:  # a finer look takes at least twice as long
            break
        finer = _timed_look(planned, rung, trainer)
        if budget / finer < wanted:
            break
        chosen, seconds = rung, finer
    return chosen, seconds


def _timed_look(planned: Planned, section: LooksConfig, trainer: Trainer) -> float:
    """Seconds of one look at the throw-away trainer's generator."""
    config = planned.config.model_copy(update={"looks": section})
    plan = LookPlan((trainer.step,), (0.01,), 0.99)
    device = trainer.discriminator.parameters[0].device
    material = look_material(replace(planned, config=config), LookState(plan=plan), device)
    started = time.perf_counter()
    one_look(trainer, material)
    return time.perf_counter() - started


def _seconds_per_step(trainer: Trainer) -> float:
    """Median of a few steps: a rough figure is enough for a number of looks."""
    for _ in range(2):
        trainer.play()
    times: list[float] = []
    begun = time.perf_counter()
    while len(times) < 3 or (len(times) < 50 and time.perf_counter() - begun < 0.5):
        times.append(timed_step(trainer))
    return statistics.median(times)


def _filled(section: LooksConfig) -> LooksConfig:
    """Plain values for what was left open."""
    members, samples = LADDER[0]
    usual = {"samples": samples, "members": members, "resolution": "floor", "gap_steps": 0}
    return section.model_copy(update={key: value for key, value in usual.items() if getattr(section, key) is None})


def _has_enough_rows(data: PreparedData) -> bool:
    held_out, train = len(data.split.selection), len(data.split.train)
    # At the strictest level that a plan of at most 20 looks can have.
    needed = samples_needed(1 - 0.05 * (1 - RESERVE) / MOST**2)
    return min(held_out / SCORE_SHARE, train / (1 - SCORE_SHARE)) >= needed


def _drawn(config: RunConfig, data: PreparedData, trainer: Trainer, count: int, seed: int) -> RawData:
    """Samples of the averaged generator, as `Gan` draws them."""
    average = trainer.generator.average
    shares = torch.from_numpy(data.class_shares) if data.n_classes else None
    gan = Gan(
        folder=Path(),
        config=config,
        codec=data.codec,
        generator=trainer.generator.network if average is None else average.network,
        label_names=tuple(str(name) for name in data.raw.label_names),
        class_shares=shares,
        step=trainer.step,
        names=tuple(str(name) for name in data.raw.names),
    )
    return gan.sample_raw(count, seed=seed)
