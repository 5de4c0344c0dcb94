from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from equipoise.data.tables.rules.dependences import (
    FEWEST_SUPPORTING,
    Dependence,
    _log_chance,
    find_dependences,
    value_codes,
)

NUMBERS = np.random.default_rng(7)


def found_in(frame: pd.DataFrame) -> dict:
    return {each.dependent: each.determinant for each in find_dependences({k: value_codes(frame[k]) for k in frame})}


def places(rows: int = 2000) -> pd.DataFrame:
    """Cities lie in countries, countries on continents; a currency is named twice; the rest is free."""
    city = NUMBERS.integers(0, 24, rows)
    return pd.DataFrame(
        {
            "code": np.array(list("abcdefghijklmnopqrstuvwx"))[city],
            "city": [f"city {k}" for k in city],
            "country": city // 3,
            "continent": city // 12,
            "mood": NUMBERS.choice(["good", "bad"], rows),
            "amount": NUMBERS.normal(size=rows),
            "constant": 1,
        }
    )


def test_each_decided_column_is_read_off_a_column_that_nothing_decides():
    assert found_in(places()) == {"city": "code", "country": "code", "continent": "code"}


def test_one_row_that_breaks_a_dependence_ends_it():
    frame = places()
    frame.loc[1234, "country"] = 99
    assert "country" not in found_in(frame)


def test_a_missing_value_is_a_value_like_any_other():
    frame = places()
    frame["country"] = frame["country"].astype(object).mask(frame["country"] == 3)
    assert found_in(frame)["country"] == "code"
    frame.loc[frame.index[frame["country"] == 4][0], "country"] = None
    assert "country" not in found_in(frame)


def test_a_column_that_is_nearly_a_key_decides_nothing():
    frame = places()
    frame["key"] = np.arange(len(frame))
    frame["nearly"] = np.where(frame["key"] < 1200, frame["key"], 0)
    assert set(found_in(frame).values()) == {"code"}


@pytest.mark.parametrize("frequent", [[np.nan], [0.0], [0.0, -1.0], [0.0, -1.0, np.nan]])
def test_frequent_values_that_two_columns_share_prove_nothing_of_numbers_that_never_repeat(frequent):
    # Two laboratory values of one blood sample: missing, or zero, together, and in no other row seen twice.
    numbers = np.random.default_rng(3)
    first, second = numbers.normal(size=(2, 2000))
    chosen = numbers.integers(0, len(frequent), 2000)
    is_frequent = numbers.random(2000) < 0.8
    frame = pd.DataFrame(
        {
            name: np.where(is_frequent, np.array(frequent)[chosen], values)
            for name, values in (("first", first), ("second", second))
        }
    )
    assert found_in(frame) == {}


def test_a_long_tail_of_rare_values_that_repeat_is_a_dependence():
    numbers = np.random.default_rng(4)
    product = np.where(numbers.random(3000) < 0.7, 0, numbers.integers(1, 200, 3000))
    assert found_in(pd.DataFrame({"product": product, "shelf": product // 7})) == {"shelf": "product"}


def test_a_few_values_that_occur_once_do_not_hide_a_dependence():
    product = np.concatenate([np.repeat(np.arange(10), 98), np.arange(100, 120)])
    assert found_in(pd.DataFrame({"product": product, "shelf": product // 7})) == {"shelf": "product"}


def test_small_tables_prove_no_dependence():
    assert found_in(places(FEWEST_SUPPORTING)) == {}


def test_independent_columns_of_which_one_hardly_varies_are_no_dependence():
    # Among 300 rows a single 1 falls into a value of its own of the other column with probability 0.3 or so.
    rare = np.zeros(300, dtype=np.int64)
    rare[5] = 1
    other = np.repeat(np.arange(100), 3)
    other[5] = 100
    assert find_dependences({"other": other, "rare": rare}) == ()


@pytest.mark.parametrize("sizes", [[2, 3], [1, 4], [2, 2, 1]])
def test_the_probability_that_independent_columns_agree_is_that_of_enumeration(sizes):
    shares = np.array([0.2, 0.5, 0.3])
    groups = np.repeat(np.arange(len(sizes)), sizes)
    total = 0.0
    for values in itertools.product(range(3), repeat=len(groups)):
        agrees = all(len({v for v, g in zip(values, groups, strict=True) if g == k}) == 1 for k in set(groups))
        total += agrees * np.prod(shares[list(values)])
    assert np.exp(_log_chance(np.array(sizes), shares)) == pytest.approx(total, rel=1e-12)


def test_following_determinants_ends_at_a_column_that_nothing_decides():
    # Tables of random maps: chains, diamonds and columns that decide each other.
    for seed in range(20):
        numbers = np.random.default_rng(seed)
        columns = {"root": numbers.integers(0, 30, 1000)}
        for k in range(6):
            parent = columns[numbers.choice(list(columns))]
            columns[f"c{k}"] = numbers.permutation(30)[parent] // numbers.integers(1, 4)
        shuffled = {name: columns[name] for name in numbers.permutation(list(columns))}
        parents = {each.dependent: each.determinant for each in find_dependences(shuffled)}
        for name in parents:
            seen = {name}
            while name in parents:
                name = parents[name]
                assert name not in seen
                seen.add(name)


def test_the_bound_on_exceptions_is_that_of_none_among_the_supporting_rows():
    bound = Dependence("a", "b", 10, 300).most_exceptions
    assert (1 - bound) ** 300 == pytest.approx(0.05, rel=1e-9)
