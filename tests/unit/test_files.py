"""Files are whole or absent, whatever the file system does in between."""

import errno
import json
import os
import stat

import numpy as np
import pytest

from equipoise.errors import StorageError
from equipoise.files import plain, remove, replacing, write_json, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_written_file_holds_what_was_written_and_nothing_else_is_left(tmp_path):
    write_text(tmp_path / "deep" / "file.txt", "text")
    assert (tmp_path / "deep" / "file.txt").read_text() == "text"
    assert names(tmp_path / "deep") == ["file.txt"]


def test_a_write_that_fails_half_way_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("ne")
        raise RuntimeError("the program failed here")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


@pytest.mark.parametrize(
    ("code", "advice"),
    [(errno.ENOSPC, "Free some space"), (errno.EROFS, "may write to"), (errno.EIO, "Check the disk")],
    ids=["full disk", "read-only", "broken disk"],
)
def test_a_file_system_that_refuses_is_explained_and_the_old_file_stays(tmp_path, monkeypatch, code, advice):
    path = tmp_path / "file.txt"
    write_text(path, "old")

    def refuse(descriptor):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError, match=advice) as caught:
        write_text(path, "new")
    assert str(path) in caught.value.where
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_a_disk_that_is_full_is_named(tmp_path):
    from pathlib import Path

    from equipoise.runfolder import RunFolder

    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(StorageError, match="No space left"):
        RunFolder(tmp_path).append(Path("/dev/full"), {"step": 1})


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(RuntimeError), replacing(tmp_path / "run", is_folder=True) as temporary:
        (temporary / "file").write_text("x")
        raise RuntimeError("the program failed here")
    assert names(tmp_path) == []
    with replacing(tmp_path / "run", is_folder=True) as temporary:
        (temporary / "file").write_text("x")
    assert names(tmp_path) == ["run"]


def test_a_file_that_may_not_be_removed_is_named_and_one_that_is_gone_is_no_error(tmp_path):
    remove(tmp_path / "gone")
    (tmp_path / "folder").mkdir()  # which no file system removes as a file
    with pytest.raises(StorageError, match="writing .*folder"):
        remove(tmp_path / "folder")


def test_a_folder_is_flushed_after_a_rename_and_need_not_be_able_to(tmp_path, monkeypatch):
    flushed, fsync = [], os.fsync

    def only_files(handle):
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        flushed.append(is_folder)
        if is_folder:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", only_files)
    write_text(tmp_path / "file.txt", "text")
    assert (tmp_path / "file.txt").read_text() == "text"
    assert flushed == [False, True]


def test_numbers_that_json_does_not_know_become_null(tmp_path):
    write_json(tmp_path / "x.json", {"a": float("nan"), "b": np.float32(0.5), "c": np.int64(3), "d": (np.inf, True)})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": None, "b": 0.5, "c": 3, "d": [None, True]}


def test_arrays_and_sets_become_lists():
    assert plain({"x": np.arange(3)}) == {"x": [0, 1, 2]}
    assert plain({1}) == [1]
