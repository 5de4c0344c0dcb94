"""`.npy` and `.npz`: arrays as numpy stores them; nothing that could run code is read.

An `.npz` file holds the samples under `values`, `images`, `samples`, `data`, `points`, `x` or `arr_0`, or as its only
array beside the labels; the labels under the name that `options.labels` gives, or `labels`, `label`, `targets` or `y`.

Images are written with their channels last, as most arrays of images have them; images of 3 or 4 pixels in height that
would so be read as others have them first. Classes whose names are whole numbers are written as numbers.
"""

from __future__ import annotations

import math
import re
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from equipoise.data.arrays import axes_in_order, channels_last, from_array
from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.formats.format import DataFormat, has_suffix
from equipoise.data.formats.zips import METHODS, open_zip
from equipoise.data.sample_weights import checked_weights
from equipoise.data.store.arrow import OnDiskArray
from equipoise.data.store.cache import cache_key, file_facts
from equipoise.documents import open_regular
from equipoise.errors import DataError, nearest
from equipoise.files import replacing
from equipoise.limits import refuse_expansion

VALUE_NAMES = ("values", "images", "samples", "data", "points", "x", "arr_0")
LABEL_NAMES = ("labels", "label", "targets", "y")
READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    SyntaxError,
    OverflowError,
    TypeError,
    KeyError,
    MemoryError,
    RecursionError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
)


def read_npy(path: Path, options: DataOptions) -> Dataset:
    """The one array of an `.npy` file."""
    try:
        with open_regular(path, kind=DataError) as stream:
            check_header(stream, path.stat().st_size)
        values = OnDiskArray.of_npy(path)
    except DataError:
        raise
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    key = cache_key("npy", *file_facts(path))
    return from_array(values, labels=None, options=options, source=str(path), key=key)


def read_npz(path: Path, options: DataOptions) -> Dataset:
    """Samples, and labels if there are any, from an `.npz` file."""
    found: dict[str, np.ndarray] = {}
    reading = label_name = None
    try:
        with open_zip(path) as archive:
            entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            weight_name = _weight_name(list(entries), options, path)
            names = [name for name in entries if name != weight_name]
            label_name = _label_name(names, options, path)
            value_name = _value_name([name for name in names if name != label_name], path)
            wanted = [name for name in (value_name, weight_name, label_name) if name is not None]
            size = sum(entries[name].file_size for name in wanted)
            refuse_expansion(str(path), stored=path.stat().st_size, expanded=size)
            for name in wanted:
                reading = name
                found[name] = _member(archive, entries[name])
    except DataError:
        raise
    except UNREADABLE as error:
        of_names = label_name if reading is not None and reading == label_name else ""
        raise _unreadable(path, error, of_names=of_names or "") from error
    values, labels = found[value_name], None if label_name is None else found[label_name]
    weights = None if weight_name is None else found[weight_name]
    raw = from_array(values, labels=labels, options=options, source=str(path))
    if weights is None:
        return raw
    if np.shape(weights)[:1] != (len(raw),):
        raise DataError(
            f"{path}, data.sample_weight",
            f"{np.size(weights)} weights for {len(raw)} samples.",
            "Expected one weight per sample.",
            "Check that both arrays have the same order and length.",
        )
    return replace(raw, weights=checked_weights(weights, weight_name, source=str(path)))


def check_header(stream: IO[bytes], size: int) -> None:
    """Read the head of an array and leave the stream behind it.

    Args:
        stream: at the beginning of the array.
        size: bytes from there to the end.

    Raises:
        ValueError: it is no head, the array holds Python objects, or it promises more numbers than are there.
    """
    version = np.lib.format.read_magic(stream)
    if version not in READERS:
        raise ValueError(f"its version is {version}")
    shape, _, dtype = READERS[version](stream)
    if dtype.hasobject:
        raise ValueError("Object arrays")
    if any(isinstance(length, bool) or length < 0 for length in shape):
        raise ValueError(f"its shape is {shape}")
    if math.prod(shape) * dtype.itemsize > size:
        raise ValueError(f"its head promises an array of shape {shape}, and the file ends before that"[:110])


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    """One array of an `.npz` file."""
    if entry.compress_type not in METHODS:
        raise ValueError(f"'{entry.filename}' is packed by a method that is not read")
    with archive.open(entry) as stream:
        check_header(stream, entry.file_size)
    with archive.open(entry) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def write_npy(path: Path, batches: Iterable[Dataset], rows: int) -> None:
    """The values alone."""
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        for number, batch in enumerate(batches):
            values = np.ascontiguousarray(_as_arrays_are(batch))
            if number == 0:
                head = {"descr": values.dtype.str, "fortran_order": False, "shape": (rows, *values.shape[1:])}
                np.lib.format.write_array_header_1_0(stream, head)
            stream.write(values.data)


def write_npz(path: Path, batches: Iterable[Dataset], rows: int) -> None:
    """The values, and the labels by name; all of them are in memory first."""
    del rows
    parts = list(batches)
    arrays = {"values": np.concatenate([_as_arrays_are(part) for part in parts])}
    if parts[0].labels is not None:
        labels, names = np.concatenate([part.labels for part in parts]), _numbers_or_names(parts[0].label_names)
        arrays["labels"] = names[labels] if len(names) else labels
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, **arrays)


def _as_arrays_are(batch: Dataset) -> np.ndarray:
    if batch.kind != "images":
        return batch.values
    values = channels_last(batch.values)
    is_read_as_it_was = axes_in_order(values[:1], source="").shape == batch.values[:1].shape
    return values if is_read_as_it_was else batch.values


def _numbers_or_names(names: Sequence[str]) -> np.ndarray:
    """Names of classes; whole numbers where all are written as such."""
    are_numbers = all(re.fullmatch(r"0|-?[1-9][0-9]{0,17}", name) for name in names)
    return np.array([int(name) for name in names]) if are_numbers else np.array(names)


def _weight_name(names: list[str], options: DataOptions, path: Path) -> str | None:
    return _asked_for(options.sample_weight, names, f"{path}, data.sample_weight")


def _label_name(names: list[str], options: DataOptions, path: Path) -> str | None:
    asked = _asked_for(options.labels, names, f"{path}, data.labels")
    return asked or next((name for name in LABEL_NAMES if name in names and len(names) > 1), None)


def _asked_for(name: str | None, names: list[str], where: str) -> str | None:
    """The name of an array that an option may give.

    Raises:
        DataError: there is no such array.
    """
    if name is not None and name not in names:
        raise DataError(
            where,
            f"there is no array '{name}'.{nearest(name, names)}",
            f"The arrays are: {', '.join(names)}.",
            "Write one of them.",
        )
    return name


def _value_name(names: list[str], path: Path) -> str:
    by_lower = {name.lower(): name for name in names}
    found = next((by_lower[name] for name in VALUE_NAMES if name in by_lower), None)
    if found is not None:
        return found
    if len(names) == 1:
        return names[0]
    raise DataError(
        str(path),
        f"it is not clear which array holds the samples: {', '.join(names) or 'there is none'}.",
        f"Expected one array, or one called {', '.join(VALUE_NAMES)}.",
        "Rename it, or store it as an .npy file.",
    )


def _unreadable(path: Path, error: Exception, *, of_names: str = "") -> DataError:
    if "Object arrays" in str(error) and of_names:
        return DataError(
            f"{path}, {of_names}",
            "the array holds Python objects, which only a pickle can store.",
            "Expected text or whole numbers.",
            "Convert it with array.astype(str) and save it again; a pickle could run code, so none is read.",
        )
    if "Object arrays" in str(error):
        return DataError(
            str(path),
            "the array holds Python objects, which only a pickle can store.",
            "Expected numbers.",
            "Convert it with array.astype(float) and save it again; a pickle could run code, so none is read.",
        )
    if "magic string" in str(error) and path.open("rb").read(1) == b"\x80":
        return DataError(
            str(path),
            "it looks like a pickle, which could run code.",
            "Expected a file written by numpy.save.",
            "Load it where you trust it, and write it again with numpy.save; no pickle is read here.",
        )
    reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
    return DataError(
        str(path),
        f"it cannot be read as a numpy file ({reason}).",
        "Expected a file written by numpy.save or numpy.savez.",
        "Write it again, or check that the copy is complete.",
    )


FORMATS = {
    "npy": DataFormat("a numpy array", (".npy",), ("points", "images"), has_suffix(".npy"), read_npy, write_npy),
    "npz": DataFormat(
        "numpy arrays with labels", (".npz",), ("points", "images"), has_suffix(".npz"), read_npz, write_npz
    ),
}
