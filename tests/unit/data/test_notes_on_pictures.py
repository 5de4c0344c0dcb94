"""What is said of pictures that are cropped, too large or empty."""

import numpy as np
import pytest
from data_builders import picture
from PIL import Image

from equipoise.data import DataOptions, load
from equipoise.errors import DataError


def notes(source, **options):
    return " ".join(load(source, options=DataOptions(**options)).notes)


def test_of_an_array_what_is_cropped_is_said_as_of_files(tmp_path):
    # At 8 x 8 a picture of 300 x 4 pixels becomes 600 x 8: 8 of 600 rows are left, and more than 99 % of it is not.
    np.save(tmp_path / "tall.npy", np.random.default_rng(0).integers(0, 256, (20, 300, 4), dtype=np.uint8))
    said = notes(tmp_path / "tall.npy", kind="images", image_size=8)
    assert "of 20 of 20 images a part is left out, at most 99%" in said
    assert "left out" not in notes(tmp_path / "tall.npy", kind="images", image_size=8, crop="none")
    np.save(tmp_path / "square.npy", np.random.default_rng(0).integers(0, 256, (20, 20, 20), dtype=np.uint8))
    assert "left out" not in notes(tmp_path / "square.npy", kind="images", image_size=8)


def test_nearly_all_of_an_image_is_not_called_all(tmp_path):
    picture(0, size=(20, 20)).save(tmp_path / "square.png")
    picture(1, size=(4, 4000)).save(tmp_path / "tall.png")
    said = notes(tmp_path, image_size=8)
    assert "of 1 of 2 images a part is left out, more than 99% of some" in said and "100%" not in said


def test_what_is_cropped_is_counted_among_the_images_that_were_read(tmp_path):
    for number in range(9):
        picture(number, size=(20, 20)).save(tmp_path / f"{number}.png")
    picture(9, size=(20, 60)).save(tmp_path / "tall.png")
    content = (tmp_path / "tall.png").read_bytes()
    (tmp_path / "tall.png").write_bytes(content[: len(content) // 2])  # its size can be read, its pixels cannot
    said = notes(tmp_path, image_size=8, max_bad_share=0.5)
    assert "Skipped 1 of 10" in said and "left out" not in said
    picture(9, size=(20, 60)).save(tmp_path / "other.png")
    assert "of 1 of 10 images a part is left out, at most 67%" in notes(tmp_path, image_size=8, max_bad_share=0.5)


def test_an_image_of_too_many_pixels_names_the_limit_and_how_to_raise_it(tmp_path, monkeypatch):
    picture(0, size=(40, 40)).save(tmp_path / "a.png")
    monkeypatch.setenv("EQUIPOISE_MOST_PIXELS", "1000")
    with pytest.raises(DataError, match=r"a\.png \(40x40 pixels are too many: EQUIPOISE_MOST_PIXELS=1000, raise it"):
        load(tmp_path)
    monkeypatch.setenv("EQUIPOISE_MOST_PIXELS", "700")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)  # Pillow refuses by itself what is above twice its own limit
    with pytest.raises(DataError, match=r"a\.png \(too many pixels: EQUIPOISE_MOST_PIXELS=700, raise it"):
        load(tmp_path)


def test_a_limit_that_was_raised_holds_for_pillow_too_while_images_are_read_and_no_longer(tmp_path, monkeypatch):
    picture(0, size=(40, 40)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    monkeypatch.setenv("EQUIPOISE_MOST_PIXELS", "2000")
    assert len(load(tmp_path)) == 1
    assert Image.MAX_IMAGE_PIXELS == 500


def test_a_file_without_a_byte_is_called_empty(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"a\.png \(empty\)"):
        load(tmp_path)
