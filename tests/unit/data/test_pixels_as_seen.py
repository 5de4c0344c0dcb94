"""Pixels are what a person sees: not colours under an alpha of 0, nor how a mask or a deep image is stored."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from equipoise.data import DataOptions, load
from equipoise.errors import DataError


def blobs(hidden, size=16):
    rng = np.random.default_rng(0)
    images = np.full((12, size, size, 4), hidden, dtype=np.uint8)
    images[..., 3] = 0
    for image in images:
        x, y = rng.integers(2, size - 8, 2)
        image[x : x + 6, y : y + 6] = [*rng.integers(1, 256, 3), 255]
        image[x : x + 6, y] = [10, 20, 30, 128]
    return images


@pytest.mark.parametrize("size", [None, 8, 12])
def test_colour_under_alpha_zero_does_not_count(tmp_path, size):
    found = []
    for name, hidden in (("white", 255), ("black", 0)):
        (tmp_path / name).mkdir()
        for k, image in enumerate(blobs(hidden)):
            Image.fromarray(image).save(tmp_path / name / f"{k:02d}.png")
        options = DataOptions(image_size=size)
        found += [load(tmp_path / name, options=options).values, load(blobs(hidden), options=options).values]
    assert all((other == found[0]).all() for other in found[1:])
    assert found[0].shape[1] == 4 and found[0][:, :3].max() > 0


def test_masks_are_the_same_masks_however_they_are_stored():
    mask = np.random.default_rng(0).random((20, 8, 8)) < 0.5
    forms = [mask, mask.astype(np.uint8), mask.astype(np.int64), mask.astype(np.float32), mask.astype(np.uint8) * 255]
    read = [load(form).values for form in forms]
    assert all((values == read[0]).all() for values in read) and set(np.unique(read[0])) == {0, 255}


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, np.int32])
def test_a_single_pixel_above_255_is_refused_and_not_made_black(dtype):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 8, 8)).astype(dtype)
    pixels[3, 4, 5] = 256
    with pytest.raises(DataError, match="the largest pixel is 256") as caught:
        load(pixels)
    assert "array.clip(0, 255)" in caught.value.advice
    assert load(pixels.clip(0, 255)).values.max() == 255


def test_twelve_bits_in_sixteen_are_said_and_scaled_on_request(tmp_path):
    values = np.random.default_rng(0).integers(0, 4096, (12, 16, 16)).astype(np.uint16)
    values[0, 0, :2] = [0, 4095]
    for k, image in enumerate(values):
        Image.fromarray(image).save(tmp_path / f"{k:02d}.png")
    for source in (tmp_path, values):
        dark = load(source)
        assert dark.values.max() == 16 and any("data.white=4095" in note for note in dark.notes)
        bright = load(source, options=DataOptions(white=4095))
        assert (bright.values[:, 0] == np.rint(values * (255 / 4095))).all()
    assert not any("dark" in note for note in load(values * 16).notes)


def test_real_numbers_that_leave_the_pictures_black_get_a_note():
    values = np.random.default_rng(0).random((12, 16, 16, 3)) * 5
    assert any("The brightest is 5: the images are dark." in note for note in load(values).notes)
    assert not any("dark" in note for note in load(values * 50).notes)


def test_of_an_animation_the_first_frame_is_taken_and_a_note_says_so(tmp_path):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "green", "blue")]
    for k, frame in enumerate(frames):
        frame.save(tmp_path / f"{k}.png")
    assert not any("first frame" in note for note in load(tmp_path).notes)
    frames[0].save(tmp_path / "wave.gif", save_all=True, append_images=frames[1:])
    raw = load(tmp_path)
    assert any("first frame is taken of images with several: 1, such as wave.gif" in note for note in raw.notes)
    assert (raw.values[3] == raw.values[0]).all()


def test_the_note_on_deep_pixels_counts_the_images_that_have_them(tmp_path):
    for k, image in enumerate(np.random.default_rng(0).integers(0, 256, (12, 16, 16), dtype=np.uint8)):
        Image.fromarray(image).save(tmp_path / f"{k:02d}.png")
    assert not any("bits" in note for note in load(tmp_path).notes)
    Image.fromarray(np.linspace(0, 65_535, 256).reshape(16, 16).astype(np.uint16)).save(tmp_path / "00.png")
    assert any(note.startswith("More than 8 bits a pixel: 1 of 12 images. Read") for note in load(tmp_path).notes)


def test_masked_values_are_refused_and_never_read():
    values = np.ma.masked_array(np.arange(40.0).reshape(20, 2), mask=np.arange(40).reshape(20, 2) == 7)
    with pytest.raises(DataError, match="1 of its 40 values are masked"):
        load(values)
    assert load(np.ma.masked_array(np.arange(40.0).reshape(20, 2))).values.shape == (20, 2)


@pytest.mark.parametrize("ending", [".tif", ".tiff", ".jfif"])
def test_more_endings_are_read(tmp_path, ending):
    for k in range(12):
        image = Image.fromarray(np.random.default_rng(k).integers(0, 256, (16, 16, 3), dtype=np.uint8))
        image.save(tmp_path / f"{k}{ending}", format="JPEG" if ending == ".jfif" else "TIFF")
    raw = load(tmp_path)
    assert raw.values.shape == (12, 3, 16, 16) and not raw.notes


def test_images_of_real_numbers_are_refused_by_name(tmp_path):
    for k in range(12):
        Image.fromarray(np.random.default_rng(k).random((16, 16)).astype(np.float32)).save(tmp_path / f"{k}.tif")
    with pytest.raises(DataError, match="real numbers"):
        load(tmp_path)


def test_images_of_a_run_of_the_first_version_are_read_as_then(tmp_path):
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        for k, image in enumerate(blobs(255)):
            Image.fromarray(image).save(tmp_path / split / f"{k:02d}.png")
        Image.fromarray(image).save(tmp_path / split / "later.tif")
    raw = load(tmp_path, options=DataOptions(as_first_version=True))
    assert raw.label_names == ("test", "train") and len(raw) == 24
    assert (raw.values[:, :3][np.broadcast_to(raw.values[:, 3:] == 0, raw.values[:, :3].shape)] == 255).all()
