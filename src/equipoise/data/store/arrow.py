"""Arrow IPC files whose rows are read through a memory map: copied out when they are asked for.

The kernel keeps pages of a file in memory while there is room and drops them when there is none. Pages that a process
has touched count as its resident memory until then; so that this number stays small, too, all of them are handed back
when they may be `RELEASE_BYTES` together. They stay in the kernel's own cache, from which they come again at the price
of a page fault.
"""

from __future__ import annotations

import io
import json
import math
import mmap
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.errors import StorageError

FOLDER_VARIABLE = "EQUIPOISE_CACHE"
RELEASE_BYTES = 512_000_000
WRITE_BYTES = 128_000_000
"""What a writer keeps before it goes to the disk."""
SCATTERED_ROWS = 64
"""Rows that are read from a large file before its pages are handed back: a page that is touched brings its neighbours,
which on Linux can be 2 MiB, so that these rows take 128 MB at most."""
CHUNK_BYTES = 1 << 24
LARGEST_HEAD = 1 << 16
"""Longest write of an Arrow file that is not the numbers of an array themselves."""


class Mapped:
    """A file in a memory map, whose touched pages are counted and handed back."""

    def __init__(self, pages: mmap.mmap | None, size: int) -> None:
        self._pages, self._size = pages, size

    def touched(self, reach: int) -> None:
        """Say that a stretch of so many bytes was read."""
        _touched[self] = min(self._size, _touched.get(self, 0) + reach)
        if sum(_touched.values()) > RELEASE_BYTES:
            for file in list(_touched):
                file.release()

    def release(self) -> None:
        """Hand the touched pages back; they are read again when they are needed."""
        _touched.pop(self, None)
        if self._pages is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._pages.madvise(mmap.MADV_DONTNEED)


_touched: weakref.WeakKeyDictionary[Mapped, int] = weakref.WeakKeyDictionary()
"""Bytes of each file that may be in this process's memory."""


class OnDiskRows:
    """What arrays on disk have in common."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        del copy
        return self[:] if dtype is None else self[:].astype(dtype)

    def __len__(self) -> int:
        return self.shape[0]


class OnDiskArray(OnDiskRows, Mapped):
    """An array of rows in a file; every index gives a copy in memory.

    Attributes:
        shape, dtype, ndim, nbytes, size: as those of an array.
        key: name of the cache's entry that holds it.
    """

    def __init__(self, array: np.ndarray, pages: mmap.mmap | None, *, key: str = "") -> None:
        super().__init__(pages, array.nbytes)
        self._array, self.key = array, key
        self._row_bytes = array.nbytes // max(1, len(array)) if array.ndim else 0
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim
        self.nbytes, self.size = array.nbytes, array.size

    @classmethod
    def of_arrow(cls, path: Path, *, key: str = "") -> OnDiskArray:
        """The array of a file that an `ArrowWriter` wrote."""
        return cls(*_mapped_array(path, access=mmap.ACCESS_READ), key=key)

    @classmethod
    def of_npy(cls, path: Path) -> OnDiskArray:
        """The array of an `.npy` file."""
        # The format itself and not np.load, which would read whatever else the file turns out to be.
        array = np.lib.format.open_memmap(path, mode="r")
        return cls(array, array.base if isinstance(array.base, mmap.mmap) else None)

    def __getitem__(self, index: Any) -> np.ndarray:
        if isinstance(index, np.ndarray) and index.ndim == 1 and index.dtype.kind in "iu" and len(index):
            reach = (int(index.max()) - int(index.min()) + 1) * self._row_bytes
            if min(reach, self.nbytes) > RELEASE_BYTES:
                return self._scattered(index)
            rows = self._array[index]
        else:
            rows = np.array(self._array[index])
            reach = rows.nbytes
        self.touched(reach)
        return rows

    def _scattered(self, index: np.ndarray) -> np.ndarray:
        """Rows from all over the file, a few at a time: each may bring a large page with it."""
        rows = np.empty((len(index), *self.shape[1:]), dtype=self.dtype)
        for start in range(0, len(index), SCATTERED_ROWS):
            part = slice(start, start + SCATTERED_ROWS)
            rows[part] = self._array[index[part]]
            self.release()
        return rows


class StackedColumns(OnDiskRows):
    """Columns of numbers as the points that they are the coordinates of; every index gives float64 in memory."""

    def __init__(self, columns: list[Any], *, key: str) -> None:
        self.columns, self.key = columns, key
        self.shape, self.dtype, self.ndim = (len(columns[0]), len(columns)), np.dtype(np.float64), 2
        self.size = self.shape[0] * self.shape[1]
        self.nbytes = 8 * self.size

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.stack([column.series(index).to_numpy(dtype=np.float64) for column in self.columns], axis=-1)


def is_on_disk(values: Any) -> bool:
    """Whether values stay in their file; they then have the `key` of the cache's entry that holds them."""
    return hasattr(values, "key")


def chunks_of(values: Any, rows: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """Parts of about 16 MB, or of `rows` rows, each with the number of its first row."""
    step = rows or max(1, CHUNK_BYTES * len(values) // max(1, values.nbytes))
    for start in range(0, len(values), step):
        yield start, values[start : start + step]


class Writer:
    """An array in memory that is filled part by part.

    Attributes:
        array: the whole of it.
    """

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def put(self, start: int, rows: np.ndarray) -> None:
        """Rows from `start` on."""
        self.array[start : start + len(rows)] = rows
        self.wrote(rows.nbytes)

    def wrote(self, count: int) -> None:
        """Say that so many bytes were put into `array`."""

    def flush(self) -> None:
        """See to it that everything is where it belongs."""


class ArrowWriter(Writer):
    """An Arrow file of one record batch, laid out first and then filled; its pages do not stay in this process.

    Raises:
        StorageError: the file system refused, or there is no room: that is an error here, not a signal at the first
            write.
    """

    def __init__(self, path: Path, *, shape: tuple[int, ...], dtype: Any) -> None:
        self._path, self._written = path, 0
        with storing(path):
            _lay_out(path, shape, np.dtype(dtype))
            array, self._pages = _mapped_array(path, access=mmap.ACCESS_WRITE)
        super().__init__(array)

    def wrote(self, count: int) -> None:
        self._written += count
        if self._written > WRITE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write to the disk what is not there yet, and hand the pages back."""
        self._written = 0
        with storing(self._path):
            self._pages.flush()
        if hasattr(mmap, "MADV_DONTNEED"):
            self._pages.madvise(mmap.MADV_DONTNEED)


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Write to `path`, below the cache's folder, and nothing else: errors of reading are no errors of the cache.

    Raises:
        StorageError: the file system refused the write.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"writing {path}",
            f"{error.strerror or error}.",
            "Expected room for the prepared form of the data, in a folder that can be written.",
            f"Free some room there, or name another folder with {FOLDER_VARIABLE}; what was begun is removed.",
        ) from error


def open_batch(path: Path, access: int = mmap.ACCESS_READ) -> tuple[Any, mmap.mmap]:
    """The one record batch of an Arrow file, in a memory map that it stays in."""
    import pyarrow as pa

    with open(path, "rb" if access == mmap.ACCESS_READ else "r+b") as stream:
        pages = mmap.mmap(stream.fileno(), 0, access=access)
    return pa.ipc.open_file(pa.py_buffer(pages)).get_batch(0), pages


def write_batch(path: Path, batch: Any) -> None:
    """Write a record batch as an Arrow file.

    Raises:
        StorageError: the file system refused.
    """
    import pyarrow as pa

    with storing(path), open(path, "wb") as stream, pa.ipc.new_file(stream, batch.schema) as writer:
        writer.write_batch(batch)


class _Layout(io.RawIOBase):
    """Writes the head of a file and leaves holes where the numbers go."""

    def __init__(self, stream: io.BufferedWriter) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        count = memoryview(data).nbytes
        if count > LARGEST_HEAD:
            self._stream.seek(count, os.SEEK_CUR)
        else:
            self._stream.write(data)
        return count

    def tell(self) -> int:
        return self._stream.tell()


def _lay_out(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Write an Arrow file of one column, a list of numbers for each row, all of them 0."""
    import pyarrow as pa

    numbers = pa.array(np.zeros(math.prod(shape), dtype=np.uint8 if dtype.kind == "b" else dtype))
    rows = pa.FixedSizeListArray.from_arrays(numbers, math.prod(shape[1:])) if len(numbers) else numbers
    metadata = {"shape": json.dumps(shape), "dtype": dtype.str}
    schema = pa.schema([pa.field("values", rows.type)], metadata=metadata)
    with open(path, "wb") as stream:
        with pa.ipc.new_file(pa.PythonFile(_Layout(stream), mode="w"), schema) as writer:
            writer.write_batch(pa.record_batch([rows], schema=schema))
        stream.flush()
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(stream.fileno(), 0, os.fstat(stream.fileno()).st_size)


def _mapped_array(path: Path, *, access: int) -> tuple[np.ndarray, mmap.mmap]:
    """The numbers of an Arrow file where they lie; writing into them writes into the file."""
    import pyarrow as pa

    batch, pages = open_batch(path, access)
    facts = {name.decode(): text.decode() for name, text in batch.schema.metadata.items()}
    shape, dtype = tuple(json.loads(facts["shape"])), np.dtype(facts["dtype"])
    if not math.prod(shape):
        return np.zeros(shape, dtype=dtype), pages
    place = batch.column(0).flatten().buffers()[1].address - pa.py_buffer(pages).address
    return np.frombuffer(pages, dtype=dtype, count=math.prod(shape), offset=place).reshape(shape), pages
