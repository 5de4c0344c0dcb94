"""Ctrl-C and SIGTERM at every moment of a run: a message that says how to go on, exit code 130, and nothing lost."""

from __future__ import annotations

import signal
import threading

import numpy as np
import pytest

from equipoise import reports
from equipoise.errors import EXIT_INTERRUPTED, Interrupted
from equipoise.experiment import run_length, stored_data
from equipoise.experiment import train as run
from equipoise.experiment.generator import Gan
from equipoise.experiment.judge import run as judging_run
from equipoise.experiment.prepare import plan_run
from equipoise.experiment.resume import resume
from equipoise.experiment.signals import stopping_at_once
from equipoise.experiment.train import train_planned
from equipoise.runfolder import RunFolder
from equipoise.training import Trainer

pytestmark = pytest.mark.usefixtures("undrawn")
SMALL = [
    "training.batch_size=8",
    "networks.generator.width=4",
    "networks.discriminator.width=4",
    "evaluations.count=0",
    "outputs.samples=1",
]
SIGNALS = {"Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM}


@pytest.fixture
def points(tmp_path):
    path = tmp_path / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(400, 2)))
    return path


@pytest.fixture
def short_trial():
    """A budget in minutes without the seconds in which its steps are timed; not by `monkeypatch`, which tests undo."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_length, "TRIAL_SECONDS", 0.01)
        yield


@pytest.fixture
def hit(monkeypatch):
    """Send this process a signal when a function is called; before or after it does its work."""

    def patch(place, name, number, *, after=False):
        original = getattr(place, name)

        def called(*arguments, **options):
            result = original(*arguments, **options) if after else None
            signal.raise_signal(number)
            return original(*arguments, **options) if not after else result

        monkeypatch.setattr(place, name, called)

    before = [signal.getsignal(number) for number in SIGNALS.values()]
    yield patch
    assert [signal.getsignal(number) for number in SIGNALS.values()] == before


def stopped(folder, steps=4, path=None):
    """What a run that gets a signal says."""
    with pytest.raises(Interrupted) as caught:
        train_planned(plan_run(path, steps=steps, settings=SMALL), folder)
    assert caught.value.exit_code == EXIT_INTERRUPTED
    return str(caught.value)


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize(
    ("place", "function"),
    [(judging_run, "judge"), (Gan, "judge"), (reports, "write_report")],
    ids=["verdict", "before the verdict", "report"],
)
def test_a_signal_after_the_last_step_says_how_the_verdict_is_made_and_resume_makes_it(
    name, place, function, points, tmp_path, hit, monkeypatch
):
    hit(place, function, SIGNALS[name])
    said = stopped(tmp_path / "run", path=points)
    monkeypatch.undo()
    assert f"stopped by {name}" in said and f"equipoise resume {tmp_path / 'run'}" in said
    found = RunFolder(tmp_path / "run")
    status = found.read_status()
    assert (status["state"], status["step"]) == ("finished", 4) and "equipoise resume" in status["message"]
    assert not found.report.exists()
    assert resume(found.path).step == 4
    assert [row["step"] for row in found.read_verdicts() if row["part"] == "final"] == [4]
    assert found.report.is_file() and found.read_status()["message"] == ""


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_in_the_last_step_ends_the_run_before_its_verdict(name, points, tmp_path, monkeypatch):
    play = Trainer.train_step

    def hit_in_the_last(self, **options):
        if self.step == 3:
            signal.raise_signal(SIGNALS[name])
        return play(self, **options)

    monkeypatch.setattr(Trainer, "train_step", hit_in_the_last)
    said = stopped(tmp_path / "run", path=points)
    monkeypatch.undo()
    assert "step 4 of 4" in said and f"stopped by {name}" in said and "equipoise resume" in said
    found = RunFolder(tmp_path / "run")
    assert found.read_verdicts() == [] and not found.report.exists()
    assert resume(found.path).step == 4
    assert found.read_verdicts() and found.report.is_file()


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize(
    ("place", "function"),
    [
        (stored_data, "load"),
        (stored_data, "prepare"),
        (run_length, "seconds_per_step"),
        (run, "build_trainer"),
        (run, "plan_interim_evaluations"),
        (run, "create_run_folder"),
    ],
)
def test_a_signal_before_the_run_has_begun_says_so_and_the_same_command_trains(
    name, place, function, points, tmp_path, hit, monkeypatch, short_trial
):
    def command():
        planned = plan_run(points, minutes=0.0005, settings=SMALL)
        return train_planned(planned, tmp_path / "run")

    hit(place, function, SIGNALS[name])
    with pytest.raises(Interrupted, match=f"stopped by {name}") as caught:
        command()
    monkeypatch.undo()
    assert "same command again" in caught.value.advice
    assert (command().folder / "report.html").is_file()


def test_a_signal_between_the_folder_and_the_first_step_says_how_to_go_on(points, tmp_path, hit, monkeypatch):
    hit(run, "save_checkpoint", signal.SIGTERM, after=True)
    said = stopped(tmp_path / "run", path=points)
    monkeypatch.undo()
    assert "step 0 of 4" in said and "equipoise resume" in said
    assert RunFolder(tmp_path / "run").read_status()["state"] == "stopped"
    assert resume(tmp_path / "run").step == 4


def test_a_signal_before_the_last_file_of_a_new_folder_leaves_one_that_can_be_used(points, tmp_path, hit, monkeypatch):
    hit(run, "write_text", signal.SIGTERM)
    said = stopped(tmp_path / "run", path=points)
    monkeypatch.undo()
    assert "same command again" in said
    assert train_planned(plan_run(points, steps=4, settings=SMALL), tmp_path / "run").step == 4


def test_a_longer_run_that_is_stopped_at_its_verdict_gets_one_although_there_was_a_report(
    points, tmp_path, hit, monkeypatch
):
    found = RunFolder(tmp_path / "run")
    train_planned(plan_run(points, steps=3, settings=SMALL), found.path)
    assert found.report.is_file()
    hit(judging_run, "judge", signal.SIGTERM)
    with pytest.raises(Interrupted):
        resume(found.path, steps=6)
    monkeypatch.undo()
    assert resume(found.path).step == 6
    assert [row["step"] for row in found.read_verdicts() if row["part"] == "final"] == [3, 6]
    assert found.report.is_file()


def test_a_second_signal_ends_at_once(hit, monkeypatch):
    ended = []
    monkeypatch.setattr("equipoise.experiment.signals._end_at_once", ended.append)

    def explain(by):
        return Interrupted("here", by)

    with pytest.raises(Interrupted, match="Ctrl-C"), stopping_at_once(explain):
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
    assert ended == [signal.SIGTERM]


def test_one_of_many_processes_that_waits_for_the_others_keeps_what_signals_do(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    before = signal.getsignal(signal.SIGTERM)
    with stopping_at_once(lambda by: Interrupted("here", by)):
        assert signal.getsignal(signal.SIGTERM) == before
    with stopping_at_once(lambda by: Interrupted("here", by), talks=False):
        assert signal.getsignal(signal.SIGTERM) != before


def test_a_run_in_a_thread_leaves_signals_to_the_main_one(points, tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def command():
        train_planned(plan_run(points, steps=2, settings=[*SMALL, "outputs.final_verdict=false"]), tmp_path / "run")
        seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=command)
    thread.start()
    thread.join()
    assert seen == [before]
