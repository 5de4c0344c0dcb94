"""A disk that fills up during a run: a message, whole files, and a run that continues once there is room."""

import os
import subprocess
import sys

import pytest

from equipoise.training.checkpoints import checkpoint_files

TRAIN = [
    sys.executable,
    "-m",
    "equipoise",
    "train",
    "ring8",
    "--steps",
    "200",
    "--quiet",
    "--set",
    "outputs.final_verdict=false",
    "--set",
    "data.points=500",
]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1.5 MB; making one takes the right to mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", str(folder)]
    if os.name != "posix" or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


@pytest.mark.slow
def test_a_run_on_a_disk_that_fills_up_says_so_and_continues_when_there_is_room(small_disk):
    run = small_disk / "run"
    outcome = subprocess.run([*TRAIN, "--outdir", str(run)], capture_output=True, text=True, check=False)
    assert outcome.returncode == 1
    assert "No space left on device" in outcome.stderr and "Free some space" in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not [path for path in run.rglob(".*") if path.is_file()]  # nothing half-written is left
    assert checkpoint_files(run / "checkpoints")
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    resume = [sys.executable, "-m", "equipoise", "resume", str(run), "--quiet"]
    continued = subprocess.run(resume, capture_output=True, text=True, check=False)
    assert continued.returncode == 0, continued.stderr
    assert "step 200" in continued.stdout
