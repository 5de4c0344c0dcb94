"""A folder of images, with subfolders; see `image_files` for what becomes a class."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.formats.arrow import is_saved_dataset, read_saved_dataset
from equipoise.data.formats.format import DataFormat
from equipoise.data.formats.parquet_shards import is_shard, read_shards
from equipoise.data.images.decode import UnusableImage
from equipoise.data.images.files import images_from_files, is_image, named_images, open_bytes
from equipoise.data.store.cache import cache_key
from equipoise.documents import open_regular
from equipoise.errors import DataError
from equipoise.files import write_bytes
from equipoise.limits import limit, raise_it


def read_folder(path: Path, options: DataOptions) -> Dataset:
    """All images below a folder; links to other folders are not followed.

    A folder of `datasets` is read as one, and so are Parquet files where there is no image file.
    """
    if is_saved_dataset(path):
        return read_saved_dataset(path, options)
    names, folders = [], []
    for place, below, files in os.walk(path):
        relative = Path(place).relative_to(path)
        names += [(relative / name).as_posix() for name in files]
        folders += [(relative / name).as_posix() for name in below]
    shards = [] if options.as_first_version else [name for name in names if is_shard(name)]
    if shards and not any(is_image(name, names) for name in names):
        return read_shards(path, shards, options)
    key = cache_key(
        "folder",
        str(path.absolute()),
        _states(path, names),
        options.target_size,
        options.max_bad_share,
        *options.pixels,
    )
    return images_from_files(
        names,
        lambda name: _open(path / name),
        lambda name: _bytes(path / name),
        folders=folders,
        options=options,
        source=str(path),
        key=key,
    )


def _states(path: Path, names: list[str]) -> list[tuple[str, int, int]]:
    """Name, size and last change of every file that is still there."""
    found = []
    for name in sorted(names):
        with contextlib.suppress(OSError):
            state = (path / name).lstat()
            found.append((name, state.st_size, state.st_mtime_ns))
    return found


def _open(path: Path) -> Image.Image:
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
        raise UnusableImage("no ordinary file")
    return open_bytes(str(path))


def _bytes(path: Path) -> bytes:
    """A small file, whole."""
    most = limit("json_bytes")
    with open_regular(path, kind=DataError) as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise DataError(
            str(path), f"it is larger than {most:,} bytes.", "Expected a list of classes.", raise_it("json_bytes")
        )
    return content


def write_folder(path: Path, batches: Iterable[Dataset], rows: int) -> None:
    """One PNG per image, each whole or absent."""
    for name, content in named_images(batches, rows):
        write_bytes(path / name, content)


FORMATS = {"image-folder": DataFormat("a folder of images", (), ("images",), Path.is_dir, read_folder, write_folder)}
