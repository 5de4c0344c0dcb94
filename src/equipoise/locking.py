"""One process at a time writes to a folder: a lock that the operating system takes back when its holder dies.

The lock is on the open file `lock` in the folder, not on its being there: after a kill -9 the file remains and nobody
holds it. Readers take no lock. Where the file system knows no locks (some network mounts), nobody is refused.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout, lock_descriptor

from equipoise.errors import RunFolderError, StorageError

FILE_NAME = "lock"
_NO_LOCKS_HERE = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
_WAIT_SECONDS = 0.001
"""Between two tries for a lock that is held for the time of one small write."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made if it is not there.

    Raises:
        RunFolderError: another process, or another call in this one, holds it.
        StorageError: the lock file cannot be written.
    """
    path = folder / FILE_NAME
    lock = FileLock(path, timeout=0, fallback_to_soft=False, on_acquired=_sign)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise RunFolderError(
            str(folder),
            f"{_holder(path)} is writing to this folder.",
            "Expected one process at a time.",
            "Wait until it has ended, or end it: it leaves a checkpoint. 'equipoise judge', 'report' and "
            "'sample' work meanwhile.",
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:
            raise StorageError.from_os_error(path, error) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def held(folder: Path, *, waits: bool = False) -> Iterator[bool]:
    """Hold the lock on a folder itself, another one than `locked`, whatever its name becomes.

    Args:
        folder: one that is there.
        waits: for whoever holds it, as one does to change a small file with nobody in between; else it is tried once.

    Yields:
        Whether it is held; not where there are no locks on folders.
    """
    handle, is_locked = None, False
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        is_locked = lock_descriptor(handle, blocking=waits, poll_interval=_WAIT_SECONDS)
    try:
        yield is_locked
    finally:
        if handle is not None:
            os.close(handle)


def is_held(folder: Path) -> bool:
    """Whether somebody holds the folder's own lock now; yes where that cannot be known.

    Raises:
        OSError: the folder is gone.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        return not lock_descriptor(handle, blocking=False)
    except OSError:
        return True
    finally:
        os.close(handle)


def _sign(handle: int) -> None:
    with contextlib.suppress(OSError):  # a full disk: the lock holds without a name
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())


def _holder(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")[:200].strip()
    except OSError:
        text = ""
    return text if text.startswith("process ") and text.isprintable() else "another process"
