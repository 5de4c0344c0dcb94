"""Training that leaves the finite numbers goes on from a checkpoint with smaller steps: the rule, and that it is
exact."""

import json

import numpy as np
import pytest
from wrong_training import STEPS, Killed, Listener, NonFinite, content, planned

from equipoise.errors import PlayDiverged
from equipoise.experiment.resume import resume
from equipoise.experiment.train import train_planned
from equipoise.reports import write_report
from equipoise.runfolder import RunFolder


@pytest.fixture(autouse=True)
def short_report(monkeypatch):
    """A page without figures, which take most of the time of so short a run; one test writes the real one."""
    monkeypatch.setattr("equipoise.reports.write_report", lambda folder: (folder / "report.html").touch())
    monkeypatch.setattr("equipoise.data.points.domain.save_figure", lambda picture, path: path.touch())


@pytest.fixture
def points(tmp_path):
    path = tmp_path / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(80, 2)))
    return path


@pytest.mark.parametrize(
    ("how", "player"),
    [
        ("gradient", "discriminator"),
        ("gradient", "generator"),
        ("loss", "discriminator"),
        ("loss", "generator"),
        ("weight", "discriminator"),
        ("weight", "generator"),
    ],
)
def test_a_run_goes_back_once_and_ends_well_and_says_so_everywhere(how, player, points, tmp_path, monkeypatch):
    NonFinite(monkeypatch, how, player)
    listener = Listener()
    gan = train_planned(planned(points), tmp_path / "run", progress=listener)
    held = RunFolder(gan.folder)
    assert gan.step == STEPS and held.read_status()["state"] == "finished"
    (record,) = held.read_status()["rollbacks"]
    assert (record["number"], record["step"], record["to_step"], record["caution"]) == (1, 11, 8, 0.5)
    assert (record["player"], how in record["message"]) == (player, True)
    assert (record["layer"] is None) == (how == "loss")
    (noted,) = [row for row in held.read_event_log() if row["event"] == "rollback"]
    assert record.items() <= noted.items()
    assert any(text.startswith("rollback 1") and player in text for text in listener.said)
    write_report(held.path)
    assert "put back to the checkpoint of step 8" in held.report.read_text()


def test_what_was_written_about_the_steps_in_between_is_written_once(points, tmp_path, monkeypatch):
    NonFinite(monkeypatch, "gradient", at=11)
    gan = train_planned(planned(points, "outputs.checkpoint_every=100"), tmp_path / "run")
    rows = RunFolder(gan.folder).read_metrics()
    assert [row["step"] for row in rows] == [1, *range(3, STEPS + 1, 3)]
    assert RunFolder(gan.folder).read_status()["rollbacks"][0]["to_step"] == 0  # there is always a beginning


def test_learning_rates_are_lower_from_the_rollback_on(points, tmp_path, monkeypatch):
    plain = train_planned(planned(points), tmp_path / "plain").folder
    NonFinite(monkeypatch, "gradient")
    contaminated = train_planned(planned(points, "recovery.learning_rate_factor=0.25"), tmp_path / "once").folder
    rates = [{row["step"]: row["learning_rate"] for row in RunFolder(f).read_metrics()} for f in (plain, contaminated)]
    for step, rate in rates[0].items():
        for player, value in rate.items():
            assert rates[1][step][player] == pytest.approx(value * (0.25 if step > 8 else 1))


def test_a_run_out_of_rollbacks_ends_with_layer_and_player(points, tmp_path, monkeypatch):
    NonFinite(monkeypatch, "gradient", "discriminator", times=99)
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
    NonFinite(monkeypatch, "loss", "generator")
    with pytest.raises(PlayDiverged, match="generator's loss"):
        train_planned(planned(points, "recovery.rollbacks=0"), tmp_path / "run")
    assert RunFolder(tmp_path / "run").read_metrics()[-1]["step"] == 9


@pytest.mark.parametrize("kill_at", [(9, 0), (9, 1), (17, 1), (23, 1)])
def test_a_run_killed_before_or_after_a_rollback_resumes_bit_for_bit(kill_at, points, tmp_path, monkeypatch):
    contaminated = NonFinite(monkeypatch, "gradient", times=1)
    whole = train_planned(planned(points), tmp_path / "whole").folder
    contaminated.kill_at = kill_at
    with pytest.raises(Killed):
        train_planned(planned(points), tmp_path / "killed")
    contaminated.kill_at = None
    resumed = resume(tmp_path / "killed").folder
    assert content(resumed) == content(whole)


def test_a_kill_in_the_middle_of_a_rollback_does_the_same_once_more(points, tmp_path, monkeypatch):
    contaminated = NonFinite(monkeypatch, "gradient", times=2)
    whole = train_planned(planned(points), tmp_path / "whole").folder
    assert [record["to_step"] for record in content(whole)[1]["rollbacks"]] == [8, 4]
    del contaminated
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
    NonFinite(monkeypatch, "gradient", times=2)
    resumed = resume(tmp_path / "killed").folder
    assert content(resumed) == content(whole)
    numbers = [row["number"] for row in RunFolder(resumed).read_event_log() if row["event"] == "rollback"]
    assert numbers == [1, 2]


@pytest.mark.parametrize("kill_at", [None, (17, 1)])
def test_tensorboard_shows_each_step_once_after_a_rollback_and_a_resume(kill_at, points, tmp_path, monkeypatch):
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    contaminated = NonFinite(monkeypatch, "gradient")
    contaminated.kill_at = kill_at
    if kill_at is None:
        train_planned(planned(points), tmp_path / "run")
    else:
        with pytest.raises(Killed):
            train_planned(planned(points, "outputs.checkpoint_every=8"), tmp_path / "run")
        contaminated.kill_at = None
        resume(tmp_path / "run")
    held = RunFolder(tmp_path / "run")
    shown = reading.EventAccumulator(str(held.path / "tensorboard")).Reload().Scalars("value")
    assert [event.step for event in shown] == [row["step"] for row in held.read_metrics()]


def test_the_records_of_rollbacks_are_plain_json(points, tmp_path, monkeypatch):
    NonFinite(monkeypatch, "gradient")
    train_planned(planned(points), tmp_path / "run")
    stored = json.loads((tmp_path / "run" / "checkpoints" / f"step-{STEPS:08d}.json").read_text())
    assert stored["caution"] == 0.5 and stored["rollbacks"][0]["layer"] == "weight_logits"
