"""What a run will take, before it begins: time from a few timed steps, memory and disk from sizes."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch

from equipoise.errors import ConfigError, OutOfMemory
from equipoise.experiment.config.schema import RunConfig
from equipoise.experiment.judge.during_training import settled
from equipoise.experiment.memory_estimate import count_parameters, estimated_bytes, fitting_batch, require_room
from equipoise.experiment.out_of_memory import explaining_memory
from equipoise.experiment.planned import Planned
from equipoise.experiment.run_length import PLAY_SHARE, seconds_per_step


@dataclass(frozen=True)
class Forecast:
    """What a run will take on this machine.

    Attributes:
        steps: of the whole run.
        seconds_per_step: from a few timed steps; `None` where a step finds no room in memory.
        seconds: of the whole run, in the same way.
        memory_bytes: estimated from sizes; of a run on a CPU at least what this process took for the steps and the
            evaluation that were timed, since convolutions that are differentiated twice take far more than their sizes.
        disk_bytes: estimated from sizes.
        parameters: weights of each player.
        trouble: what kept a step from being timed; empty when nothing did.
    """

    steps: int
    seconds_per_step: float | None
    seconds: float | None
    memory_bytes: int
    disk_bytes: int
    parameters: dict[str, int]
    trouble: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values by name."""
        return asdict(self)


def forecast_run(planned: Planned) -> Forecast:
    """What the run will take. Where a step finds no room in memory, the rest of the forecast, which is arithmetic.

    Raises:
        OutOfMemory: not even the sizes can be told: a network of the person's own takes memory when it is counted.
    """
    config, data = planned.config, planned.data
    seconds: float | None = None
    lack: OutOfMemory | None = None
    try:
        with explaining_memory(
            config, doing="timing a step", is_playing=False, fitting=partial(fitting_batch, config, data)
        ):
            require_room(planned, doing="timing a step")
            seconds = seconds_per_step(planned)
            parameters = count_parameters(config, data)
    except OutOfMemory as error:
        lack = error
        try:
            with torch.device("meta"):  # networks without numbers
                parameters = count_parameters(config, data)
        except (ConfigError, RuntimeError):
            raise lack from None
    weights = 4 * sum(parameters.values())
    checkpoint = 3 * weights + 4 * parameters["generator"]
    kept = 2 + max(1, (config.training.steps // config.outputs.checkpoint_every)).bit_length()
    return Forecast(
        steps=config.training.steps,
        seconds_per_step=seconds,
        seconds=None if seconds is None else seconds * config.training.steps / PLAY_SHARE,
        memory_bytes=estimated_bytes(config, data, sum(parameters.values())),
        disk_bytes=kept * checkpoint + 400 * 900 + config.outputs.samples * 200_000,
        parameters=parameters,
        trouble="" if lack is None else words(lack),
    )


def words(error: OutOfMemory) -> str:
    """What was too large, and what to lower."""
    return f"{error.where}: {error.found}\n{error.advice}"


def forecast_config(planned: Planned) -> tuple[RunConfig, Forecast]:
    """The configuration as a run would store it, and what the run would take.

    On a CPU the memory is the largest that this process has had, if that is more than the estimate from sizes. Where a
    step finds no room in memory, the interim evaluations stay as they were asked for.
    """
    config, found = planned.config, forecast_run(planned)
    if not found.trouble:
        try:
            with explaining_memory(config, doing="timing an interim evaluation", is_playing=False):
                config = config.model_copy(update={"evaluations": settled(planned)[0]})
        except OutOfMemory as error:
            found = replace(found, trouble=words(error))
    if not found.trouble and config.runtime.device == "cpu":
        found = replace(found, memory_bytes=max(found.memory_bytes, peak_memory_bytes()))
    return config, found


def peak_memory_bytes() -> int:
    """The largest memory that this process has had; 0 on systems that do not say."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # bytes there, kibibytes elsewhere
