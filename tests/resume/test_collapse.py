"""What follows from an evaluation that calls training collapsed or diverged, also where the run is killed in the middle
of it."""

import numpy as np
import pytest
from wrong_training import STEPS, Killed, NonFinite, Trending, content, planned

from equipoise.errors import Interrupted, PlayDiverged
from equipoise.experiment.resume import resume
from equipoise.experiment.train import train_planned
from equipoise.runfolder import RunFolder
from equipoise.training import rollback
from equipoise.training.checkpoints import read_checkpoint

TRENDS = {6: "improving", 13: "plateaued", 20: "collapsed"}


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


def test_a_collapse_rolls_back_behind_the_last_evaluation_that_was_good(points, tmp_path, monkeypatch):
    held = RunFolder(tmp_path / "run")
    Trending(monkeypatch, held, TRENDS)
    gan = train_planned(planned(points, "recovery.on_collapse=rollback"), held.path)
    (record,) = held.read_status()["rollbacks"]
    # Evaluations at 6 and 13 were good: of the checkpoints kept by then (4, 8, 16, 20) the newest that is no later.
    assert (record["reason"], record["step"], record["to_step"]) == ("collapse", 20, 8)
    assert gan.step == STEPS
    assert [(row["step"], row["trend"]) for row in held.read_verdicts()] == [
        (6, "improving"),
        (13, "plateaued"),
        (20, "plateaued"),
    ]


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


def outcome(folder):
    """All that a run leaves except times, with its evaluations, its rollbacks, and which checkpoints it keeps."""
    held = RunFolder(folder)
    files = sorted(path.name for path in held.checkpoints.iterdir())
    return content(folder), held.read_verdicts(), held.read_status().get("rollbacks"), files


def entering(monkeypatch):
    def killed(*arguments):
        raise Killed

    monkeypatch.setattr(rollback.Recovery, "go_back", killed)


def after_the_first_drop(monkeypatch):
    drop = rollback.drop_checkpoint

    def killed(path):
        drop(path)
        raise Killed

    monkeypatch.setattr(rollback, "drop_checkpoint", killed)


def after_the_last_drop(monkeypatch):
    cut_after = RunFolder.cut_after

    def killed(held, step):
        if held.read_metrics():
            raise Killed
        cut_after(held, step)

    monkeypatch.setattr(RunFolder, "cut_after", killed)


@pytest.mark.parametrize("kill", [entering, after_the_first_drop, after_the_last_drop])
@pytest.mark.parametrize("bad", [20, 22], ids=["at a planned checkpoint", "in between"])
def test_a_rollback_that_an_evaluation_asked_for_is_made_by_resume_where_it_was_killed(
    kill, bad, points, tmp_path, monkeypatch
):
    trends = {6: "improving", 13: "plateaued", bad: "collapsed"}
    trending = Trending(monkeypatch, RunFolder(tmp_path / "whole"), trends)
    plan = planned(points, "recovery.on_collapse=rollback")
    train_planned(plan, tmp_path / "whole")
    trending.held = RunFolder(tmp_path / "killed")
    with monkeypatch.context() as patch:
        kill(patch)
        with pytest.raises(Killed):
            train_planned(plan, tmp_path / "killed")
    resume(tmp_path / "killed")
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")
    assert len(trending.held.read_status()["rollbacks"]) == 1


def test_a_bad_evaluation_at_the_step_that_a_run_was_put_back_to_is_no_reason_to_go_back_again(
    points, tmp_path, monkeypatch
):
    """It was there before, and the run that was not killed went on from it."""
    held = RunFolder(tmp_path / "run")
    contaminated = NonFinite(monkeypatch, "gradient", at=11)
    contaminated.kill_at = (9, 1)
    with pytest.raises(Killed):
        train_planned(planned(points, "recovery.on_collapse=rollback"), held.path)
    held.append(held.verdicts, {"step": 8, "part": "selection", "trend": "collapsed"})
    contaminated.kill_at = None
    resume(held.path)
    assert [record["to_step"] for record in held.read_status()["rollbacks"]] == [8]


def test_a_stop_that_an_evaluation_asked_for_is_made_by_resume_and_another_resume_goes_on(
    points, tmp_path, monkeypatch
):
    held = RunFolder(tmp_path / "run")
    trending = Trending(monkeypatch, held, {6: "improving", 13: "diverged"})
    trending.kills = True
    with pytest.raises(Killed):
        train_planned(planned(points, "recovery.on_collapse=stop"), held.path)
    trending.kills = False
    with pytest.raises(PlayDiverged, match="step 13: .* diverged"):
        resume(held.path)
    status = held.read_status()
    assert (status["state"], status["step"]) == ("stopped", 13) and "diverged" in status["message"]
    assert resume(held.path).step == STEPS


def test_a_signal_during_an_evaluation_that_asks_for_a_rollback_stops_the_run_after_it(points, tmp_path, monkeypatch):
    trending = Trending(monkeypatch, RunFolder(tmp_path / "whole"), TRENDS)
    plan = planned(points, "recovery.on_collapse=rollback")
    train_planned(plan, tmp_path / "whole")
    trending.held, trending.signal_at = RunFolder(tmp_path / "stopped"), 20
    with pytest.raises(Interrupted, match="step 8 of 24: stopped by SIGTERM"):
        train_planned(plan, tmp_path / "stopped")
    status = trending.held.read_status()
    assert (status["state"], status["step"], len(status["rollbacks"])) == ("stopped", 8, 1)
    trending.signal_at = None
    resume(tmp_path / "stopped")
    assert outcome(tmp_path / "stopped") == outcome(tmp_path / "whole")


def test_a_signal_in_the_step_that_turns_nan_stops_the_run_after_the_rollback(points, tmp_path, monkeypatch):
    contaminated = NonFinite(monkeypatch, "gradient")
    train_planned(planned(points), tmp_path / "whole")
    contaminated.signals = True
    with pytest.raises(Interrupted, match="step 8 of 24: stopped by SIGTERM"):
        train_planned(planned(points), tmp_path / "stopped")
    assert RunFolder(tmp_path / "stopped").read_status()["step"] == 8
    resume(tmp_path / "stopped")
    assert outcome(tmp_path / "stopped") == outcome(tmp_path / "whole")
