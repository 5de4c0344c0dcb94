"""Pictures in columns: Parquet, Arrow files, and folders as Hugging Face's `datasets` saves them."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from data_builders import picture

from equipoise.data import DataOptions, load
from equipoise.data.formats.arrow import write_arrow
from equipoise.errors import DataError

NAMES = ["cat", "dog", "eel"]
CLASSES = [0, 2, 0, 2, 2, 0]


def png(seed, kind="PNG"):
    buffer = io.BytesIO()
    picture(seed, size=(12, 10)).save(buffer, format=kind)
    return buffer.getvalue()


def table(*, as_records=True, column="image", classes=CLASSES, account=True):
    """A table as `datasets` writes one, with a caption beside the pictures."""
    files = [png(seed) for seed in range(len(classes))]
    record = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pictures = pa.array([{"bytes": file, "path": "x.png"} for file in files], record) if as_records else pa.array(files)
    columns = {column: pictures, "label": pa.array(classes), "caption": pa.array(["a"] * len(classes))}
    made = pa.table(columns)
    features = {column: {"_type": "Image"}, "label": {"names": NAMES, "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return made.replace_schema_metadata(metadata) if account else made


def saved(folder, made, *, parts=2, account=None):
    """A folder as `Dataset.save_to_disk` makes it."""
    folder.mkdir(parents=True)
    names = []
    for part in range(parts):
        names.append(f"data-{part:05d}-of-{parts:05d}.arrow")
        rows = made.slice(part * len(made) // parts, len(made) // parts)
        with pa.ipc.new_stream(str(folder / names[-1]), rows.schema) as writer:
            writer.write_table(rows)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    (folder / "dataset_info.json").write_text(json.dumps({"features": account or {}}))
    return folder


def is_as_drawn(raw, names=("cat", "eel")):
    expected = np.stack([np.asarray(picture(seed, size=(12, 10))).transpose(2, 0, 1) for seed in range(6)])
    assert raw.kind == "images" and (raw.values == expected).all()
    assert raw.label_names == names and [names[code] for code in raw.labels] == [names[c // 2] for c in CLASSES]
    return True


@pytest.mark.parametrize("as_records", [True, False])
def test_a_parquet_file_with_a_column_of_pictures_is_images_with_the_names_of_their_classes(tmp_path, as_records):
    pyarrow.parquet.write_table(table(as_records=as_records), tmp_path / "pets.parquet")
    raw = load(tmp_path / "pets.parquet")
    assert is_as_drawn(raw)
    assert "Left alone: caption." in raw.notes


def test_a_folder_that_datasets_saved_is_read_with_all_its_files(tmp_path):
    assert is_as_drawn(load(saved(tmp_path / "pets", table())))
    account = {"label": {"names": ["owl", "dog", "bee"], "_type": "ClassLabel"}}
    other = saved(tmp_path / "other", table(account=False), account=account)
    assert is_as_drawn(load(other), ("owl", "bee"))


def test_parts_of_a_data_set_are_refused_unless_there_is_one(tmp_path):
    for name in ("train", "test"):
        saved(tmp_path / name, table())
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    with pytest.raises(DataError, match=r"parts of a data set: train, test(.|\n)*/train"):
        load(tmp_path)
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": ["train"]}))
    assert is_as_drawn(load(tmp_path))


def test_an_arrow_file_that_was_written_here_is_read_with_its_classes(tmp_path):
    raw = load(saved(tmp_path / "pets", table()))
    write_arrow(tmp_path / "pets.arrow", [raw], len(raw))
    assert is_as_drawn(load(tmp_path / "pets.arrow"))


def test_the_column_of_the_classes_can_be_named_and_turned_off(tmp_path):
    pyarrow.parquet.write_table(table().rename_columns(["image", "species", "caption"]), tmp_path / "a.parquet")
    assert load(tmp_path / "a.parquet").labels is None
    raw = load(tmp_path / "a.parquet", options=DataOptions(labels="species"))
    assert raw.label_names == ("0", "2")  # the account speaks of another column
    with pytest.raises(DataError, match="Did you mean 'species'"):
        load(tmp_path / "a.parquet", options=DataOptions(labels="specis"))
    assert load(saved(tmp_path / "b", table()), options=DataOptions(use_labels=False)).labels is None


@pytest.mark.parametrize("unknown", [-1, None])
def test_where_some_pictures_have_no_class_there_are_no_classes(tmp_path, unknown):
    raw = load(saved(tmp_path / "pets", table(classes=[0, 2, 0, unknown, 2, 0])))
    assert raw.labels is None and "1 of 6 pictures have no label" in " ".join(raw.notes)


def test_pictures_that_are_missing_or_broken_are_named_by_their_row(tmp_path):
    made = table(account=False).to_pylist()
    made[1]["image"]["bytes"], made[4]["image"]["bytes"] = None, b"\x89PNG broken"
    pyarrow.parquet.write_table(pa.Table.from_pylist(made), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"2 of 6 .*row 1 \(no picture, only the path of one\), row 4"):
        load(tmp_path / "a.parquet")
    raw = load(tmp_path / "a.parquet", options=DataOptions(max_bad_share=0.5))
    assert len(raw) == 4 and raw.label_names == ("0", "2") and raw.labels.tolist() == [0, 0, 1, 0]


def test_a_table_with_a_column_of_other_bytes_is_no_set_of_images(tmp_path):
    pyarrow.parquet.write_table(pa.table({"key": [b"ab", b"cd"], "x": [1.0, 2.0]}), tmp_path / "a.parquet")
    with pytest.raises(DataError) as told:
        load(tmp_path / "a.parquet", options=DataOptions(kind="images"))
    assert "a.parquet" in str(told.value)


@pytest.mark.parametrize("names", [["../secret.arrow"], [7], "data.arrow", [], [".."]])
def test_an_account_that_leads_out_of_the_folder_is_refused(tmp_path, names):
    saved(tmp_path / "pets", table())
    files = [{"filename": name} for name in names] if isinstance(names, list) else names
    (tmp_path / "pets" / "state.json").write_text(json.dumps({"_data_files": files}))
    with pytest.raises(DataError, match=r"state\.json.*names no files beside it"):
        load(tmp_path / "pets")


def test_equal_pictures_that_would_fill_the_memory_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("equipoise.limits.HARMLESS_BYTES", 1000)
    monkeypatch.setenv("EQUIPOISE_MOST_EXPANSION", "20")
    record = pa.struct([("bytes", pa.binary())])
    pictures = pa.array([{"bytes": png(0)}] * 2000, record)
    pyarrow.parquet.write_table(pa.table({"image": pictures}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="would become"):
        load(tmp_path / "a.parquet")


GOOD = [png(seed) for seed in range(60)]
RECORDS = [{"bytes": file, "path": "x.png"} for file in GOOD]
BAD_FIRST = {
    "empty": [b"", *GOOD],
    "missing": [None, *GOOD],
    "broken": [b"none", *GOOD],
    "only a path": [{"bytes": None, "path": "x.png"}, *RECORDS],
}


@pytest.mark.parametrize("cells", BAD_FIRST.values(), ids=BAD_FIRST)
@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_a_bad_first_picture_is_skipped_by_name_as_a_later_one_is(tmp_path, cells, ending):
    path, made = tmp_path / f"a.{ending}", pa.table({"img": cells})
    if ending == "parquet":
        pyarrow.parquet.write_table(made, path)
    else:
        with pa.ipc.new_stream(str(path), made.schema) as writer:
            writer.write_table(made)
    raw = load(path)
    assert raw.kind == "images" and len(raw) == len(GOOD)
    assert any(note.startswith("Skipped 1 of 61 images: row 0 (") for note in raw.notes)
    assert any("row 0 (empty)" in note for note in raw.notes) == (cells[0] == b"")


def test_names_in_a_column_of_bytes_that_begin_as_a_picture_does_are_a_table(tmp_path):
    pyarrow.parquet.write_table(pa.table({"make": [b"Audi", b"BMW"] * 20, "x": range(40)}), tmp_path / "a.parquet")
    with pytest.raises(DataError) as told:  # bytes are nothing that tables hold, but nobody is told of pictures
        load(tmp_path / "a.parquet")
    assert "images cannot be used" not in str(told.value)


def test_where_no_picture_can_be_read_the_account_says_that_there_should_be_some(tmp_path):
    made = table().to_pylist()
    for row in made:
        row["image"]["bytes"] = None
    schema = table().schema
    pyarrow.parquet.write_table(pa.Table.from_pylist(made, schema=schema), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"6 of 6 images cannot be used: row 0 \(no picture, only the path of one\)"):
        load(tmp_path / "a.parquet")


@pytest.mark.skipif(not hasattr(pa, "binary_view"), reason="this pyarrow has no such type")
def test_a_column_of_views_of_bytes_holds_pictures_too(tmp_path):
    pyarrow.parquet.write_table(pa.table({"img": pa.array(GOOD[:6], pa.binary_view())}), tmp_path / "a.parquet")
    assert load(tmp_path / "a.parquet").values.shape == (6, 3, 10, 12)


def as_downloaded(folder, split="train", *, shards=2, said=2, made=None):
    """A folder as it is downloaded from the Hugging Face hub."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text("# Pets")
    made = table() if made is None else made
    for part in range(shards):
        rows = made.slice(part * len(made) // shards, len(made) // shards)
        pyarrow.parquet.write_table(rows, folder / "data" / f"{split}-{part:05d}-of-{said:05d}.parquet")
    return folder


def test_the_shards_of_one_split_are_read_as_one_data_set(tmp_path):
    assert is_as_drawn(load(as_downloaded(tmp_path / "a")))
    numbered = as_downloaded(tmp_path / "b") / "data"
    for part, shard in enumerate(sorted(numbered.iterdir())):
        shard.rename(numbered / f"{part:04d}.parquet")
    assert is_as_drawn(load(tmp_path / "b"))


def test_a_shard_that_is_not_here_is_named_in_a_note(tmp_path):
    raw = load(as_downloaded(tmp_path / "a", said=3))
    assert is_as_drawn(raw) and "Of the 3 files of data/train, 2 are here." in raw.notes


def test_numbers_that_belong_to_a_name_are_no_numbers_of_shards(tmp_path):
    for name in ("pets10", "pets100"):
        pyarrow.parquet.write_table(table(), tmp_path / f"{name}.parquet")
    with pytest.raises(DataError, match="2 parts of a data set: pets10, pets100"):
        load(tmp_path)


def test_several_splits_are_refused_with_their_names_and_what_to_give(tmp_path):
    as_downloaded(tmp_path)
    as_downloaded(tmp_path, "test", shards=1, said=1)
    with pytest.raises(DataError, match=r"2 parts of a data set: data/test, data/train\.(.|\n)*test-00000-of-00001"):
        load(tmp_path)
    as_downloaded(tmp_path / "more")
    as_downloaded(tmp_path / "more", "test")
    with pytest.raises(DataError, match="Move its files to a folder of their own, such as the 2 of data/test"):
        load(tmp_path / "more")
    for split in ("train", "test"):
        as_downloaded(tmp_path / "apart" / split)
    with pytest.raises(DataError, match=r"Give its folder, such as .*apart/test/data"):
        load(tmp_path / "apart")


def test_shards_without_pictures_where_these_are_asked_for_and_with_other_columns_are_refused(tmp_path):
    as_downloaded(tmp_path / "a", made=pa.table({"x": range(6)}))
    with pytest.raises(DataError, match="none of its columns holds pictures: x"):
        load(tmp_path / "a", options=DataOptions(kind="images"))
    as_downloaded(tmp_path / "b")
    pyarrow.parquet.write_table(table(column="img"), tmp_path / "b" / "data" / "train-00001-of-00002.parquet")
    with pytest.raises(DataError, match="it has 'img' and lacks"):
        load(tmp_path / "b")
    damaged = as_downloaded(tmp_path / "c") / "data" / "train-00001-of-00002.parquet"
    damaged.write_bytes(damaged.read_bytes()[:200])
    with pytest.raises(DataError, match="00001-of-00002.parquet: it cannot be read as Parquet"):
        load(tmp_path / "c")
