"""Large `.npy` files: turned into the cache's uint8 images, or float64 points, part by part."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from equipoise.data.arrays import axes_in_order, pixel_rule, points_from_array, refuse_non_finite
from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.images.decode import resize_array
from equipoise.data.points.encoder import coordinate_names
from equipoise.data.store.arrays import OnDiskArray, OnDiskWriter
from equipoise.data.store.cache import Entry, building, built, cache_key, file_facts, map_above_bytes, open_entry


def read_stored_array(path: Path, options: DataOptions) -> Dataset | None:
    """Points or images of an `.npy` file by way of the cache; `None` if they are small, or no such thing.

    Raises:
        DataError: as for an array in memory.
    """
    values = OnDiskArray(path)
    kind = options.kind or ("points" if values.ndim <= 2 else "images")
    fits = values.ndim in ((3, 4) if kind == "images" else (1, 2)) and values.dtype.kind in "biuf" and values.size
    if kind == "table" or not fits:
        return None  # whoever reads it into memory says what is wrong
    if values.size * (1 if kind == "images" else 8) < map_above_bytes():
        return None
    make = _images if kind == "images" else _points
    key = cache_key("npy", *file_facts(path), kind, options.target_size)
    entry = open_entry(key) or make(values, key, options, str(path))
    stored = entry.mapped("values")
    names = coordinate_names(stored.shape[1]) if kind == "points" else ()
    return Dataset(kind, stored, names=names, notes=(*entry.facts["notes"], entry.note()), source=str(path))


def _points(values: OnDiskArray, key: str, options: DataOptions, source: str) -> Entry:
    del options
    shape = (len(values), values.size // len(values))
    refuse_non_finite(values, source=source)
    with building(key, needs_bytes=8 * values.size) as (folder, facts):
        with OnDiskWriter(folder / "values.npy", shape=shape, dtype=np.float64) as writer:
            for start, part in values.chunks():
                writer.put(start, points_from_array(part, source=source, first_row=start))
        facts["notes"] = []
    return built(key)


def _images(values: OnDiskArray, key: str, options: DataOptions, source: str) -> Entry:
    # Axes that fit no rule are refused before anything is read; the stand-in has the shape and takes no memory.
    axes_in_order(np.broadcast_to(np.zeros((), dtype=values.dtype), values.shape), source=source)
    refuse_non_finite(values, source=source)
    extremes = [(part.min().item(), part.max().item()) for _, part in values.chunks()]
    low, high = min(least for least, _ in extremes), max(most for _, most in extremes)
    convert, note = pixel_rule(low, high, values.dtype, source=source)

    def pixels(part: np.ndarray) -> tuple[np.ndarray, str]:
        return resize_array(convert(axes_in_order(part, source=source)), size=options.target_size, source=source)

    first, size_note = pixels(values[:1])
    shape = (len(values), *first.shape[1:])
    with building(key, needs_bytes=first.nbytes * len(values)) as (folder, facts):
        with OnDiskWriter(folder / "values.npy", shape=shape, dtype=np.uint8) as writer:
            for start, part in values.chunks():
                writer.put(start, pixels(part)[0])
        facts["notes"] = [entry for entry in (note, size_note) if entry]
    return built(key)
