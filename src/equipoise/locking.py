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
from typing import IO

from equipoise.errors import RunFolderError, StorageError

FILE_NAME = "lock"
_HELD_BY_ANOTHER = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made if it is not there.

    Raises:
        RunFolderError: another process, or another call in this one, holds it.
        StorageError: the lock file cannot be written.
    """
    path = folder / FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Unbuffered, and not cut to nothing: the holder's name is in it.
        stream = open(path, "r+b" if path.exists() else "w+b", buffering=0)
    except OSError as error:
        raise StorageError.from_os_error(path, error) from error
    with stream:
        try:
            _take(stream)
        except OSError as error:
            if error.errno in _HELD_BY_ANOTHER:
                raise RunFolderError(
                    str(folder),
                    f"{_holder(stream)} is writing to this folder.",
                    "Expected one process at a time.",
                    "Wait until it has ended, or end it: it leaves a checkpoint. 'equipoise judge', 'report' and "
                    "'sample' work meanwhile.",
                ) from error
        _sign(stream)
        yield


def is_locked(folder: Path) -> bool:
    """Whether somebody holds the lock of a folder now."""
    if not (folder / FILE_NAME).is_file():
        return False
    try:
        with locked(folder):
            return False
    except RunFolderError:
        return True


@contextlib.contextmanager
def in_turn(folder: Path) -> Iterator[None]:
    """Change a small file of a folder with nobody in between: reading it, changing it and writing it back.

    Waits for the others, who hold this for as long as they take for such a change. It is another lock than `locked`,
    on the folder itself; without it, where there is none to be had, the last one who writes wins.
    """
    handle = None
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


@contextlib.contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Hold the lock on a folder itself, whatever its name becomes; says whether there is such a lock here.

    For a folder that nobody else knows yet: `is_held` tells others later whether its maker is alive.
    """
    handle, is_locked = None, False
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_locked = True
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
    try:
        import fcntl
    except ImportError:
        return True
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _take(stream: IO[bytes]) -> None:
    """Lock the file, or raise an `OSError` that says it is held."""
    try:
        import fcntl
    except ImportError:
        import msvcrt

        # One byte far behind the holder's name: Windows keeps others from reading what is locked.
        stream.seek(1 << 20)
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        return
    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sign(stream: IO[bytes]) -> None:
    with contextlib.suppress(OSError):  # a full disk: the lock holds without a name
        stream.seek(0)
        stream.truncate()
        stream.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())


def _holder(stream: IO[bytes]) -> str:
    try:
        stream.seek(0)
        text = stream.read(200).decode(errors="replace").strip()
    except OSError:
        text = ""
    return text if text.startswith("process ") and text.isprintable() else "another process"
