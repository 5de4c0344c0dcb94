"""The list of runs."""

from __future__ import annotations

import pytest

from equipoise.cli.runs import verdict_text
from equipoise.runfolder import create_run_folder


@pytest.fixture
def shelf(tmp_path):
    """Two runs, one inside another folder, beside things that are no runs."""
    first = create_run_folder(tmp_path / "digits-1")
    first.config.write_text("seed: 0\n")
    first.data.write_text('{"source": "digits"}')
    first.facts.write_text('{"objective": {"name": "relativistic"}}')
    verdict = {"conclusion": "distinguished", "jsd_lower_bound_nats": 0.1234, "step": 500, "part": "selection"}
    first.write_status(format=1, state="finished", step=500, steps=500, trend="plateaued", last_verdict=verdict)
    second = create_run_folder(tmp_path / "sweep" / "seed-3")
    second.config.write_text("seed: 3\n")
    second.write_status(format=1, state="training", step=20, steps=100)
    (tmp_path / "notes.txt").write_text("no run")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_runs_are_listed_with_state_step_and_verdict(equipoise, shelf):
    lines = equipoise("runs", shelf).out.splitlines()
    assert lines[0].split() == ["run", "state", "trend", "step", "data", "objective", "verdict"]
    assert len(lines) == 3
    assert lines[1].split()[:6] == [
        str(shelf / "digits-1"), "finished", "plateaued", "500/500", "digits", "relativistic",
    ]  # fmt: skip
    assert lines[1].endswith("distinguished, JSD >= 0.123 nats (step 500, selection part)")
    assert lines[2].split()[:4] == [str(shelf / "sweep" / "seed-3"), "training", "-", "20/100"]


def test_runs_as_json_is_one_object(equipoise, shelf):
    listed = equipoise("runs", shelf, "--json").json
    assert [run["state"] for run in listed["runs"]] == ["finished", "training"]
    assert listed["runs"][0]["verdict"]["conclusion"] == "distinguished"


def test_a_run_with_a_broken_status_is_listed_as_unreadable(equipoise, shelf):
    (shelf / "digits-1" / "status.json").write_text("{")
    outcome = equipoise("runs", shelf)
    assert outcome.code == 0
    assert "unreadable" in outcome.out


def test_a_folder_without_runs_is_no_error(equipoise, tmp_path):
    outcome = equipoise("runs", tmp_path)
    assert (outcome.code, outcome.out) == (0, "")
    assert "no run folder below" in outcome.err


def test_a_missing_folder_is_bad_input(equipoise, tmp_path):
    outcome = equipoise("runs", tmp_path / "nowhere")
    assert outcome.code == 2
    assert "no such folder" in outcome.err


def test_a_bound_below_zero_is_told_as_zero():
    assert verdict_text({"conclusion": "not_distinguished", "jsd_lower_bound_nats": -0.01}) == (
        "not distinguished, JSD >= 0 nats"
    )
