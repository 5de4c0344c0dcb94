"""Evaluations after training was steered by one describe only, and say so; whenever the run is stopped and resumed."""

import pytest
from test_evaluations_resume import EVALUATIONS, cut_off, evaluations_of, started

from equipoise.experiment.resume import resume
from equipoise.referee import EvaluationPlan
from equipoise.reports.evidence import evaluation_facts
from equipoise.reports.reading import read_run
from equipoise.runfolder import RunFolder
from equipoise.training import interim_evaluation
from equipoise.training.interim_evaluation import brief, evidence_of
from equipoise.training.steering import steered_since
from equipoise.training.trend import trend_of

pytestmark = pytest.mark.usefixtures("undrawn")
ROLLBACK = ("recovery.on_collapse=rollback", "recovery.rollbacks=1")


@pytest.fixture(autouse=True)
def short_report(monkeypatch):
    """A page without figures, which take most of the time of so short a run."""
    monkeypatch.setattr("equipoise.reports.write_report", lambda folder: (folder / "report.html").touch())
    monkeypatch.setattr("equipoise.data.points.domain.save_figure", lambda picture, path: path.touch())


@pytest.fixture
def collapsing(monkeypatch):
    """The second of four evaluations is called collapsed, unless training was put back before it."""

    def trend(rows):
        is_steered = any(row.get("is_descriptive") for row in rows)
        return "collapsed" if len(rows) == 2 and not is_steered else trend_of(rows[-1:])

    monkeypatch.setattr(interim_evaluation, "trend_of", trend)


def test_only_a_rollback_that_an_evaluation_asked_for_steers_training_and_all_after_it_is_steered():
    def put_back(reason, to_step):
        return {"reason": reason, "to_step": to_step}

    assert steered_since([]) is None
    assert steered_since([put_back("not finite", 40)]) is None
    assert steered_since([put_back("not finite", 10), put_back("collapse", 40)]) == 40
    assert steered_since([put_back("collapse", 40), put_back("not finite", 30)]) == 30
    assert steered_since([put_back("collapse", 40), put_back("collapse", 60)]) == 40


def test_after_a_rollback_for_an_evaluation_the_later_ones_are_descriptive_in_rows_status_and_report(
    tmp_path, collapsing
):
    folder = tmp_path / "run"
    started(folder, *EVALUATIONS, *ROLLBACK)
    run = RunFolder(folder)
    rows, (record,) = run.read_verdicts(), run.read_status()["rollbacks"]
    assert record["to_step"] == 6 and [row["step"] for row in rows] == [6, 12, 18, 24]
    assert [row["is_descriptive"] for row in rows] == [False, True, True, True]
    assert [row["descriptive_since"] for row in rows] == [None, 6, 6, 6]
    assert [row["log_e_needed"] is None for row in rows] == [False, True, True, True]
    assert list(evidence_of(rows)) == [6]
    for row in rows[1:]:
        assert "This evaluation is descriptive: after step 6" in row["findings"][0]["statement"]
        assert "(descriptive)" in brief(row)
    assert run.read_status()["last_verdict"]["is_descriptive"] is True
    assert dict(evaluation_facts(read_run(folder)))["descriptive"].startswith("those after step 6")


@pytest.mark.parametrize("killed_at", [14, 20])
def test_a_killed_run_that_was_steered_resumes_to_the_same_descriptive_evaluations(
    killed_at, tmp_path, collapsing, monkeypatch
):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    started(whole, *EVALUATIONS, *ROLLBACK)
    with monkeypatch.context() as patch, pytest.raises(cut_off(patch, after=killed_at)):
        started(cut, *EVALUATIONS, *ROLLBACK)
    resume(cut)
    assert evaluations_of(cut) == evaluations_of(whole)


def test_what_an_evaluation_needs_is_read_from_the_stored_ones_also_of_a_run_made_longer(tmp_path):
    started(tmp_path / "run", *EVALUATIONS)
    resume(tmp_path / "run", steps=40)
    run = RunFolder(tmp_path / "run")
    rows = run.read_verdicts()
    plan = EvaluationPlan.from_json(run.read_json(run.evaluations)["plan"]).extended_to(40)
    for place, row in enumerate(rows):
        earlier = {each["step"]: each["log_e_value"] for each in rows[:place]}
        assert row["log_e_needed"] == plan.log_e_needed(row["step"], earlier)
        assert (row["conclusion"] == "distinguished") == (row["log_e_value"] >= row["log_e_needed"])
