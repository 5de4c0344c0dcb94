"""Looks during training change nothing, come back bit for bit, spend their level once, and end a run when asked."""

import json
from dataclasses import replace

import numpy as np
import pytest

from equipoise.errors import ConfigError, InputError, PlayDiverged, RunFolderError
from equipoise.experiment import live_run as run_module
from equipoise.experiment.loading import load
from equipoise.experiment.prepare import plan_run
from equipoise.experiment.resume import resume
from equipoise.experiment.train import train_planned
from equipoise.referee import EvaluationPlan
from equipoise.runfolder import RunFolder
from equipoise.training.best_checkpoint import best_evaluation
from equipoise.training.checkpoints import checkpoint_files, read_checkpoint
from equipoise.training.trend import trend_of

pytestmark = pytest.mark.usefixtures("undrawn")
SMALL = (
    "networks.generator.width=8",
    "networks.discriminator.width=8",
    "training.batch_size=16",
    "data.points=600",
    "outputs.checkpoint_every=6",
    "outputs.samples=2",
    "outputs.final_verdict=false",
)
EVALUATIONS = (
    "evaluations.count=4",
    "evaluations.samples=60",
    "evaluations.classifiers=quick",
    "evaluations.sensitivity=theoretical",
    "evaluations.duality_gap_steps=2",
)
CLOCKS = ("seconds", "look_seconds", "play_seconds")


def started(folder, *settings, steps=24):
    # data.points of a .npy is ignored; the array decides.
    path = folder.parent / "points.npy"
    if not path.exists():
        np.save(path, np.random.default_rng(0).normal(size=(600, 2)))
    return train_planned(plan_run(path, steps=steps, seed=3, settings=[*SMALL, *settings]), folder)


def evaluations_of(folder):
    """The stored evaluations, without what clocks say."""
    rows = RunFolder(folder).read_verdicts()
    return [{key: value for key, value in row.items() if key not in CLOCKS} for row in rows]


def cut_off(monkeypatch, *, after):
    """Let the run be killed before it does anything past step `after`."""

    class Killed(BaseException):
        pass

    train_step = run_module.Trainer.train_step

    def limited(self, *, measure=False):
        if self.step >= after:
            raise Killed
        return train_step(self, measure=measure)

    monkeypatch.setattr(run_module.Trainer, "train_step", limited)
    return Killed


def told(monkeypatch, estimates):
    """Let the evaluations estimate these distances by step, each with a standard error of 0.02 nats."""
    import equipoise.training.interim_evaluation as evaluations

    real = evaluations.one_evaluation

    def one(state, material, **options):
        verdict, gap = real(state, material, **options)
        return replace(verdict, jsd_estimate_nats=estimates[state.step], value_standard_error=0.04), gap

    monkeypatch.setattr(evaluations, "one_evaluation", one)


@pytest.fixture
def turning(monkeypatch):
    """Training that is at its best at the second of four evaluations."""
    told(monkeypatch, {6: 0.4, 12: 0.2, 18: 0.3, 24: 0.3})


def weights_of(folder):
    tensors, _, _ = read_checkpoint(folder)
    return tensors


def same(first, second):
    return first.keys() == second.keys() and all((first[name] == second[name]).all() for name in first)


@pytest.mark.parametrize("killed_at", [5, 12, 20])
def test_a_killed_run_repeats_its_evaluations_and_keeps_the_same_best_checkpoint(killed_at, tmp_path, monkeypatch):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    started(whole, *EVALUATIONS)
    with monkeypatch.context() as patch:
        killed = cut_off(patch, after=killed_at)
        with pytest.raises(killed):
            started(cut, *EVALUATIONS)
    resume(cut)
    assert evaluations_of(cut) == evaluations_of(whole) and len(evaluations_of(whole)) == 4
    assert same(weights_of(cut / "checkpoints"), weights_of(whole / "checkpoints"))
    assert same(weights_of(cut / "best"), weights_of(whole / "best"))
    assert [path.name for path in checkpoint_files(cut / "best")] == [
        path.name for path in checkpoint_files(whole / "best")
    ]


def test_evaluations_leave_training_as_it_is_bit_for_bit(tmp_path):
    started(tmp_path / "with", *EVALUATIONS)
    started(tmp_path / "without", "evaluations.count=0")
    assert same(weights_of(tmp_path / "with" / "checkpoints"), weights_of(tmp_path / "without" / "checkpoints"))
    assert evaluations_of(tmp_path / "without") == []


def test_an_evaluation_says_what_it_rests_on_and_what_it_cost(tmp_path):
    started(tmp_path / "run", *EVALUATIONS)
    run = RunFolder(tmp_path / "run")
    rows, status = run.read_verdicts(), run.read_status()
    plan = EvaluationPlan.from_json(run.read_json(run.evaluations)["plan"])
    assert [row["step"] for row in rows] == list(plan.steps) == [6, 12, 18, 24]
    assert [row["confidence"] for row in rows] == [plan.confidence_at(step) for step in plan.steps]
    assert all(row["part"] == "selection" and row["counts"]["real_test"] == 60 for row in rows)
    assert all(row["duality_gap"]["steps"] == 2 and row["sensitivity_theoretical_nats"] > 0 for row in rows)
    cost = status["look_time"]
    assert cost["look_seconds"] == pytest.approx(sum(row["look_seconds"] for row in rows))
    assert cost["share"] == pytest.approx(cost["look_seconds"] / (cost["look_seconds"] + cost["play_seconds"]))
    last = status["last_verdict"]
    assert {"part", "step", "conclusion", "confidence", "jsd_lower_bound_nats", "jsd_estimate_nats"} <= last.keys()
    assert last["step"] == 24 and last["sensitivity_theoretical_nats"] == rows[-1]["sensitivity_theoretical_nats"]
    assert status["trend"] == rows[-1]["trend"] is not None


def test_samples_come_from_the_best_checkpoint_unless_the_last_is_asked_for(tmp_path, turning):
    gan = started(tmp_path / "run", *EVALUATIONS)
    run = RunFolder(gan.folder)
    best = best_evaluation(run.read_verdicts())
    assert gan.step == best["step"] == run.read_status()["best"]["step"] == 12
    assert gan.step in run.sample_steps(".png")
    assert load(gan.folder, checkpoint="last").step == 24


def test_a_run_without_an_evaluation_has_the_last_weights_and_no_other(tmp_path):
    gan = started(tmp_path / "run", "evaluations.count=0")
    assert gan.step == 24 and gan.config.evaluations.keep_best is False
    assert load(gan.folder, checkpoint="last").step == 24


def test_a_run_folder_that_was_not_asked_to_keep_the_best_still_means_its_last_weights(tmp_path, turning):
    # As version 0.2.0 stored every run without --keep-best, whatever lies in its folder.
    gan = started(tmp_path / "run", *EVALUATIONS)
    config = gan.folder / "config.yaml"
    text = config.read_text()
    assert "keep_best: true" in text and gan.step < 24
    config.write_text(text.replace("keep_best: true", "keep_best: false"))
    assert load(gan.folder).step == 24


def test_a_run_that_does_not_keep_the_best_has_none(tmp_path):
    gan = started(tmp_path / "run", *EVALUATIONS, "evaluations.keep_best=false")
    assert gan.step == 24 and not (gan.folder / "best").is_dir()
    with pytest.raises(RunFolderError, match="no best checkpoint"):
        load(gan.folder, checkpoint="best")
    with pytest.raises(InputError, match="'best' or 'last'"):
        load(gan.folder, checkpoint="first")


def test_going_back_to_any_kept_checkpoint_finds_the_best_of_the_evaluations_up_to_it(tmp_path):
    started(tmp_path / "run", *EVALUATIONS)
    run = RunFolder(tmp_path / "run")
    rows = run.read_verdicts()
    kept = {int(path.stem.split("-")[1]) for path in checkpoint_files(run.best)}
    for path in checkpoint_files(run.checkpoints):
        best = best_evaluation(rows, up_to=int(path.stem.split("-")[1]))
        assert best is None or best["step"] in kept


def easy_goal(monkeypatch, *, from_step):
    """Make every evaluation from this step on say `not_distinguished`, and those before it `distinguished`."""
    import equipoise.training.interim_evaluation as evaluations

    real = evaluations.one_evaluation

    def told(trainer, material, **arguments):
        verdict, gap = real(trainer, material, **arguments)
        conclusion = "not_distinguished" if trainer.step >= from_step else "distinguished"
        return replace(verdict, conclusion=type(verdict.conclusion)(conclusion)), gap

    monkeypatch.setattr(evaluations, "one_evaluation", told)


def test_a_run_ends_at_the_first_evaluation_that_finds_no_difference_and_says_why(tmp_path, monkeypatch):
    easy_goal(monkeypatch, from_step=12)
    gan = started(tmp_path / "run", *EVALUATIONS, "evaluations.until=not-distinguished")
    status = RunFolder(gan.folder).read_status()
    assert (status["state"], status["step"], gan.step) == ("finished", 12, 12)
    assert "interim evaluation 2 of 4, at step 12, said 'not distinguished'" in status["ended_because"]
    with pytest.raises(ConfigError, match="ended at step 12"):
        resume(gan.folder)
    longer = resume(gan.folder, steps=24)
    status = RunFolder(gan.folder).read_status()
    assert (status["step"], status["state"], status["ended_because"]) == (24, "finished", "")
    assert longer.step == best_evaluation(evaluations_of(gan.folder))["step"]
    assert [row["step"] for row in evaluations_of(gan.folder)] == [6, 12, 18, 24]


def test_too_little_data_and_with_a_margin_anything_short_of_equivalent_end_nothing(tmp_path, monkeypatch):
    easy_goal(monkeypatch, from_step=12)
    gan = started(tmp_path / "margin", *EVALUATIONS, "evaluations.until=not-distinguished", "evaluations.margin=0.1")
    assert RunFolder(gan.folder).read_status()["step"] == 24
    monkeypatch.undo()
    few = started(tmp_path / "few", *EVALUATIONS, "evaluations.until=not-distinguished", steps=4)
    rows = RunFolder(few.folder).read_verdicts()
    # 60 scored rows have a floor above 0.05 nats: whatever finds nothing says too_little_data.
    assert rows[-1]["step"] == 4 and {row["conclusion"] for row in rows} <= {"distinguished", "too_little_data"}


def test_a_run_cut_off_between_the_evaluation_and_its_end_ends_there(tmp_path, monkeypatch):
    easy_goal(monkeypatch, from_step=12)
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "load_gan", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            started(folder, *EVALUATIONS, "evaluations.until=not-distinguished")
    run = RunFolder(folder)
    status = run.read_status()
    run.write_status(state="training", ended_because="")
    assert status["step"] == 12
    gan = resume(folder)
    assert gan.step == 12 and run.read_status()["state"] == "finished"
    assert "said 'not distinguished'" in run.read_status()["ended_because"]


def test_a_run_made_longer_goes_on_with_evaluations_at_the_levels_set_aside(tmp_path):
    started(tmp_path / "run", *EVALUATIONS)
    resume(tmp_path / "run", steps=40)
    run = RunFolder(tmp_path / "run")
    plan = EvaluationPlan.from_json(run.read_json(run.evaluations)["plan"])
    rows = run.read_verdicts()
    assert [row["step"] for row in rows] == [6, 12, 18, 24, 30, 36]
    assert plan.steps == (6, 12, 18, 24)  # what was planned stays as it was stored
    assert [1 - row["confidence"] for row in rows[4:]] == pytest.approx([0.01 / 2, 0.01 / 6])
    assert sum(1 - row["confidence"] for row in rows) < 0.05


def test_the_stored_configuration_leaves_nothing_about_evaluations_open_and_trains_the_same_again(tmp_path):
    first = started(tmp_path / "first", *EVALUATIONS, "evaluations.sensitivity=quick")
    again = plan_run(None, config_file=first.folder / "config.yaml")
    # Of these three, None is an answer: nobody asked for it.
    assert None not in again.config.evaluations.model_dump(exclude={"until", "margin", "features"}).values()
    second = train_planned(again, tmp_path / "second")
    assert evaluations_of(second.folder) == evaluations_of(first.folder)
    stored = json.loads((first.folder / "evaluations.json").read_text())["resolution"]
    assert stored["method"] == "injected" and evaluations_of(first.folder)[0]["sensitivity_method"] == "injected"


def test_a_broken_best_checkpoint_gives_way_to_the_one_before(tmp_path, turning):
    gan = started(tmp_path / "run", *EVALUATIONS)
    files = checkpoint_files(gan.folder / "best")
    assert len(files) == 2
    files[-1].write_bytes(b"")
    assert load(gan.folder).step < gan.step


def test_evaluations_of_training_that_was_put_back_are_forgotten_with_their_best_checkpoint(tmp_path, monkeypatch):
    train_step, raised = run_module.Trainer.train_step, []

    def once(self, *, measure=False):
        if self.step == 20 and not raised:
            raised.append(True)
            raise PlayDiverged("step 20", "a loss is no longer finite.", "Expected finite losses.", "", step=20)
        return train_step(self, measure=measure)

    monkeypatch.setattr(run_module.Trainer, "train_step", once)
    folder = tmp_path / "run"
    started(folder, *EVALUATIONS, "outputs.checkpoint_every=12")
    run = RunFolder(folder)
    rows, status = run.read_verdicts(), run.read_status()
    assert len(status["rollbacks"]) == 1 and status["rollbacks"][0]["to_step"] == 12
    assert [row["step"] for row in rows] == [6, 12, 18, 24]
    assert rows[1]["trend"] == trend_of(rows[:2]) and rows[3]["trend"] == trend_of(rows)
    assert status["best"]["step"] == best_evaluation(rows)["step"] == load(folder).step


def test_training_that_leaves_the_finite_numbers_has_diverged(tmp_path, monkeypatch):
    def train_step(self, *, measure=False):
        raise PlayDiverged("step 1", "a loss is no longer finite.", "Expected finite losses.", "Lower the rate.")

    settings = [*EVALUATIONS, "recovery.rollbacks=0"]
    monkeypatch.setattr(run_module.Trainer, "train_step", train_step)
    with pytest.raises(PlayDiverged):
        started(tmp_path / "run", *settings)
    status = RunFolder(tmp_path / "run").read_status()
    assert (status["state"], status["trend"]) == ("failed", "diverged")
