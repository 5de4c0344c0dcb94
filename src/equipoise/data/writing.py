"""Samples as files that other programs read: PNG, zip, CSV, Parquet, npy; each whole or absent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from equipoise.data.dataset import Dataset
from equipoise.data.domain import domain_of
from equipoise.data.formats.format import available_formats, format_for_suffix
from equipoise.data.images.files import GRID_NAME, picture_names
from equipoise.data.points.encoder import names_or_default
from equipoise.errors import ConfigError
from equipoise.plotting.samples import image_grid
from equipoise.plotting.style import save_figure

if TYPE_CHECKING:
    import pandas as pd

LARGEST_GRID = 256


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
        path: a file whose ending chooses the format, or a folder: images then become `000000.png`, ... with
            `sheet.png` beside them, a table `samples.csv`, points `samples.npy`.
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
    names = names_or_default(names, values.shape[1]) if kind == "points" else ()
    data = Dataset(kind, values, labels=labels, label_names=tuple(label_names), names=names)
    target = Path(path)
    if target.is_dir() or not target.suffix:
        file_name = domain_of(kind).file_name
        if not file_name:
            return _write_folder(data, target)
        target = target / file_name
    found = format_for_suffix(target.name)
    if found is None or kind not in found.kinds:
        endings = [ending for entry in available_formats().values() if kind in entry.kinds for ending in entry.suffixes]
        raise ConfigError(
            str(target),
            f"{kind} cannot be written with the ending '{target.suffix}'.",
            f"Expected one of: {', '.join(endings)}; or a folder.",
            "Choose another name.",
        )
    found.write(target, data)
    return [target]


def _write_folder(data: Dataset, folder: Path) -> list[Path]:
    available_formats()["image-folder"].write(folder, data)
    sheet = folder / GRID_NAME
    save_figure(image_grid(data.values[:LARGEST_GRID]), sheet)
    return [*(folder / name for name in picture_names(data)), sheet]
