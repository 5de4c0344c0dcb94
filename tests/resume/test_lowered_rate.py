"""A significant rise lowers the learning rate once, from the best weights, and a second one ends the run; also where
the run is killed in the middle of it."""

import pytest
from test_evaluations_resume import EVALUATIONS, cut_off, evaluations_of, same, started, told, weights_of

from equipoise.errors import ConfigError
from equipoise.experiment.loading import load
from equipoise.experiment.resume import resume
from equipoise.reports.incidents import incident_sentences
from equipoise.reports.reading import read_run
from equipoise.runfolder import RunFolder
from equipoise.training import lower_rate, rollback
from equipoise.training.checkpoints import read_checkpoint, tensor_file

pytestmark = pytest.mark.usefixtures("undrawn")
TEN = (*EVALUATIONS[1:-1], "evaluations.count=10", "evaluations.duality_gap_steps=0")
STEPS = 30
ESTIMATES = {3: 0.5, 6: 0.2, 9: 0.2, 12: 0.4, 15: 0.4, 18: 0.2, 21: 0.2, 24: 0.2, 27: 0.2, 30: 0.2}
"""The pair of steps 12 and 15 is 10 standard errors above that of 6 and 9."""
AGAIN = {**ESTIMATES, 21: 0.4}


def rates(folder):
    return {row["step"]: row["learning_rate"]["generator"] for row in RunFolder(folder).read_metrics()}


def run_one(folder, *settings):
    flat = ("optimizers.lr_schedule.shape=constant", "optimizers.lr_schedule.warmup_steps=0", "outputs.measure_every=1")
    return started(folder, *TEN, *flat, *settings, steps=STEPS)


def test_a_rise_lowers_the_rate_once_and_training_goes_on_from_the_best_weights(tmp_path, monkeypatch):
    told(monkeypatch, ESTIMATES)
    held = RunFolder(run_one(tmp_path / "run").folder)
    (record,) = held.read_status()["rollbacks"]
    assert (record["reason"], record["step"], record["weights_of_step"], record["caution"]) == ("rise", 15, 9, 0.5)
    rate = rates(held.path)
    assert rate[16] == rate[30] == pytest.approx(0.5 * rate[15])
    rows = held.read_verdicts()
    assert [row["step"] for row in rows if row["rise"]] == [15]
    assert [row["is_descriptive"] for row in rows] == [row["step"] > 15 for row in rows]
    assert held.read_status()["step"] == STEPS and held.read_status()["state"] == "finished"
    (event,) = (row for row in held.read_event_log() if row["event"] == "learning rate lowered")
    assert event["step"] == 15
    (sentence,) = incident_sentences(read_run(held.path))
    assert "risen by 0.200 nats" in sentence and "best weights so far, those of step 9" in sentence


def test_the_weights_after_the_change_are_those_that_were_kept_with_their_optimizers(tmp_path, monkeypatch):
    told(monkeypatch, ESTIMATES)
    with monkeypatch.context() as patch, pytest.raises(cut_off(patch, after=15)):
        run_one(tmp_path / "run")
    held = RunFolder(tmp_path / "run")
    kept = read_checkpoint(held.best, among=[tensor_file(held.best, 9)])[0]
    changed, numbers, _ = read_checkpoint(held.checkpoints)
    assert same(kept, changed) and (numbers["step"], numbers["caution"]) == (15, 0.5)


def test_a_second_rise_ends_the_run_as_complete_and_the_best_weights_are_used(tmp_path, monkeypatch):
    told(monkeypatch, AGAIN)
    gan = run_one(tmp_path / "run")
    status = RunFolder(gan.folder).read_status()
    assert (status["state"], status["step"], gan.step) == ("finished", 21, 18)
    assert "At step 21 the estimated distance has risen" in status["ended_because"]
    assert "lowered at step 15" in status["ended_because"]
    with pytest.raises(ConfigError, match="ended at step 21"):
        resume(gan.folder)
    # Whoever goes on all the same hears no more of it.
    resume(gan.folder, steps=STEPS)
    status = RunFolder(gan.folder).read_status()
    assert (status["state"], status["step"], status["ended_because"]) == ("finished", STEPS, "")
    assert len(status["rollbacks"]) == 1


@pytest.mark.parametrize("setting", ["recovery.on_rise=continue", "evaluations.keep_best=false"])
def test_a_run_that_is_asked_to_goes_on_as_planned(setting, tmp_path, monkeypatch):
    told(monkeypatch, AGAIN)
    held = RunFolder(run_one(tmp_path / "run", setting).folder)
    assert held.read_status()["step"] == STEPS and "rollbacks" not in held.read_status()
    assert len(set(rates(held.path).values())) == 1
    assert not any(row["is_descriptive"] for row in held.read_verdicts())


def test_a_rise_at_the_last_step_changes_nothing(tmp_path, monkeypatch):
    told(monkeypatch, {**dict.fromkeys(ESTIMATES, 0.2), 30: 0.4})
    held = RunFolder(run_one(tmp_path / "run").folder)
    assert held.read_verdicts()[-1]["rise"] and "rollbacks" not in held.read_status()
    assert load(held.path).step == 27


class Killed(BaseException):
    pass


def before_the_change(monkeypatch):
    def killed(*arguments, **options):
        raise Killed

    monkeypatch.setattr(rollback, "lower_rate", killed)


def before_the_checkpoint(monkeypatch):
    def killed(*arguments):
        raise Killed

    monkeypatch.setattr(lower_rate, "save_checkpoint", killed)


def after_the_checkpoint(monkeypatch):
    save = lower_rate.save_checkpoint

    def killed(*arguments):
        save(*arguments)
        raise Killed

    monkeypatch.setattr(lower_rate, "save_checkpoint", killed)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        told(patch, AGAIN)
        return run_one(tmp_path_factory.mktemp("whole") / "run").folder


@pytest.mark.parametrize("kill", [before_the_change, before_the_checkpoint, after_the_checkpoint])
def test_a_run_killed_while_the_rate_is_lowered_is_that_of_the_run_that_was_not(kill, whole, tmp_path, monkeypatch):
    told(monkeypatch, AGAIN)
    with monkeypatch.context() as patch:
        kill(patch)
        with pytest.raises(Killed):
            run_one(tmp_path / "run")
    resume(tmp_path / "run")
    is_same(tmp_path / "run", whole)


@pytest.mark.parametrize("killed_at", [14, 16, 20])
def test_a_run_killed_before_or_after_a_rise_resumes_to_the_same(killed_at, whole, tmp_path, monkeypatch):
    told(monkeypatch, AGAIN)
    with monkeypatch.context() as patch, pytest.raises(cut_off(patch, after=killed_at)):
        run_one(tmp_path / "run")
    resume(tmp_path / "run")
    is_same(tmp_path / "run", whole)


def is_same(folder, whole):
    assert evaluations_of(folder) == evaluations_of(whole)
    assert rates(folder) == rates(whole)
    for part in ("checkpoints", "best"):
        assert same(weights_of(folder / part), weights_of(whole / part))
    first, second = (RunFolder(each).read_status() for each in (folder, whole))
    assert [first[key] for key in ("rollbacks", "step", "state", "ended_because")] == [
        second[key] for key in ("rollbacks", "step", "state", "ended_because")
    ]
