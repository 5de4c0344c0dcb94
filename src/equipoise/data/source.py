"""One door for data of any origin: a path, a built-in name, an array, a tensor, a frame, a torch dataset."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equipoise.data.arrays import from_array
from equipoise.data.builtin import BUILTIN
from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.formats.format import available_formats, format_of
from equipoise.data.images.decode import ImageItem, assemble
from equipoise.data.labels import encode_labels
from equipoise.data.tables.overrides import check_kind
from equipoise.documents import not_regular
from equipoise.errors import DataError, nearest


def load(source: Any, *, options: DataOptions | None = None) -> Dataset:
    """Read data, check them, and say what they are.

    Args:
        source: a path to a file or folder; a built-in name (a folder of the same name is meant with './' before it);
            an array, tensor or frame; a pair (samples, labels) of these; or a torch dataset of arrays, tensors or
            PIL images, alone or with a label.
        options: what the source itself leaves open.

    Raises:
        DataError: the data cannot be read or learned from.
        MissingExtra: a built-in name needs a package that is not installed.
    """
    options = options or DataOptions()
    for name, kind in options.columns.items():
        check_kind(kind, where=f"data.columns, {name}")
    raw = _load(source, options)
    if options.sample_weight is not None and raw.weights is None:
        raise DataError(
            f"{raw.source}, data.sample_weight",
            f"there is no column or array '{options.sample_weight}' here.",
            "Expected a table with that column, or an .npz file with that array.",
            "Store the weights beside the data.",
        )
    for option, wish, is_heard in (
        ("data.group", options.group, raw.groups is not None),
        ("data.rules", options.rules, raw.kind == "table"),
    ):
        if wish and not is_heard:
            raise DataError(
                f"{raw.source}, {option}",
                f"it is {wish if isinstance(wish, str) else wish[0]!r}, for data that are {raw.kind}.",
                "Expected a table: a CSV, a Parquet file or a DataFrame.",
                "Leave it out.",
            )
    return raw


def _load(source: Any, options: DataOptions) -> Dataset:
    if isinstance(source, Dataset):
        return source
    if isinstance(source, (str, os.PathLike)):
        return _from_text(os.fspath(source), is_path=isinstance(source, os.PathLike), options=options)
    if isinstance(source, tuple) and len(source) == 2:
        return _from_memory(source[0], labels=source[1], options=options)
    return _from_memory(source, labels=None, options=options)


def _from_text(text: str, *, is_path: bool, options: DataOptions) -> Dataset:
    if text in BUILTIN and not is_path:
        raw = BUILTIN[text].read(options)
        if _exists(Path(text)):
            raw = raw.with_notes(f"'{text}' is a built-in data set; the path of this name is './{text}'.")
        return raw
    path = Path(text).expanduser()
    if not text.strip() or not _exists(path):
        raise _nothing_there(text, path)
    mode = path.stat().st_mode
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise not_regular(text, mode, kind=DataError)
    found = format_of(path)
    if found is None:
        known = ", ".join(f"{entry.description}{_endings(entry.suffixes)}" for entry in available_formats().values())
        raise DataError(
            text,
            f"files with the ending '{path.suffix}' are not read.",
            f"Expected one of: {known}.",
            "Convert the file; for one image, give the folder that holds it and others.",
        )
    before = _state(path)
    try:
        raw = found.read(path, options)
    except PermissionError as error:
        raise DataError(
            str(error.filename or text),
            "it may not be read by you.",
            "Expected a readable file.",
            "Change its permissions, or copy it.",
        ) from error
    except OSError as error:
        raise DataError(
            str(error.filename or text),
            f"it cannot be read ({error.strerror or error}).",
            "Expected a readable file.",
            "Check the disk, or copy the file.",
        ) from error
    except MemoryError as error:
        raise DataError(
            text,
            "it does not fit into the memory of this machine.",
            "Expected data that do.",
            "Give a part of the data, or use a machine with more memory.",
        ) from error
    if _state(path) != before:
        raise DataError(
            text,
            "it changed while it was read.",
            "Expected a file that stays as it is.",
            "Wait until it is written to the end, then try again.",
        ) from None
    return raw


def _state(path: Path) -> tuple[int, ...]:
    """Which file a path leads to, its length and when it was written; of a folder nothing: files come and go there."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else ()


def _exists(path: Path) -> bool:
    """Whether something is there; a name that no file could have is not."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _from_memory(source: Any, *, labels: Any, options: DataOptions) -> Dataset:
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        from equipoise.data.tables.frames import from_frame

        if labels is not None:
            raise DataError(
                "DataFrame",
                "labels were given beside the frame.",
                "Expected them as one of its columns.",
                "Add the column, and name it with data.labels.",
            )
        return from_frame(source.copy(), options=options, source="DataFrame")
    _refuse_several_tables(source, pd.DataFrame)
    values = _as_array(source)
    if values is not None:
        name = "tensor" if isinstance(source, torch.Tensor) else "array"
        return from_array(values, labels=None if labels is None else _as_array(labels), options=options, source=name)
    if isinstance(source, torch.utils.data.DataLoader):
        raise DataError(
            "DataLoader",
            "its batches are drawn by rules of their own.",
            "Expected a dataset.",
            "Give loader.dataset; batches are drawn here, so that a run can be resumed exactly.",
        )
    if isinstance(source, torch.utils.data.Dataset):
        return _from_dataset(source, options=options)
    raise DataError(
        "data",
        f"an object of type {type(source).__name__} was given.",
        "Expected a path, a built-in name, an array, a tensor, a frame, a pair (samples, labels) or a torch dataset.",
        f"Built-in names: {', '.join(BUILTIN)}.",
    )


def _refuse_several_tables(source: Any, frame: type) -> None:
    parts = list(source.values()) if isinstance(source, dict) else source if isinstance(source, (list, tuple)) else []
    if len(parts) and all(isinstance(part, frame) for part in parts):
        raise DataError(
            f"a {type(source).__name__} of DataFrames",
            f"{len(parts)} tables were given.",
            "Expected one table: linked tables are not generated.",
            "Train on each table alone, or join them into one; 'group' keeps rows of one parent on one side.",
        )


def _as_array(source: Any) -> np.ndarray | None:
    if isinstance(source, torch.Tensor):
        plain = source.detach().cpu()
        return (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()
    if isinstance(source, np.ma.MaskedArray):
        if np.ma.getmaskarray(source).any():
            raise DataError(
                "masked array",
                f"{int(np.ma.getmaskarray(source).sum())} of its {source.size} values are masked.",
                "Expected a value in every place.",
                "Fill them in with array.filled(VALUE), or take these rows out. In a DataFrame, NaN is missing.",
            )
        return np.asarray(source)
    if isinstance(source, np.ndarray):
        return source
    if isinstance(source, (list, tuple)) or hasattr(source, "__array__"):
        try:
            return np.asarray(source)
        except ValueError as error:
            raise DataError(
                "list",
                f"its entries differ in shape ({error}).",
                "Expected rows of one length.",
                "Make an array of it first.",
            ) from error
    return None


def _from_dataset(dataset: torch.utils.data.Dataset, *, options: DataOptions) -> Dataset:
    from PIL import Image

    name = type(dataset).__name__
    if isinstance(dataset, torch.utils.data.TensorDataset):
        tensors = dataset.tensors
        return from_array(
            _as_array(tensors[0]),
            labels=_as_array(tensors[1]) if len(tensors) > 1 else None,
            options=options,
            source=name,
        )
    items = dataset if isinstance(dataset, torch.utils.data.IterableDataset) else _in_order(dataset, name)
    samples, labels = [], []
    for item in items:
        is_pair = isinstance(item, (tuple, list)) and len(item) >= 2
        sample = item[0] if is_pair else item
        samples.append(sample if isinstance(sample, Image.Image) else np.asarray(_as_array(sample)))
        if is_pair:
            labels.append(item[1].item() if isinstance(item[1], (torch.Tensor, np.generic)) else item[1])
    if labels and len(labels) != len(samples):
        raise DataError(name, f"{len(labels)} of {len(samples)} items have a label.", "Expected all or none.")
    classes = np.array(labels) if labels else None
    if samples and all(isinstance(sample, Image.Image) for sample in samples):
        return _from_images(samples, classes, options=options, source=name)
    shapes = {np.shape(sample) for sample in samples}
    if len(shapes) > 1:
        raise DataError(
            name,
            f"its items have different shapes, such as {sorted(shapes)[:2]}.",
            "Expected one shape.",
            "Return PIL images, which are scaled here, or scale them in the dataset.",
        )
    return from_array(np.array(samples), labels=classes, options=options, source=name)


def _from_images(samples: list, classes: np.ndarray | None, *, options: DataOptions, source: str) -> Dataset:
    items = [ImageItem(f"item {k}", _copying(sample)) for k, sample in enumerate(samples)]
    values, kept, notes = assemble(items, options=options, source=source)
    labels, label_names = None, ()
    if classes is not None and options.use_labels:
        labels, label_names, more = encode_labels(classes[kept], source=source)
        notes = (*notes, *more)
    return Dataset("images", values, labels=labels, label_names=label_names, notes=notes, source=source)


def _copying(sample: Any) -> Callable[[], Any]:
    # Whoever opens an image also closes it; the caller's own must stay open.
    return lambda: sample.copy()


def _in_order(dataset: Any, name: str):
    try:
        count = len(dataset)
    except TypeError as error:
        raise DataError(
            name,
            "the dataset has no length.",
            "Expected a dataset with __len__ and __getitem__, or an IterableDataset.",
            "Add __len__.",
        ) from error
    return (dataset[position] for position in range(count))


def _endings(suffixes: tuple[str, ...]) -> str:
    return f" ({', '.join(suffixes)})" if suffixes else ""


def _nothing_there(text: str, path: Path) -> DataError:
    neighbours: list[str] = []
    if _exists(path.parent):
        try:
            neighbours = [str(path.parent / entry.name) for entry in path.parent.iterdir()]
        except OSError:
            neighbours = []
    suggestion = nearest(text, [*BUILTIN, *neighbours]) or nearest(text.lower(), BUILTIN)
    return DataError(
        text or "DATA",
        f"there is no such file or folder, and no built-in data set of this name.{suggestion}",
        f"Built-in: {', '.join(BUILTIN)}.",
        "Give the path of a folder of images, a zip, CSV, Parquet, .npy or .npz file.",
    )
