"""A run continued from its newest whole checkpoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from equipoise.distributed import restarts
from equipoise.errors import ConfigError, RunFolderError
from equipoise.experiment.build import build_trainer
from equipoise.experiment.config import RunConfig
from equipoise.experiment.gan import Gan
from equipoise.experiment.preparing import Planned, prepare_data, require_path, seconds_per_step
from equipoise.experiment.reading import read_run_config
from equipoise.experiment.run import follow, play_and_judge
from equipoise.runfolder import open_run_folder
from equipoise.training.checkpoints import load_checkpoint
from equipoise.training.recorder import Progress, SampleSheets


def resume(
    folder: Path | str,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    trust_code: bool = False,
    progress: Progress | None = None,
) -> Gan:
    """Continue a run from its newest whole checkpoint.

    Args:
        folder: the run folder.
        steps: a new, larger number of steps in all; the schedules end where they were planned to, and the added
            steps run at their final values.
        minutes: the same as a time from now on.
        trust_code: whether an import path in the configuration may be run.

    Raises:
        RunFolderError: no whole checkpoint, or the data are not those of the run.
    """
    run = open_run_folder(folder)
    config = read_run_config(run)
    require_path(config, where=str(run.path))
    if steps is not None and minutes is not None:
        raise ConfigError("--steps, --minutes", "both are given.", "Expected one budget.", "Leave one of them out.")
    if minutes is not None and not minutes > 0:
        raise ConfigError("--minutes", f"{minutes:g} is not a time.", "Expected a number above 0.", "Give minutes.")
    torch.set_num_threads(config.runtime.threads)
    data = prepare_data(config.data.source, config.data, config.seed)
    stored = run.read_json(run.data).get("fingerprint")
    if stored != data.fingerprint:
        raise RunFolderError(
            str(run.path),
            f"the data at {config.data.source} have changed since the run began "
            f"(fingerprint {data.fingerprint[:12]}, then {str(stored)[:12]}).",
            "Expected the same data: the held-out part would no longer be held out.",
            "Restore the data, or train again into a new folder.",
        )
    trainer = build_trainer(config, data, trusted=trust_code)
    step, broken = load_checkpoint(run.checkpoints, trainer)
    planned = max(config.play.steps, int(run.read_status().get("steps") or 0))  # an extended run stays extended
    if restarts() and planned > step:
        steps = minutes = None  # torchrun began anew what this command had begun: the plan is in the folder
    if minutes is not None:
        steps = step + max(1, int(minutes * 60 / seconds_per_step(config, data)))
    if steps is not None and steps <= step < planned:
        raise ConfigError(
            "--steps",
            f"{steps} steps in all, and {step} are played.",
            "Expected a larger number.",
            f"Give more than {step}, or leave --steps out to finish the planned {planned}.",
        )
    total = planned if steps is None else steps
    if total <= step:
        raise ConfigError(
            "--steps",
            f"the run has played its {step} steps.",
            "Expected a number of steps above that.",
            f"Make it longer, e.g. equipoise resume {run.path} --steps {2 * step}",
        )
    trainer.plan = replace(
        trainer.plan,
        steps=total,
        course_steps=config.play.steps,
        sample_steps=trainer.plan.sample_steps | added_sample_steps(config, total),
    )
    trainer.group.wait()  # until all have read what is about to change
    if not trainer.group.is_main:
        return follow(run, Planned(config, data), trainer)
    if total > config.play.steps:
        run.write_status(extended={"planned_steps": config.play.steps, "steps": total})
    run.write_status(state="training", step=step, steps=total, message="", flags=[])
    run.cut_after(step)
    for text in broken:
        if progress is not None:
            progress.message(text)
    sheets = SampleSheets(run, data, seed=config.seed, conditional=config.networks.conditional)
    return play_and_judge(run, Planned(config, data), trainer, sheets, progress)


def added_sample_steps(config: RunConfig, total: int) -> frozenset[int]:
    """Steps after the planned end at which samples are drawn: as many as before, evenly spaced."""
    count = config.outputs.samples
    added = total - config.play.steps
    return frozenset(config.play.steps + max(1, added * index // count) for index in range(1, count + 1) if added > 0)
