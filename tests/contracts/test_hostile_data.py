"""Data files from strangers: read, or refused by name with exit code 2; nothing is run, written or waited for."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hostile import FIXTURE, everything_below, npy_of_shape, pickled, png_of_size, refused, zip_of
from PIL import Image

import equipoise.data.source as loading
from equipoise.data import DataOptions, load, write_samples
from equipoise.errors import DataError, visible
from equipoise.limits import LIMITS, limit

RNG = np.random.default_rng(0)


def picture(seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (9, 9, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".parquet", ".zip", ".pt", ".pkl", ".safetensors"])
def test_a_pickle_is_not_loaded_whatever_its_name(suffix, tmp_path):
    mark, path = tmp_path / "ran", tmp_path / f"data{suffix}"
    path.write_bytes(pickled(mark))
    refused(lambda: load(path), path.name)
    assert not mark.exists()


def test_an_array_of_objects_is_not_unpickled_in_npy_nor_npz(tmp_path):
    class Makes:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    objects = np.array([Makes(), Makes()], dtype=object)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "a.npz", values=objects)
    for name in ("a.npy", "a.npz"):
        refused(lambda name=name: load(tmp_path / name), name, "Python objects")
    assert not (tmp_path / "ran").exists()


def test_a_torch_checkpoint_is_not_loaded(tmp_path):
    import torch

    torch.save({"x": torch.zeros(2)}, tmp_path / "model.pt")
    refused(lambda: load(tmp_path / "model.pt"), "model.pt")
    for name in ("model.npz", "model.zip", "model.npy"):
        (tmp_path / name).write_bytes((tmp_path / "model.pt").read_bytes())
        refused(lambda name=name: load(tmp_path / name), name)


@pytest.mark.parametrize("shape", ["(10**12, 2)", "(1000000000000, 2)", "(-1, 2)", "(True, 2)", "(2**70,)", "(" * 300])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_shape_that_the_file_does_not_hold_takes_no_memory(shape, suffix, tmp_path):
    path, content = tmp_path / f"huge{suffix}", npy_of_shape(shape)
    if suffix == ".npz":
        zip_of(path, {"values.npy": content})
    else:
        path.write_bytes(content)
    refused(lambda: load(path), path.name)


@pytest.mark.parametrize("shape", ["()", "(0,)", "(5, 0)", "(0, 5)", "(1000000000000, 0)"])
def test_arrays_without_numbers_are_refused(shape, tmp_path):
    (tmp_path / "empty.npy").write_bytes(npy_of_shape(shape, body=b"\0" * 8))
    refused(lambda: load(tmp_path / "empty.npy"), "empty.npy")


def test_an_npz_that_holds_no_array_under_the_name_is_refused(tmp_path):
    refused(lambda: load(zip_of(tmp_path / "text.npz", {"values.npy": b"not an array"})), "text.npz")
    refused(lambda: load(zip_of(tmp_path / "none.npz", {})), "none.npz")


def test_names_in_a_zip_lead_nowhere(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    names = [
        "../../up.png",
        "/root.png",
        "C:\\disk.png",
        "..\\back.png",
        "a/../../b.png",
        "new\nline.png",
        "x" * 300 + ".png",
    ]
    path = zip_of(inside / "p.zip", {name: picture(k) for k, name in enumerate(names)})
    before = everything_below(tmp_path)
    assert len(load(path)) == len(names)
    assert everything_below(tmp_path) == before


@pytest.mark.parametrize("name", ["", "/", "..", "\0"])
def test_a_name_in_a_zip_that_is_none_is_left_out(name, tmp_path):
    # Found by fuzzing: zipfile itself fails on an empty name when it is asked whether that is a folder.
    entries = {f"{k}.png": picture(k) for k in range(5)}
    content = zip_of(tmp_path / "p.zip", {**entries, "gone": b""}).read_bytes()
    nameless = content.replace(b"gone", name.encode().ljust(4, b"\0"))  # zipfile cuts names at their first zero byte
    (tmp_path / "p.zip").write_bytes(nameless)
    assert len(load(tmp_path / "p.zip")) == 5


def test_a_link_in_a_zip_is_no_image_and_is_not_followed(tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture(9))
    with zipfile.ZipFile(tmp_path / "links.zip", "w") as archive:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, str(secret))
        for k in range(30):
            archive.writestr(f"{k}.png", picture(k))
    raw = load(tmp_path / "links.zip")
    assert len(raw) == 30 and any("link.png" in note for note in raw.notes)


def test_a_zip_that_would_become_too_large_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    bomb = zip_of(tmp_path / "bomb.zip", {f"{k}.png": b"\0" * 1_000_000 for k in range(20)})
    monkeypatch.setattr("equipoise.limits.HARMLESS_BYTES", 1_000_000)
    monkeypatch.setenv("EQUIPOISE_MOST_EXPANSION", "100")
    refused(lambda: load(bomb), "bomb.zip", "would become", "EQUIPOISE_MOST_EXPANSION")
    monkeypatch.setenv("EQUIPOISE_MOST_EXPANDED_BYTES", "1000")
    refused(lambda: load(bomb), "bomb.zip", "EQUIPOISE_MOST_EXPANDED_BYTES")


def test_a_zip_that_lists_too_many_files_is_refused_before_they_are_listed(tmp_path, monkeypatch):
    path = zip_of(tmp_path / "many.zip", {f"{k}.png": b"" for k in range(300)})
    monkeypatch.setenv("EQUIPOISE_MOST_ZIP_ENTRIES", "100")
    refused(lambda: load(path), "many.zip", "EQUIPOISE_MOST_ZIP_ENTRIES")


def test_one_image_too_large_or_packed_with_lzma_is_skipped_by_name(tmp_path, monkeypatch):
    path = zip_of(tmp_path / "p.zip", {f"{k}.png": picture(k) for k in range(40)})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("large.png", b"\0" * 100_000, compress_type=zipfile.ZIP_DEFLATED)
        archive.writestr("lzma.png", picture(), compress_type=zipfile.ZIP_LZMA)
    monkeypatch.setenv("EQUIPOISE_MOST_PICTURE_BYTES", "50000")
    raw = load(path)
    assert len(raw) == 40
    assert "large.png (100,000 bytes are too many" in raw.notes[0] and "lzma.png (packed by" in raw.notes[0]


def test_an_image_that_says_it_is_huge_is_not_decoded(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "bomb.png").write_bytes(png_of_size(100_000, 100_000))
    refused(lambda: load(folder), "bomb.png", "too many")
    (folder / "wide.png").write_bytes(png_of_size(2**31 - 1, 2**31 - 1))
    refused(lambda: load(folder), "wide.png")


@pytest.mark.parametrize("kind", ["EPS", "PDF", "PPM", "ICO"])
def test_formats_that_are_not_read_stay_unread_under_the_name_of_one_that_is(kind, tmp_path):
    # Pillow hands EPS files to Ghostscript: whatever a name says, only five formats are decoded.
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (16, 16)).save(folder / "x", kind)
    (folder / "x").rename(folder / "x.png")
    refused(lambda: load(folder), "x.png", "not a readable image")


def make_special(path: Path, what: str) -> None:
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "link to a device":
        path.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))


@pytest.mark.parametrize("what", ["pipe", "folder", "link to a device", "socket"])
@pytest.mark.parametrize("name", ["x.csv", "x.npy", "x.npz", "x.parquet", "x.zip"])
def test_what_is_no_ordinary_file_is_refused_and_never_waited_for(what, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the address of a socket has to be short
    make_special(Path(name), what)
    refused(lambda: load(Path(name)), name)


@pytest.mark.parametrize("what", ["pipe", "link to a device", "socket"])
def test_a_pipe_among_images_is_skipped_by_name(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("p")
    folder.mkdir()
    for k in range(30):
        (folder / f"{k}.png").write_bytes(picture(k))
    make_special(folder / "bad.png", what)
    raw = load(folder)
    assert len(raw) == 30 and "bad.png (no ordinary file)" in raw.notes[0]


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n" + "1.5,2.5\n" * 50)
    read = loading.format_of(path).read

    def read_while_it_grows(path, options):
        found = read(path, options)
        with open(path, "a") as stream:
            stream.write("3.5,4.5\n")
        return found

    class Format:
        read = staticmethod(read_while_it_grows)

    monkeypatch.setattr(loading, "format_of", lambda path: Format)
    refused(lambda: load(path), "x.csv", "changed while it was read")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a,b\n1,2\n3,4,5\n", ("line 3",)),
        (b"a,b\n1,2\n3\n", ("line 3",)),
        ("a,b\n1,2\n".encode("utf-16"), ("UTF-16", "UTF-8")),
        ("größe,b\n1,2\n".encode("latin-1"), ("line 1", "UTF-8")),
        (b"a,b\n" + b"1,\xff\n" * 3, ("line 2", "UTF-8")),
        (b'a,b\n"never closed,2\n' + b"x" * 200_000, ()),
        (b"", ("empty",)),
        (b"\0" * 100, ()),
        (b"a,b\n1,2\0\n3,4\n", ()),
        (b"a\r1\r2\r", ()),
    ],
)
def test_broken_csv_is_read_or_refused_by_name(content, words, tmp_path):
    path = tmp_path / "broken.csv"
    path.write_bytes(content)
    if words:
        refused(lambda: load(path), "broken.csv", *words)
        return
    try:
        load(path)
    except DataError as error:
        assert "broken.csv" in str(error)


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    (tmp_path / "bom.csv").write_bytes("a,b\n".encode("utf-8-sig") + b"1.5,2.5\n3.5,4.5\n")
    assert list(load(tmp_path / "bom.csv").values) == ["a", "b"]


def test_too_many_columns_are_refused_before_a_frame_is_made(tmp_path):
    wide = tmp_path / "wide.csv"
    wide.write_text(",".join(f"c{k}" for k in range(1_000_000)) + "\n" + "1," * 999_999 + "1\n")
    refused(lambda: load(wide), "wide.csv", "1,000,000 columns", "EQUIPOISE_MOST_COLUMNS")


def test_a_line_without_an_end_is_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_MOST_LINE_BYTES", "1000")
    (tmp_path / "long.csv").write_text("a,b\n" + "1" * 5000)
    refused(lambda: load(tmp_path / "long.csv"), "long.csv", "EQUIPOISE_MOST_LINE_BYTES")


def test_nested_columns_of_parquet_are_refused_by_name(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet

    kinds = {"lists": [[1], [2, 3], []] * 5, "records": [{"a": 1}] * 15, "maps": [{"a": {"b": [1]}}] * 15}
    for name, values in kinds.items():
        pyarrow.parquet.write_table(pa.table({"x": list(range(15)), name: values}), tmp_path / "n.parquet")
        refused(lambda: load(tmp_path / "n.parquet"), "n.parquet", name)
        assert load(tmp_path / "n.parquet", options=DataOptions(drop=(name,))).values.columns.tolist() == ["x"]


def test_a_small_parquet_file_that_becomes_huge_is_refused(tmp_path, monkeypatch):
    import pyarrow as pa
    import pyarrow.parquet

    monkeypatch.setattr("equipoise.limits.HARMLESS_BYTES", 1_000_000)
    monkeypatch.setattr("equipoise.data.formats.parquet_checks.HARMLESS_BYTES", 1_000_000)
    monkeypatch.setenv("EQUIPOISE_MOST_EXPANSION", "50")
    path = tmp_path / "bomb.parquet"
    pyarrow.parquet.write_table(pa.table({"x": pa.array([0.0] * 2_000_000)}), path)
    refused(lambda: load(path), "bomb.parquet", "would become")
    # One text of 100 kB, stored once and repeated 2,000 times.
    text = "".join(map(chr, RNG.integers(97, 123, 100_000)))
    pyarrow.parquet.write_table(pa.table({"t": pa.array([text, "b"] * 1000), "x": list(range(2000))}), path)
    refused(lambda: load(path), "bomb.parquet", "would become")


def test_parquet_facts_that_contradict_themselves_do_not_end_the_process():
    # Found by fuzzing: asked for the statistics of one column, pyarrow lets a C++ exception through, and Python aborts.
    found = FIXTURE.parent / "hostile" / "contradicting-facts.parquet"
    program = "import sys\nfrom pathlib import Path\nfrom equipoise.data import load\nload(Path(sys.argv[1]))\n"
    finished = subprocess.run([sys.executable, "-c", program, str(found)], capture_output=True, text=True, check=False)
    assert finished.returncode == 1, finished.stderr[-2000:]  # Python's own, for an exception; -6 for an abort
    assert "contradicting-facts.parquet: it cannot be read as Parquet" in finished.stderr


NAMES = [
    "new\nline",
    "\x1b[31mred",
    "\u202eltr",
    "<script>alert(1)</script>",
    "../../up",
    "/etc",
    "x" * 400,
    "NUL\0",
    ".",
]


@pytest.mark.parametrize("name", NAMES)
def test_class_names_lead_to_no_other_folder(name, tmp_path):
    labels = np.array([0, 1] * 4)
    images = RNG.integers(0, 255, (8, 1, 8, 8), dtype=np.uint8)
    inside = tmp_path / "inside"
    inside.mkdir()
    written = write_samples(images, inside / "out", labels=labels, label_names=(name, "plain"))
    assert len(written) == 10 and written[-2].name == "labels.csv"  # it says which class a folder is of
    assert set(load(inside / "out").label_names) == {name.rstrip("\0"), "plain"}
    assert all(path.resolve().is_relative_to((inside / "out").resolve()) for path in written)
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]


def test_a_class_called_like_the_sample_grid_does_not_take_its_place(tmp_path):
    images = RNG.integers(0, 255, (4, 1, 8, 8), dtype=np.uint8)
    written = write_samples(images, tmp_path / "out", labels=np.array([0, 0, 1, 1]), label_names=("sheet.png", "b"))
    assert (tmp_path / "out" / "sheet.png").is_file() and len(written) == 6
    assert load(tmp_path / "out").label_names == ("b", "sheet.png")


def test_messages_show_characters_that_would_steer_a_terminal(tmp_path):
    path = tmp_path / "\x1b[2J\u202eevil.csv"
    path.write_text("a\n")
    message = str(refused(lambda: load(path)))
    assert "\x1b" not in message and "\u202e" not in message
    assert "\\x1b[2J\\u202eevil.csv" in message
    assert visible("größe 日本 é") == "größe 日本 é"


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "\udcff", "", " "])
def test_names_that_no_file_can_have_are_refused(name):
    refused(lambda: load(name))
    refused(lambda: load(f"{name}.csv"))


def test_columns_with_strange_names_are_read_as_they_are(tmp_path):
    names = ["<b>", "$\\frac", "=HYPERLINK()", "{{x}}", "a\nb"]
    frame = pd.DataFrame({name: RNG.normal(size=20) for name in names})
    frame.to_csv(tmp_path / "x.csv", index=False)
    assert list(load(tmp_path / "x.csv").values) == names


def test_every_limit_can_be_set_and_nonsense_is_refused(monkeypatch):
    for name in LIMITS:
        monkeypatch.setenv(f"EQUIPOISE_MOST_{name.upper()}", "7")
        assert limit(name) == 7
        for text in ("0", "-1", "many", "1e9", "9" * 30, ""):
            monkeypatch.setenv(f"EQUIPOISE_MOST_{name.upper()}", text)
            refused(lambda name=name: limit(name), f"EQUIPOISE_MOST_{name.upper()}")
