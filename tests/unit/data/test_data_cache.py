"""The cache of prepared data when a disk fills up, and after a process that was killed while it wrote."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from data_builders import mixed_frame, picture

from equipoise.data import DataOptions, load, prepare
from equipoise.data.store import arrow as arrow_module
from equipoise.data.store import cache as cache_module
from equipoise.errors import DataError, StorageError

HOLD = """
import sys, time
from equipoise.data.store.cache import building
with building("aaaa", needs_bytes=1) as draft:
    (draft.folder / "values.arrow").write_bytes(b"some")
    print(draft.folder, flush=True)
    time.sleep(120)
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("EQUIPOISE_CACHE", str(folder))
    monkeypatch.setenv("EQUIPOISE_MAP_ABOVE_MB", "0")
    return folder


@pytest.fixture
def builder(own_cache: Path) -> Iterator[tuple[subprocess.Popen, Path]]:
    """A process that builds an entry, and the folder that it builds in."""
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process, Path(process.stdout.readline().strip())
    process.kill()
    process.wait()


def full(*arguments: object, **options: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def cut_short(*arguments: object, **options: object) -> None:
    """What a library says of a file that it could not write to its end, without a number."""
    raise OSError("65536 requested and 0 written")


def a_table(folder: Path) -> Path:
    mixed_frame(300).to_parquet(folder / "table.parquet")
    return folder / "table.parquet"


def some_pictures(folder: Path) -> Path:
    (folder / "pictures").mkdir()
    for number in range(8):
        picture(number).save(folder / "pictures" / f"{number}.png")
    (folder / "pictures" / "broken.png").write_bytes(b"no picture")  # the rest is then moved together
    return folder / "pictures"


@pytest.mark.parametrize("fails", [full, cut_short])
@pytest.mark.parametrize(
    ("source", "place"),
    [
        (a_table, (pa.ipc, "new_file")),  # the columns, after the room was looked at
        (a_table, (arrow_module, "_lay_out")),  # the numbers of the rows of each part
        (some_pictures, (arrow_module, "_lay_out")),  # the images
        (some_pictures, (cache_module.Path, "unlink")),  # the images before they were brought together
        (a_table, (arrow_module.os, "posix_fallocate")),
    ],
    ids=["columns", "parts", "pictures", "moved pictures", "room"],
)
def test_a_disk_that_fills_up_while_the_cache_is_written_says_what_to_do(
    source: Callable[[Path], Path],
    place: tuple[object, str],
    fails: Callable[..., None],
    own_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = source(tmp_path)
    monkeypatch.setattr(*place, fails)
    with pytest.raises(StorageError, match="EQUIPOISE_CACHE") as caught:
        prepare(load(path, options=DataOptions(max_bad_share=0.5)), seed=0)
    assert str(own_cache) in caught.value.where
    monkeypatch.undo()
    assert not list(own_cache.glob(".*"))  # what was begun is removed


def test_a_source_that_cannot_be_read_is_no_fault_of_the_cache(own_cache: Path) -> None:
    with pytest.raises(FileNotFoundError), cache_module.building("aaaa", needs_bytes=1):
        raise FileNotFoundError("the source")
    assert list(own_cache.iterdir()) == []


def test_a_damaged_entry_is_deleted_on_a_full_disk_too(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cache_module.building("aaaa", needs_bytes=1) as draft:
        (draft.folder / "values.arrow").write_bytes(b"some")
    (own_cache / "aaaa" / "values.arrow").write_bytes(b"other")
    monkeypatch.setattr(cache_module.tempfile, "mkdtemp", full)
    monkeypatch.setattr(cache_module.Path, "mkdir", full)
    assert cache_module.open_entry("aaaa") is None
    assert list(own_cache.iterdir()) == []


def test_a_damaged_entry_that_cannot_be_deleted_says_what_to_do(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cache_module.building("aaaa", needs_bytes=1) as draft:
        (draft.folder / "values.arrow").write_bytes(b"some")
    (own_cache / "aaaa" / "values.arrow").write_bytes(b"other")

    def refused(*arguments: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(cache_module.Path, "rename", refused)
    with pytest.raises(StorageError, match="EQUIPOISE_CACHE"):
        cache_module.open_entry("aaaa")


@pytest.mark.skipif(os.name != "posix", reason="elsewhere leftovers are told by their age")
def test_what_a_killed_builder_left_is_cleared_at_once(own_cache: Path, builder: tuple[subprocess.Popen, Path]) -> None:
    process, folder = builder
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert folder.is_dir() and folder.parent == own_cache
    with cache_module.building("bbbb", needs_bytes=1):
        assert not folder.exists()


@pytest.mark.skipif(os.name != "posix", reason="elsewhere leftovers are told by their age")
def test_what_a_living_builder_writes_is_left_alone_however_old_it_looks(
    own_cache: Path, builder: tuple[subprocess.Popen, Path]
) -> None:
    _, folder = builder
    long_ago = time.time() - 10 * cache_module.LEFTOVER_SECONDS
    for place in (folder / "values.arrow", folder):
        os.utime(place, (long_ago, long_ago))
    with cache_module.building("bbbb", needs_bytes=1):
        assert (folder / "values.arrow").is_file()


@pytest.mark.skipif(os.name != "posix", reason="elsewhere leftovers are told by their age")
def test_the_room_of_a_killed_builder_is_free_for_the_next(
    own_cache: Path, builder: tuple[subprocess.Popen, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    process, folder = builder
    process.send_signal(signal.SIGKILL)
    process.wait()
    usage = cache_module.shutil.disk_usage(own_cache)
    monkeypatch.setattr(
        cache_module.shutil, "disk_usage", lambda root: usage._replace(free=5 if folder.exists() else 50)
    )
    with cache_module.building("bbbb", needs_bytes=20):
        pass
    assert cache_module.open_entry("bbbb") is not None


def test_what_was_moved_aside_to_be_deleted_is_deleted_by_the_next_builder(own_cache: Path) -> None:
    (own_cache / ".old-aaaa-12345678" / "entry").mkdir(parents=True)
    with cache_module.building("bbbb", needs_bytes=1):
        pass
    assert [entry.name for entry in own_cache.iterdir()] == ["bbbb"]


def test_data_that_are_refused_leave_nothing_in_the_cache(own_cache: Path, tmp_path: Path) -> None:
    pd.DataFrame({"only": np.ones(50)}).to_parquet(tmp_path / "flat.parquet")
    with pytest.raises(DataError):
        prepare(load(tmp_path / "flat.parquet"), seed=0)
    assert not list(own_cache.glob(".*"))
