"""A folder of Parquet files is one table: its rows in the order of the files, or a message that says why not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from equipoise.data import load
from equipoise.data.dataset import DataOptions
from equipoise.data.store.cache import THRESHOLD_VARIABLE
from equipoise.errors import DataError
from equipoise.experiment.train import fit

pytestmark = pytest.mark.usefixtures("undrawn")


def stays(rows: int = 300) -> pd.DataFrame:
    numbers = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": numbers.integers(18, 90, rows),
            "ward": pd.Categorical(numbers.choice(["a", "b", "c"], rows)),
            "cost": np.where(numbers.random(rows) < 0.2, np.nan, numbers.random(rows).round(2)),
            "came": pd.Timestamp("2024-01-01") + pd.to_timedelta(numbers.integers(0, 99, rows), unit="D"),
            "note": numbers.choice(["x", "y", None], rows),
        }
    )


def parts(folder, frame: pd.DataFrame, names=("part-0.parquet", "part-1.parquet", "part-2.parquet")):
    """The frame cut in pieces of different lengths."""
    folder.mkdir(parents=True, exist_ok=True)
    ends = [0, *(len(frame) * (k + 1) ** 2 // len(names) ** 2 for k in range(len(names)))]
    for name, start, stop in zip(names, ends, ends[1:], strict=False):
        frame.iloc[start:stop].to_parquet(folder / name)
    return folder


WRITTEN = {
    "numbered": ["part-0.parquet", "part-1.parquet", "part-2.parquet"],
    "as Spark writes": [f"part-0000{k}-5e3a{k}c-c000.snappy.parquet" for k in range(3)],
    "by month": ["2024-01.parquet", "2024-02.parquet", "2024-03.pq"],
}


@pytest.mark.parametrize("names", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("threshold", ["256", "0"], ids=["in memory", "on disk"])
def test_a_folder_is_read_as_the_file_of_all_its_rows(tmp_path, monkeypatch, names, threshold):
    monkeypatch.setenv(THRESHOLD_VARIABLE, threshold)
    frame = stays()
    frame.to_parquet(tmp_path / "whole.parquet")
    (parts(tmp_path / "folder", frame, names) / "_SUCCESS").touch()
    whole, found = load(tmp_path / "whole.parquet"), load(tmp_path / "folder")
    assert found.kind == "table" and len(found) == len(frame)
    rows = np.arange(len(frame))
    pd.testing.assert_frame_equal(
        found.rows(rows).values.astype({"ward": str}), whole.rows(rows).values.astype({"ward": str})
    )


def test_types_that_hold_the_values_of_all_files_are_taken(tmp_path):
    for name, values in (("a-0", pa.array([1, 2])), ("a-1", pa.array([0.5, 1.5])), ("a-2", pa.nulls(2))):
        frame = pa.table({"x": values, "y": ["u", "v"]})
        pyarrow.parquet.write_table(
            frame.select(["y", "x"] if name == "a-1" else ["x", "y"]), tmp_path / f"{name}.parquet"
        )
    found = load(tmp_path).values
    assert list(found) == ["x", "y"] and found["y"].tolist() == ["u", "v"] * 3
    assert found["x"].tolist()[:4] == [1.0, 2.0, 0.5, 1.5] and found["x"].isna().sum() == 2


def test_a_run_on_a_folder_is_judged_on_it(tmp_path):
    settings = ["evaluations.count=0", "outputs.final_verdict=false", "training.batch_size=16"]
    gan = fit(str(parts(tmp_path / "stays", stays())), steps=2, outdir=tmp_path / "run", settings=settings)
    assert list(gan.sample(5)) == list(stays())
    assert gan.judge(sensitivity="theoretical").conclusion


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: parts(folder / "year=2024", stays()), "it is partitioned: the folder 'year=2024'"),
        (
            lambda folder: parts(folder, stays(), ["train-0.parquet", "test-0.parquet"]),
            "2 parts of a data set: test, train",
        ),
        (
            lambda folder: stays().drop(columns="age").to_parquet(parts(folder, stays()) / "part-9.parquet"),
            "lacks 'age'",
        ),
        (lambda folder: (parts(folder, stays()) / "part-1.parquet").write_bytes(b"PAR1"), "cannot be read as Parquet"),
        (
            lambda folder: pd.DataFrame({**stays(), "age": ["young"] * 300}).to_parquet(
                parts(folder, stays()) / "part-9.parquet"
            ),
            "cannot be read as Parquet",
        ),
    ],
    ids=["partitioned", "two splits", "another column", "a broken file", "another type"],
)
def test_what_is_no_one_table_is_refused_with_the_file(tmp_path, make, said):
    make(tmp_path / "folder")
    with pytest.raises(DataError) as refusal:
        load(tmp_path / "folder")
    assert said in str(refusal.value) and "folder" in str(refusal.value)


def test_images_in_the_folder_are_what_is_meant(tmp_path):
    from PIL import Image

    parts(tmp_path, stays())
    for number in range(3):
        Image.new("L", (8, 8), 80 * number).save(tmp_path / f"{number}.png")
    assert load(tmp_path, options=DataOptions()).kind == "images"
