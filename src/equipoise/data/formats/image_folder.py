"""A folder of images, with subfolders; see `image_files` for what becomes a class."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.formats.format import DataFormat
from equipoise.data.images.decode import UnusableImage
from equipoise.data.images.files import image_bytes, images_from_files, named_images, open_bytes
from equipoise.data.store.cache import cache_key
from equipoise.files import write_bytes


def read_folder(path: Path, options: DataOptions) -> Dataset:
    """All images below a folder; links to other folders are not followed."""
    names, folders = [], []
    for place, below, files in os.walk(path):
        relative = Path(place).relative_to(path)
        names += [(relative / name).as_posix() for name in files]
        folders += [(relative / name).as_posix() for name in below]
    key = cache_key("folder", str(path.absolute()), _states(path, names), options.target_size, options.max_bad_share)
    return images_from_files(
        names, lambda name: _open(path / name), folders=folders, options=options, source=str(path), key=key
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


def write_folder(path: Path, batches: Iterable[Dataset], rows: int) -> None:
    """One PNG per image, each whole or absent."""
    for name, image in named_images(batches, rows):
        write_bytes(path / name, image_bytes(image))


FORMATS = {"image-folder": DataFormat("a folder of images", (), ("images",), Path.is_dir, read_folder, write_folder)}
