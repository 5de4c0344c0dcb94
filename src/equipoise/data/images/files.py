"""Image files of a folder or a zip: which ones count, what class their folder gives them, and how they are written.

Folders that all images share at the top are looked through. If every image then lies in a folder, and there are
two such folders or more, the first folder is its class. Hidden files, and the sample grid that
`write_samples` puts beside its images, are left alone.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePosixPath

import numpy as np
from PIL import Image

from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.images.decode import FILE_FORMATS, IMAGE_SUFFIXES, ImageItem, assemble
from equipoise.data.labels import check_classes, without_empty_classes
from equipoise.errors import DataError
from equipoise.plotting.samples import to_image

GRID_NAME = "sheet.png"
"""A name that is frozen: folders that were written earlier have it."""
LONGEST_FOLDER = 120
SAMPLE_NAME = re.compile(r"\d{6,}\.png")


def images_from_files(
    names: Sequence[str],
    open_image: Callable[[str], Image.Image],
    *,
    folders: Sequence[str],
    options: DataOptions,
    source: str,
    key: str | None = None,
) -> Dataset:
    """Read the images among `names`.

    Args:
        names: all files, as paths relative to the top with forward slashes.
        open_image: opens one of them lazily.
        folders: all folders that could be classes, empty ones included.
        options: `image_size`, `max_bad_share` and `use_labels` are used.
        source: for messages.
        key: name of the cache's entry for these files as they are; large sets of images are kept there.

    Raises:
        DataError: there is no image, too many cannot be used, or more classes than images.
    """
    if options.kind not in (None, "images"):
        raise DataError(source, f"images cannot be read as {options.kind}.", "Expected kind images.")
    chosen = sorted(name for name in names if is_image(name, names))
    if not chosen:
        raise _no_images(names, source)
    labels, label_names = _classes(chosen, folders) if options.use_labels else (None, ())
    if labels is not None:
        check_classes(labels, label_names, source=source)
    items = [ImageItem(name, lambda name=name: open_image(name)) for name in chosen]
    values, kept, notes = assemble(items, options=options, source=source, key=key)
    if labels is not None:
        labels, label_names, more = without_empty_classes(labels[kept], label_names, source=source)
        notes = (*notes, *more)
    seen = {*chosen, *(name for name in names if PurePosixPath(name).name == GRID_NAME)}
    others = Counter(_ending(name) for name in names if name not in seen and not _is_hidden(name))
    if others:
        notes = (*notes, f"Left alone: {_counted(others)}.")
    files = np.array(chosen, dtype=object)[kept]
    return Dataset("images", values, labels=labels, label_names=label_names, notes=notes, source=source, files=files)


def is_image(name: str, names: Sequence[str]) -> bool:
    """Whether a file counts as an image, by its name."""
    path = PurePosixPath(name)
    if _is_hidden(name) or path.suffix.lower() not in IMAGE_SUFFIXES:
        return False
    return path.name != GRID_NAME or not any(_is_sample_below(other, path.parent) for other in names)


def _is_sample_below(name: str, folder: PurePosixPath) -> bool:
    path = PurePosixPath(name)
    return SAMPLE_NAME.fullmatch(path.name) is not None and path.is_relative_to(folder)


def open_bytes(content: io.BufferedIOBase | str) -> Image.Image:
    """A lazily opened image in one of the formats that we read."""
    return Image.open(content, formats=FILE_FORMATS)


def image_bytes(image: np.ndarray) -> bytes:
    """A PNG file of one image, uint8 `(channels, height, width)`."""
    buffer = io.BytesIO()
    to_image(image).save(buffer, format="PNG")
    return buffer.getvalue()


def named_images(batches: Iterable[Dataset], rows: int) -> Iterator[tuple[str, np.ndarray]]:
    """Each image with the name of its file: '000000.png', ...; in folders by class, if there are classes with names."""
    width, position = max(6, len(str(rows - 1))), 0
    for batch in batches:
        folders = [f"{_safe(name)}/" for name in batch.label_names]
        for row, image in enumerate(batch.values):
            folder = folders[batch.labels[row]] if folders and batch.labels is not None else ""
            yield f"{folder}{position:0{width}d}.png", image
            position += 1


def _safe(name: str) -> str:
    """A class name as the name of a folder."""
    kept = "".join(letter if letter.isalnum() or letter in " ._-+" else "_" for letter in name[:LONGEST_FOLDER])
    # File systems count bytes, 255 at most.
    kept = kept.encode()[:LONGEST_FOLDER].decode(errors="ignore").strip(" .")
    return f"{kept}_" if kept.lower() == GRID_NAME else kept or "class"


def _classes(names: Sequence[str], folders: Sequence[str]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    parts = [PurePosixPath(name).parent.parts for name in names]
    shared = 0
    while all(len(part) > shared for part in parts) and len({part[shared] for part in parts}) == 1:
        shared += 1
    if not all(len(part) > shared for part in parts):
        return None, ()
    top = parts[0][:shared]
    classes = {part[shared] for part in parts}
    empty = (PurePosixPath(folder).parts for folder in folders)
    classes |= {part[shared] for part in empty if len(part) == shared + 1 and part[:shared] == top}
    label_names = tuple(sorted(name for name in classes if not name.startswith(".")))
    code = {name: position for position, name in enumerate(label_names)}
    return np.array([code[part[shared]] for part in parts], dtype=np.int64), label_names


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.lower() or "without ending"


def _counted(endings: Counter) -> str:
    return ", ".join(
        f"{count} {'file' if count == 1 else 'files'} {ending}" for ending, count in endings.most_common(5)
    )


def _no_images(names: Sequence[str], source: str) -> DataError:
    visible = [name for name in names if not _is_hidden(name)]
    found = f"there is no image; found {_counted(Counter(map(_ending, visible)))}." if visible else "it is empty."
    return DataError(
        source,
        found,
        f"Expected images ({', '.join(IMAGE_SUFFIXES)}), in subfolders too.",
        "Give the folder that holds the images; a table or an array is given as a file.",
    )
