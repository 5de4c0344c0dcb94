"""Image files of a folder or a zip: which ones count, what class their folder gives them, and how they are written.

Where a file beside the images names their classes (see `label_files`), these are the classes. Otherwise folders that
all images share at the top are looked through; if every image then lies in a folder, and there are two such folders
or more, the first folder is its class. Folders that are parts of a data set (train, val, test) are no classes, nor
are the numbered folders that StyleGAN's tools make. Hidden files, and the sample grid that `write_samples` puts
beside its images, are left alone.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.images.decode import (
    FILE_FORMATS,
    FIRST_SUFFIXES,
    IMAGE_SUFFIXES,
    ImageItem,
    UnusableImage,
    assemble,
)
from equipoise.data.images.label_files import is_label_file, labels_from_files
from equipoise.data.labels import check_classes, without_empty_classes
from equipoise.errors import DataError
from equipoise.plotting.samples import to_image

GRID_NAME = "sheet.png"
"""A name that is frozen: folders that were written earlier have it."""
LONGEST_FOLDER = 120
SAMPLE_NAME = re.compile(r"\d{6,}\.png")
SPLITS = ("train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval")
NUMBERED_FOLDER, NUMBERED_IMAGE = re.compile(r"\d{5}"), re.compile(r"img\d{8}\.\w+")


def images_from_files(
    names: Sequence[str],
    open_image: Callable[[str], Image.Image],
    read: Callable[[str], bytes],
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
        read: gives the bytes of one that names classes.
        folders: all folders that could be classes, empty ones included.
        options: `image_size`, `max_bad_share` and `use_labels` are used.
        source: for messages.
        key: name of the cache's entry for these files as they are; large sets of images are kept there.

    Raises:
        DataError: there is no image, too many cannot be used, or more classes than images.
    """
    if options.kind not in (None, "images"):
        raise DataError(source, f"images cannot be read as {options.kind}.", "Expected kind images.")
    suffixes = FIRST_SUFFIXES if options.as_first_version else IMAGE_SUFFIXES
    chosen = sorted(name for name in names if is_image(name, names, suffixes))
    if not chosen:
        raise _no_images(names, source)
    label_files = [] if options.as_first_version else [name for name in names if is_label_file(name)]
    labels, label_names, about = None, (), ()
    if options.use_labels and label_files:
        labels, label_names, about = labels_from_files(label_files, chosen, read, column=options.labels, source=source)
    elif options.use_labels:
        labels, label_names = _classes(chosen, folders)
        if labels is not None and not options.as_first_version:
            labels, about = _real_classes(labels, label_names, chosen, source=source)
    if labels is not None:
        check_classes(labels, label_names, source=source)
    else:
        label_names = ()
    items = [ImageItem(name, lambda name=name: open_image(name)) for name in chosen]
    values, kept, notes = assemble(items, options=options, source=source, key=key)
    notes = (*about, *notes)
    if labels is not None:
        labels, label_names, more = without_empty_classes(labels[kept], label_names, source=source)
        notes = (*notes, *more)
    seen = {*chosen, *label_files, *(name for name in names if PurePosixPath(name).name == GRID_NAME)}
    others = Counter(_ending(name) for name in names if name not in seen and not _is_hidden(name))
    if others:
        notes = (*notes, f"Left alone: {_counted(others)}.")
    files = np.array(chosen, dtype=object)[kept]
    return Dataset("images", values, labels=labels, label_names=label_names, notes=notes, source=source, files=files)


def is_image(name: str, names: Sequence[str], suffixes: Sequence[str] = IMAGE_SUFFIXES) -> bool:
    """Whether a file counts as an image, by its name."""
    path = PurePosixPath(name)
    if _is_hidden(name) or path.suffix.lower() not in suffixes:
        return False
    return path.name != GRID_NAME or not any(_is_sample_below(other, path.parent) for other in names)


def _is_sample_below(name: str, folder: PurePosixPath) -> bool:
    path = PurePosixPath(name)
    return SAMPLE_NAME.fullmatch(path.name) is not None and path.is_relative_to(folder)


def open_bytes(content: io.BufferedIOBase | str) -> Image.Image:
    """A lazily opened image in one of the formats that we read.

    Raises:
        UnusableImage: there is not a single byte.
    """
    try:
        return Image.open(content, formats=FILE_FORMATS)
    except Image.UnidentifiedImageError:
        if _is_empty(content):
            raise UnusableImage("empty") from None
        raise


def _is_empty(content: io.BufferedIOBase | str) -> bool:
    if isinstance(content, str):
        return Path(content).stat().st_size == 0
    return content.seek(0, io.SEEK_END) == 0


def image_bytes(image: np.ndarray) -> bytes:
    """A PNG file of one image, uint8 `(channels, height, width)`."""
    buffer = io.BytesIO()
    to_image(image).save(buffer, format="PNG")
    return buffer.getvalue()


def named_images(batches: Iterable[Dataset], rows: int) -> Iterator[tuple[str, bytes]]:
    """Each image as a PNG with the name of its file: '000000.png', ...; in folders by class, if these have names.

    Where a class cannot be the name of a folder, `labels.csv` says at the end which class each image is of.
    """
    width, position = max(6, len(str(rows - 1))), 0
    rows_of_labels = ["file_name,label"]
    for batch in batches:
        folders = _folders(batch.label_names)
        has_classes = bool(folders) and batch.labels is not None
        for row, image in enumerate(batch.values):
            name = f"{position:0{width}d}.png"
            if has_classes:
                label = batch.labels[row]
                name = f"{folders[label]}/{name}"
                if folders != list(batch.label_names):
                    rows_of_labels.append(f"{_field(name)},{_field(batch.label_names[label])}")
            yield name, image_bytes(image)
            position += 1
    if len(rows_of_labels) > 1:
        yield "labels.csv", ("\n".join(rows_of_labels) + "\n").encode()


def _field(text: str) -> str:
    quoted = text.replace('"', '""')
    return f'"{quoted}"'


def _folders(names: Sequence[str]) -> list[str]:
    """A folder for each class; two classes never share one, not even where upper and lower case are the same."""
    taken: set[str] = set()
    folders = []
    for name in names:
        folder, number = _safe(name), 1
        while folder.lower() in taken or (number > 1 and folder in names):
            number += 1
            folder = f"{_safe(name)}_{number}"
        taken.add(folder.lower())
        folders.append(folder)
    return folders


def _safe(name: str) -> str:
    """A class name as the name of a folder."""
    kept = "".join(letter if letter.isalnum() or letter in " ._-+" else "_" for letter in name[:LONGEST_FOLDER])
    # File systems count bytes, 255 at most.
    kept = kept.encode()[:LONGEST_FOLDER].decode(errors="ignore").strip(" .")
    return f"{kept}_" if kept.lower() == GRID_NAME or is_label_file(kept.lower()) else kept or "class"


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


def _real_classes(
    labels: np.ndarray, names: Sequence[str], images: Sequence[str], *, source: str
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """The labels that folders give, unless these are no classes; then a note.

    Raises:
        DataError: the folders are parts of one data set.
    """
    if all(name.lower() in SPLITS for name in names):
        raise DataError(
            source,
            f"its folders are parts of a data set, not classes: {', '.join(names)}.",
            "Expected folders that are classes, or images without any.",
            f"Give one of them, such as {source.rstrip('/')}/{names[0]}; data.use_labels=false reads all, without "
            "classes.",
        )
    is_numbered = all(NUMBERED_FOLDER.fullmatch(name) for name in names)
    if is_numbered and all(NUMBERED_IMAGE.fullmatch(PurePosixPath(name).name) for name in images):
        return None, ("Folders such as 00000 only number the images, as StyleGAN's tools do: they are no classes.",)
    return labels, ()


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
