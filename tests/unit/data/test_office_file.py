"""A file of 53 columns with names, case numbers, dates and a column name met twice: read, judged, sampled in one "
"form."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest
from case_file import write_case_file

from equipoise.data import DataOptions, load, prepare
from equipoise.data.writing import write_batches
from equipoise.errors import ConfigError, DataError
from equipoise.experiment.judge.datasets import load_pair

MADE_UP = {"case_number": "key", "uuid": "key", "full_name": "text", "email": "text", "phone": "key", "row": "key"}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("office") / "cases.csv"
    write_case_file(path, 400)
    return path


def test_keys_names_and_free_text_are_taken_out_and_all_are_named_in_one_note(path):
    raw = load(path)
    assert {made.name: made.kind for made in raw.made_up} == {**MADE_UP, "remarks": "text"}
    assert not {made.name for made in raw.made_up} & set(raw.values.columns)
    (note,) = [note for note in raw.notes if "neither learned nor judged" in note]
    assert all(f"'{name}'" in note for name in MADE_UP)


def test_samples_have_the_columns_of_the_file_in_its_order_with_the_repeated_name(path, tmp_path):
    data = prepare(load(path), seed=0)
    rows = data.encoder.decode(data.encoder.encode(data.raw.values))
    whole = data.encoder.completed(rows)
    part = type(data.raw)("table", whole, repeated=data.encoder.repeated)
    (written,) = write_batches([part], tmp_path / "samples.csv", rows=len(part))
    with path.open(encoding="utf-8") as real, written.open(encoding="utf-8") as made:
        readers = csv.reader(real), csv.reader(made)
        heads = [next(reader) for reader in readers]
        assert heads[0] == heads[1]
        assert heads[1].count("amount") == 2
        firsts = [next(reader) for reader in readers]
    for column, (old, new) in enumerate(zip(*firsts, strict=True)):
        assert (old == "") == (new == "") or heads[0][column] in ("closed", "remarks"), heads[0][column]
    assert len(load(written).values.columns) == len(data.raw.values.columns)


def test_the_encoder_comes_back_from_its_state_with_its_made_up_columns(path):
    data = prepare(load(path), seed=0)
    back = data.domain.encoder_from_state(data.encoder.state())
    assert (back.made_up, back.repeated) == (data.encoder.made_up, data.encoder.repeated)
    assert back.repeated == (("amount.1", "amount"),)


def test_a_made_up_key_moves_no_judgement_and_the_same_columns_are_left_out_on_both_sides(path, tmp_path):
    data = prepare(load(path), seed=0)
    other = data.encoder.completed(data.raw.values)
    other["row"] = -other["row"]
    other.to_csv(tmp_path / "other.csv", index=False)
    real, fake = load_pair(path, tmp_path / "other.csv", drop=(), seed=0)
    assert list(real.values.columns) == list(fake.values.columns)
    assert "row" not in real.values.columns


def test_columns_without_any_value_stay_empty_in_samples_and_one_note_names_them_all(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,fax,b,telex\n" + "".join(f"{k % 7},,{'xyz'[k % 3]},\n" for k in range(200)), encoding="utf-8")
    raw = load(path)
    (note,) = [note for note in raw.notes if "without any value" in note]
    assert "'fax', 'telex'" in note
    data = prepare(raw, seed=0)
    again = data.domain.encoder_from_state(data.encoder.state())
    rows = again.completed(again.decode(data.encoder.encode(data.raw.values)))
    assert list(rows.columns) == ["a", "fax", "b", "telex"] and rows[["fax", "telex"]].isna().all().all()


def test_a_column_that_is_empty_on_the_real_side_is_judged_so_that_values_in_it_are_seen():
    real = pd.DataFrame({"a": [1, 2, 3, 4] * 20, "fax": [None] * 80})
    sides = load_pair(real, real.assign(fax=[7, None] * 40), drop=(), seed=0)
    assert all("fax" in side.values for side in sides)


def test_a_note_names_the_text_that_samples_will_hold_as_it_is():
    frame = pd.DataFrame(
        {
            "patient": [f"Ada {k // 2 if k < 400 else k}" for k in range(600)],
            "town": [f"Town {k % 30}" for k in range(600)],
            "doctor": ["Grace" if k else "Alan" for k in range(600)],
            "age": np.arange(600) % 70,
        }
    )
    (note,) = [note for note in load(frame).notes if "as they are" in note]
    assert "'patient' (200 values that occur once)" in note and "--columns FILE" in note
    assert "town" not in note and "doctor" not in note
    said = load(frame, options=DataOptions(columns={"patient": "category"}))
    assert not [note for note in said.notes if "as they are" in note]


def test_a_person_may_say_otherwise(path):
    options = DataOptions(columns={"row": "integer", "email": "drop", "phone": "text", "first_name": "text"})
    raw = load(path, options=options)
    kinds = {made.name: made.kind for made in raw.made_up}
    assert "row" in raw.values.columns
    assert "email" not in kinds and "email" not in raw.values.columns
    assert (kinds["phone"], kinds["first_name"]) == ("text", "text")


def test_a_number_that_follows_no_pattern_of_text_is_told(path):
    with pytest.raises(DataError, match="follow no pattern of a key"):
        load(path, options=DataOptions(columns={"remarks": "key"}))
    with pytest.raises(ConfigError, match="'keys' is no kind of column"):
        load(path, options=DataOptions(columns={"row": "keys"}))


def test_a_table_of_keys_alone_has_nothing_to_learn():
    frame = pd.DataFrame({"id": np.arange(60), "code": [f"K-{place:04d}" for place in range(60)]})
    with pytest.raises(DataError, match="keys and free text only: 'id', 'code'"):
        load(frame)


def test_a_hundred_thousand_levels_take_no_one_hot_of_that_width_and_come_back_by_their_frequency():
    stream = np.random.default_rng(0)
    levels = np.concatenate([np.arange(100_000), stream.integers(0, 100_000, size=20_000), np.zeros(40_000, int)])
    frame = pd.DataFrame({"level": [f"l{level}" for level in levels], "x": stream.normal(size=len(levels))})
    data = prepare(load(frame), seed=0)
    assert data.encoder.space.shape[0] < 250
    rows = data.encoder.decode(data.encoder.encode(data.raw.values))
    # A quarter of the rows has the frequent level; the others share one entry and are drawn by their frequency.
    assert (rows["level"] == "l0").mean() == pytest.approx((frame["level"] == "l0").mean(), abs=0.01)
    assert rows["level"].nunique() > 50_000
