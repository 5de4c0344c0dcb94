"""Arrays that stay in their file: rows are copied out of a memory map when they are asked for.

The kernel keeps pages of the file in memory while there is room and drops them when there is none. Pages that a process
has touched count as its resident memory until then; so that this number stays small, too, all of them are handed back
when they may be `RELEASE_BYTES` together. They stay in the kernel's own cache, from which they come again at the price
of a page fault.
"""

from __future__ import annotations

import mmap
import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.data.store.errors import storing

RELEASE_BYTES = 512_000_000
WRITE_BYTES = 128_000_000
"""What a writer keeps before it goes to the disk."""
SCATTERED_ROWS = 64
"""Rows that are read from a large file before its pages are handed back: a page that is touched brings its neighbours,
which on Linux can be 2 MiB, so that these rows take 128 MB at most."""
CHUNK_BYTES = 1 << 24


class OnDiskArray:
    """An `.npy` file as an array of rows; every index gives a copy in memory.

    Attributes:
        shape, dtype, ndim, nbytes, size: as those of an array.
        key: name of the cache's entry that holds it.
    """

    def __init__(self, path: Path | str, *, key: str = "") -> None:
        self.key = key
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        self._array = array
        self._map = array.base if isinstance(array.base, mmap.mmap) else None
        self._row_bytes = array[:1].nbytes
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim
        self.nbytes, self.size = array.nbytes, array.size

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        if isinstance(index, np.ndarray) and index.ndim == 1 and index.dtype.kind in "iu" and len(index):
            reach = (int(index.max()) - int(index.min()) + 1) * self._row_bytes
            if min(reach, self.nbytes) > RELEASE_BYTES:
                return self._scattered(index)
            rows = self._array[index]
        else:
            rows = np.array(self._array[index])
            reach = rows.nbytes
        _touched[self] = min(self.nbytes, _touched.get(self, 0) + reach)
        if sum(_touched.values()) > RELEASE_BYTES:
            for array in list(_touched):
                array.release()
        return rows

    def _scattered(self, index: np.ndarray) -> np.ndarray:
        """Rows from all over the file, a few at a time: each may bring a large page with it."""
        rows = np.empty((len(index), *self.shape[1:]), dtype=self.dtype)
        for start in range(0, len(index), SCATTERED_ROWS):
            part = slice(start, start + SCATTERED_ROWS)
            rows[part] = self._array[index[part]]
            self.release()
        return rows

    def __iter__(self) -> Iterator[np.ndarray]:
        for _, part in self.chunks():
            yield from part

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        del copy
        return self[:] if dtype is None else self[:].astype(dtype)

    def chunks(self, rows: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """Neighbouring rows in memory, each part with the number of its first row."""
        return chunks_of(self, rows)

    def release(self) -> None:
        """Hand the touched pages back; they are read again when they are needed."""
        _touched.pop(self, None)
        if self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


_touched: weakref.WeakKeyDictionary[OnDiskArray, int] = weakref.WeakKeyDictionary()
"""Bytes of each array that may be in this process's memory."""


class StackedColumns:
    """Columns of numbers as the points that they are the coordinates of; every index gives float64 in memory."""

    def __init__(self, columns: list[OnDiskArray], *, key: str = "") -> None:
        self._columns, self.key = columns, key
        self.shape, self.dtype, self.ndim = (len(columns[0]), len(columns)), np.dtype(np.float64), 2
        self.size = self.shape[0] * self.shape[1]
        self.nbytes = 8 * self.size

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.stack([np.asarray(column[index], dtype=np.float64) for column in self._columns], axis=-1)

    def __iter__(self) -> Iterator[np.ndarray]:
        for _, part in self.chunks():
            yield from part

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        del copy
        return self[:] if dtype is None else self[:].astype(dtype)

    def chunks(self, rows: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """As those of a `OnDiskArray`."""
        return chunks_of(self, rows)


def is_on_disk(values: Any) -> bool:
    """Whether values stay in their file."""
    return isinstance(values, (OnDiskArray, StackedColumns))


def chunks_of(values: Any, rows: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """Parts of about 16 MB, or of `rows` rows, each with the number of its first row."""
    step = rows or max(1, CHUNK_BYTES * len(values) // max(1, values.nbytes))
    for start in range(0, len(values), step):
        yield start, values[start : start + step]


def save_array(path: Path, array: np.ndarray) -> None:
    """Write a small array into the cache.

    Raises:
        StorageError: the file system refused the write.
    """
    with storing(path):
        np.save(path, array, allow_pickle=False)


class OnDiskWriter:
    """An `.npy` file of known shape, written part by part; what was written does not stay in this process."""

    def __init__(self, path: Path, *, shape: tuple[int, ...], dtype: Any) -> None:
        self._path, self._written = path, 0
        with storing(path):
            self.array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
            if hasattr(os, "posix_fallocate"):  # a full disk is then an error here, not a signal at the first write
                with open(path, "rb+") as stream:
                    os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)

    def put(self, start: int, rows: np.ndarray) -> None:
        """Rows from `start` on."""
        self.array[start : start + len(rows)] = rows
        self.wrote(rows.nbytes)

    def wrote(self, count: int) -> None:
        """Say that so many bytes were put into `array`."""
        self._written += count
        if self._written > WRITE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write to the disk what is not there yet, and hand the pages back."""
        self._written = 0
        with storing(self._path):
            self.array.flush()
        base = self.array.base
        if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            base.madvise(mmap.MADV_DONTNEED)

    def __enter__(self) -> OnDiskWriter:
        return self

    def __exit__(self, *details: object) -> None:
        if details[0] is None:
            self.flush()
