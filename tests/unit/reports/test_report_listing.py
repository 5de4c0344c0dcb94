"""The list of runs: complete, in order, and not stopped by a folder that is broken."""

from __future__ import annotations

import json

import pytest
from synthetic_runs import STARTED, build_run

from equipoise.errors import RunFolderError
from equipoise.reports import list_runs


def test_runs_are_listed_with_state_verdict_data_and_preset(tmp_path):
    build_run(tmp_path / "deep" / "down" / "a", steps=50, status={"updated": STARTED + 10})
    build_run(tmp_path / "b", steps=50, evaluations=0, state="training", status={"updated": STARTED + 20, "step": 30})
    (tmp_path / "no run").mkdir()
    newest, older = list_runs(tmp_path, now=STARTED + 20 + 7_200)
    assert (newest.folder.name, newest.condition, newest.verdict) == ("b", "training (no sign of life for 2 h)", "")
    assert (newest.step, newest.steps, newest.state) == (30, 50, "training")
    assert older.verdict == "distinguished, JSD ≥ 0.0424"
    assert (older.data, older.preset, older.trend, older.trouble) == ("digits", "digits-small", "improving", "")


def test_a_difference_that_nothing_bounds_is_said_to_be_of_unknown_size(tmp_path):
    build_run(tmp_path / "a", steps=50)
    path = tmp_path / "a" / "verdicts.jsonl"
    *earlier, last = [json.loads(line) for line in path.read_text().splitlines()]

    def listed(**changed):
        rows = [*earlier, last | {"jsd_lower_bound_nats": 0.0} | changed]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return list_runs(tmp_path)[0].verdict

    assert listed() == "distinguished, by an unknown distance"
    assert listed(conclusion="not_distinguished") == "not distinguished"


def test_a_folder_that_is_itself_a_run_is_listed(run_folder):
    assert [run.folder for run in list_runs(run_folder)] == [run_folder]


def test_half_written_and_broken_folders_are_listed_with_what_is_known(tmp_path):
    for name in ("a", "b", "c"):
        build_run(tmp_path / name, steps=20)
    (tmp_path / "a" / "status.json").write_text('{"state": ')
    (tmp_path / "b" / "status.json").unlink()
    (tmp_path / "c" / "status.json").write_text('{"format": 99}')
    found = {run.folder.name: run for run in list_runs(tmp_path)}
    assert found["a"].state == "unknown"
    assert "status.json" in found["a"].trouble
    assert found["b"].step == 20
    assert found["c"].condition == "cannot be read"
    assert "newer" in found["c"].trouble
    json.dumps([run.to_json() for run in found.values()], allow_nan=False)


def test_a_folder_with_only_a_configuration_is_no_run_but_one_begun_is(tmp_path):
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "config.yaml").write_text("seed: 0\n")
    assert list_runs(tmp_path) == []
    (tmp_path / "only" / "checkpoints").mkdir()
    assert [run.state for run in list_runs(tmp_path)] == ["unknown"]


def test_a_root_that_is_absent_is_refused(tmp_path):
    with pytest.raises(RunFolderError, match="no such folder"):
        list_runs(tmp_path / "absent")
