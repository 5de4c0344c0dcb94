"""Times of day in text: which columns are, that they come back in the very form and lattice, and which are none."""

from __future__ import annotations

import copy
import datetime
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from equipoise.data import DataOptions, aligned, load, prepare, write_samples
from equipoise.data.tables.conditions.language import read_condition
from equipoise.data.tables.rules.quantities import common_unit
from equipoise.data.tables.schema import type_from_state
from equipoise.data.tables.times import WrittenTime, form_of, time_of
from equipoise.errors import ConfigError, DataError, InputError
from equipoise.experiment.judge.datasets import load_pair
from equipoise.experiment.prepare import inspect_data

ROWS = 240
MINUTES = 15 * np.random.default_rng(0).integers(0, 96, ROWS)
FORMS = {
    "HH:MM": lambda k: f"{k // 60:02d}:{k % 60:02d}",
    "H:MM": lambda k: f"{k // 60}:{k % 60:02d}",
    "HH:MM:SS": lambda k: f"{k // 60:02d}:{k % 60:02d}:05",
    "H:MM:SS": lambda k: f"{k // 60}:{k % 60:02d}:30",
    "HH:MM:SS.fff": lambda k: f"{k // 60:02d}:{k % 60:02d}:05.250",
    "HH:MM:SS.ffffff": lambda k: f"{k // 60:02d}:{k % 60:02d}:05.000001",
    "H:MM PM": lambda k: f"{(k // 60 + 11) % 12 + 1}:{k % 60:02d} {'AM' if k < 720 else 'PM'}",
    "HH:MMp.m.": lambda k: f"{(k // 60 + 11) % 12 + 1:02d}:{k % 60:02d}{'a.m.' if k < 720 else 'p.m.'}",
}


def csv(folder, columns: dict[str, list], name="data.csv"):
    path = folder / name
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def column(folder, values, **options):
    raw = load(csv(folder, {"x": values, "y": np.arange(len(values)) % 3}), options=DataOptions(**options))
    return raw.values["x"], raw.notes


def holds(found) -> str:
    return pd.api.types.infer_dtype(found, skipna=True)


@pytest.mark.parametrize("form", FORMS)
def test_times_of_one_form_are_times_and_every_sampled_value_is_one_in_that_form_on_that_lattice(tmp_path, form):
    texts = [FORMS[form](k) for k in MINUTES]
    texts[3] = texts[50] = ""
    path = csv(tmp_path, {"x": texts, "y": np.arange(ROWS) % 3})
    data = prepare(load(path), seed=0)
    (kind,) = (kind for kind in data.encoder.types if kind.name == "x")
    assert (kind.kind, kind.form, kind.step) == ("time", form, 15 * 60 * 10**6)
    noise = np.random.default_rng(1).normal(size=(2000, *data.encoder.space.shape)).astype(np.float32)
    (written,) = write_samples(data.encoder.decode(noise), tmp_path / "samples.csv")
    made = pd.read_csv(written, dtype=str)["x"]
    possible = {FORMS[form](k) for k in range(0, 1440, 15)}
    assert set(made.dropna()) <= possible and made.isna().any() and made.nunique() > 40
    # What was read is written again letter by letter.
    again = kind.values(*kind.to_numeric(data.raw.values["x"]))
    assert [None if time is None else str(time) for time in again] == [text or None for text in texts]


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (["09:00", "17:00"], "HH:MM"),
        (["10:00", "22:45"], "HH:MM"),
        (["9:00", "17:00"], "H:MM"),
        (["00:00", "23:59"], "HH:MM"),
        (["12:00 am", "12:59 pm"], "H:MM pm"),
        (["10:00 AM", "11:00 PM"], "H:MM PM"),  # 1:00 PM lies between
        (["23:59:59.9", "00:00:00.0"], "HH:MM:SS.f"),
    ],
)
def test_the_form_is_the_one_that_all_values_have(texts, form):
    assert form_of(texts) == form
    assert [str(time_of(text, form)) for text in texts] == texts


NEAR_MISSES = {
    "an hour too late": ["09:00", "25:10"],
    "midnight as 24": ["23:00", "24:00"],
    "a minute too many": ["09:00", "09:60"],
    "a duration of minutes": ["61:30", "12:30"],
    "two forms": ["09:00", "09:00:00"],
    "hours with and without a zero": ["09:00", "9:30", "10:00"],
    "one mark of two": ["9:00 AM", "9:30"],
    "marks of two cases": ["9:00 AM", "9:30 pm"],
    "hour 13 of 12": ["9:00 AM", "13:00 PM"],
    "hour 0 of 12": ["9:00 AM", "0:30 AM"],
    "different fractions": ["09:00:00.5", "09:00:00.25"],
    "nanoseconds": ["09:00:00.123456789", "09:00:00.000000000"],
    "scores": ["3:2", "1:0"],
    "a score of volleyball": ["25:18", "21:9"],
    "ratios": ["16:9", "4:3", "16:10"],
    "a word": ["09:00", "noon"],
    "a date beside": ["09:00", "2024-01-01 09:00"],
    "a zone": ["09:00+01:00", "10:00+01:00"],
    "other digits": ["٠٩:٠٠", "١٠:٠٠"],
    "four parts": ["01:23:45:06", "01:23:45:07"],
    "one value alone": ["09:00", "09:00"],
}


@pytest.mark.parametrize("case", NEAR_MISSES)
def test_a_near_miss_leaves_a_column_the_text_that_it_was(tmp_path, case):
    texts = [NEAR_MISSES[case][k % len(NEAR_MISSES[case])] for k in range(60)]
    found, notes = column(tmp_path, texts)
    assert found.tolist() == texts and not notes
    (kind,) = prepare(load(csv(tmp_path, {"x": texts, "y": np.arange(60) % 7})), seed=0).encoder.types[:1]
    assert kind.kind == "category" and kind.levels == tuple(sorted(set(texts)))


@pytest.mark.parametrize("gap", ["", " ", "NA", "-", "NaT", "?"])
def test_gaps_and_marks_are_missing_among_times(tmp_path, gap):
    found, notes = column(tmp_path, ["09:00", gap, "17:30", "17:30"])
    assert found.isna().tolist() == [False, True, False, False] and found[2] == datetime.time(17, 30)
    assert any("Read as missing" in note for note in notes) == bool(gap.strip())


@pytest.mark.parametrize(
    ("texts", "is_said"),
    [
        (["3:45", "4:05"], True),
        (["21:15", "18:21"], True),
        (["09:00", "17:00"], False),
        (["3:45:10", "4:05:00"], False),
        (["3:45 PM", "4:05 PM"], False),
    ],
)
def test_what_may_be_scores_or_lengths_is_said(tmp_path, texts, is_said):
    found, notes = column(tmp_path, texts * 30)
    assert holds(found) == "time" and [str(each) for each in found[:2]] == texts
    assert any("scores or lengths" in note and "'x'" in note for note in notes) == is_said


def test_two_times_are_a_choice_between_these_two(tmp_path):
    data = prepare(load(csv(tmp_path, {"x": ["09:00", "17:00"] * 60, "y": np.arange(120) % 3})), seed=0)
    noise = np.random.default_rng(1).normal(size=(500, *data.encoder.space.shape)).astype(np.float32)
    assert {str(time) for time in data.encoder.decode(noise)["x"]} == {"09:00", "17:00"}


def test_times_that_differ_in_every_row_are_no_keys(tmp_path):
    texts = [f"{k // 60:02d}:{k % 60:02d}:{(7 * k) % 60:02d}" for k in range(300)]
    raw = load(csv(tmp_path, {"x": texts, "y": np.arange(300) % 3}))
    assert not raw.made_up and holds(raw.values["x"]) == "time"


def test_a_written_time_is_a_time_of_pythons_that_keeps_its_form():
    time = WrittenTime.of((21 * 60 + 27) * 60 * 10**6, "H:MM PM")
    assert time == datetime.time(21, 27) and hash(time) == hash(datetime.time(21, 27)) and str(time) == "9:27 PM"
    for again in (pickle.loads(pickle.dumps(time)), copy.deepcopy(time)):
        assert again == time and str(again) == "9:27 PM" and isinstance(again, WrittenTime)
    assert str(WrittenTime(9, 5)) == "09:05:00"


@pytest.mark.parametrize("form", FORMS)
def test_data_that_are_read_again_with_their_own_types_are_the_same_data(tmp_path, form):
    path = csv(tmp_path, {"x": ["-", *(FORMS[form](k) for k in MINUTES)], "y": np.arange(ROWS + 1) % 3})
    first = prepare(load(path), seed=0)
    types = tuple(type_from_state(kind.state()) for kind in first.encoder.types)
    again = prepare(load(path, options=DataOptions(kind="table", stored=types)), seed=0)
    assert again.fingerprint == first.fingerprint and again.encoder.state() == first.encoder.state()


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_a_run_that_began_with_categories_goes_on_with_them(tmp_path, monkeypatch, ending):
    # Marks are text among text; as gaps among times those out of the training part would be other data.
    marks = ["-", "--", "?", "NA", "N/A", "none", "null", "nil", "NaN", "."]
    frame = pd.DataFrame({"x": [*(FORMS["HH:MM"](k) for k in MINUTES), *marks], "y": np.arange(ROWS + 10) % 3})
    path = tmp_path / f"data{ending}"
    if ending == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True)
    with monkeypatch.context() as before:
        before.setattr("equipoise.data.tables.reading.read_times", lambda texts, rules, say: None)
        old = prepare(load(path), seed=0)
    assert old.encoder.types[0].kind == "category"
    types = tuple(type_from_state(kind.state()) for kind in old.encoder.types)
    now = prepare(load(path, options=DataOptions(kind="table", stored=types)), seed=0)
    assert now.fingerprint == old.fingerprint and now.encoder.state() == old.encoder.state()
    assert prepare(load(path), seed=0).encoder.types[0].kind == "time"


def test_a_stored_type_without_a_form_is_one_of_pythons_times():
    # As runs on Parquet files and frames have stored it from the beginning.
    state = {"name": "x", "kind": "time", "dtype": "object", "origin": 0, "step": 60_000_000, "top": 120_000_000}
    kind = type_from_state(state)
    assert kind.form == "" and "form" not in kind.state()
    assert kind.values(np.array([1.0]), np.array([False]))[0] == datetime.time(0, 1)


def test_conditions_compare_times_as_they_do_those_of_parquet_files(tmp_path):
    texts = [FORMS["H:MM PM"](k) for k in MINUTES]
    texts[7] = ""
    data = prepare(load(csv(tmp_path, {"x": texts, "y": np.arange(ROWS) % 3})), seed=0)
    minutes = np.where(np.arange(ROWS) == 7, -1, MINUTES)
    for where, wanted in {
        "x >= '09:00'": minutes >= 540,
        "x >= '9:00 AM' and x < '1:15 p.m.'": (minutes >= 540) & (minutes < 795),
        "x == '21:30:00'": minutes == 1290,
        "x in ['09:15', '9:45 PM']": np.isin(minutes, (555, 1305)),
        "x is missing": minutes < 0,
    }.items():
        condition = read_condition(where, data.encoder.types)
        assert (condition.obeyed(data.raw.values) == wanted).all(), where
        assert (
            read_condition({"x": datetime.time(9, 15)}, data.encoder.types).obeyed(data.raw.values).sum()
            == (minutes == 555).sum()
        )
    with pytest.raises(InputError, match=r"column 'x': '25:10' is no value of this column: it holds times of day"):
        read_condition("x >= '25:10'", data.encoder.types)


def test_a_sum_of_a_time_and_a_duration_is_written_in_the_form(tmp_path):
    ends = [FORMS["H:MM"](k) for k in MINUTES]
    kind = prepare(load(csv(tmp_path, {"x": ends, "y": np.arange(ROWS) % 3})), seed=0).encoder.types[0]
    common, _ = common_unit([kind, kind], where="test")
    made = common.column(np.array([8 * 3600 + 60]) * 10**6, np.array([False]), kind)
    assert str(made[0]) == "8:01"


def test_a_person_says_otherwise(tmp_path):
    laps = [f"{2 + k % 3}:{k % 60:02d}" for k in range(90)]
    mixed = [["9:15", "09:30:30", "", "9:45 PM"][k % 4] for k in range(90)]
    path = csv(tmp_path, {"lap": laps, "seen": mixed, "y": np.arange(90) % 3})
    file = tmp_path / "kinds.yaml"
    file.write_text("lap: category\nseen: time\n")
    values = inspect_data(str(path), settings=(), columns_file=file).raw.values
    assert values["lap"].tolist() == laps
    assert [str(time) for time in values["seen"][[0, 1, 3]]] == ["09:15:00", "09:30:30", "21:45:00"]
    assert values["seen"].isna().sum() == 22
    frame = pd.DataFrame({"lap": laps, "y": np.arange(90) % 3})
    assert holds(load(frame).values["lap"]) == "string"
    stated = load(frame, options=DataOptions(columns={"lap": "time"})).values["lap"]
    assert holds(stated) == "time" and [str(time) for time in stated] == laps


def test_a_value_that_is_no_time_of_a_stated_time_is_refused_with_file_column_and_row(tmp_path):
    path = csv(tmp_path, {"x": ["09:00", "17:00", "25:10"] * 20, "y": np.arange(60) % 3})
    with pytest.raises(DataError, match=r"data\.csv, column 'x', row 2: the value '25:10' is no time; 20 rows"):
        load(path, options=DataOptions(columns={"x": "time"}))
    with pytest.raises(ConfigError, match=r"'time %H:%M' (.|\n)*form"):
        inspect_data(str(path), settings=("data.columns={x: time %H:%M}",))


def pair(folder, real, fake):
    y = {"y": np.arange(len(real)) % 3}
    sides = [csv(folder, {"x": texts, **y}, name) for texts, name in ((real, "real.csv"), (fake, "fake.csv"))]
    return aligned(*load_pair(*map(str, sides), drop=(), seed=0))


@pytest.mark.parametrize("form", FORMS)
def test_two_files_are_compared_by_what_their_times_are(tmp_path, form):
    # However the second side writes them, and though it may hold a single one.
    real = [FORMS[form](k) for k in MINUTES]
    found = pair(tmp_path, real, [FORMS["H:MM:SS"](k)[:-2] + "00" for k in MINUTES])
    seconds = [side["x"].dt.total_seconds().to_numpy() for side in (found.real, found.fake)]
    assert np.abs(seconds[0] - seconds[1]).max() < 31 and not found.misfits
    alone = pair(tmp_path, real, ["09:00"] * ROWS)
    assert set(alone.fake["x"].dt.total_seconds()) == {9 * 3600}


def test_a_value_that_is_no_time_is_a_finding_with_column_and_value(tmp_path):
    found = pair(tmp_path, [FORMS["HH:MM"](k) for k in MINUTES], ["25:10", "noon", *["09:00"] * (ROWS - 2)])
    (misfit,) = found.misfits
    assert (misfit.side, misfit.column, misfit.rows, misfit.kind) == ("generated", "x", 2, "time of day")
    assert set(misfit.values) == {"25:10", "noon"} and found.fake["x (no time of day)"].sum() == 2


def test_text_of_frames_is_compared_as_times_too():
    real = pd.DataFrame({"x": [FORMS["HH:MM"](k) for k in MINUTES]})
    fake = pd.DataFrame({"x": [datetime.time(k // 60, k % 60) for k in MINUTES]})
    for sides in ((real, fake), (fake, real), (real, real)):
        found = aligned(*(load(side, options=DataOptions(kind="table")) for side in sides))
        assert found.real["x"].dtype.kind == "m" and found.real["x"].tolist() == found.fake["x"].tolist()


def test_classes_named_by_times_come_back_as_times(tmp_path):
    from equipoise.data.domain import domain_of

    path = csv(tmp_path, {"x": ["9:00", "17:00", "12:30"] * 20, "y": np.arange(60)})
    raw = load(path, options=DataOptions(labels="x"))
    assert raw.label_names == ("12:30", "17:00", "9:00")
    values = domain_of("table").with_classes(raw.values.copy(), "x", ["9:00"] * 60)
    assert holds(values["x"]) == "time" and {str(time) for time in values["x"]} == {"9:00"}


def test_json_lines_hold_times_in_their_form(tmp_path):
    frame = pd.DataFrame({"x": [FORMS["H:MM"](k) for k in MINUTES], "y": np.arange(ROWS) % 3})
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    values = load(tmp_path / "a.jsonl").values
    (written,) = write_samples(values, tmp_path / "b.jsonl")
    assert holds(values["x"]) == "time" and written.read_text() == (tmp_path / "a.jsonl").read_text()


def test_a_sample_of_a_text_file_goes_into_parquet_as_times(tmp_path):
    values = load(csv(tmp_path, {"x": [FORMS["H:MM"](k) for k in MINUTES], "y": np.arange(ROWS) % 3})).values
    (written,) = write_samples(values, tmp_path / "b.parquet")
    assert load(written).values["x"].tolist() == values["x"].tolist()


def test_the_referee_sees_the_order_of_times(tmp_path):
    from equipoise.data.domain import domain_of
    from equipoise.data.tables.classifier_inputs import measured

    values = load(csv(tmp_path, {"x": [FORMS["H:MM"](k) for k in MINUTES], "y": np.arange(ROWS) % 3})).values
    assert (measured(values).columns["x"].values == 60.0 * MINUTES).all()
    real, _ = domain_of("table").checked_sides(values, values)
    assert (real["x"].dt.total_seconds() == 60 * MINUTES).all() and holds(values["x"]) == "time"


def test_a_stored_kind_keeps_values_beyond_its_range(tmp_path):
    # Other rows of the same columns, such as those whose gaps are filled, may not be moved unseen.
    from equipoise.data.tables.like import restored

    kind = prepare(load(csv(tmp_path, {"x": ["9:00", "17:00"] * 30, "y": np.arange(60) % 3})), seed=0).encoder.types[0]
    found = restored(pd.Series(["8:10", None, "23:59", datetime.time(9)], dtype=object), kind)
    assert [time if time is None else str(time) for time in found] == ["8:10", None, "23:59", "9:00"]
    assert restored(pd.Series(["8:10"], dtype=object), replace(kind, form=""))[0] == datetime.time(8, 10)
