"""A fresh run: make the folder and what is in it before the first step, then train."""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from equipoise.augmentation import Augmentation
from equipoise.data import PreparedData
from equipoise.distributed import process_group
from equipoise.errors import StorageError
from equipoise.experiment.build.python_parts import NetworkFactory, OptimizerFactory, sort_parts
from equipoise.experiment.build.trainer import build_trainer, plan_of
from equipoise.experiment.changed import environment
from equipoise.experiment.config.schema import RunConfig
from equipoise.experiment.generator import Gan
from equipoise.experiment.init_from import SETTING, begin_with
from equipoise.experiment.judge.during_training import (
    EvaluationState,
    evaluation_settings,
    plan_interim_evaluations,
)
from equipoise.experiment.live_run import LiveRun
from equipoise.experiment.many_processes import agreed_config, agreed_plan, begun_before, launch_name
from equipoise.experiment.memory_estimate import fitting_batch, require_room
from equipoise.experiment.out_of_memory import explaining_memory
from equipoise.experiment.planned import Planned
from equipoise.experiment.prepare import is_from_python, plan_run, prepare_data
from equipoise.experiment.resume import resume
from equipoise.experiment.run_length import MOST_MINUTES
from equipoise.experiment.signals import before_the_run, in_folder, stopping_at_once
from equipoise.files import write_text
from equipoise.locking import locked
from equipoise.objectives.base import Objective
from equipoise.penalties.base import Penalty
from equipoise.runfolder import RunFolder, create_run_folder
from equipoise.training import Handler, Trainer
from equipoise.training.checkpoints import save_checkpoint
from equipoise.training.progress import Progress
from equipoise.training.weighting import WEIGHTED, density_under_data


def fit(
    data: Any,
    *,
    generator: nn.Module | NetworkFactory | None = None,
    discriminator: nn.Module | NetworkFactory | None = None,
    latents: int | None = None,
    objective: Objective | str | Mapping[str, Any] | None = None,
    penalties: Sequence[Penalty | str | Mapping[str, Any]] | None = None,
    augmentation: Augmentation | str | Mapping[str, Any] | None = None,
    optimizers: OptimizerFactory | str | Mapping[str, Any] | None = None,
    callbacks: Sequence[Handler] = (),
    outdir: Path | str | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    device: str = "auto",
    preset: str | None = None,
    settings: Sequence[str] = (),
    columns: Path | str | Mapping[str | int, str] | None = None,
    rules: Sequence[str] = (),
    group: str | int | None = None,
    until: str | None = None,
    margin: float | None = None,
    keep_best: bool | None = None,
    on_collapse: str | None = None,
    init_from: Path | str | None = None,
    progress: Progress | None = None,
) -> Gan:
    """Train a generator on `data` and return it.

    Every part may be an object of yours. Such a run has a folder, a report and a verdict like any other; its
    configuration says which parts were objects, and `equipoise.resume` and `equipoise.load` are given them again.

    Args:
        data: a folder or zip of images, a CSV, Parquet or numpy file, a built-in name, a DataFrame, an array, a
            tensor or a torch Dataset.
        generator: a module that maps latents `(batch, latents)` to samples `(batch, *space.shape)` as the networks see
            them (images in [-1, 1], points and columns standardised), or a factory of one. A module is copied, and the
            copy trains from the weights that it has; whoever wants the same weights again seeds what makes them. A
            factory is called as `factory(space, latents=..., classes=...)` with those of the two that its signature
            asks for, and draws its weights from `seed`. Networks that draw numbers of their own, such as dropout, are
            not resumed bit for bit.
        discriminator: the same from samples to logits `(batch,)`. Both are given class labels as a second argument
            where the data have labels and both take them.
        latents: width of the generator's latents; needed for a module without `latent_dimensions`.
        objective: an `Objective`, a name, or `{"name": ..., "options": ...}`.
        penalties: penalties, names, or names with options; an empty list trains without. A penalty that remembers
            starts from what it remembers when it is given.
        augmentation: an `Augmentation`, a name, or options by name.
        optimizers: a function from parameters to a torch optimizer, the name of one, or settings such as
            `{"name": "AdamW", "learning_rate": 1e-3, "options": {...}}`; for both players, or a mapping from
            "generator" and "discriminator" to these. The schedule scales the learning rate that it is made with.
        callbacks: functions of one event of `equipoise.training.events`, called after the run folder has been written
            (of many processes, in the first one).
            One that returns `equipoise.Stop("why")` ends the run after the present step, as complete.
        outdir: the run folder to make; by default `runs/NAME-NUMBER`.
        steps: how long to train; or
        minutes: the same as a time, turned into steps once. With neither a run has the steps of its preset; on a CPU
            no more than fit into 30 minutes.
        seed: decides the split, the weights and every draw.
        device: auto, cpu, cuda or mps.
        preset: the complete configuration to start from; by default chosen from the data.
        settings: changes to it, each `"key.path=value"` as on the command line.
        columns: what columns of a table hold, a kind for each name, or a file that says so; others are inferred.
        rules: what holds between columns of a table, such as "admitted <= discharged" or "net + tax = gross".
        group: the column whose values say which rows of a table belong together: no group is split.
        until: "not-distinguished" ends the run at the first interim evaluation that says so; with
        margin: a JSD in nats, at the first that says "equivalent" within it.
        keep_best: keep the weights with the smallest estimated distance, and return that generator. By default in
            every run that is long enough for evaluations; with `True` there are at least three, and with `False` the
            weights of the last step are returned.
        on_collapse: what to do when the evaluations say that training has collapsed or diverged: "rollback" to a
            checkpoint with a lower learning rate, "stop", or "continue", the default.
        init_from: a run folder, or one that `save_pretrained` wrote, whose weights both players begin with as far as
            their shapes fit; what was not taken is said.
        progress: who is told how far the run has come.

    Raises:
        InputError: the data, a part or a setting cannot be used; the message says why. A network is tried on a few
            samples before any step is taken.
        PlayDiverged: the game left the finite numbers, once more than it may be put back.
        OutOfMemory: the message says what to lower.
    """
    parts, named = sort_parts(
        generator=generator,
        discriminator=discriminator,
        latents=latents,
        objective=objective,
        penalties=penalties,
        augmentation=augmentation,
        optimizers=optimizers,
        callbacks=callbacks,
    )
    settings = (
        *settings,
        *evaluation_settings(until, margin, keep_best),
        *([f"data.columns={json.dumps(dict(columns))}"] if isinstance(columns, Mapping) else []),
        *([f"data.rules={json.dumps(list(rules), ensure_ascii=False)}"] if rules else []),
        *([] if group is None else [f"data.group={json.dumps(group)}"]),
        *([] if on_collapse is None else [f"recovery.on_collapse={on_collapse}"]),
        *([] if init_from is None else [f"{SETTING}={json.dumps(str(init_from))}"]),
    )
    planned = plan_run(
        data,
        settings=settings,
        steps=steps,
        minutes=minutes,
        seed=seed,
        device=device,
        preset_wanted=preset,
        most_minutes=MOST_MINUTES,
        parts=parts,
        named=named,
        columns_file=None if columns is None or isinstance(columns, Mapping) else Path(columns),
    )
    if planned.remark and progress is not None:
        progress.message(planned.remark)
    return train_planned(planned, None if outdir is None else Path(outdir), progress=progress)


def train(
    config: RunConfig,
    folder: Path | None = None,
    *,
    data: PreparedData | None = None,
    progress: Progress | None = None,
) -> Gan:
    """Train what a complete configuration describes.

    Args:
        config: the complete configuration.
        folder: the run folder to make; by default `runs/NAME-NUMBER`.
        data: prepared as the configuration says; by default read from its path or built-in name.
        progress: who is told how far the run has come.
    """
    begun = begun_before(process_group(), config, folder, candidates=lambda: numbered_folders(config))
    if begun is not None:
        return resume(begun, trust_code=True, progress=progress)  # the code that it names was given to this command
    if data is None:
        data = prepare_data(config.data.source, config.data, config.seed)
    return train_planned(Planned(config, data), folder, progress=progress)


def train_planned(planned: Planned, folder: Path | None = None, *, progress: Progress | None = None) -> Gan:
    """Train a planned run in a new folder; of many processes, the first one makes it and writes."""
    group = process_group()
    planned = replace(planned, config=agreed_config(group, planned.config, planned.data))
    torch.set_num_threads(planned.config.runtime.threads)
    evaluations = EvaluationState()
    require_room(planned, doing="training")
    fitting = partial(fitting_batch, planned.config, planned.data)
    with explaining_memory(planned.config, fitting=fitting), stopping_at_once(before_the_run):
        if group.is_main:
            planned, evaluations = plan_interim_evaluations(planned)
        config = planned.config
        plan = agreed_plan(group, plan_of(config, evaluation_steps=evaluations.steps))
        # Before the folder: a configuration that cannot be built leaves nothing.
        trainer = build_trainer(config, planned.data, plan=plan, parts=planned.parts)
        begun_with = "" if config.training.init_from is None else begin_with(trainer, config)
        if not group.is_main:
            run = RunFolder(Path(group.broadcast_object("")))
            return LiveRun(run, planned, trainer, evaluations=evaluations).finish()
        run = create_run_folder(next_folder(config) if folder is None else folder)
        with locked(run.path), stopping_at_once(partial(in_folder, run)):
            live = LiveRun(run, planned, trainer, evaluations=evaluations, progress=progress)
            write_beginning(live, evaluations, begun_with=begun_with)
            group.broadcast_object(str(run.path))
            return live.finish()


def write_beginning(live: LiveRun, evaluations: EvaluationState, *, begun_with: str = "") -> None:
    """All that is in a run folder before the first step."""
    run, config, trainer = live.folder, live.planned.config, live.trainer
    run.sweep_up()
    run.write_json(run.data, live.planned.data.describe())
    run.write_json(run.metadata, metadata(config, trainer) | ({"begun_with": begun_with} if begun_with else {}))
    if begun_with:
        live.progress.message(begun_with)
    if withheld := len(trainer.batches.withheld):
        live.progress.message(
            f"{withheld} of {len(trainer.batches.real)} training samples are withheld from both players, to measure "
            "overfitting"
        )
    evaluations.write(run)
    run.write_status(state="training", step=0, steps=config.training.steps, trend=None, last_verdict=None, message="")
    # Last: from here on it is a run that can be resumed.
    write_text(run.config, config.to_yaml())
    # Training that leaves the finite numbers before the first interval is over has somewhere to go back to.
    save_checkpoint(run.checkpoints, trainer.state)


def next_folder(config: RunConfig) -> Path:
    """`runs/NAME-NUMBER`, with the first number that is free; the empty folder is made.

    Raises:
        StorageError: it cannot be made.
    """
    for folder in numbered_folders(config):
        try:
            folder.mkdir(parents=True)  # taken at once: another run that starts now gets the next number
            return folder
        except FileExistsError:
            continue
        except OSError as error:
            raise StorageError.from_os_error(folder, error) from error


def numbered_folders(config: RunConfig) -> Iterator[Path]:
    """`runs/NAME-1`, `runs/NAME-2` and so on, without end."""
    stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in Path(config.data.source).stem).strip("-") or "run"
    name = "python" if is_from_python(config) else stem
    return (Path("runs") / f"{name}-{number}" for number in itertools.count(1))


def metadata(config: RunConfig, trainer: Trainer) -> dict[str, Any]:
    """What was built, and where: the content of `run.json`."""
    from equipoise import __version__

    objective = trainer.objective
    return {
        "equipoise": __version__,
        "command": " ".join(["equipoise", *sys.argv[1:]])
        if sys.argv[0].endswith(("equipoise", "__main__.py"))
        else "Python",
        "started": time.time(),
        "environment": environment(config),
        "config": config.to_dict(),
        "processes": trainer.group.world_size,
        "launch": launch_name(),
        "preset": config.preset,
        "objective": {
            "name": objective.name,
            "equilibrium_value": objective.equilibrium_value,
            "logit_meaning": objective.logit_meaning,
            "divergence": objective.divergence,
            "source": objective.source,
            "is_zero_sum": objective.is_zero_sum,
        },
        "networks": {
            role: {"family": config.networks.family, "parameters": sum(p.numel() for p in player.parameters)}
            for role, player in (("generator", trainer.generator), ("discriminator", trainer.discriminator))
        },
        "steps": config.training.steps,
        "batch_size": config.training.batch_size,
        "sampling": sampling_metadata(config, trainer),
        "withheld_rows": len(trainer.batches.withheld),
    }


def sampling_metadata(config: RunConfig, trainer: Trainer) -> dict[str, Any] | None:
    """How training draws its rows and under which density each value is given; `None` for even draws."""
    if trainer.batches.weighted is None:
        return None
    return {
        "sample_weight": config.data.sample_weight,
        "balance": config.data.balance,
        "value": WEIGHTED,
        "value_under_data": density_under_data(
            is_conditional=trainer.batches.labels is not None, has_zeros=trainer.batches.leaves_rows_out
        ),
    }
