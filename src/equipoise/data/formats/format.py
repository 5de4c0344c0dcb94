"""What a data format is: how to recognise it, read it and write it. One file of `formats/` declares each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from equipoise.data.dataset import DataOptions, Dataset
from equipoise.parts import discover
from equipoise.spaces import SpaceKind


@dataclass(frozen=True)
class DataFormat:
    """A way in which data lie on a disk.

    Attributes:
        description: a phrase for the list of formats in an error message.
        suffixes: endings of the file, lower case with the dot; empty for a folder.
        kinds: the kinds of data it can hold.
        recognises: whether an existing path is of this format, by its name alone.
        read: the data at a path. Raises `DataError`.
        write: puts data at a path, whole or not at all: given batch by batch, and how many rows there are in all.
    """

    description: str
    suffixes: tuple[str, ...]
    kinds: tuple[SpaceKind, ...]
    recognises: Callable[[Path], bool]
    read: Callable[[Path, DataOptions], Dataset]
    write: Callable[[Path, Iterable[Dataset], int], None]


def has_suffix(*suffixes: str) -> Callable[[Path], bool]:
    """A test for files by their ending, in either case."""
    return lambda path: path.is_file() and path.name.lower().endswith(suffixes)


def available_formats() -> Mapping[str, DataFormat]:
    """All formats, by name."""
    import equipoise.data.formats as package

    return discover(package, "FORMATS")


def format_of(path: Path) -> DataFormat | None:
    """The format of an existing path, or `None`."""
    return next((entry for entry in available_formats().values() if entry.recognises(path)), None)


def format_for_suffix(name: str) -> DataFormat | None:
    """The format that a new file of this name would have, or `None`."""
    lowered = name.lower()
    return next((entry for entry in available_formats().values() if lowered.endswith(entry.suffixes or ("\0",))), None)
