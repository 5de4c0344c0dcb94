"""`.npy` and `.npz`: arrays as numpy stores them; nothing that could run code is read.

An `.npz` file holds the samples under `values`, `images`, `samples`, `data`, `points`, `x` or `arr_0`, or as its only
array beside the labels; the labels under the name that `options.labels` gives, or `labels`, `label`, `targets` or `y`.
"""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from equipoise.data.arrays import from_array
from equipoise.data.format import DataFormat, has_suffix
from equipoise.data.raw import DataOptions, RawData
from equipoise.data.stored_arrays import read_stored_array
from equipoise.data.weights import checked_weights
from equipoise.errors import DataError, nearest
from equipoise.files import replacing

VALUE_NAMES = ("values", "images", "samples", "data", "points", "x", "arr_0")
LABEL_NAMES = ("labels", "label", "targets", "y")
# Zeros compress a thousandfold: a small file may ask for all the memory there is.
MOST_BYTES_PER_ARRAY = 1 << 36


def read_npy(path: Path, options: DataOptions) -> RawData:
    """The one array of an `.npy` file."""
    try:
        # Mapped, so that a header that promises more than the file holds is found before memory is taken for it.
        values = np.load(path, mmap_mode="r", allow_pickle=False)
        large = read_stored_array(path, options)
    except DataError:
        raise
    except (ValueError, OSError, EOFError, SyntaxError, OverflowError, TypeError) as error:
        raise _unreadable(path, error) from error
    if large is not None:
        return large
    return from_array(np.asarray(values), labels=None, options=options, source=str(path))


def read_npz(path: Path, options: DataOptions) -> RawData:
    """Samples, and labels if there are any, from an `.npz` file."""
    try:
        with zipfile.ZipFile(path) as archive:
            oversized = [entry.filename for entry in archive.infolist() if entry.file_size > MOST_BYTES_PER_ARRAY]
        if oversized:
            raise ValueError(f"the array '{oversized[0]}' would take more than 64 GiB")
        with np.load(path, allow_pickle=False) as arrays:
            weight_name = _weight_name(list(arrays.files), options, path)
            names = [name for name in arrays.files if name != weight_name]
            label_name = _label_name(names, options, path)
            value_name = _value_name([name for name in names if name != label_name], path)
            values = arrays[value_name]
            weights = None if weight_name is None else arrays[weight_name]
            labels = None if label_name is None else arrays[label_name]
    except DataError:
        raise
    except (ValueError, OSError, EOFError, SyntaxError, OverflowError, TypeError, KeyError, MemoryError,
            NotImplementedError, RuntimeError, zipfile.BadZipFile) as error:  # fmt: skip
        raise _unreadable(path, error) from error
    except Exception as error:
        if type(error).__module__ != "zlib":
            raise
        raise _unreadable(path, error) from error
    raw = from_array(values, labels=labels, options=options, source=str(path))
    if weights is None:
        return raw
    if np.shape(weights)[:1] != (len(raw),):
        raise DataError(
            f"{path}, data.sample_weight", f"{np.size(weights)} weights for {len(raw)} samples.",
            "Expected one weight per sample.", "Check that both arrays have the same order and length.",
        )  # fmt: skip
    return replace(raw, weights=checked_weights(weights, weight_name, source=str(path)))


def write_npy(path: Path, data: RawData) -> None:
    """The values alone."""
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        np.save(stream, data.values, allow_pickle=False)


def write_npz(path: Path, data: RawData) -> None:
    """The values, and the labels by name."""
    arrays = {"values": data.values}
    if data.labels is not None:
        arrays["labels"] = np.array(data.label_names)[data.labels] if data.label_names else data.labels
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, **arrays)


def _weight_name(names: list[str], options: DataOptions, path: Path) -> str | None:
    if options.sample_weight is not None and options.sample_weight not in names:
        raise DataError(
            f"{path}, data.sample_weight",
            f"there is no array '{options.sample_weight}'.{nearest(options.sample_weight, names)}",
            f"The arrays are: {', '.join(names)}.", "Write one of them.",
        )  # fmt: skip
    return options.sample_weight


def _label_name(names: list[str], options: DataOptions, path: Path) -> str | None:
    if options.labels is not None and options.labels not in names:
        raise DataError(
            f"{path}, data.labels", f"there is no array '{options.labels}'.{nearest(options.labels, names)}",
            f"The arrays are: {', '.join(names)}.", "Write one of them.",
        )  # fmt: skip
    return options.labels or next((name for name in LABEL_NAMES if name in names and len(names) > 1), None)


def _value_name(names: list[str], path: Path) -> str:
    by_lower = {name.lower(): name for name in names}
    found = next((by_lower[name] for name in VALUE_NAMES if name in by_lower), None)
    if found is not None:
        return found
    if len(names) == 1:
        return names[0]
    raise DataError(
        str(path), f"it is not clear which array holds the samples: {', '.join(names) or 'there is none'}.",
        f"Expected one array, or one called {', '.join(VALUE_NAMES)}.", "Rename it, or store it as an .npy file.",
    )  # fmt: skip


def _unreadable(path: Path, error: Exception) -> DataError:
    if "allow_pickle" in str(error) or "Object arrays" in str(error):
        return DataError(
            str(path), "the array holds Python objects, which only a pickle can store.", "Expected numbers.",
            "Convert it with array.astype(float) and save it again; a pickle could run code, so none is read.",
        )  # fmt: skip
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
