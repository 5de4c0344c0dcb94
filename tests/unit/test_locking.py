"""One writer at a time: refused by name, and free again however the holder died."""

import os
import signal
import subprocess
import sys

import pytest

from equipoise.errors import RunFolderError, StorageError
from equipoise.locking import in_turn, is_locked, locked

HOLD = (
    "import sys, time, pathlib\nfrom equipoise.locking import locked\nwith locked(pathlib.Path(sys.argv[1])):\n"
    "    print('held', flush=True); time.sleep(60)"
)


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_refused_with_the_name_of_the_first(tmp_path, holder):
    with pytest.raises(RunFolderError, match=f"process {holder.pid} on .* is writing to this folder"), locked(tmp_path):
        raise AssertionError("held twice")
    assert is_locked(tmp_path)


def test_a_killed_holder_holds_nothing(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with locked(tmp_path):
        assert (tmp_path / "lock").read_text().startswith(f"process {os.getpid()} ")
    assert not is_locked(tmp_path)


def test_a_second_call_in_the_same_process_is_refused(tmp_path):
    with locked(tmp_path), pytest.raises(RunFolderError, match="one process at a time"), locked(tmp_path):
        raise AssertionError("held twice")


def test_a_lock_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "lock").mkdir()
    with pytest.raises(StorageError, match="lock"), locked(tmp_path):
        raise AssertionError("held")


def test_taking_turns_does_not_disturb_the_holder(tmp_path, holder):
    with in_turn(tmp_path):
        assert is_locked(tmp_path)
