"""Real runs, killed and damaged as by `benchmarks/faults.py`, only less often; and what that calls lost."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
KILLED, BORN = "kill -9 at a write", "kill -9 before the first step"
FLIPPED, FULL = "checkpoint with a flipped byte", "disk full"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="folders are watched by inotify, small disks are tmpfs")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Trials by fault, and what the benchmark said; all in one process, which imports once and computes one run."""
    trials = tmp_path_factory.mktemp("faults") / "trials.jsonl"
    words = ["--only", KILLED, BORN, FLIPPED, FULL, "--games", "points", "--kills", "3", "--repeats", "1"]
    outcome = subprocess.run(
        [sys.executable, str(BENCHMARKS / "faults.py"), *words, "--trials", str(trials)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    rows = [json.loads(line) for line in trials.read_text().splitlines()] if trials.exists() else []
    return rows, outcome.stdout + outcome.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "least"), [(KILLED, 3), (BORN, 3), (FLIPPED, 40), (FULL, 1)])
def test_a_run_that_was_disturbed_ends_bit_for_bit_like_one_that_was_not(fault, least, made):
    rows, said = made
    found = [row for row in rows if row["fault"] == fault]
    if fault == FULL and "no small file system can be mounted here" in said:
        pytest.skip("this user may not mount a small file system")
    assert sum(row["injected"] for row in found) >= least, said
    assert [row["survived"] for row in found] == [row["injected"] for row in found], found


@pytest.fixture
def faults(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("faults", BENCHMARKS / "faults.py")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up while they are made.
    monkeypatch.setitem(sys.modules, "faults", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def bench(faults, tmp_path, monkeypatch):
    monkeypatch.setattr(faults.Bench, "undisturbed", lambda bench, game: None)
    return faults.Bench(tmp_path, tmp_path / "a_trials.jsonl", games=["points"], minutes=1)


def test_a_trial_that_fails_is_lost_and_leaves_its_folder_to_nobody(faults, bench):
    def fails():
        bench.run.mkdir()
        raise AssertionError("the run ended before it was killed")

    bench.attempt("disk full", 0, "points", fails)
    (row,) = bench.done.values()
    assert (row["injected"], row["survived"]) == (1, 0) and "ended before" in row["wrong"][0]
    assert not bench.run.exists()
    assert not faults.summarise(bench.trials, ["disk full"], {})
    assert json.loads(bench.trials.with_name("a.jsonl").read_text())["lost"] == 1


def test_a_fault_that_could_not_be_made_is_no_trial_and_fails_the_summary(faults, bench, capsys):
    def skips():
        raise faults.Skipped("no room")

    bench.attempt("SIGINT", 0, "points", lambda: {"injected": 1, "survived": 1})
    bench.attempt("disk full", 0, "points", skips)
    assert list(bench.done) == [("SIGINT", 0)]
    assert faults.summarise(bench.trials, ["SIGINT"], bench.skipped)
    assert not faults.summarise(bench.trials, ["SIGINT", "disk full"], bench.skipped)
    assert "never made: no room" in capsys.readouterr().out


def test_a_row_names_the_commits_of_its_trials(faults, bench, monkeypatch):
    for trial, commit in enumerate(["aaa", "bbb"]):
        where = faults.where_measured() | {"commit": commit}
        monkeypatch.setattr(faults, "where_measured", lambda where=where: where)
        bench.attempt("SIGINT", trial, "points", lambda: {"injected": 1, "survived": 1})
    faults.summarise(bench.trials, ["SIGINT"], {})
    assert json.loads(bench.trials.with_name("a.jsonl").read_text())["commit"] == ["aaa", "bbb"]


def test_times_are_not_compared_and_everything_else_is(faults):
    first = {"rows": [{"step": 1, "value": 0.5, "seconds": 1.0}], "status": {"trend": "improving", "updated": 3.0}}
    second = {"rows": [{"step": 1, "value": 0.6, "seconds": 2.0}], "status": {"trend": "improving", "updated": 4.0}}
    contents = [faults.disturbed.timeless(entry) for entry in (first, second)]
    assert faults.disturbed.differences(*contents) == ["/rows/0/value: 0.5 in place of 0.6"]
