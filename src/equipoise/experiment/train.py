"""A run from beginning to end: make the folder, play, record, and judge what came out."""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from equipoise.distributed import process_group
from equipoise.errors import EquipoiseError, InputError, Interrupted, OutOfMemory, PlayDiverged, StorageError
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.changed import environment
from equipoise.experiment.config.schema import RunConfig
from equipoise.experiment.generator import Gan, load
from equipoise.experiment.judge.during_training import (
    EvaluationState,
    evaluation_settings,
    evaluations_handler,
    plan_interim_evaluations,
)
from equipoise.experiment.many_processes import agreed_config, agreed_plan, begun_before, launch_name
from equipoise.experiment.out_of_memory import explaining_memory
from equipoise.experiment.prepare import Planned, plan_run, prepare_data
from equipoise.experiment.signals import (
    Stopped,
    before_the_run,
    in_folder,
    stopping_after_the_step,
    stopping_at_once,
    whole_without_verdict,
)
from equipoise.files import write_text
from equipoise.locking import locked
from equipoise.runfolder import RunFolder, create_run_folder
from equipoise.training import Trainer
from equipoise.training.checkpoints import save_checkpoint
from equipoise.training.events import Ended, Event
from equipoise.training.recorder import Progress, Recorder, SampleGrids, TensorBoardEvents
from equipoise.training.rollback import BAD_TRENDS, CollapseWatch, Recovery
from equipoise.training.weighting import WEIGHTED, density_under_data


def fit(
    data: Any,
    *,
    outdir: Path | str | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    device: str = "auto",
    preset: str | None = None,
    settings: Sequence[str] = (),
    until: str | None = None,
    margin: float | None = None,
    keep_best: bool = False,
    on_collapse: str | None = None,
    progress: Progress | None = None,
) -> Gan:
    """Train a generator on `data` and return it.

    Args:
        data: a folder or zip of images, a CSV, Parquet or numpy file, a built-in name, a DataFrame, an array, a
            tensor or a torch Dataset.
        outdir: the run folder to make; by default `runs/NAME-NUMBER`.
        steps: how long to play; or
        minutes: the same as a time, turned into steps once.
        seed: decides the split, the weights and every draw.
        device: auto, cpu, cuda or mps.
        preset: the complete configuration to start from; by default chosen from the data.
        settings: changes to it, each `"key.path=value"` as on the command line.
        until: "not-distinguished" ends the run at the first look of the referee that says so; with
        margin: a JSD in nats, at the first that says "equivalent" within it.
        keep_best: keep the checkpoint of the look with the smallest estimate, and return that generator.
        on_collapse: what to do when the referee's looks say that play has collapsed or diverged: "rollback" to a
            checkpoint with a lower learning rate, "stop", or "continue", the default.
        progress: who is told how far the run has come.

    Raises:
        InputError: the data or a setting cannot be used; the message says why.
        PlayDiverged: the game left the finite numbers, once more than it may be put back.
        OutOfMemory: the message says what to lower.
    """
    settings = (
        *settings,
        *evaluation_settings(until, margin, keep_best),
        *([] if on_collapse is None else [f"recovery.on_collapse={on_collapse}"]),
    )
    planned = plan_run(
        data, settings=settings, steps=steps, minutes=minutes, seed=seed, device=device, preset_wanted=preset
    )
    return train_planned(planned, None if outdir is None else Path(outdir), progress=progress)


def train(config: RunConfig, folder: Path | None = None, *, progress: Progress | None = None) -> Gan:
    """Train what a complete configuration describes; its data must come from a path or a built-in name."""
    begun = begun_before(process_group(), config, folder, candidates=lambda: numbered_folders(config))
    if begun is not None:
        from equipoise.experiment.resume import resume

        return resume(begun, trust_code=True, progress=progress)  # the code that it names was given to this command
    data = prepare_data(config.data.source, config.data, config.seed)
    return train_planned(Planned(config, data), folder, progress=progress)


def train_planned(planned: Planned, folder: Path | None = None, *, progress: Progress | None = None) -> Gan:
    """Train a planned run in a new folder; of many processes, the first one makes it and writes."""
    group = process_group()
    planned = Planned(agreed_config(group, planned.config, planned.data), planned.data)
    data = planned.data
    torch.set_num_threads(planned.config.runtime.threads)
    with explaining_memory(planned.config), stopping_at_once(before_the_run):
        # Before the folder: a configuration that cannot be built leaves nothing.
        trainer = build_trainer(planned.config, data)
        if not group.is_main:
            return follow(RunFolder(Path(group.broadcast_object(""))), planned, trainer)
        planned, evaluations = plan_interim_evaluations(planned)
        config = planned.config
        run = create_run_folder(next_folder(config) if folder is None else folder)
        with locked(run.path), stopping_at_once(partial(in_folder, run)):
            run.sweep_up()
            run.write_json(run.data, data.describe())
            run.write_json(run.metadata, metadata(config, trainer))
            evaluations.write(run)
            run.write_status(
                state="training",
                step=0,
                steps=config.training.steps,
                trend=None,
                last_verdict=None,
                message="",
            )
            # Last: from here on it is a run that can be resumed.
            write_text(run.config, config.to_yaml())
            grids = SampleGrids(run, data, seed=config.seed, conditional=config.networks.conditional)
            grids.write_real()
            # Play that leaves the finite numbers before the first interval is over has somewhere to go back to.
            save_checkpoint(run.checkpoints, trainer)
            group.broadcast_object(str(run.path))
            return train_and_judge(run, planned, trainer, grids, progress, evaluations=evaluations)


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
    name = "python" if config.data.source.endswith("given from Python") else stem
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
        "processes": trainer.group.processes,
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


def train_and_judge(
    run: RunFolder,
    planned: Planned,
    trainer: Trainer,
    grids: SampleGrids,
    progress: Progress | None,
    *,
    evaluations: EvaluationState,
    goes_on: bool = False,
) -> Gan:
    """Play to the end, record, look, judge; on the way out the folder says how it ended.

    Of many processes the first one does this, while the others `follow`.
    """
    with stopping_at_once(partial(in_folder, run)):
        _play(run, planned, trainer, grids, progress, evaluations=evaluations, goes_on=goes_on)
        with stopping_at_once(partial(in_folder, run), talks=False):  # the others wait, however many they are
            gan = load(run.path, data=planned.data, trust_code=True)  # what it names has just been played with
            if planned.config.outputs.final_verdict and not _is_judged(run, gan.step):
                _final_verdict(gan, run, progress)
            _report(run)
        trainer.group.wait()
        return gan


def _play(
    run: RunFolder,
    planned: Planned,
    trainer: Trainer,
    grids: SampleGrids,
    progress: Progress | None,
    *,
    evaluations: EvaluationState,
    goes_on: bool,
) -> None:
    """Play to the end or to the goal.

    Raises:
        Interrupted: somebody asked for the end; if that was in the last step, all are played.
        Collapsed: the looks say so, and play is to stop for it.
    """
    recorder = Recorder(run, grids, progress=progress)
    recorder.trainer = trainer
    trainer.plan = replace(trainer.plan, evaluation_steps=trainer.plan.evaluation_steps | evaluations.steps)
    agreed_plan(trainer)
    evaluator = evaluations_handler(run, planned, evaluations, trainer, progress=progress, goes_on=goes_on)
    handlers = [recorder, *([] if evaluator is None else [evaluator]), *_tensorboard(run)]
    trainer.handlers = [partial(_without_old_report, run), *handlers]
    if evaluator is not None:
        recorder.live = evaluator.live
    if progress is not None:
        progress.start(trainer.plan.steps, trainer.step, f"training {run.path}")
        if trainer.step == 0:
            progress.message(f"preset '{planned.config.preset}'; every setting is in {run.config}")
            for note in planned.data.raw.notes:
                progress.message(note)
    collapse = CollapseWatch(trainer, planned.config.recovery.on_collapse)
    trainer.handlers.append(collapse)
    try:
        # Within: the folder's status says what to lower too.
        with explaining_memory(planned.config), stopping_after_the_step(trainer) as stopped_by:
            _recovery(run, planned.config, progress).play(trainer, collapse)
    except Stopped:
        raise  # before the first step or after the last: no failure
    except BaseException as error:
        with contextlib.suppress(EquipoiseError):  # the disk may be what failed
            trend = trainer.trend if trainer.trend in BAD_TRENDS else "diverged"
            diverged = {"trend": trend} if isinstance(error, PlayDiverged) else {}
            run.write_status(state="failed", message=str(error) or type(error).__name__, **diverged)
        raise
    finally:
        if progress is not None:
            progress.close()
    stopped_by, is_whole = _any_stop(trainer, stopped_by)
    if trainer.goal_reached:
        run.write_status(ended_because=trainer.goal_reached, message=trainer.goal_reached)
    elif collapse.found is not None and not is_whole:
        run.write_status(state="stopped", message=str(collapse.found))
        _report(run)
        raise collapse.found
    if stopped_by:
        raise _interrupted(run, trainer, stopped_by, is_whole=is_whole)


def follow(run: RunFolder, planned: Planned, trainer: Trainer) -> Gan:
    """Play with the first process, which alone records and judges; wait for it."""
    agreed_plan(trainer)
    with stopping_after_the_step(trainer) as stopped_by:
        _recovery(run, planned.config, None).play(trainer)
    stopped_by, is_whole = _any_stop(trainer, stopped_by)
    if stopped_by:
        raise _interrupted(run, trainer, stopped_by, is_whole=is_whole)
    trainer.group.wait()
    return load(run.path, data=planned.data, trust_code=True)


def _any_stop(trainer: Trainer, stopped_by: Sequence[str]) -> tuple[list[str], bool]:
    """The signals that any process got, and whether play has come to its last step or, in the first one, its goal."""
    found = trainer.group.all_gather_object([bool(trainer.goal_reached), list(stopped_by)])
    return [text for _, texts in found for text in texts], trainer.step >= trainer.plan.steps or found[0][0]


def _interrupted(run: RunFolder, trainer: Trainer, stopped_by: Sequence[str], *, is_whole: bool) -> Interrupted:
    where = f"step {trainer.step} of {trainer.plan.steps}"
    if is_whole:
        return whole_without_verdict(run, where, stopped_by[0])
    return Interrupted(
        where,
        f"stopped by {stopped_by[0]}; a checkpoint was written.",
        "",
        f"Continue with: equipoise resume {run.path}",
    )


def _without_old_report(run: RunFolder, event: Event) -> None:
    """Before the state says 'finished': a report of fewer steps would say that nothing is left to do."""
    if isinstance(event, Ended) and event.is_complete:
        try:
            run.report.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError.from_os_error(run.report, error) from error


def _recovery(run: RunFolder, config: RunConfig, progress: Progress | None) -> Recovery:
    """What to do when play goes wrong."""
    wanted = config.recovery
    tell = None if progress is None else progress.message
    return Recovery(run, most=wanted.rollbacks, learning_rate_factor=wanted.learning_rate_factor, tell=tell)


def _final_verdict(gan: Gan, run: RunFolder, progress: Progress | None) -> None:
    """The verdict on the final part; data that cannot be judged, here, are said so, and are no failure of the run."""
    try:
        gan.judge()
    except (InputError, OutOfMemory) as error:
        run.write_status(message=f"No verdict: {error}")
        if progress is not None:
            progress.message(f"No verdict: {error}")


def _is_judged(run: RunFolder, step: int) -> bool:
    """Whether a run that was killed between its verdict and its report has its verdict."""
    return any(row.get("part") == "final" and row.get("step") == step for row in run.read_verdicts())


def _report(run: RunFolder) -> None:
    from equipoise.reports import write_report

    write_report(run.path)


def _tensorboard(run: RunFolder) -> list[TensorBoardEvents]:
    try:
        return [TensorBoardEvents(run)]
    except ImportError:
        return []
