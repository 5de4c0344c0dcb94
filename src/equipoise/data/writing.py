"""Samples as files that other programs read: PNG, zip, CSV, Parquet, npy; each whole or absent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from equipoise.data.dataset import Dataset
from equipoise.data.domain import domain_of
from equipoise.data.formats.format import available_formats, format_for_suffix
from equipoise.data.images.files import GRID_NAME, named_images
from equipoise.data.points.encoder import names_or_default
from equipoise.errors import ConfigError
from equipoise.files import write_bytes
from equipoise.plotting.samples import image_grid
from equipoise.plotting.style import save_figure

if TYPE_CHECKING:
    import pandas as pd

LARGEST_GRID = 256
IN_A_FOLDER = f"Name a folder: it gets a PNG for each, and a grid of the first {LARGEST_GRID} ({GRID_NAME})."


def write_samples(
    values: np.ndarray | pd.DataFrame,
    path: Path | str,
    *,
    names: Sequence[str] = (),
    labels: np.ndarray | None = None,
    label_names: Sequence[str] = (),
) -> list[Path]:
    """Write samples in their natural form.

    Args:
        values: points float64 `(n, d)`, images uint8 `(n, channels, height, width)`, or a table.
        path: see `write_batches`.
        names: of the coordinates of points.
        labels: class of each image; with `label_names`, each class gets a folder of its own.
        label_names: names of the classes.

    Returns:
        The files that were written.

    Raises:
        ConfigError: the ending is unknown, or cannot hold samples of this kind.
        StorageError: the file system refused.
    """
    kind = "table" if hasattr(values, "columns") else "images" if values.ndim == 4 else "points"
    data = Dataset(kind, values, labels=labels, label_names=tuple(label_names), names=tuple(names))
    return write_batches([data], path, rows=len(data))


def write_batches(batches: Iterable[Dataset], path: Path | str, *, rows: int) -> list[Path]:
    """Write samples that come batch by batch, one batch in memory at a time; an .npz file takes all of them.

    Args:
        batches: one or more, all of one kind, with the same columns, size and classes.
        path: a file whose ending chooses the format, or a folder: images then become `000000.png`, ... with
            `sheet.png` beside them, a table `samples.csv`, points `samples.npy`.
        rows: of all batches together.

    Returns:
        The files that were written.

    Raises:
        ConfigError: the ending is unknown, or cannot hold samples of this kind.
        StorageError: the file system refused.
    """
    remaining = iter(batches)
    first = next(remaining)
    kind, target = first.kind, Path(path)
    whole = (_named(batch) for batch in chain([first], remaining))
    if target.is_dir() or not target.suffix:
        file_name = domain_of(kind).file_name
        if not file_name:
            return _write_folder(whole, target, rows)
        target = target / file_name
    found = format_for_suffix(target.name)
    if found is None or kind not in found.kinds:
        endings = [ending for entry in available_formats().values() if kind in entry.kinds for ending in entry.suffixes]
        raise ConfigError(
            str(target),
            f"{kind} cannot be written with the ending '{target.suffix}'.",
            f"Expected one of: {', '.join(endings)}; or a folder.",
            IN_A_FOLDER if kind == "images" else "Choose another name.",
        )
    found.write(target, whole, rows)
    return [target]


def _named(batch: Dataset) -> Dataset:
    """Points with names for their coordinates; other samples as they are."""
    if batch.kind != "points":
        return batch
    return replace(batch, names=names_or_default(batch.names, batch.values.shape[1]))


def _write_folder(batches: Iterable[Dataset], folder: Path, rows: int) -> list[Path]:
    """A file for each image, and a grid of the first ones."""
    files: list[Path] = []
    shown: list[np.ndarray] = []

    def watched() -> Iterator[Dataset]:
        for batch in batches:
            shown.extend(batch.values[: LARGEST_GRID - len(shown)])
            yield batch

    for name, content in named_images(watched(), rows):
        write_bytes(folder / name, content)
        files.append(folder / name)
    save_figure(image_grid(np.stack(shown)), folder / GRID_NAME)
    return [*files, folder / GRID_NAME]
