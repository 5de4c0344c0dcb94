"""Of many processes all store, refuse and take up the same state. Threads stand in for them."""

import shutil
import threading

import numpy as np
import pytest
import torch
from threads import in_threads

from equipoise.errors import RunFolderError
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.prepare import plan_run
from equipoise.runfolder import create_run_folder
from equipoise.training import CheckpointDue
from equipoise.training.checkpoints import load_checkpoint, save_checkpoint
from equipoise.training.rollback import CollapseWatch, Recovery

ONE_AT_A_TIME = threading.Lock()
HUGE = 1e25
"""A gradient that float32 holds, and whose square it does not."""


@pytest.fixture
def plan(tmp_path):
    np.save(tmp_path / "points.npy", np.random.default_rng(0).normal(size=(60, 2)))
    small = [
        f"networks.{role}.{option}" for role in ("generator", "discriminator") for option in ("width=4", "depth=2")
    ]
    settings = [*small, "training.batch_size=8", "runtime.threads=1", "outputs.checkpoint_every=4"]
    return plan_run(tmp_path / "points.npy", steps=12, seed=3, settings=settings)


def built(planned, group):
    with ONE_AT_A_TIME:  # weights are drawn from torch's global stream, which threads share and processes do not
        return build_trainer(planned.config, planned.data, group=group)


def recording(trainer, run):
    """A handler as the first process has one."""
    return lambda event: save_checkpoint(run.checkpoints, trainer) if isinstance(event, CheckpointDue) else None


def test_all_go_back_together_when_a_moment_has_become_infinite_that_only_the_first_would_store(plan, tmp_path):
    run = create_run_folder(tmp_path / "run")

    def play(group):
        trainer = built(plan, group)
        trainer.handlers = [recording(trainer, run)] if group.is_main else []
        weight = trainer.generator.parameters[2]
        weight.register_hook(
            lambda gradient: gradient + HUGE if trainer.step == 9 and not trainer.rollbacks else gradient
        )
        Recovery(run, most=1, learning_rate_factor=0.5).play(trainer)
        return trainer.step, [(r["to_step"], r["step"], r["player"], r["layer"]) for r in trainer.rollbacks]

    first, second = in_threads(2, play)
    assert first == second == (12, [(8, 12, "generator", "body.2.weight")])


def test_a_signal_to_one_process_is_remembered_over_a_rollback_of_all(plan, tmp_path):
    run = create_run_folder(tmp_path / "run")

    def play(group):
        trainer = built(plan, group)
        trainer.handlers = [recording(trainer, run)] if group.is_main else []
        batches_at = trainer.batches_at

        def broken(step, *, joined=False):
            if step == 9 and not joined and group.rank == 1:
                trainer.stop_asked = True  # as a signal does, in the middle of a step
                with torch.no_grad():
                    trainer.batches.real = trainer.batches.real * torch.nan
            return batches_at(step, joined=joined)

        trainer.batches_at = broken
        Recovery(run, most=1, learning_rate_factor=0.5).play(trainer)
        return trainer.step, len(trainer.rollbacks)

    assert in_threads(2, play) == [(8, 1), (8, 1)]


def test_what_a_look_had_asked_for_before_a_kill_is_done_by_all(plan, tmp_path):
    run = create_run_folder(tmp_path / "run")

    def first_part(group):
        trainer = built(plan, group)
        save = recording(trainer, run)
        for step in range(9):
            if step % 4 == 0 and group.is_main:
                save(CheckpointDue(step))
            trainer.play()

    in_threads(2, first_part)
    for step, trend in ((4, None), (8, "collapsed")):
        run.append(run.verdicts, {"step": step, "part": "selection", "trend": trend})

    def rest(group):
        trainer = built(plan, group)
        load_checkpoint(run.checkpoints, trainer)
        watch = CollapseWatch(trainer, "rollback")
        trainer.handlers = [recording(trainer, run), watch] if group.is_main else []
        Recovery(run, most=1, learning_rate_factor=0.5).play(trainer, watch if group.is_main else None)
        return trainer.step, [(record["step"], record["to_step"]) for record in trainer.rollbacks]

    assert in_threads(2, rest) == [(12, [(8, 4)])] * 2


def test_the_first_process_says_which_checkpoint_is_taken_up_whatever_the_others_see(plan, tmp_path):
    seen = [tmp_path / "0", tmp_path / "1"]
    trainer = build_trainer(plan.config, plan.data)
    for step in range(3):
        for folder in seen[(step == 2) :]:  # the first process does not see the last one
            save_checkpoint(folder, trainer, thin=False)
        trainer.play()

    def loaded(group):
        trainer = built(plan, group)
        return load_checkpoint(seen[group.rank], trainer)[0]

    assert in_threads(2, loaded) == [1, 1]
    shutil.rmtree(seen[0])

    def refused(group):
        with pytest.raises(RunFolderError, match="no checkpoint" if group.is_main else "process 0 found no"):
            load_checkpoint(seen[group.rank], built(plan, group))
        return True

    assert in_threads(2, refused) == [True, True]
