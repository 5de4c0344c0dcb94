from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from data_builders import mixed_frame
from PIL import Image

from equipoise.data import DataOptions, Dataset, load, write_batches, write_samples
from equipoise.data.arrays import axes_in_order
from equipoise.errors import ConfigError
from equipoise.plotting.samples import image_grid


def images(count=5, channels=1, side=8):
    return np.random.default_rng(0).integers(0, 256, (count, channels, side, side), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_become_numbered_pngs_and_a_sample_grid(tmp_path, channels):
    values = images(channels=channels)
    written = write_samples(values, tmp_path / "out")
    assert [path.name for path in written] == [f"00000{k}.png" for k in range(5)] + ["sheet.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in written)
    assert (load(tmp_path / "out").values == values).all()


def test_images_with_classes_get_a_folder_each(tmp_path):
    write_samples(images(6), tmp_path / "out", labels=np.array([0, 1] * 3), label_names=("a/b", ".."))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a_b", "class", "labels.csv", "sheet.png"]
    raw = load(tmp_path / "out")
    assert raw.label_names == ("..", "a/b") and len(raw) == 6


@pytest.mark.parametrize("suffix", [".zip", ".npy", ".npz"])
def test_images_fit_into_one_file(tmp_path, suffix):
    values = images()
    (path,) = write_samples(values, tmp_path / f"out{suffix}")
    assert (load(path).values == values).all()


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_arrays_of_images_have_their_channels_last(tmp_path, suffix, channels):
    values = images(channels=channels)
    (path,) = write_samples(values, tmp_path / f"out{suffix}")
    found = np.load(path) if suffix == ".npy" else np.load(path)["values"]
    assert found.shape == ((5, 8, 8) if channels == 1 else (5, 8, 8, channels))
    assert (found.reshape(5, 8, 8, channels) == values.transpose(0, 2, 3, 1)).all()
    assert (load(path, options=DataOptions(kind="images")).values == values).all()


@pytest.mark.parametrize(("height", "width"), [(4, 5), (4, 4), (5, 4), (3, 8), (4, 3)])
def test_arrays_of_the_smallest_images_are_read_as_they_were(tmp_path, height, width):
    values = np.random.default_rng(0).integers(0, 256, (6, 3, height, width), dtype=np.uint8)
    (path,) = write_samples(values, tmp_path / "out.npy")
    assert np.array_equal(axes_in_order(np.load(path), source=""), values)


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (("0", "7", "-3"), np.array([0, 7, -3])),
        (("07", "7", "8"), np.array(["07", "7", "8"])),
        (("1", "x", "2"), np.array(["1", "x", "2"])),
    ],
)
def test_classes_that_are_whole_numbers_are_written_as_numbers(tmp_path, names, kept):
    labels = np.array([0, 1, 2, 1, 0])
    (path,) = write_samples(images(), tmp_path / "out.npz", labels=labels, label_names=names)
    with np.load(path) as stored:
        assert stored["labels"].dtype.kind == kept.dtype.kind and (stored["labels"] == kept[labels]).all()
    again = load(path)
    assert [again.label_names[label] for label in again.labels] == [names[label] for label in labels]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_keeps_its_columns(tmp_path, suffix):
    frame = mixed_frame(50)[["real", "count", "text", "flag", "day"]]
    (path,) = write_samples(frame, tmp_path / f"out{suffix}")
    read = pd.read_csv(path, parse_dates=["day"]) if suffix == ".csv" else pd.read_parquet(path)
    pd.testing.assert_frame_equal(read, frame, check_dtype=suffix == ".parquet")


def test_points_keep_their_names(tmp_path):
    values = np.random.default_rng(0).normal(size=(5, 2))
    (path,) = write_samples(values, tmp_path / "out.csv", names=("left", "right"))
    assert pd.read_csv(path).columns.tolist() == ["left", "right"]
    assert (load(path, options=DataOptions(kind="points")).values == values).all()


def test_batches_are_written_as_they_come(tmp_path):
    values = images(10)
    held = []

    def batches():
        for start in range(0, 10, 4):
            held.append(start)
            yield Dataset("images", values[start : start + 4])

    written = write_batches(batches(), tmp_path / "out", rows=10)
    assert held == [0, 4, 8] and len(written) == 11
    assert (load(tmp_path / "out").values == values).all()


def test_a_folder_gets_the_usual_file(tmp_path):
    assert write_samples(np.zeros((3, 2)), tmp_path)[0].name == "samples.npy"
    assert write_samples(pd.DataFrame({"a": [1]}), tmp_path)[0].name == "samples.csv"


@pytest.mark.parametrize(
    ("values", "name"), [(images(), "a.csv"), (np.zeros((3, 2)), "a.png"), (mixed_frame(9), "a.npy")]
)
def test_an_ending_that_cannot_hold_the_samples_is_refused(tmp_path, values, name):
    with pytest.raises(ConfigError, match="cannot be written with the ending") as caught:
        write_samples(values, tmp_path / name)
    assert ("Name a folder" in str(caught.value)) == (values.ndim == 4)
    assert not list(tmp_path.iterdir())


def test_a_sample_grid_enlarges_small_images_by_whole_pixels():
    values = images(6)
    grid = np.asarray(image_grid(values, columns=3))
    assert grid.shape == (2 * 34 + 2, 3 * 34 + 2)
    assert (grid[2:34:4, 2:34:4] == values[0, 0]).all() and (grid[36:68:4, 70:102:4] == values[5, 0]).all()
    assert (grid[:2] == 255).all() and (grid[34:36] == 255).all()


def test_a_sample_grid_of_large_images_keeps_their_pixels():
    assert image_grid(images(3, channels=3, side=64)).size == (2 * 66 + 2, 2 * 66 + 2)
    assert isinstance(image_grid(images(1)), Image.Image)
