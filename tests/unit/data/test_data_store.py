"""Files of the cache are Arrow files like any other, and what is made in memory is what is made on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from data_builders import mixed_frame

from equipoise.data.store.arrow import ArrowWriter, OnDiskArray
from equipoise.data.store.cache import Draft
from equipoise.data.store.tables import OnDiskColumn, Unstorable, store_column, table_of

ARRAYS = {
    "images": np.arange(5 * 3 * 4 * 4, dtype=np.uint8).reshape(5, 3, 4, 4),
    "points": np.random.default_rng(0).normal(size=(100, 3)),
    "row numbers": np.arange(70_000),
    "truth values": np.arange(20).reshape(10, 2) % 3 == 0,
    "no numbers": np.zeros((7, 0), dtype=np.float32),
}


def write(path: Path, array: np.ndarray) -> None:
    writer = ArrowWriter(path, shape=array.shape, dtype=array.dtype)
    for start in range(0, len(array), 3):
        writer.put(start, array[start : start + 3])
    writer.flush()


@pytest.mark.parametrize("name", sorted(ARRAYS))
def test_an_array_that_was_written_part_by_part_is_an_arrow_file(tmp_path, name):
    array = ARRAYS[name]
    write(tmp_path / "values.arrow", array)
    mapped = OnDiskArray.of_arrow(tmp_path / "values.arrow")
    assert mapped.shape == array.shape and mapped.dtype == array.dtype
    np.testing.assert_array_equal(mapped[:], array)
    if array.size:  # as anybody reads it
        column = pa.ipc.open_file(pa.memory_map(str(tmp_path / "values.arrow"))).read_all().column(0)
        assert len(column) == len(array)
        np.testing.assert_array_equal(np.array(column.to_pylist()), array.reshape(len(array), -1))


def test_rows_that_are_read_cannot_change_the_file(tmp_path):
    write(tmp_path / "values.arrow", ARRAYS["points"])
    mapped = OnDiskArray.of_arrow(tmp_path / "values.arrow")
    mapped[:][:] = 0
    np.testing.assert_array_equal(mapped[:], ARRAYS["points"])


@pytest.mark.parametrize("name", sorted(ARRAYS))
def test_a_draft_in_memory_gives_what_one_on_disk_gives(tmp_path, name):
    array = ARRAYS[name]
    for draft in (Draft(None), Draft(tmp_path)):
        draft.save(
            "parts",
            (array[start : start + 4] for start in range(0, len(array), 4)),
            shape=array.shape,
            dtype=array.dtype,
        )
        draft.hold("whole", array)
        draft.rename("parts", "values")
        draft.hold("gone", array)
        draft.remove("gone")
        for each in ("values", "whole"):
            np.testing.assert_array_equal(draft.array(each)[:], array)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["values.arrow", "whole.arrow"]


@pytest.mark.parametrize("name", mixed_frame(5).columns)
def test_a_column_on_disk_is_the_column_in_memory(tmp_path, name):
    frame = mixed_frame(200)[[name]]
    facts = store_column(frame[name], tmp_path / "column.arrow")
    column, in_memory = OnDiskColumn(tmp_path / "column.arrow", {"name": name, **facts}), table_of(frame).stored[0]
    assert (column.name, column.dtype, column.missing, len(column)) == (name, in_memory.dtype, in_memory.missing, 200)
    for index in (slice(None), slice(3, 50), slice(0, 200, 7), np.array([5, 5, 199, 0])):
        pd.testing.assert_series_equal(column.series(index), in_memory.series(index), check_names=False)


def test_lists_are_not_kept_on_disk(tmp_path):
    with pytest.raises(Unstorable):
        store_column(pd.Series([[1], [2]]), tmp_path / "column.arrow")
    assert not list(tmp_path.iterdir())
