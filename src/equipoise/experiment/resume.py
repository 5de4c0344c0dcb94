"""A run continued from its newest whole checkpoint, as if it had never stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.augmentation import Augmentation
from equipoise.data import PreparedData
from equipoise.distributed import SINGLE_PROCESS, ProcessGroup, process_group, restart_count
from equipoise.errors import ConfigError, NewerFormat, RunFolderError
from equipoise.experiment.build.python_parts import NetworkFactory, OptimizerFactory, require_parts, sort_parts
from equipoise.experiment.build.trainer import build_trainer, plan_of
from equipoise.experiment.changed import changed_environment, changed_settings, environment, refuse
from equipoise.experiment.config.files import read_run_config
from equipoise.experiment.config.overrides import merged
from equipoise.experiment.config.schema import RunConfig
from equipoise.experiment.generator import Gan
from equipoise.experiment.judge.during_training import EvaluationState
from equipoise.experiment.live_run import LiveRun
from equipoise.experiment.many_processes import agreed_plan
from equipoise.experiment.out_of_memory import explaining_memory
from equipoise.experiment.planned import Planned
from equipoise.experiment.prepare import is_from_python, prepare_data, require_path
from equipoise.experiment.run_length import require_one_budget, seconds_per_step
from equipoise.locking import locked
from equipoise.objectives.base import Objective
from equipoise.penalties.base import Penalty
from equipoise.runfolder import RunFolder, open_run_folder
from equipoise.training import Handler
from equipoise.training.checkpoints import (
    SET_ASIDE,
    checkpoint_files,
    is_half_written,
    later_than,
    read_checkpoint,
    read_together,
    restore,
    save_checkpoint,
    set_aside,
    step_of,
    thin_out,
)
from equipoise.training.progress import Progress


def resume(
    folder: Path | str,
    *,
    data: Any = None,
    generator: nn.Module | NetworkFactory | None = None,
    discriminator: nn.Module | NetworkFactory | None = None,
    objective: Objective | str | Mapping[str, Any] | None = None,
    penalties: Sequence[Penalty | str | Mapping[str, Any]] | None = None,
    augmentation: Augmentation | str | Mapping[str, Any] | None = None,
    optimizers: OptimizerFactory | str | Mapping[str, Any] | None = None,
    callbacks: Sequence[Handler] = (),
    steps: int | None = None,
    minutes: float | None = None,
    trust_code: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> Gan:
    """Continue a run from its newest whole checkpoint.

    The parts of a run that was begun with Python objects are given again, made as they were then; with the same parts
    the result is that of the run that was never stopped, bit for bit. A part that has a name need not be given.

    Args:
        folder: the run folder.
        data: what the run was begun with, where that was no path or built-in name.
        generator: as in `equipoise.fit`; its weights are those of the checkpoint.
        discriminator: the same for the other player.
        objective: as in `equipoise.fit`.
        penalties: as in `equipoise.fit`, in the same order.
        augmentation: as in `equipoise.fit`.
        optimizers: as in `equipoise.fit`.
        callbacks: as in `equipoise.fit`; they may be others than before.
        steps: a new, larger number of steps in all; the schedules end where they were planned to, and the added
            steps run at their final values.
        minutes: the same as a time from now on.
        trust_code: whether an import path in the configuration may be run.
        force: go on although settings, data, torch or the device have changed since the run began; it is recorded.

    Raises:
        RunFolderError: no whole checkpoint; another process writes to the folder; or what decides the result has
            changed since the run began, and `force` is not given.
        ConfigError: a part that was given as an object is not given again.
        OutOfMemory: the message says what to lower.
    """
    require_one_budget(steps, minutes)
    run = open_run_folder(folder)
    config = read_run_config(run)
    parts, named = sort_parts(
        generator=generator,
        discriminator=discriminator,
        objective=objective,
        penalties=penalties,
        augmentation=augmentation,
        optimizers=optimizers,
        callbacks=callbacks,
    )
    again = ", data=..." if is_from_python(config) and data is None else ""
    require_parts(config.python, parts, places=config.python, call=f"equipoise.resume({str(run.path)!r}{again}")
    refuse(_other_names(config, named), where=str(run.path))
    if data is None:
        require_path(config, where=str(run.path))
    group = process_group()
    with explaining_memory(config), locked(run.path) if group.is_main else nullcontext():
        torch.set_num_threads(config.runtime.threads)
        described = run.read_json(run.data)
        prepared = prepare_data(
            config.data.source if data is None else data, config.data, config.seed, stored=described
        )
        planned = Planned(config, prepared, replace(parts, latents=config.networks.latents))
        said = _require_unchanged(run, config, prepared, force=force, records=group.is_main)
        tensors, numbers, broken = _newest_checkpoint(run, planned, group, trusted=trust_code)
        step = int(numbers["step"])
        if restart_count() and max(config.training.steps, int(run.read_status().get("steps") or 0)) > step:
            steps = minutes = None  # torchrun began anew what this command had begun: the plan is in the folder
        if minutes is not None:
            steps = step + max(1, int(minutes * 60 / seconds_per_step(planned, trusted=trust_code)))
        total, goes_on = _length(run, config, step, steps), steps is not None
        evaluations = EvaluationState.read(run).extended_to(total) if group.is_main else EvaluationState()
        plan = agreed_plan(group, plan_of(config, evaluation_steps=evaluations.steps, total=total))
        trainer = build_trainer(config, prepared, plan=plan, parts=planned.parts, trusted=trust_code)
        restore(trainer, tensors, numbers, where=str(run.checkpoints))
        group.barrier()  # until all have read what is about to change
        if group.is_main:
            if total > config.training.steps:
                run.write_status(extended={"planned_steps": config.training.steps, "steps": total})
            run.write_status(state="training", step=step, steps=total, message="", flags=[], ended_because="")
            broken += _set_aside(run, step)
            thin_out(run.checkpoints, plan.checkpoint_every, step=step)  # a kill may have come before it was done
            run.cut_after(step)
            run.note("resumed", step=step, steps=total, **({"broken": broken} if broken else {}))
        live = LiveRun(run, planned, trainer, evaluations=evaluations, progress=progress, goes_on=goes_on)
        for text in (*broken, *said):
            live.progress.message(text)
        return live.finish()


def _other_names(config: RunConfig, named: Mapping[str, Any]) -> list[str]:
    """Sentences about parts that were given by another name than the run was begun with."""
    now = {key: value for key, value in named.items() if key != "penalties"}
    said = changed_settings(config.to_dict(), merged(config.to_dict(), now))
    then = [part.name for part in config.penalties]
    names = [part.get("name") for part in named.get("penalties", ())]
    return [*said, f"penalties: {then} when the run began, {names} now"] if names and names != then else said


def _require_unchanged(
    run: RunFolder, config: RunConfig, data: PreparedData, *, force: bool, records: bool
) -> list[str]:
    """Compare what the run goes on with to what it began with; sentences about what has changed and may.

    Raises:
        RunFolderError: what decides the result has changed, and nobody insists.
    """
    metadata = run.read_json(run.metadata)
    differences: list[str] = []
    said: list[str] = []
    if isinstance(metadata.get("config"), dict):  # the first version stored none, nor all of the environment
        differences += changed_settings(metadata["config"], config.to_dict())
        deciding, said = changed_environment(metadata.get("environment") or {}, environment(config))
        differences += deciding
    stored = run.read_json(run.data).get("fingerprint")
    if stored != data.fingerprint:
        differences.append(
            f"the data at {config.data.source} have changed since the run began: fingerprint {str(stored)[:12]} then, "
            f"{data.fingerprint[:12]} now; the held-out part would no longer be held out"
        )
    if not differences:
        return said
    if not force:
        refuse(differences, where=str(run.path))
    if records:
        _accept(run, metadata, config, data, differences)
    return [*said, *(f"changed by --force: {text}" for text in differences)]


def _accept(
    run: RunFolder, metadata: dict[str, Any], config: RunConfig, data: PreparedData, differences: list[str]
) -> None:
    """Make what has changed the state of the run, and write down that it was."""
    run.note("forced", changes=differences)
    run.write_status(forced_changes=[*(run.read_status().get("forced_changes") or []), *differences])
    run.write_json(run.data, data.describe())
    run.write_json(run.metadata, {**metadata, "config": config.to_dict(), "environment": environment(config)})


def _newest_checkpoint(
    run: RunFolder, planned: Planned, group: ProcessGroup, *, trusted: bool
) -> tuple[dict[str, Tensor], dict[str, Any], list[str]]:
    """Tensors and numbers of the newest whole checkpoint; sentences about broken ones that were passed over."""
    said: list[str] = []
    if group.is_main:
        run.sweep_up()
        said = _begun_anew(run, planned, trusted=trusted)
    group.barrier()
    tensors, numbers, broken = read_together(group, run.checkpoints)
    return tensors, numbers, [*said, *broken]


def _begun_anew(run: RunFolder, planned: Planned, *, trusted: bool) -> list[str]:
    """Store the state at step 0, which configuration and seed determine, for a run that has no whole checkpoint and
    none of a later step (it was killed before its first one was whole, or lost that one); a sentence if one was broken.

    A run that was put back to step 0 is another one than its configuration describes, and is left as it is.
    """
    files = checkpoint_files(run.checkpoints)
    if any(step_of(path) > 0 for path in files) or (files and run.read_status().get("rollbacks")):
        return []
    try:
        read_checkpoint(run.checkpoints)
        return []
    except NewerFormat:
        raise
    except RunFolderError:
        # Alone: the other processes find it when it is there.
        trainer = build_trainer(
            planned.config, planned.data, parts=planned.parts, trusted=trusted, group=SINGLE_PROCESS
        )
        save_checkpoint(run.checkpoints, trainer.state)
    return [f"{path.name} was broken; the configuration determines it, and it was written anew." for path in files]


def _set_aside(run: RunFolder, step: int) -> list[str]:
    """Put checkpoints of later steps out of the way, all of them broken or half-written; sentences about them."""
    files = later_than(run.checkpoints, step)
    half = [path.name for path in files if is_half_written(path)]
    broken = [path.name for path in files if path.name not in half]
    said = []
    # Noted before it is done: a kill in between does both again.
    if half:
        run.note("deleted half-written", files=half)
        said.append(f"Deleted what a kill left half-written: {', '.join(half)}.")
    if broken:
        run.note("set aside", files=broken)
        said.append(f"Set aside as {SET_ASIDE}...: {', '.join(broken)}.")
    set_aside(run.checkpoints, after=step)
    return said


def _length(run: RunFolder, config: RunConfig, step: int, steps: int | None) -> int:
    """Steps in all, given those taken and those asked for.

    Raises:
        ConfigError: there is nothing to do, or the number is too small.
    """
    status = run.read_status()
    planned = max(config.training.steps, int(status.get("steps") or 0))  # an extended run stays extended
    if steps is not None and steps <= step < planned:
        raise ConfigError(
            "--steps",
            f"{steps} steps in all, and {step} are taken.",
            "Expected a larger number.",
            f"Give more than {step}, or leave --steps out to finish the planned {planned}.",
        )
    is_whole = status.get("state") == "finished" and run.report.is_file()  # the report is written last
    ended = str(status.get("ended_because") or "")
    if ended and is_whole and steps is None:
        raise ConfigError(
            "--steps",
            f"the run ended at step {step}. {ended}",
            "Expected a number of steps to go on to.",
            f"Go on to its planned end with: equipoise resume {run.path} --steps {planned}",
        )
    total = planned if steps is None else steps
    if total < step or (total == step and (is_whole or steps is not None)):
        raise ConfigError(
            "--steps" if steps is not None else str(run.path),
            f"the run has taken its {step} steps.",
            "Expected a number of steps above that.",
            f"Make it longer, e.g. equipoise resume {run.path} --steps {2 * step}",
        )
    return total
