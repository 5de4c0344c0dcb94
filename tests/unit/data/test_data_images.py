from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib

import numpy as np
import pytest
from data_builders import picture, picture_folder
from PIL import Image

from equipoise.data import DataOptions, load
from equipoise.data.images.resize import choose_side
from equipoise.errors import DataError


def png_header(width, height):
    """The first bytes of a PNG that promises a size and holds nothing."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("short_side", "expected"), [(4, 8), (8, 8), (13, 8), (14, 16), (27, 16), (28, 32), (55, 32), (56, 64), (999, 64)]
)
def test_images_get_the_largest_size_that_enlarges_them_by_15_percent_at_most(short_side, expected):
    assert choose_side(short_side) == expected


def test_a_folder_of_every_file_format_is_read(tmp_path):
    for position, suffix in enumerate(["png", "jpg", "jpeg", "webp", "bmp", "gif", "PNG"]):
        picture(position).save(tmp_path / f"{position}.{suffix}")
    raw = load(tmp_path)
    assert raw.values.shape == (7, 3, 16, 20) and raw.values.dtype == np.uint8 and raw.labels is None


def test_grey_images_stay_grey_whatever_their_files_say(tmp_path):
    grey = picture(0, mode="L")
    grey.save(tmp_path / "grey.png")
    picture(1, mode="L").convert("RGB").save(tmp_path / "colour.png")
    picture(2, mode="L").convert("1").save(tmp_path / "one-bit.png")
    picture(3, mode="L").convert("P").save(tmp_path / "palette.png")
    assert load(tmp_path).values.shape[1] == 1


def test_one_colour_image_makes_the_data_set_colour(tmp_path):
    picture_folder(tmp_path, mode="L", count=3)
    picture(9, mode="CMYK").save(tmp_path / "colour.jpg")
    assert load(tmp_path).values.shape[1] == 3


def test_an_opaque_alpha_channel_is_dropped_and_a_transparent_one_is_kept(tmp_path):
    opaque = picture(0).convert("RGBA")
    opaque.save(tmp_path / "a.png")
    assert load(tmp_path).values.shape[1] == 3
    opaque.putalpha(Image.new("L", opaque.size, 128))
    opaque.save(tmp_path / "b.png")
    values = load(tmp_path).values
    assert values.shape[1] == 4 and (values[0, 3] == 255).all() and (values[1, 3] == 128).all()


def test_a_transparent_palette_is_transparency(tmp_path):
    palette = picture(0).convert("P")
    palette.save(tmp_path / "a.png", transparency=int(np.asarray(palette)[8, 10]))
    picture(1).save(tmp_path / "b.gif")
    assert load(tmp_path).values.shape[1] == 4


def test_sixteen_bit_grey_is_scaled_to_eight_bits(tmp_path):
    wide = np.linspace(0, 65535, 256).reshape(16, 16).round().astype(np.uint16)
    Image.fromarray(wide).save(tmp_path / "a.png")
    assert (load(tmp_path).values[0, 0] == np.arange(256).reshape(16, 16)).all()


def test_a_camera_s_rotation_is_applied(tmp_path):
    pixels = np.zeros((16, 32, 3), dtype=np.uint8)
    pixels[:, 8:16] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # TIFF 6.0, tag Orientation: the row 0 of the file is the right side of the image
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    values = load(tmp_path, options=DataOptions(image_size=(32, 16))).values[0, 0]
    assert (values[8:16] == 255).all() and (values[16:] == 0).all()


def test_the_first_frame_of_an_animation_is_taken(tmp_path):
    frames = [Image.new("L", (16, 16), 40), Image.new("L", (16, 16), 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "b.webp", save_all=True, append_images=frames[1:], lossless=True)
    assert (load(tmp_path).values == 40).all()


def test_images_are_scaled_to_cover_and_cropped_at_the_centre(tmp_path):
    pixels = np.zeros((16, 48), dtype=np.uint8)
    pixels[:, 16:32] = np.arange(256).reshape(16, 16)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    Image.fromarray(pixels.T).save(tmp_path / "tall.png")
    values = load(tmp_path).values
    assert (values[1, 0] == pixels[:, 16:32]).all() and (values[0, 0] == pixels[:, 16:32].T).all()


def test_whole_scales_average_the_pixels(tmp_path):
    pixels = picture(0, mode="L", size=(32, 32))
    pixels.save(tmp_path / "a.png")
    values = load(tmp_path, options=DataOptions(image_size=16)).values[0, 0]
    means = np.asarray(pixels, dtype=np.float64).reshape(16, 2, 16, 2).mean(axis=(1, 3))
    assert np.abs(values - means).max() <= 1  # Pillow rounds to a byte after each of its two directions


def test_transparent_pixels_do_not_colour_their_neighbours(tmp_path):
    pixels = np.zeros((32, 32, 4), dtype=np.uint8)
    pixels[:, :16] = (200, 100, 50, 255)
    pixels[:, 16:] = (0, 255, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    values = load(tmp_path, options=DataOptions(image_size=20)).values[0]
    seen = values[3] > 128
    # Premultiplied bytes are rounded up to three times, then divided by an alpha of one half or more: 3 levels.
    assert np.abs(values[:3, seen].T.astype(int) - [200, 100, 50]).max() <= 3


def test_first_level_folders_are_classes(tmp_path):
    for name in ("dog", "cat"):
        picture_folder(tmp_path / name / "deeper", count=3)
    raw = load(tmp_path)
    assert raw.label_names == ("cat", "dog") and raw.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert load(tmp_path, options=DataOptions(use_labels=False)).labels is None


def test_a_folder_around_the_classes_is_looked_through(tmp_path):
    for name in ("dog", "cat"):
        picture_folder(tmp_path / "train" / name, count=3)
    assert load(tmp_path).label_names == ("cat", "dog")


@pytest.mark.parametrize("layout", [["a"], [".", "a", "b"]])
def test_one_folder_or_images_beside_folders_give_no_classes(tmp_path, layout):
    for name in layout:
        picture_folder(tmp_path / name, count=3)
    assert load(tmp_path).labels is None


def test_a_class_of_one_image_is_noted_and_an_empty_one_is_left_out(tmp_path):
    picture_folder(tmp_path / "many", count=4)
    picture_folder(tmp_path / "one", count=1)
    (tmp_path / "none").mkdir()
    raw = load(tmp_path)
    assert raw.label_names == ("many", "one") and raw.labels.max() == 1
    assert any("'one'" in note for note in raw.notes) and any("'none'" in note for note in raw.notes)


def test_more_classes_than_images_are_refused(tmp_path):
    for name in "abc":
        (tmp_path / name).mkdir()
    picture_folder(tmp_path / "a", count=1)
    picture_folder(tmp_path / "b", count=1)
    with pytest.raises(DataError, match="3 classes for 2 samples"):
        load(tmp_path)


def test_damaged_images_among_good_ones_are_named_and_skipped(tmp_path):
    picture_folder(tmp_path, count=40)
    whole = (tmp_path / "picture001.png").read_bytes()
    (tmp_path / "picture001.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "picture002.png").write_bytes(b"no picture")
    raw = load(tmp_path)
    assert len(raw) == 38
    (note,) = raw.notes
    assert note.startswith("Skipped 2 of 40 images") and "picture001.png" in note and "picture002.png" in note


def test_labels_follow_the_images_that_were_kept(tmp_path):
    for name in ("a", "b"):
        picture_folder(tmp_path / name, count=20)
    (tmp_path / "a" / "picture003.png").write_bytes(b"")
    raw = load(tmp_path)
    assert raw.labels.tolist() == [0] * 19 + [1] * 20


def test_too_many_damaged_images_stop_the_reading(tmp_path):
    picture_folder(tmp_path, count=10)
    for position in range(2):
        (tmp_path / f"picture00{position}.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert caught.value.found.startswith("2 of 10 images cannot be used: picture000.png (not a readable image)")
    assert "max_bad_share" in caught.value.advice
    assert len(load(tmp_path, options=DataOptions(max_bad_share=0.2))) == 8


def test_images_of_one_pixel_are_refused(tmp_path):
    picture_folder(tmp_path, count=3, size=(1, 1))
    with pytest.raises(DataError, match=r"picture000\.png \(1x1 pixels are too few\)"):
        load(tmp_path)


def test_an_image_that_promises_a_billion_pixels_is_refused_before_memory_is_taken(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_header(30_000, 30_000))
    (tmp_path / "larger.png").write_bytes(png_header(10_000, 10_000))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match=r"pixels are too many|too many pixels"):
            load(tmp_path)


def test_a_folder_without_an_image_says_what_was_found(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "table.csv").write_text("x")
    with pytest.raises(DataError, match=r"there is no image; found 1 file \.\w+, 1 file \.\w+"):
        load(tmp_path)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="it is empty"):
        load(tmp_path)


def test_hidden_files_and_other_files_are_left_alone(tmp_path):
    picture_folder(tmp_path, count=3)
    (tmp_path / ".thumbnail.png").write_bytes(b"x")
    (tmp_path / "readme.txt").write_bytes(b"x")
    raw = load(tmp_path)
    assert len(raw) == 3 and raw.notes == ("Left alone: 1 file .txt.",)


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def png(seed):
    buffer = io.BytesIO()
    picture(seed).save(buffer, format="PNG")
    return buffer.getvalue()


def test_a_zip_is_read_like_the_folder_that_it_holds(tmp_path):
    files = {f"pets/{name}/{k}.png": png(k) for name in ("cat", "dog") for k in range(3)}
    raw = load(zipped(tmp_path / "pets.zip", {**files, "__MACOSX/pets/cat/._0.png": b"x"}))
    assert raw.values.shape == (6, 3, 16, 20) and raw.label_names == ("cat", "dog")


def test_names_that_lead_out_of_a_zip_write_nothing(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    raw = load(zipped(inside / "a.zip", {"../../evil.png": png(0), "/tmp/evil.png": png(1), "c:\\evil.png": png(2)}))
    assert len(raw) == 3
    assert [entry.name for entry in tmp_path.rglob("*")] == ["inside", "a.zip"]


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    path = zipped(tmp_path / "a.zip", {"bomb.png": b"\0" * (300 << 20)})
    with pytest.raises(DataError, match="bytes are too many for an image"):
        load(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"text"])
def test_a_file_that_is_no_zip_is_named(tmp_path, content):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.zip: it cannot be read as a zip"):
        load(tmp_path / "a.zip")


def test_flipped_bytes_in_a_zip_never_escape_as_other_errors(tmp_path):
    path = zipped(tmp_path / "a.zip", {f"{k}.png": png(k) for k in range(3)})
    whole = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    for _ in range(60):
        broken = bytearray(whole)
        for position in rng.integers(0, len(whole), 3):
            broken[position] = rng.integers(256)
        path.write_bytes(broken)
        try:
            load(path, options=DataOptions(max_bad_share=1.0))
        except DataError:
            pass
