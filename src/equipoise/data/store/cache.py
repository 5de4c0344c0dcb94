"""Prepared data kept on disk: where they lie, when they are used, and how a damaged entry is told from a whole one.

Data whose prepared form exceeds a threshold are not held in memory: they are written once into an entry of the cache
and read from there through a memory map. Smaller data are made by the same code and stay in memory: a `Draft` without a
folder. An entry is a folder, named by a hash of what it was made from (path, size,
time of the last change, the options that matter), with an `entry.json` that lists every file with its length and its
CRC-32. It is built under another name and renamed when it is whole. Each use reads the files through once; an entry
that does not fit its list is deleted and built again. Entries of sources that changed stay until somebody clears them.
What a killed process had begun is deleted before the next entry is built: the system takes back the lock that it held.

Nothing that is computed depends on whether the cache is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.data.store.arrow import FOLDER_VARIABLE, ArrowWriter, OnDiskArray, Writer, storing
from equipoise.errors import ConfigError, StorageError
from equipoise.locking import held, is_held

THRESHOLD_VARIABLE = "EQUIPOISE_MAP_ABOVE_MB"
MAP_ABOVE_MB = 256
FORMAT = 3
"""Changes with what an entry holds; an entry of another format is another entry."""
CHUNK_BYTES = 1 << 22
LARGEST_LIST = 1 << 26
"""Bytes of an `entry.json`; a longer one is not ours."""
MEGABYTE = 1_000_000
LOCKED_PREFIX, ASIDE_PREFIX = ".building-", ".old-"
LEFTOVER_SECONDS = 86_400
"""Where the file system has no locks, nobody knows whether a folder's builder is alive: after a day it is not."""


@dataclass(frozen=True)
class Entry:
    """A whole entry.

    Attributes:
        folder: where its files lie.
        key: its name.
        facts: what was stored beside the arrays, plain values.
        bytes: size of all its files.
    """

    folder: Path
    key: str
    facts: dict[str, Any]
    bytes: int

    def array(self, name: str) -> OnDiskArray:
        """One array, through a memory map."""
        return OnDiskArray.of_arrow(self.folder / f"{name}.arrow", key=self.key)

    def loaded(self, name: str) -> np.ndarray:
        """One array, in memory."""
        return self.array(name)[:]

    @property
    def notes(self) -> tuple[str, ...]:
        """Where the entry is, for the person."""
        return (
            f"{ABOUT_ROOM} their prepared form ({self.bytes / MEGABYTE:,.0f} MB) is kept in {self.folder}, "
            "which keeps memory small and the next start quick. Delete that folder to free the room.",
        )


class Draft:
    """An entry that is being made; without a folder its arrays are in memory, and it can be used like an `Entry`.

    Attributes:
        folder: where its files will be; whatever is written there is part of the entry.
        facts: what is stored beside the arrays, plain values.
        notes: nothing that a person has to know.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, folder: Path | None) -> None:
        self.folder, self.facts = folder, {}
        self._arrays: dict[str, np.ndarray] = {}

    @contextmanager
    def writer(self, name: str, *, shape: tuple[int, ...], dtype: Any) -> Iterator[Writer]:
        """An array that is filled within the context."""
        if self.folder is None:
            writer = Writer(np.empty(shape, dtype=dtype))
            self._arrays[name] = writer.array
        else:
            writer = ArrowWriter(self.folder / f"{name}.arrow", shape=shape, dtype=dtype)
        yield writer
        writer.flush()

    def save(self, name: str, parts: Iterable[np.ndarray], *, shape: tuple[int, ...], dtype: Any) -> None:
        """An array that is given part by part."""
        with self.writer(name, shape=shape, dtype=dtype) as writer:
            begun = 0
            for part in parts:
                writer.put(begun, part)
                begun += len(part)

    def hold(self, name: str, array: np.ndarray) -> None:
        """A whole array; in memory it is kept as it is, in its own order of axes."""
        if self.folder is None:
            self._arrays[name] = array
        else:
            self.save(name, [array], shape=array.shape, dtype=array.dtype)

    def array(self, name: str) -> Any:
        """One array, to be read again before the entry is whole."""
        return self._arrays[name] if self.folder is None else OnDiskArray.of_arrow(self.folder / f"{name}.arrow")

    loaded = array

    def rename(self, name: str, new: str) -> None:
        """Give an array another name."""
        if self.folder is None:
            self._arrays[new] = self._arrays.pop(name)
            return
        path = self.folder / f"{name}.arrow"
        with storing(path):
            path.rename(self.folder / f"{new}.arrow")

    def remove(self, name: str) -> None:
        """Forget an array."""
        if self.folder is None:
            del self._arrays[name]
            return
        path = self.folder / f"{name}.arrow"
        with storing(path):
            path.unlink()


ABOUT_ROOM = "The data are large:"
"""How the note begins that says where the cache is: it is about this machine, not about the data."""


def map_above_bytes() -> int:
    """Size of the prepared data from which they stay on disk: 256 MB, or what `EQUIPOISE_MAP_ABOVE_MB` says.

    Raises:
        ConfigError: the variable holds no number.
    """
    text = os.environ.get(THRESHOLD_VARIABLE, "")
    try:
        megabytes = float(text) if text else MAP_ABOVE_MB
    except ValueError:
        megabytes = -1.0
    if not megabytes >= 0:
        raise ConfigError(
            THRESHOLD_VARIABLE,
            f"'{text}' is no size.",
            "Expected a number of megabytes, 0 or more.",
            f"Leave it out to keep data on disk above {MAP_ABOVE_MB} MB.",
        )
    return int(megabytes * MEGABYTE)


def cache_folder() -> Path:
    """`EQUIPOISE_CACHE`, else `equipoise` in `XDG_CACHE_HOME`, else `~/.cache/equipoise`."""
    own = os.environ.get(FOLDER_VARIABLE)
    if own:
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "equipoise"


def cache_key(*facts: object) -> str:
    """32 hexadecimal digits for plain values."""
    text = json.dumps([FORMAT, *facts], ensure_ascii=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def file_facts(path: Path) -> tuple[str, int, int]:
    """What tells that a file still holds what it held: where it is, its size, and when it was last changed."""
    found = path.stat()
    return str(path.absolute()), found.st_size, found.st_mtime_ns


def open_entry(key: str) -> Entry | None:
    """The entry called `key`, when every file has its length and its checksum; a damaged one is deleted."""
    folder = cache_folder() / key
    if not folder.is_dir():
        return None
    facts = _listed(folder)
    if facts is None:
        _discard(folder)
        return None
    return Entry(folder, key, facts["facts"], sum(size for size, _ in facts["files"].values()))


def kept(key: str | None, make: Callable[[Draft], None], *, needs_bytes: int) -> Entry | Draft:
    """The entry called `key`, made now if it is not there; without a key, made in memory.

    Raises:
        StorageError: there is too little room, or the folder cannot be written.
    """
    if key is None:
        draft = Draft(None)
        make(draft)
        return draft
    entry = open_entry(key)
    if entry is None:
        with building(key, needs_bytes=needs_bytes) as draft:
            make(draft)
        entry = _built(key)
    return entry


@contextmanager
def building(key: str, *, needs_bytes: int) -> Iterator[Draft]:
    """Give a draft that is the entry called `key` afterwards.

    Raises:
        StorageError: there is too little room, or the folder cannot be written.
    """
    root = cache_folder()
    with _begun(root, key, needs_bytes) as temporary:
        draft = Draft(temporary)
        yield draft  # what the caller cannot read is no fault of the cache
        try:
            with storing(root / key):
                files = {path.name: (path.stat().st_size, _checksum(path)) for path in sorted(temporary.iterdir())}
                content = json.dumps({"format": FORMAT, "facts": draft.facts, "files": files})
                (temporary / "entry.json").write_text(content, encoding="utf-8")
                temporary.rename(root / key)
        except StorageError:
            if not (root / key).is_dir():  # else another process was first, and its entry holds the same
                raise


@contextmanager
def _begun(root: Path, key: str, needs_bytes: int) -> Iterator[Path]:
    """A new folder for an entry, where there is room; locked while its builder lives, and removed at the end."""
    with storing(root):
        root.mkdir(parents=True, exist_ok=True)
        _clear_leftovers(root)
        free = shutil.disk_usage(root).free
        if free < needs_bytes:
            raise StorageError(
                str(root),
                f"{free / MEGABYTE:,.0f} MB are free.",
                f"Expected {needs_bytes / MEGABYTE:,.0f} MB for the prepared form of the data.",
                f"Free some room, or name another folder with {FOLDER_VARIABLE}.",
            )
        temporary = Path(tempfile.mkdtemp(dir=root, prefix=f".{key}-"))
    try:
        with held(temporary) as is_locked:
            if is_locked:  # only now does its name say so: nobody takes it for a dead builder's in between
                with storing(root):
                    temporary = temporary.rename(root / f"{LOCKED_PREFIX}{temporary.name[1:]}")
            yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _clear_leftovers(root: Path) -> None:
    """Delete what processes that were killed had begun to write, or to delete."""
    for folder in root.glob(".*-*"):
        with suppress(OSError):
            if folder.name.startswith(ASIDE_PREFIX):
                is_left = True
            elif folder.name.startswith(LOCKED_PREFIX):
                is_left = not is_held(folder)
            else:
                newest = max(entry.stat().st_mtime for entry in (folder, *folder.iterdir()))
                is_left = time.time() - newest > LEFTOVER_SECONDS
            if is_left:
                shutil.rmtree(folder, ignore_errors=True)


def _built(key: str) -> Entry:
    """The entry that was built a moment ago; its checksums were taken from the very files."""
    folder = cache_folder() / key
    facts = json.loads((folder / "entry.json").read_text(encoding="utf-8"))
    return Entry(folder, key, facts["facts"], sum(size for size, _ in facts["files"].values()))


def _listed(folder: Path) -> dict[str, Any] | None:
    """The list of an entry, when its files are as it says."""
    listing = folder / "entry.json"
    try:
        if listing.stat().st_size > LARGEST_LIST:
            return None
        content = json.loads(listing.read_text(encoding="utf-8"))
        if content["format"] != FORMAT or not isinstance(content["facts"], dict):
            return None
        for name, (size, checksum) in content["files"].items():
            path = folder / Path(name).name
            if path.stat().st_size != size or _checksum(path) != checksum:
                return None
        return content
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _checksum(path: Path) -> int:
    value = 0
    with open(path, "rb", buffering=0) as stream:
        while part := stream.read(CHUNK_BYTES):
            value = zlib.crc32(part, value)
    return value


def _discard(folder: Path) -> None:
    """Delete an entry; first out of the way in one move, so that nobody finds half of it.

    A move takes no room: this works on a full disk, too.
    """
    aside = folder.with_name(f"{ASIDE_PREFIX}{folder.name}-{secrets.token_hex(4)}")
    with storing(folder), suppress(FileNotFoundError):  # somebody else was first
        folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)
