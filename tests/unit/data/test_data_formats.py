"""What every data format must satisfy; a new one is found by itself."""

from __future__ import annotations

import errno
import pickle

import numpy as np
import pandas as pd
import pytest
from data_builders import mixed_frame, picture

from equipoise.data import DataOptions, Dataset, available_formats, load
from equipoise.errors import DataError, StorageError
from equipoise.plotting.samples import to_image

FORMATS = sorted(available_formats())
CASES = [(name, kind) for name in FORMATS for kind in available_formats()[name].kinds]


def example(kind):
    rng = np.random.default_rng(0)
    if kind == "points":
        return Dataset("points", rng.normal(size=(30, 3)), names=("a", "b", "c"))
    if kind == "images":
        return Dataset("images", rng.integers(0, 256, (30, 3, 16, 16), dtype=np.uint8))
    return Dataset("table", mixed_frame(60)[["real", "count", "flag", "text"]])


def write(name, path, *batches):
    available_formats()[name].write(path, batches, sum(map(len, batches)))


def path_for(name, folder):
    suffixes = available_formats()[name].suffixes
    return folder / f"data{suffixes[0]}" if suffixes else folder / "data"


def asking_for(kind):
    """Columns with names are points only where somebody says so."""
    return DataOptions(kind="points" if kind == "points" else None)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_what_a_format_writes_it_reads_again(name, kind, tmp_path):
    data, path = example(kind), path_for(name, tmp_path)
    write(name, path, data)
    assert available_formats()[name].recognises(path)
    read = load(path, options=asking_for(kind))
    assert read.kind == kind and len(read) == len(data)
    if kind == "table":
        pd.testing.assert_frame_equal(read.values, data.values)
    else:
        assert (read.values == data.values).all()
    assert read.names in ((), data.names, ("x0", "x1", "x2"))


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_batches_become_what_one_batch_becomes(name, kind, tmp_path):
    data = example(kind)
    whole, parts = path_for(name, tmp_path / "whole"), path_for(name, tmp_path / "parts")
    for path in (whole, parts):
        path.parent.mkdir()
    write(name, whole, data)
    write(name, parts, *(data.rows(np.arange(start, min(start + 7, len(data)))) for start in range(0, len(data), 7)))
    one, other = (load(each, options=asking_for(kind)).values for each in (whole, parts))
    assert one.equals(other) if kind == "table" else (one == other).all()


@pytest.mark.parametrize("name", FORMATS)
def test_only_one_format_recognises_a_path(name, tmp_path):
    kind = available_formats()[name].kinds[0]
    path = path_for(name, tmp_path)
    write(name, path, example(kind))
    assert [other for other in FORMATS if available_formats()[other].recognises(path)] == [name]


@pytest.mark.parametrize("name", [name for name in FORMATS if available_formats()[name].suffixes])
def test_damaged_files_are_refused_by_name_and_never_crash(name, tmp_path):
    path = path_for(name, tmp_path)
    write(name, path, example(available_formats()[name].kinds[0]))
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    damaged = [b"", b"\0" * 100, whole[:10], whole[: len(whole) // 2], whole[:-1]]
    for _ in range(40):
        broken = bytearray(whole)
        for position in rng.integers(0, min(len(whole), 400), 2):
            broken[position] = rng.integers(256)
        damaged.append(bytes(broken))
    refused = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            load(path, options=DataOptions(max_bad_share=1.0))
        except DataError as error:
            refused += 1
            assert path.name in str(error)
    assert refused >= 3  # nothing, zeros, and ten bytes hold no data in any format


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_full_disk_leaves_the_old_file_and_no_other(name, kind, tmp_path, monkeypatch):
    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = path_for(name, tmp_path)
    if available_formats()[name].suffixes:
        path.write_bytes(b"old")
    monkeypatch.setattr("equipoise.files._flush", full)
    with pytest.raises(StorageError, match="No space left"):
        write(name, path, example(kind))
    files = [entry for entry in tmp_path.rglob("*") if entry.is_file()]
    assert all(entry == path and entry.read_bytes() == b"old" for entry in files)


def test_an_array_of_objects_is_never_unpickled(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "evil"), "w"))

    np.save(tmp_path / "a.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", values=np.array([Evil()], dtype=object))
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Evil()))
    for name in ("a.npy", "a.npz", "b.npy"):
        with pytest.raises(DataError, match=r"pickle|cannot be read"):
            load(tmp_path / name)
    assert not (tmp_path / "evil").exists()


def test_an_npz_file_gives_values_and_labels(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(20) % 4)
    raw = load(tmp_path / "a.npz")
    assert raw.values.shape == (20, 1, 8, 8) and raw.label_names == ("0", "1", "2", "3")
    np.savez(tmp_path / "b.npz", whatever=images, kind=np.array(["a", "b"] * 10))
    assert load(tmp_path / "b.npz", options=DataOptions(labels="kind")).label_names == ("a", "b")
    with pytest.raises(DataError, match="it is not clear which array"):
        load(tmp_path / "b.npz")
    with pytest.raises(DataError, match="Did you mean 'kind'"):
        load(tmp_path / "b.npz", options=DataOptions(labels="kinds"))


def test_a_header_that_promises_more_than_the_file_holds_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((10, 2)))
    content = (tmp_path / "a.npy").read_bytes().replace(b"(10, 2), }      ", b"(10000000, 2), }")
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npy: it cannot be read as a numpy file"):
        load(tmp_path / "a.npy")


def test_parquet_keeps_whole_numbers_with_gaps(tmp_path):
    frame = mixed_frame(60).drop(columns="code")  # Parquet keeps categories of text only
    frame.to_parquet(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(load(tmp_path / "a.parquet").values, frame)


def test_sample_grids_beside_samples_are_no_data(tmp_path):
    for position in range(3):
        to_image(np.asarray(picture(position)).transpose(2, 0, 1)).save(tmp_path / f"00000{position}.png")
    picture(9).save(tmp_path / "sheet.png")
    assert len(load(tmp_path)) == 3
