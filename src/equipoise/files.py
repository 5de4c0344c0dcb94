"""Files that are whole or absent: each is written beside its place and then renamed into it."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.errors import StorageError

TEMPORARY_NAME = re.compile(r"\..+-[a-z0-9_]{8}(\.\w+)?")
"""What `tempfile` makes of the prefix and suffix that `replacing` gives it."""


@contextmanager
def replacing(path: Path | str, *, is_folder: bool = False) -> Iterator[Path]:
    """Give a temporary path in the same folder; on success rename it to `path`, on failure delete it.

    The rename is atomic within one file system, and the data reach the disk before it: a reader sees
    the old file or the new one, never a part. The temporary name keeps the suffix of `path`, because
    some writers choose their format by it.

    Args:
        path: of a file.
        is_folder: whether it is of a folder, which must not be there yet; the temporary one is made.

    Raises:
        StorageError: the file system refused the write.
    """
    target, temporary = Path(path), None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if is_folder:
            temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
        else:
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}-", suffix=target.suffix)
            temporary = Path(name)
            os.close(handle)
        yield temporary
        if not is_folder:
            _flush(temporary)
        temporary.chmod((0o777 if is_folder else 0o666) & ~_umask())
        temporary.replace(target)
        _flush_folder(target.parent)
    except OSError as error:
        raise StorageError.from_os_error(target, error) from error
    finally:
        if temporary is not None and temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        elif temporary is not None:
            temporary.unlink(missing_ok=True)


def remove_temporaries(folder: Path) -> None:
    """Remove from a folder what writers left that were killed before they could rename it. Folders in it stay."""
    for path in folder.glob(".*-????????*"):
        if TEMPORARY_NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink():
            remove(path)


def remove(path: Path) -> None:
    """Delete a file, which may be gone already.

    Raises:
        StorageError: the file system refused.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError.from_os_error(path, error) from error


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write `content` to `path`, atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path | str, content: str) -> None:
    """Write `content` to `path` as UTF-8, atomically."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path | str, content: Any) -> None:
    """Write `content` as indented JSON, atomically. NaN and infinities become null, as JSON has neither."""
    write_text(path, json.dumps(plain(content), indent=2, allow_nan=False) + "\n")


def plain(value: Any) -> Any:
    """The same value in types that JSON knows; numpy numbers become Python's, non-finite numbers become None."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (np.bool_, bool)):
        return bool(value)
    if isinstance(value, (np.integer, int)):
        return int(value)
    if isinstance(value, (np.floating, float)):
        return float(value) if np.isfinite(value) else None
    if value is None or isinstance(value, str):
        return value
    return str(value)


def _flush(path: Path) -> None:
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())


def _flush_folder(folder: Path) -> None:
    """Let a rename reach the disk. Where a system flushes no folders (Windows, some network mounts), it does so later:
    the file itself is whole already."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
