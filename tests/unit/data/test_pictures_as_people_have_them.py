"""Pictures of many sizes, formats and modes arrive upright and in their colours; the benchmark that says so sees."""

import sys
from pathlib import Path

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

from images_input import WAYS, write_pictures, wrong_pictures


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    return folder, write_pictures(folder, 8 * len(WAYS))


def test_every_way_of_storing_a_picture_is_read_as_people_see_it(pictures):
    assert wrong_pictures(*pictures) == []


@pytest.mark.parametrize(
    "change",
    [lambda image: image.transpose(Image.Transpose.ROTATE_90), lambda image: Image.merge("RGB", image.split()[::-1])],
    ids=["turned", "red and blue swapped"],
)
def test_a_picture_that_is_turned_or_of_other_colours_is_noticed(pictures, change):
    folder, expected = pictures
    path = folder / "00003.png"
    content = path.read_bytes()
    change(Image.open(path).convert("RGB")).save(path)
    found = wrong_pictures(folder, expected)
    path.write_bytes(content)
    assert len(found) == 1 and found[0].startswith("00003.png (PNG)")
