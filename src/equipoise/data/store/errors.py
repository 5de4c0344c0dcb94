"""Writes into the cache of prepared data: what the file system refuses is said with the file and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from equipoise.errors import StorageError

FOLDER_VARIABLE = "EQUIPOISE_CACHE"


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Write to `path`, below the cache's folder, and nothing else: errors of reading are no errors of the cache.

    Raises:
        StorageError: the file system refused the write.
    """
    try:
        yield
    except OSError as error:
        # numpy says 'n requested and m written', without a number, when a disk is full.
        raise StorageError(
            f"writing {path}",
            f"{error.strerror or error}.",
            "Expected room for the prepared form of the data, in a folder that can be written.",
            f"Free some room there, or name another folder with {FOLDER_VARIABLE}; what was begun is removed.",
        ) from error
