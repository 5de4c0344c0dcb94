"""Conditions on rows of a table: what they mean, on every kind of column, and which are refused with what reason."""

from __future__ import annotations

import datetime
import decimal
import itertools

import numpy as np
import pandas as pd
import pytest

from equipoise.data import load, prepare
from equipoise.data.tables.conditions.language import read_condition
from equipoise.data.tables.conditions.support import refuse_impossible
from equipoise.data.tables.conditions.value_sets import ValueSet, missing_only, only, present
from equipoise.errors import InputError

ROWS = 400


def table() -> pd.DataFrame:
    """Columns of every kind that can be compared, some values missing."""
    numbers = np.random.default_rng(3)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(numbers.integers(0, 300, ROWS), unit="D")
    some = numbers.random(ROWS) < 0.2
    return pd.DataFrame(
        {
            "age": numbers.integers(18, 80, ROWS),
            "visits": pd.array(numbers.integers(0, 9, ROWS), dtype="Int64"),
            "tens": 10 * numbers.integers(0, 60, ROWS),
            "wage": np.where(some, np.nan, numbers.lognormal(3, 1, ROWS).round(2)),
            "small": numbers.choice([0.1, 0.2, 0.5], ROWS).astype(np.float32),
            "sex": numbers.choice(["Female", "Male"], ROWS),
            "city name": pd.Series(numbers.choice(["Ulm", "Bonn", "Köln"], ROWS)).mask(some),
            "class": pd.Categorical(numbers.choice(["low", "mid", "high"], ROWS), ["low", "mid", "high"], ordered=True),
            "code": pd.Categorical(numbers.choice([10, 20, 30], ROWS)),
            "paid": numbers.random(ROWS) < 0.5,
            "day": days,
            "moment": pd.Series(days + pd.to_timedelta(numbers.integers(0, 86_400, ROWS), unit="s")).dt.tz_localize(
                "Europe/Berlin", ambiguous=True, nonexistent="shift_forward"
            ),
            "date": [each.date() for each in days],
            "stay": pd.to_timedelta(numbers.integers(0, 240, ROWS), unit="h"),
            "month": pd.Series(days).dt.to_period("M"),
            "time": [datetime.time(int(k) // 60, int(k) % 60) for k in numbers.integers(0, 1440, ROWS)],
            "price": [decimal.Decimal(int(k)) / 100 for k in numbers.integers(100, 5000, ROWS)],
        }
    )


FRAME = table()
ENCODER = prepare(load(FRAME), seed=0).encoder
SUPPORTS = ENCODER.supports()
TYPES = [support.type for support in SUPPORTS.values()]


def test_a_condition_on_a_made_up_column_is_refused_as_such():
    with pytest.raises(InputError, match="column 'email'.*its values are made up"):
        read_condition("email == 'a@b.c'", TYPES, made_up=["email"])
    with pytest.raises(InputError, match="no column is called 'mail'"):
        read_condition("mail == 'a@b.c'", TYPES, made_up=["email"])


def obeyed(where, frame: pd.DataFrame = FRAME) -> np.ndarray:
    return read_condition(where, TYPES).obeyed(frame)


def month(text: str) -> pd.Period:
    return pd.Period(text, freq="M")


MEANINGS = {
    "age == 30": lambda f: f["age"] == 30,
    "30 <= age < 40": lambda f: (f["age"] >= 30) & (f["age"] < 40),
    "40 > age": lambda f: f["age"] < 40,
    "age > 30.5 and not age >= 50": lambda f: (f["age"] > 30) & (f["age"] < 50),
    "age in [20, 30, 40]": lambda f: f["age"].isin([20, 30, 40]),
    "age not in (20, 30)": lambda f: ~f["age"].isin([20, 30]),
    "age < 30 or sex == 'Male' and age > 60": lambda f: (f["age"] < 30) | ((f["sex"] == "Male") & (f["age"] > 60)),
    "not (age < 30 or sex == 'Male')": lambda f: (f["age"] >= 30) & (f["sex"] == "Female"),
    "visits != 3": lambda f: (f["visits"] != 3).astype(bool),
    "wage < 20": lambda f: f["wage"] < 20,
    "not wage < 20": lambda f: f["wage"] >= 20,
    "wage != 20": lambda f: f["wage"].notna() & (f["wage"] != 20),
    "wage is missing": lambda f: f["wage"].isna(),
    "wage is not missing": lambda f: f["wage"].notna(),
    "not wage is missing": lambda f: f["wage"].notna(),
    "wage == None or wage > 50": lambda f: f["wage"].isna() | (f["wage"] > 50),
    "wage in [None]": lambda f: f["wage"].isna(),
    "small == 0.1": lambda f: f["small"] == np.float32(0.1),
    "small <= .2": lambda f: f["small"] <= np.float32(0.2),
    "`city name` in ['Ulm', 'Köln']": lambda f: f["city name"].isin(["Ulm", "Köln"]),
    "`city name` != 'Ulm'": lambda f: f["city name"].notna() & (f["city name"] != "Ulm"),
    "`class` >= 'mid'": lambda f: f["class"] >= "mid",
    "code == 20": lambda f: f["code"] == 20,
    "paid": lambda f: f["paid"],
    "not paid and age > -1": lambda f: ~f["paid"],
    "paid == False": lambda f: ~f["paid"],
    "day >= '2024-05-31'": lambda f: f["day"] >= "2024-05-31",
    "'2024-02-01' <= day < '2024-03-01 12:00'": lambda f: (f["day"] >= "2024-02-01") & (f["day"] <= "2024-03-01"),
    "moment < '2024-05-31 14:00'": lambda f: f["moment"] < pd.Timestamp("2024-05-31 14:00", tz="Europe/Berlin"),
    "moment < '2024-05-31T12:00Z'": lambda f: f["moment"] < pd.Timestamp("2024-05-31 14:00", tz="Europe/Berlin"),
    "date > '2024-05-31'": lambda f: [each > datetime.date(2024, 5, 31) for each in f["date"]],
    "date < '2024-05-31 08:00'": lambda f: [each <= datetime.date(2024, 5, 31) for each in f["date"]],
    "stay > '3 days 02:00:00'": lambda f: f["stay"] > pd.Timedelta("3 days 02:00:00"),
    "month == '2024-05'": lambda f: f["month"] == month("2024-05"),
    "month > '2024-05'": lambda f: f["month"] > month("2024-05"),
    "time < '14:00'": lambda f: [each < datetime.time(14) for each in f["time"]],
    "price >= 10.1": lambda f: [each >= decimal.Decimal("10.1") for each in f["price"]],
    "price < 10": lambda f: [each < 10 for each in f["price"]],
}


@pytest.mark.parametrize("text", MEANINGS)
def test_a_condition_means_what_pandas_means_by_it(text):
    wanted = np.asarray(MEANINGS[text](FRAME), dtype=bool)
    assert 0 < wanted.sum()
    assert (obeyed(text) == wanted).all()


def test_a_mapping_means_the_same_as_a_text():
    pairs = [
        ({"sex": "Female", "age": slice(30, 40)}, "sex == 'Female' and 30 <= age < 40"),
        ({"age": pd.Interval(30, 40, closed="right")}, "30 < age <= 40"),
        ({"sex": ["Female"], "wage": None}, "sex in ['Female'] and wage is missing"),
        ({"wage": [20.5, None, np.nan]}, "wage == 20.5 or wage is missing"),
        ({"day": pd.Timestamp("2024-03-01"), "paid": np.bool_(True)}, "day == '2024-03-01' and paid"),
        ({"date": datetime.date(2024, 3, 1)}, "date == '2024-03-01'"),
        ({"price": decimal.Decimal("10.10"), "age": np.int64(30)}, "price == 10.1 and age == 30"),
        ({"city name": "Ulm"}, "`city name` == 'Ulm'"),
    ]
    for mapping, text in pairs:
        assert read_condition(mapping, TYPES).sets == read_condition(text, TYPES).sets


def test_what_is_asked_of_one_column_becomes_one_set():
    found = read_condition("(age > 3 and age < 50) and (age in [20, 30] or age == 40) and sex == 'Male'", TYPES)
    assert found.sets["age"] == only(20, 30, 40, is_whole=True)
    assert not found.rest and set(found.columns) == {"age", "sex"}


def sets_of_whole_numbers():
    ends = [None, 0, 1, 2, 4]
    pairs = [(a, b) for a, b in itertools.product(ends, ends) if a is None or b is None or a <= b]
    pieces = [(-np.inf if a is None else a, np.inf if b is None else b) for a, b in pairs]
    for one, other in itertools.product(pieces, pieces):
        for has_missing in (False, True):
            yield ValueSet((one,), has_missing, True) | ValueSet((other,), False, True)


@pytest.mark.parametrize("values", [np.arange(-2, 7), np.arange(7, dtype=np.uint64), np.arange(7).astype(np.int8)])
def test_sets_of_whole_numbers_join_meet_and_complement_as_their_members_do(values):
    missing = np.arange(len(values)) == 3
    found = list(sets_of_whole_numbers())
    for one, other in itertools.product(found[::5], found[::7]):
        a, b = one.contains(values, missing), other.contains(values, missing)
        assert ((one & other).contains(values, missing) == (a & b)).all()
        assert ((one | other).contains(values, missing) == (a | b)).all()
    for one in found:
        inside = one.contains(values, missing)
        assert (one.complement().contains(values, missing) == (~inside & ~missing)).all()


def test_between_two_neighbouring_real_numbers_there_is_none():
    here = 0.3
    gap = only(here, is_whole=False).complement()
    around = np.array([np.nextafter(here, -1), here, np.nextafter(here, 1)])
    assert gap.contains(around, np.zeros(3, bool)).tolist() == [True, False, True]
    assert (gap | only(here, is_whole=False)) == present(is_whole=False)
    assert (missing_only(is_whole=False) & present(is_whole=False)).is_empty


REFUSED = {
    "agee > 3": "no column is called 'agee'. Did you mean 'age'?",
    "sex == 'Femal'": "Did you mean 'Female'?",
    "age == 200": "goes from 18 to 79",
    "age > 200 or age < 3": "goes from 18 to 79",
    "tens == 15": "in steps of 10",
    "tens > 10 and tens < 20": "in steps of 10",
    "age == 30.5": "Write a whole number, such as 30.",
    "age > 30 and age < 31": "contradicts itself",
    "age < 20 and age > 30": "contradicts itself",
    "sex == 'Male' and sex == 'Female'": "contradicts itself",
    "age is missing": "none is missing",
    "sex > 'Female'": "names have no order",
    "sex > 'F'": "names have no order",
    "sex not in ['Female', 'Male']": "no value of the training data is left.",
    "age == 'old'": "it holds numbers",
    "age == True": "it holds numbers",
    "day == 'yesterday-ish'": "it holds dates and times",
    "day > 3": "Write it as '2024-05-31'",
    "day > '2031-01-01'": "no row of the training data",
    "paid == 'perhaps'": "True and False",
    "age": "it stands alone",
    "age > wage": "--rule",
    "sex == Female": "Put text in quotes",
    "age = 30": "Write ==",
    "age > 30 & paid": "Write 'and' and 'or'",
    "city name == 'Ulm'": "Write `city name` in backticks",
    "class == 'low'": "Write `class` in backticks",
    "age in 3": "no list",
    "age is 3": "no 'missing'",
    "age > 2 ** 70": "no value",
    "age in []": "empty",
    "__import__('os').system('true')": "no condition",
    "(lambda: age)()": "no condition",
    "": "it is empty",
    "(" * 300: "cannot be read",
    "age > 1" + " and age > 1" * 20_000: "characters",
    "wage == 1e999": "it holds numbers",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_condition_that_cannot_be_met_or_read_is_refused_with_the_reason(text):
    with pytest.raises(InputError) as refusal:
        refuse_impossible(read_condition(text, TYPES, option="--where"), SUPPORTS)
    assert REFUSED[text] in str(refusal.value), str(refusal.value)
    assert "--where" in str(refusal.value)
    assert len(str(refusal.value)) < 1200


def test_a_choice_is_refused_only_if_none_of_its_sides_can_be():
    refuse_impossible(read_condition("age == 200 or sex == 'Male'", TYPES), SUPPORTS)
    with pytest.raises(InputError, match="no row of the training data"):
        refuse_impossible(read_condition("age == 200 or day > '2031-01-01'", TYPES), SUPPORTS)


def test_every_row_of_the_training_part_can_be_asked_for():
    for name in FRAME:
        kind = SUPPORTS[name].type
        for value in ENCODER.decode(ENCODER.encode(FRAME.head(40)))[name]:
            refuse_impossible(read_condition({name: None if pd.isna(value) else value}, [kind]), SUPPORTS)


def test_whole_numbers_beyond_those_that_floats_tell_apart_are_compared_exactly():
    frame = pd.DataFrame({"id": [2**62 + k for k in range(50)], "x": range(50)})
    types = [support.type for support in prepare(load(frame), seed=0).encoder.supports().values()]
    assert read_condition(f"id >= {2**62 + 7}", types).obeyed(frame).sum() == 43
