"""How many steps a run has: what was asked for, what fits into a time, and what a person waits for who said neither."""

from __future__ import annotations

import math
from functools import partial

import torch

from equipoise.errors import ConfigError
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.memory_estimate import fitting_batch, require_room
from equipoise.experiment.out_of_memory import explaining_memory
from equipoise.experiment.planned import Planned
from equipoise.experiment.signals import before_the_run, stopping_at_once
from equipoise.experiment.step_timing import median_seconds

PLAY_SHARE = 0.93
"""Share of `--minutes` that goes to training; the rest is for sample grids, checkpoints and the verdict."""
EVALUATIONS_SHARE = 0.07
"""Share of training and evaluations together that is planned for interim evaluations. The limit is 10 %: timings made
before the first step are rough, and a busy machine makes some evaluations longer."""
TRIAL_SECONDS = 3.0
TRIAL_STEPS = 8
"""Fewest steps that are timed before `--minutes` becomes a number of steps."""
MOST_MINUTES = 30.0
"""How long a run on a CPU is whose length nobody said: about as long as somebody waits for a first result."""
QUICK_SECONDS, QUICK_STEPS = 0.2, 3
"""For which steps are timed, and the fewest, to see whether that limit matters: a run of seconds should not wait."""
DOUBTFUL = 2.0
"""So quick a timing can be wrong by this factor."""


def require_one_budget(steps: int | None, minutes: float | None) -> None:
    """Refuse two lengths for one run, and a length that is none.

    Raises:
        ConfigError: both are given, or one of them is no number of steps or of minutes.
    """
    if steps is not None and minutes is not None:
        raise ConfigError("--steps, --minutes", "both are given.", "Expected one budget.", "Leave one of them out.")
    if minutes is not None and not 0 < minutes < math.inf:
        raise ConfigError("--minutes", f"{minutes:g} is not a time.", "Expected a number above 0.", "Give minutes.")
    if steps is not None and steps < 1:
        raise ConfigError("--steps", f"{steps} is not a number of steps.", "Expected 1 or more.", "Give a larger one.")


def seconds_per_step(
    planned: Planned, *, trusted: bool = True, fewest: int | None = None, seconds: float | None = None
) -> float:
    """Time of one step, from a throw-away trial on this machine: the median of groups of steps, after a warm-up.

    Args:
        planned: the run.
        trusted: whether code that it names may be imported.
        fewest: steps that are timed; by default `TRIAL_STEPS`.
        seconds: for which steps are timed; by default `TRIAL_SECONDS`.
    """
    torch.set_num_threads(planned.config.runtime.threads)
    trainer = build_trainer(planned.config, planned.data, parts=planned.parts, trusted=trusted)
    return median_seconds(
        trainer,
        fewest=TRIAL_STEPS if fewest is None else fewest,
        most=1000,
        seconds=TRIAL_SECONDS if seconds is None else seconds,
    )


def steps_within(minutes: float, planned: Planned, *, doing: str = "timing a step for --minutes") -> int:
    """As many steps as leave room for the interim evaluations, the pictures and the verdict.

    Raises:
        OutOfMemory: a step finds no room in memory, while `doing` that.
    """
    share = PLAY_SHARE if planned.config.evaluations.count == 0 else PLAY_SHARE * (1 - EVALUATIONS_SHARE)
    require_room(planned, doing=doing)
    fitting = partial(fitting_batch, planned.config, planned.data)
    with (
        explaining_memory(planned.config, doing=doing, is_playing=False, fitting=fitting),
        stopping_at_once(before_the_run),
    ):
        return max(10, int(minutes * 60 * share / seconds_per_step(planned)))


def steps_waited_for(minutes: float, planned: Planned) -> tuple[int, str] | None:
    """The steps that fit into so many minutes, and what is said of them; `None` where those of the preset fit, too.

    Raises:
        OutOfMemory: a step finds no room in memory.
    """
    doing, wanted = "timing a step", planned.config.training.steps
    require_room(planned, doing=doing)
    fitting = partial(fitting_batch, planned.config, planned.data)
    with (
        explaining_memory(planned.config, doing=doing, is_playing=False, fitting=fitting),
        stopping_at_once(before_the_run),
    ):
        quick = seconds_per_step(planned, fewest=QUICK_STEPS, seconds=QUICK_SECONDS)
    if wanted * quick * DOUBTFUL < 60 * minutes:
        return None
    steps = steps_within(minutes, planned, doing=doing)
    if steps >= wanted:
        return None
    longer = minutes * wanted / steps
    return steps, (
        f"No length was given, and the {wanted:,} steps of the preset would take about {longer:,.0f} minutes here: "
        f"this run has {minutes:g} ({steps:,} steps). Choose another length by --minutes or --steps; "
        "'equipoise resume RUN --minutes M' goes on from it."
    )
