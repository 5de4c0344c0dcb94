"""One writer at a time: refused by name, and free again however the holder died."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from equipoise.errors import RunFolderError, StorageError
from equipoise.locking import held, is_held, locked

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


def test_a_killed_holder_holds_nothing(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with locked(tmp_path):
        assert (tmp_path / "lock").read_text().startswith(f"process {os.getpid()} ")


def test_a_second_call_in_the_same_process_is_refused(tmp_path):
    with locked(tmp_path), pytest.raises(RunFolderError, match="one process at a time"), locked(tmp_path):
        raise AssertionError("held twice")


def test_a_lock_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "lock").mkdir()
    with pytest.raises(StorageError, match="lock"), locked(tmp_path):
        raise AssertionError("held")


def test_where_the_file_system_knows_no_locks_nobody_is_refused(tmp_path, monkeypatch):
    def unknown(*arguments):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("fcntl.flock", unknown)
    with locked(tmp_path), locked(tmp_path), held(tmp_path) as is_locked:
        assert not is_locked and is_held(tmp_path)


def test_the_lock_on_a_folder_itself_is_another_one_and_follows_its_name(tmp_path, holder):
    folder = tmp_path / "new"
    folder.mkdir()
    with held(tmp_path, waits=True) as is_locked, held(folder):
        assert is_locked and is_held(tmp_path)
        assert is_held(folder.rename(tmp_path / "renamed"))
    assert not is_held(tmp_path)


def test_who_waits_for_a_folder_gets_it_when_it_is_free(tmp_path):
    order = []

    def second():
        with held(tmp_path, waits=True):
            order.append("second")

    thread = threading.Thread(target=second)
    with held(tmp_path, waits=True):
        thread.start()
        time.sleep(0.05)
        order.append("first")
    thread.join(timeout=10)
    assert order == ["first", "second"]
