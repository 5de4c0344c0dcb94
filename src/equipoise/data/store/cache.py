"""Prepared data kept on disk: where they lie, when they are used, and how a damaged entry is told from a whole one.

Data whose prepared form exceeds a threshold are not held in memory: they are written once into an entry of the cache
and read from there through a memory map. An entry is a folder, named by a hash of what it was made from (path, size,
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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.data.store.arrays import OnDiskArray
from equipoise.data.store.errors import FOLDER_VARIABLE, storing
from equipoise.errors import ConfigError, StorageError
from equipoise.locking import held, is_held

THRESHOLD_VARIABLE = "EQUIPOISE_MAP_ABOVE_MB"
MAP_ABOVE_MB = 256
FORMAT = 1
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

    def mapped(self, name: str) -> OnDiskArray:
        """One array, through a memory map."""
        return OnDiskArray(self.folder / f"{name}.npy", key=self.key)

    def loaded(self, name: str) -> np.ndarray:
        """One array, in memory."""
        return np.load(self.folder / f"{name}.npy", allow_pickle=False)

    def has(self, name: str) -> bool:
        return (self.folder / f"{name}.npy").exists()

    def note(self) -> str:
        """A sentence for the person."""
        return (
            f"{ABOUT_ROOM} their prepared form ({self.bytes / MEGABYTE:,.0f} MB) is kept in {self.folder}, "
            "which keeps memory small and the next start quick. Delete that folder to free the room."
        )


ABOUT_ROOM = "The data are large:"
"""How the note begins that says where the cache is: it is about this machine, not about the data."""


def map_above_bytes() -> int:
    """Size of the prepared data from which they are mapped: 256 MB, or what `EQUIPOISE_MAP_ABOVE_MB` says.

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
            f"Leave it out to map data above {MAP_ABOVE_MB} MB.",
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
    """32 hexadecimal digits for plain facts."""
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


@contextmanager
def building(key: str, *, needs_bytes: int) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Give a folder and a dictionary for the facts; afterwards they are the entry called `key`.

    Raises:
        StorageError: there is too little room, or the folder cannot be written.
    """
    root = cache_folder()
    with _begun(root, key, needs_bytes) as temporary:
        facts: dict[str, Any] = {}
        yield temporary, facts  # what the caller cannot read is no fault of the cache
        try:
            with storing(root / key):
                files = {path.name: (path.stat().st_size, _checksum(path)) for path in sorted(temporary.iterdir())}
                content = json.dumps({"format": FORMAT, "facts": facts, "files": files})
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


def built(key: str) -> Entry:
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
