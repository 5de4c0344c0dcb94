"""Play that leaves the finite numbers goes on from a checkpoint with smaller steps: the rule, and that it is exact."""

import json

import numpy as np
import pytest
import torch

from equipoise.errors import PlayDiverged
from equipoise.experiment import resume, resuming, run, train_planned
from equipoise.experiment.preparing import plan_run
from equipoise.reports import write_report
from equipoise.runfolder import RunFolder
from equipoise.training.checkpoints import read_checkpoint
from equipoise.training.events import LookDue

SETTINGS = ["networks.generator.width=4", "networks.discriminator.width=4", "networks.generator.depth=2",
            "play.batch_size=8", "outputs.final_verdict=false", "outputs.checkpoint_every=4", "outputs.measure_every=3",
            "outputs.samples=2", "optimisers.course.warmup_steps=0", "runtime.threads=1"]  # fmt: skip
STEPS = 24


class Spoilt:
    """Makes every trainer that is built spoil chosen steps, as long as there were few enough rollbacks.

    Args:
        how: what is spoilt: gradient, loss or weight.
        player: whose.
        at: step that is spoilt, counted from 1.
        times: in how many plays of the run.
    """

    def __init__(self, monkeypatch, how, player="generator", *, at=11, times=1):
        self.how, self.player, self.at, self.times = how, player, at, times
        self.kill_at = None
        for module in (run, resuming):
            monkeypatch.setattr(module, "build_trainer", self.wrap(module.build_trainer))

    def wrap(self, build):
        def built(*arguments, **options):
            trainer = build(*arguments, **options)
            play = trainer.play

            def spoilt(*, measure=False):
                if (trainer.step, len(trainer.rollbacks)) == self.kill_at:
                    raise Killed
                if trainer.step + 1 != self.at or len(trainer.rollbacks) >= self.times:
                    return play(measure=measure)
                return self.spoil(trainer, play, measure)

            trainer.play = spoilt
            return trainer

        return built

    def spoil(self, trainer, play, measure):
        player = getattr(trainer, self.player)
        if self.how == "weight":
            with torch.no_grad():
                player.parameters[2].view(-1)[0] = float("inf")
            return play(measure=measure)
        if self.how == "gradient":
            hook = player.parameters[2].register_hook(lambda gradient: gradient * float("nan"))
            try:
                return play(measure=measure)
            finally:
                hook.remove()
        watch = trainer.guard.moves.watch

        def poisoned(*losses):
            watch(*(loss * float("nan") if name == self.player else loss
                    for name, loss in zip(("discriminator", "generator"), losses, strict=True)))  # fmt: skip

        trainer.guard.moves.watch = poisoned
        try:
            return play(measure=measure)
        finally:
            trainer.guard.moves.watch = watch


class Killed(BaseException):
    """What ends a run without a word, as far as one process can."""


class Listener:
    def __init__(self):
        self.said = []

    def start(self, *arguments):
        del arguments

    def update(self, *arguments):
        del arguments

    def message(self, text):
        self.said.append(text)

    def close(self):
        return None


@pytest.fixture(autouse=True)
def short_report(monkeypatch):
    """A page without figures, which take most of the time of so short a run; one test writes the real one."""
    monkeypatch.setattr("equipoise.reports.write_report", lambda folder: (folder / "report.html").touch())
    monkeypatch.setattr("equipoise.training.recorder.write_picture", lambda picture, path: path.touch())


@pytest.fixture
def points(tmp_path):
    path = tmp_path / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(80, 2)))
    return path


def planned(points, *settings, steps=STEPS):
    return plan_run(points, steps=steps, seed=1, settings=[*SETTINGS, *settings])


def content(folder):
    """All that a run leaves except times: weights, numbers, rows, samples."""
    held = RunFolder(folder)
    tensors, numbers, _ = read_checkpoint(held.checkpoints)
    rows = [{k: v for k, v in row.items() if k not in ("seconds", "steps_per_second")} for row in held.read_metrics()]
    numbers = {key: value for key, value in numbers.items() if key not in ("seconds", "seal")}
    pictures = {path.name: path.read_bytes() for path in held.samples.iterdir() if path.suffix != ".png"}
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}, numbers, rows, pictures


@pytest.mark.parametrize(
    ("how", "player"),
    [("gradient", "discriminator"), ("gradient", "generator"), ("loss", "discriminator"), ("loss", "generator"),
     ("weight", "discriminator"), ("weight", "generator")],
)  # fmt: skip
def test_a_run_goes_back_once_and_ends_well_and_says_so_everywhere(how, player, points, tmp_path, monkeypatch):
    Spoilt(monkeypatch, how, player)
    listener = Listener()
    gan = train_planned(planned(points), tmp_path / "run", progress=listener)
    held = RunFolder(gan.folder)
    assert gan.step == STEPS and held.read_status()["state"] == "finished"
    (record,) = held.read_status()["rollbacks"]
    assert (record["number"], record["step"], record["to_step"], record["caution"]) == (1, 11, 8, 0.5)
    assert (record["player"], how in record["message"]) == (player, True)
    assert (record["layer"] is None) == (how == "loss")
    (noted,) = [row for row in held.read_journal() if row["event"] == "rollback"]
    assert record.items() <= noted.items()
    assert any(text.startswith("rollback 1") and player in text for text in listener.said)
    write_report(held.path)
    assert "put back to the checkpoint of step 8" in held.report.read_text()


def test_what_was_written_about_the_steps_in_between_is_written_once(points, tmp_path, monkeypatch):
    Spoilt(monkeypatch, "gradient", at=11)
    gan = train_planned(planned(points, "outputs.checkpoint_every=100"), tmp_path / "run")
    rows = RunFolder(gan.folder).read_metrics()
    assert [row["step"] for row in rows] == [1, *range(3, STEPS + 1, 3)]
    assert RunFolder(gan.folder).read_status()["rollbacks"][0]["to_step"] == 0  # there is always a beginning


def test_learning_rates_are_lower_from_the_rollback_on(points, tmp_path, monkeypatch):
    plain = train_planned(planned(points), tmp_path / "plain").folder
    Spoilt(monkeypatch, "gradient")
    spoilt = train_planned(planned(points, "recovery.learning_rate_factor=0.25"), tmp_path / "spoilt").folder
    rates = [{row["step"]: row["learning_rate"] for row in RunFolder(f).read_metrics()} for f in (plain, spoilt)]
    for step, rate in rates[0].items():
        for player, value in rate.items():
            assert rates[1][step][player] == pytest.approx(value * (0.25 if step > 8 else 1))


def test_a_run_out_of_rollbacks_ends_with_layer_and_player(points, tmp_path, monkeypatch):
    Spoilt(monkeypatch, "gradient", "discriminator", times=99)
    with pytest.raises(PlayDiverged) as caught:
        train_planned(planned(points, "recovery.rollbacks=2"), tmp_path / "run")
    held = RunFolder(tmp_path / "run")
    assert (caught.value.player, caught.value.layer) == ("discriminator", "body.2.weight")
    assert "2 rollbacks" in str(caught.value) and "body.2.weight" in str(caught.value)
    status = held.read_status()
    assert status["state"] == "failed" and "2 rollbacks" in status["message"]
    # The second time it went back one checkpoint further: from the first one it had led to the same place.
    assert [record["to_step"] for record in status["rollbacks"]] == [8, 4]
    assert status["rollbacks"][1]["caution"] == 0.25


def test_without_rollbacks_it_ends_at_once(points, tmp_path, monkeypatch):
    Spoilt(monkeypatch, "loss", "generator")
    with pytest.raises(PlayDiverged, match="generator's loss"):
        train_planned(planned(points, "recovery.rollbacks=0"), tmp_path / "run")
    assert RunFolder(tmp_path / "run").read_metrics()[-1]["step"] == 9


@pytest.mark.parametrize("kill_at", [(9, 0), (9, 1), (17, 1), (23, 1)])
def test_a_run_killed_before_or_after_a_rollback_resumes_bit_for_bit(kill_at, points, tmp_path, monkeypatch):
    spoilt = Spoilt(monkeypatch, "gradient", times=1)
    whole = train_planned(planned(points), tmp_path / "whole").folder
    spoilt.kill_at = kill_at
    with pytest.raises(Killed):
        train_planned(planned(points), tmp_path / "killed")
    spoilt.kill_at = None
    resumed = resume(tmp_path / "killed").folder
    assert content(resumed) == content(whole)


def test_a_kill_in_the_middle_of_a_rollback_does_the_same_once_more(points, tmp_path, monkeypatch):
    spoilt = Spoilt(monkeypatch, "gradient", times=2)
    whole = train_planned(planned(points), tmp_path / "whole").folder
    assert [record["to_step"] for record in content(whole)[1]["rollbacks"]] == [8, 4]
    del spoilt
    # The second one amends the checkpoint of step 4 and is killed before it has dropped that of step 8.
    cut_after, calls = RunFolder.cut_after, []

    def killed(held, step):
        calls.append(step)
        if step == 4:
            raise Killed
        cut_after(held, step)

    from equipoise.training import rollback

    monkeypatch.setattr(rollback, "drop_checkpoint", lambda path: None)
    monkeypatch.setattr(RunFolder, "cut_after", killed)
    with pytest.raises(Killed):
        train_planned(planned(points), tmp_path / "killed")
    monkeypatch.undo()
    Spoilt(monkeypatch, "gradient", times=2)
    resumed = resume(tmp_path / "killed").folder
    assert content(resumed) == content(whole)
    numbers = [row["number"] for row in RunFolder(resumed).read_journal() if row["event"] == "rollback"]
    assert numbers == [1, 2]


class Trending:
    """Sets the trend at looks, as the referee's handler does, and writes its line."""

    def __init__(self, monkeypatch, held, trends):
        self.held, self.trends = held, dict(trends)
        for module in (run, resuming):
            monkeypatch.setattr(module, "build_trainer", self.wrap(module.build_trainer))

    def wrap(self, build):
        from dataclasses import replace

        def built(*arguments, **options):
            trainer = build(*arguments, **options)
            trainer.plan = replace(trainer.plan, look_steps=frozenset(self.trends))
            run_, looked = trainer.run, self

            def look(event):
                if isinstance(event, LookDue):
                    trend = "plateaued" if trainer.rollbacks else looked.trends[event.step]
                    trainer.trend = trend
                    row = {"step": event.step, "part": "selection", "trend": trend}
                    looked.held.append(looked.held.verdicts, row)

            def running():
                trainer.handlers.insert(0, look)
                try:
                    run_()
                finally:
                    trainer.handlers.remove(look)

            trainer.run = running
            return trainer

        return built


TRENDS = {6: "improving", 13: "plateaued", 20: "collapsed"}


def test_a_collapse_rolls_back_behind_the_last_look_that_was_good(points, tmp_path, monkeypatch):
    held = RunFolder(tmp_path / "run")
    Trending(monkeypatch, held, TRENDS)
    gan = train_planned(planned(points, "recovery.on_collapse=rollback"), held.path)
    (record,) = held.read_status()["rollbacks"]
    # Looks at 6 and 13 were good: of the checkpoints kept by then (4, 8, 16, 20) the newest that is no later.
    assert (record["reason"], record["step"], record["to_step"]) == ("collapse", 20, 8)
    assert gan.step == STEPS
    assert [(row["step"], row["trend"]) for row in held.read_verdicts()] == [
        (6, "improving"), (13, "plateaued"), (20, "plateaued")]  # fmt: skip


def test_a_collapse_stops_the_run_with_a_checkpoint_where_that_is_asked_for(points, tmp_path, monkeypatch):
    held = RunFolder(tmp_path / "run")
    Trending(monkeypatch, held, {6: "improving", 13: "diverged"})
    with pytest.raises(PlayDiverged, match="diverged"):
        train_planned(planned(points, "recovery.on_collapse=stop"), held.path)
    status = held.read_status()
    assert (status["state"], status["step"]) == ("stopped", 13)
    assert read_checkpoint(held.checkpoints)[1]["step"] == 13


def test_by_default_a_trend_decides_nothing(points, tmp_path, monkeypatch):
    held = RunFolder(tmp_path / "run")
    Trending(monkeypatch, held, TRENDS)
    train_planned(planned(points), held.path)
    assert held.read_status()["state"] == "finished" and "rollbacks" not in held.read_status()


def test_the_records_of_rollbacks_are_plain_json(points, tmp_path, monkeypatch):
    Spoilt(monkeypatch, "gradient")
    train_planned(planned(points), tmp_path / "run")
    stored = json.loads((tmp_path / "run" / "checkpoints" / f"step-{STEPS:08d}.json").read_text())
    assert stored["caution"] == 0.5 and stored["rollbacks"][0]["layer"] == "body.2.weight"
