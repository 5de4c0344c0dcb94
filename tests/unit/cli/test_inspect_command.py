"""`equipoise inspect` on pictures: how many, how large, in which colours, of which classes, and what is cropped."""

import pytest
from PIL import Image


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Twelve pictures in two folders: nine of 24 x 36 pixels (width x height), and three of 36 x 24."""
    folder = tmp_path_factory.mktemp("photos")
    for k in range(12):
        name, size = ("tall", (24, 36)) if k < 9 else ("wide", (36, 24))
        (folder / name).mkdir(exist_ok=True)
        Image.new("RGB", size, (20 * k, 255 - 20 * k, 90)).save(folder / name / f"{k}.png")
    return folder


def test_pictures_are_counted_in_all_and_by_class(equipoise, photos):
    said = equipoise("inspect", photos).out
    assert "images, 12 of 16x16 pixels (height x width), in colour" in said
    assert "classes: tall 9, wide 3" in said
    found = equipoise("inspect", photos, "--json").json
    assert found["shape"] == [12, 3, 16, 16] and found["class_counts"] == [9, 3]


def test_what_is_cropped_is_said_and_how_to_keep_it(equipoise, photos):
    assert "of 12 of 12 images a part is left out, at most 33%" in equipoise("inspect", photos).out
    # Of the tall ones nothing is cropped at their own proportions; of a wide one 24 x 36 leaves 16 x 24: 5 parts of 9.
    assert "of 3 of 12 images a part is left out, at most 56%" in equipoise("inspect", photos, "--size", "36x24").out
    assert "left out" not in equipoise("inspect", photos, "--crop", "none").out


def test_all_columns_of_a_table_are_counted_with_those_that_are_made_up(equipoise, tmp_path):
    lines = [f"INV-{k:05d},{k * 37 % 101 / 10},{'ab'[k % 2]}" for k in range(90)]
    (tmp_path / "bills.csv").write_text("\n".join(["number,amount,kind", *lines]))
    assert "table, 90 x 3" in equipoise("inspect", tmp_path / "bills.csv").out


def test_the_options_of_train_that_change_how_pictures_are_read(equipoise, photos):
    assert "12 of 8x8 pixels" in equipoise("inspect", photos, "--size", "8").out
    assert "is no size of an image" in equipoise("inspect", photos, "--size", "big").err


@pytest.fixture
def broken(tmp_path):
    """A folder of files that nobody can read: whoever reads them says so, and not what is wrong with the size."""
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(b"broken")
    return tmp_path


@pytest.mark.parametrize(("size", "words"), [("257", "257x257"), ("300x8", "300x8"), ("7x40", "7x40")])
def test_a_size_that_the_networks_cannot_make_is_refused_by_its_option_before_anything_is_read(
    equipoise, broken, size, words
):
    said = equipoise("train", broken, "--size", size, "--dry-run").err
    assert "data.image_size (--size)" in said and f"cannot make images of {words} pixels" in said
    assert "images of 8 to 256 pixels a side" in said


def test_other_networks_may_make_other_sizes(equipoise, broken):
    said = equipoise("train", broken, "--size", "40x7", "--set", "networks.family=mlp", "--dry-run").err
    assert "3 of 3 images cannot be used" in said


@pytest.mark.parametrize("size", ["0", "2", "5000", "0x8"])
def test_a_size_of_no_image_is_refused_by_its_option(equipoise, broken, size):
    said = equipoise("train", broken, "--size", size, "--dry-run").err
    assert f"--size: {size} is no size of an image" in said and "8 to 256" in said
    if size == "0":
        said = equipoise("train", broken, "--set", "data.image_size=0", "--dry-run").err
        assert "constrained" not in said and "data.image_size: 0 does not fit" in said and "--size" in said


def test_inspect_notes_a_size_that_train_refuses(equipoise, photos):
    assert "train refuses this size" in equipoise("inspect", photos, "--size", "300x8").out
    assert "train refuses" not in equipoise("inspect", photos, "--size", "16").out
