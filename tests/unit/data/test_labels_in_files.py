"""Labels are never invented: they are what a file beside the images or a folder of a class says."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
from data_builders import picture

from equipoise.data import DataOptions, load, write_samples
from equipoise.errors import DataError


def stylegan(folder, labels):
    for k in range(24):
        place = folder / f"{k // 12:05d}"
        place.mkdir(parents=True, exist_ok=True)
        picture(k).save(place / f"img{k:08d}.png")
    if labels != "none":
        (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    return folder


def paths():
    return [f"{k // 12:05d}/img{k:08d}.png" for k in range(24)]


def named(raw):
    return [raw.label_names[code] for code in raw.labels]


def test_the_labels_of_stylegan_are_those_of_its_file(tmp_path):
    raw = load(stylegan(tmp_path / "a", [[path, 9 + k % 3] for k, path in enumerate(paths())]))
    assert raw.label_names == ("9", "10", "11") and named(raw) == [str(9 + k % 3) for k in range(24)]
    assert "dataset.json" in raw.notes[0]


@pytest.mark.parametrize("labels", [None, "none"])
def test_the_folders_of_stylegan_are_no_classes(tmp_path, labels):
    raw = load(stylegan(tmp_path / "a", labels))
    assert raw.labels is None and raw.label_names == () and "no classes" in " ".join(raw.notes)


def test_the_labels_of_stylegan_in_a_zip_are_read_too(tmp_path):
    folder = stylegan(tmp_path / "a", [[path, k % 2] for k, path in enumerate(paths())])
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in sorted(folder.rglob("*.*")):
            archive.write(path, path.relative_to(folder))
    raw = load(tmp_path / "a.zip")
    assert raw.label_names == ("0", "1") and named(raw) == [str(k % 2) for k in range(24)]


def flat(folder, **files):
    folder.mkdir()
    for k in range(12):
        picture(k).save(folder / f"p{k:02d}.png")
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content)
    return folder


ROWS = [(f"p{k:02d}.png", ["cat", "dog", "a, b"][k % 3]) for k in range(12)]


@pytest.mark.parametrize("name", ["labels_csv", "metadata_csv", "metadata_jsonl"])
def test_a_table_beside_the_images_gives_their_classes(tmp_path, name):
    if name.endswith("jsonl"):
        content = "\n".join(json.dumps({"file_name": path, "label": label, "text": "x"}) for path, label in ROWS)
    else:
        content = "file_name,text,label\n" + "".join(f'{path},x,"{label}"\n' for path, label in ROWS)
    raw = load(flat(tmp_path / "a", **{name: content}))
    assert raw.label_names == ("a, b", "cat", "dog") and named(raw) == [label for _, label in ROWS]
    other = load(tmp_path / "a", options=DataOptions(use_labels=False))
    assert other.labels is None


def test_another_column_is_named_by_an_option(tmp_path):
    content = "file_name,kind\n" + "".join(f"{path},{label[0]}\n" for path, label in ROWS)
    folder = flat(tmp_path / "a", metadata_csv=content)
    assert load(folder).labels is None and "names no classes" in load(folder).notes[0]
    assert load(folder, options=DataOptions(labels="kind")).label_names == ("a", "c", "d")
    with pytest.raises(DataError, match="Did you mean 'kind'"):
        load(folder, options=DataOptions(labels="knd"))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (
            "file_name,label\n" + "".join(f"{path},{label[0]}\n" for path, label in ROWS[:9]),
            "3 of 12 images are not named",
        ),
        ("file_name,label\n" + "".join(f"{path},\n" for path, label in ROWS), "a row has no label"),
        ("who,label\np00.png,a\n", "no column is called file_name"),
        ("", "no column is called file_name"),
    ],
)
def test_a_table_that_does_not_name_every_image_is_refused(tmp_path, content, found):
    with pytest.raises(DataError, match=r"labels\.csv") as caught:
        load(flat(tmp_path / "a", labels_csv=content))
    assert found in str(caught.value)


def test_files_that_are_named_and_not_there_are_counted(tmp_path):
    content = "file_name,label\n" + "".join(f'{path},"{label}"\n' for path, label in [*ROWS, ("gone.png", "cat")])
    raw = load(flat(tmp_path / "a", labels_csv=content))
    assert len(raw) == 12
    assert any("1 of the 13 files named there is no image here, such as gone.png." in note for note in raw.notes)


@pytest.mark.parametrize("splits", [("train", "val"), ("Train", "Test", "valid")])
def test_parts_of_a_data_set_are_no_classes(tmp_path, splits):
    for split in splits:
        (tmp_path / "a" / split).mkdir(parents=True)
        for k in range(6):
            picture(k).save(tmp_path / "a" / split / f"{split}{k}.png")
    with pytest.raises(DataError, match="parts of a data set, not classes"):
        load(tmp_path / "a")
    assert load(tmp_path / "a", options=DataOptions(use_labels=False)).labels is None
    assert load(tmp_path / "a" / splits[0]).labels is None


@pytest.mark.parametrize("ending", ["out", "out.zip"])
@pytest.mark.parametrize("names", [("A?", "A*", "A_"), ("Cat", "cat", "CAT_2"), ("a/b", "a\\b", "c")])
def test_classes_never_share_a_folder_and_come_back_with_their_names(tmp_path, ending, names):
    images = np.random.default_rng(0).integers(0, 256, (12, 1, 16, 16), dtype=np.uint8)
    labels = np.arange(12) % 3
    write_samples(images, tmp_path / ending, labels=labels, label_names=names)
    raw = load(tmp_path / ending)
    assert sorted(named(raw)) == sorted(names[label] for label in labels)
    of_image = {image.tobytes(): name for image, name in zip(raw.values, named(raw), strict=True)}
    assert [of_image[image.tobytes()] for image in images] == [names[label] for label in labels]


def test_a_class_that_does_not_exist_is_an_error_and_never_another_one(tmp_path):
    import equipoise as eq
    from equipoise.errors import InputError

    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    quiet = ["evaluations.count=0", "outputs.final_verdict=false", "networks.generator.width=4"]
    gan = eq.fit((images, np.array([1, 2, 3] * 20)), steps=1, outdir=tmp_path / "run", settings=quiet)
    assert gan.label_names == ("1", "2", "3")
    for label in (0, "0", 4, "cat", -1):
        with pytest.raises(InputError, match="no class is called"):
            gan.sample_raw(2, label=label)
    assert gan.sample_raw(2, label=3).labels.tolist() == gan.sample_raw(2, label="3").labels.tolist() == [2, 2]
