"""Of many processes all store, refuse and take up the same state. Threads stand in for them."""

import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from threads import in_threads

from equipoise.errors import RunFolderError
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.prepare import plan_run
from equipoise.runfolder import create_run_folder
from equipoise.training import CheckpointDue
from equipoise.training.best_checkpoint import keep_if_best
from equipoise.training.checkpoints import load_checkpoint, save_checkpoint
from equipoise.training.events import EvaluationDue
from equipoise.training.lower_rate import RiseWatch
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


def recovery(group, run, watch=None):
    """As a run has one; handlers are in the first process."""

    def record(event):
        if isinstance(event, CheckpointDue):
            save_checkpoint(run.checkpoints, event.state)

    handlers = [] if not group.is_main else [record] if watch is None else [record, watch]
    return Recovery(run, most=1, learning_rate_factor=0.5, handlers=handlers, watch=watch if group.is_main else None)


def test_all_go_back_together_when_a_moment_has_become_infinite_that_only_the_first_would_store(plan, tmp_path):
    run = create_run_folder(tmp_path / "run")

    def train(group):
        trainer = built(plan, group)
        weight = trainer.generator.parameters[2]
        weight.register_hook(
            lambda gradient: gradient + HUGE if trainer.step == 9 and not trainer.rollbacks else gradient
        )
        recovery(group, run).train(trainer)
        return trainer.step, [(r["to_step"], r["step"], r["player"], r["layer"]) for r in trainer.rollbacks]

    first, second = in_threads(2, train)
    assert first == second == (12, [(8, 12, "generator", "weight_logits")])


def test_a_signal_to_one_process_is_remembered_over_a_rollback_of_all(plan, tmp_path):
    run = create_run_folder(tmp_path / "run")

    def train(group):
        trainer = built(plan, group)
        batches_at = trainer.batches.at

        def broken(step, *, joined=False):
            if step == 9 and not joined and group.rank == 1:
                trainer.stop_asked = True  # as a signal does, in the middle of a step
                with torch.no_grad():
                    trainer.batches.real = trainer.batches.real * torch.nan
            return batches_at(step, joined=joined)

        trainer.batches.at = broken
        recovery(group, run).train(trainer)
        return trainer.step, len(trainer.rollbacks)

    assert in_threads(2, train) == [(8, 1), (8, 1)]


def test_what_a_look_had_asked_for_before_a_kill_is_done_by_all(plan, tmp_path):
    run = create_run_folder(tmp_path / "run")

    def first_part(group):
        trainer = built(plan, group)
        for step in range(9):
            if step % 4 == 0 and group.is_main:
                save_checkpoint(run.checkpoints, trainer.state)
            trainer.train_step()

    in_threads(2, first_part)
    for step, trend in ((4, None), (8, "collapsed")):
        run.append(run.verdicts, {"step": step, "part": "selection", "trend": trend})

    def rest(group):
        trainer = built(plan, group)
        load_checkpoint(run.checkpoints, trainer)
        watch = CollapseWatch("rollback", lambda: None)
        recovery(group, run, watch).train(trainer)
        return trainer.step, [(record["step"], record["to_step"]) for record in trainer.rollbacks]

    assert in_threads(2, rest) == [(12, [(8, 4)])] * 2


def test_a_rise_that_the_first_process_finds_lowers_the_rate_of_all_from_the_same_weights(plan, tmp_path):
    run = create_run_folder(tmp_path / "run")
    rise = {"nats": 0.4, "standard_error_nats": 0.1, "limit_standard_errors": 2.0, "since_steps": [2, 4]}

    def train(group):
        trainer = built(plan, group)
        trainer.plan = replace(trainer.plan, evaluation_steps=frozenset({4, 8}))
        rows = []

        def evaluate(event):
            if isinstance(event, EvaluationDue):
                row = {"step": event.step, "part": "selection", "rise": rise if event.step == 8 else None}
                rows.append({**row, "jsd_estimate_nats": 0.1 * event.step, "value_standard_error": 0.1})
                keep_if_best(run, event.state, rows)
                run.append(run.verdicts, rows[-1])

        def record(event):
            if isinstance(event, CheckpointDue):
                save_checkpoint(run.checkpoints, event.state)

        rises = RiseWatch(lambda: rows)
        handlers = [record, evaluate, rises] if group.is_main else []
        own = rises if group.is_main else None
        Recovery(run, most=1, learning_rate_factor=0.5, handlers=handlers, rises=own).train(trainer)
        (change,) = trainer.rollbacks
        return trainer.step, trainer.lr_backoff, change["weights_of_step"], trainer.generator.parameters

    (*first, weights), (*second, others) = in_threads(2, train)
    assert first == second == [12, 0.5, 4]
    assert all(torch.equal(one, other) for one, other in zip(weights, others, strict=True))


def test_the_first_process_says_which_checkpoint_is_taken_up_whatever_the_others_see(plan, tmp_path):
    seen = [tmp_path / "0", tmp_path / "1"]
    trainer = build_trainer(plan.config, plan.data)
    for step in range(3):
        for folder in seen[(step == 2) :]:  # the first process does not see the last one
            save_checkpoint(folder, trainer.state, thin=False)
        trainer.train_step()

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
