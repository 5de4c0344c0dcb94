"""The list of runs, and runs side by side."""

from __future__ import annotations

import pytest

from equipoise.runfolder import create_run_folder


def make_run(path, *, seed, **status):
    """A run folder with a configuration, a status and two measured steps."""
    run = create_run_folder(path)
    run.config.write_text(f"seed: {seed}\nplay: {{steps: 500}}\n")
    run.data.write_text('{"source": "digits", "fingerprint": "abc"}')
    run.metadata.write_text('{"objective": {"name": "relativistic", "equilibrium_value": -0.693}, "preset": "images"}')
    for step in (1, 2):
        run.append(run.metrics, {"step": step, "value": -0.7, "value_standard_error": 0.01})
    run.write_status(format=1, **status)
    return run


@pytest.fixture
def shelf(tmp_path):
    """Two runs, one inside another folder, beside things that are no runs."""
    first = make_run(tmp_path / "digits-1", seed=0, state="finished", step=500, steps=500, trend="plateaued")
    verdict = {"conclusion": "distinguished", "jsd_lower_bound_nats": 0.1234, "step": 500, "part": "final"}
    first.append(first.verdicts, verdict)
    make_run(tmp_path / "sweep" / "seed-3", seed=3, state="stopped", step=20, steps=100)
    (tmp_path / "notes.txt").write_text("no run")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_runs_are_listed_with_state_step_and_verdict(equipoise, shelf):
    header, *lines = equipoise("runs", shelf).out.splitlines()
    assert header.split() == ["run", "state", "step", "data", "preset", "verdict"]
    by_name = {line.split()[0]: line for line in lines}
    assert set(by_name) == {str(shelf / "digits-1"), str(shelf / "sweep" / "seed-3")}
    first = by_name[str(shelf / "digits-1")]
    assert "finished, plateaued" in first and "500/500" in first and "digits" in first
    assert "0.123" in first
    assert by_name[str(shelf / "sweep" / "seed-3")].rstrip().endswith("-")


def test_runs_as_json_is_one_object(equipoise, shelf):
    listed = equipoise("runs", shelf, "--json").json
    assert {run["state"] for run in listed["runs"]} == {"finished", "stopped"}
    assert {run["conclusion"] for run in listed["runs"]} == {"distinguished", ""}


def test_a_run_with_a_broken_status_does_not_hide_the_others(equipoise, shelf):
    (shelf / "digits-1" / "status.json").write_text("{")
    outcome = equipoise("runs", shelf)
    assert outcome.code == 0
    assert "digits-1" in outcome.out and "seed-3" in outcome.out


def test_a_folder_without_runs_is_no_error(equipoise, tmp_path):
    outcome = equipoise("runs", tmp_path)
    assert (outcome.code, outcome.out) == (0, "")
    assert "no run folder below" in outcome.err


def test_a_missing_folder_is_bad_input(equipoise, tmp_path):
    outcome = equipoise("runs", tmp_path / "nowhere")
    assert outcome.code == 2
    assert "no such folder" in outcome.err


def test_compare_shows_seeds_of_one_configuration_as_one_group(equipoise, shelf):
    found = equipoise("compare", shelf / "digits-1", shelf / "sweep" / "seed-3", "--json").json
    assert found["differing"] == []
    assert [len(group["runs"]) for group in found["groups"]] == [2]
    assert found["page"] is None


def test_compare_writes_a_page_of_its_own(equipoise, shelf):
    page = shelf / "comparison.html"
    outcome = equipoise("compare", shelf / "digits-1", shelf / "sweep" / "seed-3", "-o", page)
    assert outcome.code == 0, outcome.err
    assert page.read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html>")
    assert str(page) in outcome.out


def test_a_comparison_is_written_as_html_only(equipoise, shelf):
    outcome = equipoise("compare", shelf / "digits-1", "-o", shelf / "comparison.pdf")
    assert outcome.code == 2
    assert "comparison.html" in outcome.err


def test_comparing_what_is_no_run_is_bad_input(equipoise, shelf):
    outcome = equipoise("compare", shelf / "digits-1", shelf / "empty")
    assert outcome.code == 2
    assert "empty" in outcome.err and "Traceback" not in outcome.err


def test_the_report_of_a_run_is_written_again(equipoise, shelf):
    outcome = equipoise("report", shelf / "digits-1")
    assert outcome.code == 0, outcome.err
    assert outcome.out.strip() == str(shelf / "digits-1" / "report.html")
    assert (shelf / "digits-1" / "report.html").is_file()


def test_the_report_of_no_run_is_bad_input(equipoise, shelf):
    assert equipoise("report", shelf / "empty").code == 2
