"""The soak of `benchmarks/soak.py`: what it calls growth, and a short one of a real run."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TOLERANCE = 0.1
"""Growth of a median within 21 seconds of training that is put down to the heap still settling: 6 % were seen at most,
and over an hour, of which the benchmark allows 1 %, none. It is 40 MB: a run that kept the batches of its 1,000 steps
between the two fifths, or what its looks fitted, would be found."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory and handles are read from /proc")


@pytest.fixture
def soak(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("soak", BENCHMARKS / "soak.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def readings(soak, *, anonymous, total=lambda second: 900, handles=lambda second: 5):
    return [soak.Reading(float(s), total(s), anonymous(s), handles(s)) for s in range(101)]


def test_own_memory_that_grows_is_found_though_the_total_falls(soak):
    leak = readings(soak, anonymous=lambda second: 500 + second, total=lambda second: 900 - second)
    found = soak.growth(leak, 0.0, 100.0)
    assert found["value"] == found["anonymous_growth"] == pytest.approx(590 / 520 - 1)
    assert found["total_growth"] < 0 and not found["is_reached"]


def test_warm_up_and_a_single_look_are_no_growth(soak):
    warm = readings(soak, anonymous=lambda second: 700 if second == 90 else 200 + 30 * min(second, 10))
    found = soak.growth(warm, 0.0, 100.0)
    assert found["is_reached"] and found["value"] == 0 and found["anonymous_highest_growth"] == pytest.approx(0.4)


def test_a_handle_that_stays_open_is_found(soak):
    assert not soak.growth(
        readings(soak, anonymous=lambda second: 500, handles=lambda second: 5 + (second > 50)), 0.0, 100.0
    )["is_reached"]


@pytest.mark.slow
def test_a_short_run_with_looks_keeps_its_memory_and_its_handles(tmp_path):
    outcome = subprocess.run(
        [
            sys.executable,
            str(BENCHMARKS / "soak.py"),
            "--minutes",
            "0.35",
            "--every",
            "0.2",
            "--mark",
            str(TOLERANCE),
            "--set",
            "evaluations.count=10",
            "evaluations.samples=200",
            "evaluations.classifiers=quick",
            "--rows",
            str(tmp_path / "rows.jsonl"),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    row = json.loads((tmp_path / "rows.jsonl").read_text())
    assert row["is_reached"] and row["play_seconds"] >= 21 and row["evaluations"] >= 2
    assert row["handles_growth"] == 0 and row["anonymous_growth"] <= TOLERANCE
