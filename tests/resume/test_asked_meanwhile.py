"""What a run is asked while it trains is answered, changes nothing of it, and a stop from its page is like Ctrl-C."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from equipoise.errors import Interrupted
from equipoise.experiment.prepare import plan_run
from equipoise.experiment.resume import resume
from equipoise.experiment.train import train_planned
from equipoise.run_requests import ANSWERS, EVALUATIONS, FOLDER, Request, ask, listening_at, rows_of, take_requests
from equipoise.runfolder import RunFolder
from equipoise.training import answers
from equipoise.training.progress import Progress

pytestmark = pytest.mark.usefixtures("undrawn")
SMALL = (
    "networks.family=mlp",
    "networks.generator.width=8",
    "networks.discriminator.width=8",
    "training.batch_size=16",
    "outputs.checkpoint_every=6",
    "outputs.measure_every=2",
    "outputs.samples=2",
    "outputs.final_verdict=false",
    "evaluations.count=1",
    "evaluations.samples=60",
    "evaluations.classifiers=quick",
    "evaluations.sensitivity=theoretical",
)


class Person(Progress):
    """Watches the run, and asks it something after given steps."""

    def __init__(self, asked: dict[int, list[Request]]) -> None:
        self.asked, self.folder, self.was_listening = asked, Path(), False

    def watches(self, folder: Path) -> bool:
        self.folder = folder
        return True

    def update(self, step, fields):
        self.was_listening |= listening_at(self.folder) is not None
        for request in self.asked.pop(step, []):
            ask(self.folder, request)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(answers, "EVERY_SECONDS", 0.0)


def trained(folder: Path, progress: Progress | None, settings: tuple[str, ...] = SMALL) -> RunFolder:
    path = folder.parent / "points.npy"
    if not path.exists():
        np.save(path, np.random.default_rng(0).normal(size=(600, 2)))
    train_planned(plan_run(path, steps=12, seed=3, settings=settings), folder, progress=progress)
    return RunFolder(folder)


def weights_of(run: RunFolder, step: int = 12) -> dict:
    return load_file(run.checkpoints / f"step-{step:08d}.safetensors")


def test_a_run_that_is_asked_ends_with_the_same_weights_and_evaluations_as_one_that_is_not(tmp_path):
    alone = trained(tmp_path / "alone", None)
    person = Person({2: [Request("draw", seed=5, truncation=0.5), Request("evaluate")], 8: [Request("evaluate")]})
    asked = trained(tmp_path / "asked", person)
    assert person.was_listening
    first, second = weights_of(alone), weights_of(asked)
    assert first.keys() == second.keys()
    assert all((first[name] == second[name]).all() for name in first)
    estimates = [[row["jsd_estimate_nats"] for row in run.read_verdicts()] for run in (alone, asked)]
    assert estimates[0] == estimates[1]
    assert not (alone.path / FOLDER).exists()
    said = rows_of(asked.path, ANSWERS)
    assert [(row["what"], row["is_done"]) for row in said] == [("draw", True), ("evaluate", True), ("evaluate", True)]
    assert (asked.path / FOLDER / f"drawn-{said[0]['picture']:08d}.png").is_file()
    rows = rows_of(asked.path, EVALUATIONS)
    assert [row["step"] for row in rows] == [2, 8]
    assert all(row["is_descriptive"] and "asked for by hand" in row["findings"][0]["statement"] for row in rows)
    assert listening_at(asked.path) is None  # it has ended


def test_a_stop_from_the_page_leaves_a_checkpoint_and_is_resumed_like_any_other(tmp_path):
    whole = trained(tmp_path / "whole", None)
    with pytest.raises(Interrupted, match="stopped by the run page; a checkpoint was written"):
        trained(tmp_path / "stopped", Person({4: [Request("stop")]}))
    stopped = RunFolder(tmp_path / "stopped")
    assert stopped.read_status()["state"] == "stopped"
    assert stopped.read_status()["step"] < 12
    assert listening_at(stopped.path) is None
    resume(stopped.path)
    first, second = weights_of(whole), weights_of(stopped)
    assert all((first[name] == second[name]).all() for name in first)


def test_a_request_is_answered_between_two_steps_however_rarely_steps_are_measured(tmp_path, monkeypatch):
    looks = []

    def asked_before_the_third_look(run):
        looks.append(run)
        if len(looks) == 3:
            ask(run, Request("draw"))
            ask(run, Request("evaluate"))
        return take_requests(run)

    monkeypatch.setattr(answers, "take_requests", asked_before_the_third_look)
    run = trained(tmp_path / "run", Person({}), settings=(*SMALL, "outputs.measure_every=12"))
    assert [row["step"] for row in run.read_metrics()] == [1, 12]
    assert len(looks) == 12
    assert [(row["what"], row["step"]) for row in rows_of(run.path, ANSWERS)] == [("draw", 3), ("evaluate", 3)]


def test_between_two_looks_at_the_folder_only_a_clock_is_read(tmp_path, monkeypatch):
    looks, moments = [], iter([0.0, 0.4, 0.9, 1.0, 1.1, 1.2, 2.0, 2.1, 2.2])
    monkeypatch.setattr(answers, "EVERY_SECONDS", 1.0)
    monkeypatch.setattr(answers, "take_requests", lambda run: looks.append(run) or [])
    asked = answers.RequestAnswers.__new__(answers.RequestAnswers)
    asked.folder, asked.clock, asked._next = RunFolder(tmp_path), lambda: next(moments), 1.0
    for _ in range(7):
        asked.look()
    assert len(looks) == 2  # at 1.0, and then a second after its end at 1.1
