"""The same rows read from any file or frame are the same rows: a verdict never rests on how they are stored."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from equipoise.data import DataOptions, aligned, load, prepare
from equipoise.data.tables.schema import type_from_state
from equipoise.experiment.judge.datasets import judge_sources, load_pair

ROWS = 240
DOORS = ("csv", "semicolons", "packed", "parquet", "disk", "numpy", "arrow", "floats", "objects")


def rows(seed: int) -> pd.DataFrame:
    """A column of every kind, with gaps and without."""
    rng = np.random.default_rng(seed)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 90, ROWS), unit="D")
    frame = pd.DataFrame(
        {
            "whole": rng.integers(-40, 900, ROWS),
            "gappy": pd.array(rng.integers(0, 90, ROWS), dtype="Int64"),
            "large": 4_000_000_000_000_000_000 + rng.integers(0, 1000, ROWS),
            "real": np.round(rng.normal(size=ROWS), 3),
            "rare": np.round(rng.normal(size=ROWS), 6),
            "flag": rng.random(ROWS) < 0.4,
            "maybe": pd.array(rng.random(ROWS) < 0.4, dtype="boolean"),
            "text": rng.choice(["ash", "oak", "b, c"], ROWS),
            "zip": rng.choice(["00501", "10001", "02134"], ROWS),
            "day": days,
            "span": pd.to_timedelta(rng.integers(0, 10**6, ROWS), unit="s"),
        }
    )
    for name in ("gappy", "rare", "maybe", "text", "day", "zip"):
        frame.loc[rng.random(ROWS) < 0.1, name] = None
    return frame


def behind(door: str, frame: pd.DataFrame, folder, monkeypatch, name: str):
    """The rows as they stand behind a door."""
    monkeypatch.setenv("EQUIPOISE_MAP_ABOVE_MB", "0" if door == "disk" else "1e9")
    path = folder / f"{name}-{door}"
    if door in ("csv", "packed"):
        path = path.with_suffix(".csv.gz" if door == "packed" else ".csv")
        frame.to_csv(path, index=False)
    elif door == "semicolons":
        path = path.with_suffix(".csv")
        frame[frame.columns[::-1]].to_csv(path, index=False, sep=";", decimal=",")
    elif door in ("parquet", "disk"):
        path = path.with_suffix(".parquet")
        dates = frame.assign(day=frame["day"].astype(pd.ArrowDtype(pa.date32()))) if door == "parquet" else frame
        dates.to_parquet(path, index=False)
    elif door == "arrow":
        return frame.convert_dtypes(dtype_backend="pyarrow").assign(day=frame["day"].astype(pd.ArrowDtype(pa.date32())))
    elif door == "floats":
        return frame.assign(
            whole=frame["whole"].astype(float),
            gappy=frame["gappy"].astype("float64"),
            flag=frame["flag"].astype(int),
            text=frame["text"].astype("category"),
        )
    elif door == "objects":
        return frame.assign(
            whole=frame["whole"].astype(object),
            flag=frame["flag"].astype(object),
            day=[None if pd.isna(day) else day.date() for day in frame["day"]],
            real=[Decimal(str(value)) for value in frame["real"]],
        )
    else:
        return frame
    return path


@pytest.mark.parametrize("real_door", ["csv", "parquet", "numpy"])
@pytest.mark.parametrize("fake_door", DOORS)
def test_two_sides_are_the_same_whatever_they_are_stored_as(real_door, fake_door, tmp_path, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path / "cache"))

    def sides(*doors):
        sources = [
            behind(door, rows(seed), tmp_path, monkeypatch, f"side{seed}") for seed, door in enumerate(doors, start=1)
        ]
        return aligned(*load_pair(*sources, drop=(), seed=0))

    wanted, found = sides("csv", "csv"), sides(real_door, fake_door)
    pd.testing.assert_frame_equal(found.real, wanted.real)
    pd.testing.assert_frame_equal(found.fake, wanted.fake)
    assert found.misfits == () == wanted.misfits
    assert list(found.real) == sorted(found.real)


def test_a_real_side_of_any_door_is_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path / "cache"))
    found = []
    for door in DOORS:
        if door == "floats":  # a flag that is stored as a number is a number, and a category is one
            continue
        real = behind(door, rows(1), tmp_path, monkeypatch, "real")
        found.append(aligned(*load_pair(real, rows(2), drop=(), seed=0)))
    for other in found[1:]:
        pd.testing.assert_frame_equal(other.real, found[0].real)
        pd.testing.assert_frame_equal(other.fake, found[0].fake)


def plain(verdict) -> str:
    """A verdict as text, without what names sources and times."""
    content = verdict.to_json()
    return json.dumps({key: content[key] for key in content if "second" not in key}, sort_keys=True, default=str)


def test_the_verdict_is_the_same_byte_for_byte(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path / "cache"))
    verdicts = []
    for doors in (("csv", "csv"), ("disk", "semicolons"), ("arrow", "objects")):
        sources = [behind(door, rows(k), tmp_path, monkeypatch, f"v{k}") for k, door in enumerate(doors)]
        verdicts.append(judge_sources(*sources, sensitivity="theoretical"))
    assert len({plain(verdict).replace("semicolons", "csv") for verdict in verdicts if verdict}) == 1


def pair(real, fake):
    frames = [pd.DataFrame({"v": side, "w": np.arange(len(side)) % 3}) for side in (real, fake)]
    return aligned(*load_pair(*frames, drop=(), seed=0))


@pytest.mark.parametrize(
    "fake",
    [
        pd.Series([1.0, 2.0, 3.0] * 20),
        pd.Series([1, 2, 3] * 20, dtype=object),
        pd.Series(["1", "2", "3"] * 20),
        pd.Series(pd.Categorical([1.0, 2.0, 3.0] * 20)),
        pd.Series([1, 2, 3] * 20, dtype="int8[pyarrow]"),
    ],
    ids=lambda each: str(each.dtype),
)
def test_categories_of_numbers_are_their_numbers_however_stored(fake):
    real = pd.Series(pd.Categorical([1, 2, 3] * 20))
    found = pair(real, fake)
    assert found.real["v"].tolist() == found.fake["v"].tolist() == ["1", "2", "3"] * 20 and not found.misfits


def test_truth_values_are_what_they_are_whatever_their_spelling(tmp_path):
    for name, texts in (("a", ("TRUE", "FALSE")), ("b", ("true", "False"))):
        (tmp_path / f"{name}.csv").write_text("v,w\n" + "".join(f"{texts[k % 2]},{k % 3}\n" for k in range(60)))
    found = aligned(*load_pair(tmp_path / "a.csv", tmp_path / "b.csv", drop=(), seed=0))
    pd.testing.assert_frame_equal(found.real, found.fake)


@pytest.mark.parametrize("strange_side", ["real", "fake"])
@pytest.mark.parametrize("door", ["csv", "frame"])
def test_values_that_do_not_fit_are_named_and_counted(strange_side, door, tmp_path):
    numbers = [str(k % 70) for k in range(990)]
    strange = numbers[:980] + ["unknown"] * 7 + ["?!"] * 3
    sides = {"real": numbers, "fake": numbers, strange_side: strange}
    if door == "csv":
        for name, values in sides.items():
            (tmp_path / f"{name}.csv").write_text("v,w\n" + "".join(f"{v},{k % 3}\n" for k, v in enumerate(values)))
        found = aligned(*load_pair(tmp_path / "real.csv", tmp_path / "fake.csv", drop=(), seed=0))
    else:
        found = pair(*sides.values())
    (misfit,) = found.misfits
    side = {"real": "real", "fake": "generated"}[strange_side]
    assert (misfit.side, misfit.column, misfit.rows, misfit.values) == (side, "v", 10, ("unknown", "?!"))
    marked = getattr(found, strange_side)["v (no number)"]
    assert marked.sum() == 10 and marked.iloc[-10:].all()
    assert found.real["v"].iloc[:980].tolist() == found.fake["v"].iloc[:980].tolist() == [k % 70 for k in range(980)]


def test_a_finding_says_which_values_do_not_fit():
    numbers = pd.Series(np.arange(400) % 70)
    strange = numbers.astype(object).where(np.arange(400) < 380, "unknown")
    frames = [pd.DataFrame({"v": side, "w": np.arange(400) % 3}) for side in (numbers, strange)]
    verdict = judge_sources(*frames, sensitivity="theoretical")
    text = next(finding.statement for finding in verdict.findings if "something else" in finding.statement)
    assert "Column v holds a number, and 20 of 400 generated rows something else: 'unknown'" in text


def test_dates_of_every_form_are_the_same_dates(tmp_path):
    days = pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(60) % 40, unit="D"))
    forms = [
        days,
        days.dt.date,
        days.astype(pd.ArrowDtype(pa.date32())),
        days.dt.strftime("%Y-%m-%d"),
        days.dt.to_period("D"),
    ]
    read = [pair(days, form) for form in forms]
    assert all(each.fake["v"].tolist() == days.tolist() and not each.misfits for each in read)
    assert pair(days, days.dt.strftime("%d.%m.%Y")).fake["v"].tolist() == days.tolist()


def test_time_zones_name_the_same_moments():
    moments = pd.Series(pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(np.arange(60), unit="h"))
    found = pair(moments, moments.dt.tz_convert("Asia/Kolkata"))
    assert found.real["v"].tolist() == found.fake["v"].tolist()


def test_times_of_day_are_spans():
    times = [datetime.time(k % 24, 30) for k in range(60)]
    found = pair(pd.Series(times), pd.Series([str(time) for time in times]))
    assert found.real["v"].tolist() == found.fake["v"].tolist() and not found.misfits


def test_whole_numbers_beyond_53_bits_are_told_apart():
    base = 2**62
    found = pair(pd.Series([base + k % 3 for k in range(60)]), pd.Series([base + k % 2 for k in range(60)]))
    assert set(found.real["v"]) == {0.0, 1.0, 2.0} and set(found.fake["v"]) == {0.0, 1.0}
    assert "above 2^53" in found.notes[0]


def test_an_array_is_read_as_the_table_that_it_is_compared_with():
    real = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["b", "a"])
    found = aligned(*load_pair(real, real.to_numpy(), drop=(), seed=0))
    pd.testing.assert_frame_equal(found.real, found.fake)


@pytest.mark.parametrize("gap", ["", "NA", "-", " "])
@pytest.mark.parametrize("door", ["csv", "parquet", "disk", "numpy", "arrow"])
def test_data_that_are_read_again_with_their_own_types_are_the_same_data(door, gap, tmp_path, monkeypatch):
    # What a run does when it is resumed or judged.
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path / "cache"))
    source = behind(door, rows(3), tmp_path, monkeypatch, "again")
    if door == "csv":
        rows(3).assign(text=rows(3)["text"].fillna("NA")).to_csv(source, index=False, na_rep=gap)
    options = DataOptions(labels="flag")
    first = prepare(load(source, options=options), seed=0)
    types = tuple(column.type for column in first.encoder.columns)
    again = prepare(load(source, options=replace(options, kind="table", stored=types)), seed=0)
    assert again.fingerprint == first.fingerprint and again.encoder.state() == first.encoder.state()


def test_codes_of_19_digits_with_gaps_keep_every_digit_on_both_sides():
    codes = [4_123_456_789_012_345_678 + k % 5 for k in range(60)]
    gappy = [None if k % 7 == 3 else code for k, code in enumerate(codes)]
    found = pair(pd.Series(gappy, dtype="Int64"), pd.Series([None if v is None else str(v) for v in gappy]))
    assert found.real["v"].isna().sum() == sum(code is None for code in gappy)
    assert set(found.real["v"].dropna()) == {0.0, 1.0, 2.0, 3.0, 4.0}
    pd.testing.assert_frame_equal(found.real, found.fake)


def test_a_csv_with_large_codes_and_negative_zeros_is_read_again_as_it_was(tmp_path):
    codes = ["" if k % 7 == 3 else str(4_123_456_789_012_345_678 + k % 30) for k in range(60)]
    rows = "".join(f"{code},{['0.0', '-0.0', '-', '1.25'][k % 4]},{k % 3}\n" for k, code in enumerate(codes))
    (tmp_path / "a.csv").write_text("code,score,w\n" + rows)
    first = prepare(load(tmp_path / "a.csv"), seed=0)
    types = tuple(column.type for column in first.encoder.columns)
    again = load(tmp_path / "a.csv", options=DataOptions(kind="table", stored=types))
    assert prepare(again, seed=0).fingerprint == first.fingerprint


def test_columns_are_given_the_types_that_the_first_version_stored(tmp_path):
    # What 0.1.0 made of these columns, which are read otherwise today.
    (tmp_path / "a.csv").write_text("zip,born,gap,score\n00501,2024-01-01,a,-0.0\nNA,NA, ,1.5\n,2024-01-02,b,\n")
    states = [
        {"name": "zip", "kind": "number", "dtype": "float64"},
        {"name": "born", "kind": "category", "dtype": "str", "levels": ["2024-01-01", "2024-01-02", "NA"]},
        {"name": "gap", "kind": "category", "dtype": "str", "levels": [" ", "a", "b"]},
        {"name": "score", "kind": "number", "dtype": "float64"},
    ]
    types = tuple(type_from_state(state) for state in states)
    values = load(tmp_path / "a.csv", options=DataOptions(kind="table", stored=types)).values
    assert str(values["zip"].tolist()) == "[501.0, nan, nan]" and str(values["score"].tolist()) == "[-0.0, 1.5, nan]"
    assert values["born"].tolist() == ["2024-01-01", "NA", "2024-01-02"] and values["gap"].tolist() == ["a", " ", "b"]
