"""What every kind of made-up column must satisfy: unique keys in the pattern, never a real one; invented words."""

from __future__ import annotations

import json
import re
import uuid

import numpy as np
import pandas as pd
import pytest

from equipoise.data.tables.made_up.finding import MADE_UP, from_state
from equipoise.data.tables.made_up.free_space import free_intervals, room, walked
from equipoise.data.tables.made_up.key import Key, is_key
from equipoise.data.tables.made_up.text import Text, shape_of

STREAM = np.random.default_rng(0)
ROWS = 400
NUMBERS = STREAM.permutation(10_000)[:ROWS]
KEYS = {
    "case number": (
        pd.Series([f"CASE-20{19 + k % 5}-{NUMBERS[k] + 100_000:06d}" for k in range(ROWS)]),
        r"CASE-20\d\d-\d{6}",
    ),
    "uuid": (
        pd.Series([str(uuid.UUID(int=int(STREAM.integers(2**62)) << 65 | k)) for k in range(ROWS)]),
        r"[0-9a-f-]{36}",
    ),
    "number with a letter": (pd.Series([f"U{k + 1}" for k in NUMBERS]), r"U\d+"),
    "counted letters": (pd.Series([f"U{k + 1}" for k in range(ROWS)]), r"U\d+"),
    "leading zeros": (pd.Series([f"{k:05d}" for k in NUMBERS]), r"\d{5,}"),
    "nearly full": (pd.Series([f"{k:03d}" for k in STREAM.permutation(1000)[:960]]), r"\d{3,}"),
    "whole numbers": (pd.Series(NUMBERS * 977 + 5), r"\d+"),
    "rows counted": (pd.Series(np.arange(1, ROWS + 1)), r"\d+"),
    "small type": (pd.Series(np.arange(100, dtype=np.int8)), r"\d+"),
    "with gaps": (pd.Series([None if k % 4 == 0 else f"A-{NUMBERS[k]:05d}" for k in range(ROWS)]), r"A-\d{5}"),
    "nullable": (pd.Series([*NUMBERS[1:], None], dtype="Int64"), r"\d+"),
    "categories": (pd.Series([f"B{k:05d}" for k in NUMBERS], dtype="category"), r"B\d{5}"),
}
CASES = [pytest.param(*case, id=name) for name, case in KEYS.items()]


@pytest.mark.parametrize(("column", "pattern"), CASES)
def test_made_up_keys_are_unique_follow_the_pattern_and_are_never_real_ones(column, pattern):
    key = Key.fitted(column, name="id", place=3)
    made = key.column(5000, offset=0)
    texts = [str(value) for value in made.dropna()]
    assert len(set(texts)) == len(texts)
    assert not set(texts) & {str(value) for value in column.dropna()}
    assert all(re.fullmatch(pattern, text) for text in texts)


@pytest.mark.parametrize(("column", "pattern"), CASES)
def test_a_row_has_the_same_key_in_whatever_batches_rows_are_made(column, pattern):
    del pattern
    key = Key.fitted(column, name="id", place=3)
    parts = [key.column(37, offset=offset) for offset in range(0, 370, 37)]
    pd.testing.assert_series_equal(pd.concat(parts, ignore_index=True), key.column(370, offset=0), check_dtype=False)


@pytest.mark.parametrize(("column", "pattern"), CASES)
def test_the_state_of_a_key_is_plain_holds_no_real_key_and_gives_an_equal_one(column, pattern):
    del pattern
    key = Key.fitted(column, name="id", place=3)
    state = json.loads(json.dumps(key.state()))
    assert from_state(state) == key
    stored = set(re.findall(r'"([^"]*)"', json.dumps(state)))
    assert not stored & {str(value) for value in column.dropna()}


def test_keys_come_back_in_their_type_with_as_many_gaps():
    made = Key.fitted(KEYS["with gaps"][0], name="id", place=0).column(4000, offset=0)
    assert made.isna().mean() == pytest.approx(0.25, abs=0.02)
    assert Key.fitted(KEYS["nullable"][0], name="id", place=0).column(9, offset=0).dtype == "Int64"
    assert Key.fitted(KEYS["rows counted"][0], name="id", place=0).column(9, offset=0).tolist() == list(range(401, 410))


def test_a_key_is_text_that_differs_or_numbers_that_count_rows_or_are_called_so():
    amounts = pd.Series(NUMBERS)
    assert is_key(KEYS["uuid"][0], name="x")
    assert is_key(pd.Series(np.arange(50)), name="x")
    assert is_key(amounts, name="customer_id")
    assert is_key(amounts, name="customerId")
    assert not is_key(amounts, name="price")
    assert not is_key(amounts, name="paid")
    assert not is_key(pd.Series(np.arange(50) % 49), name="id")
    assert not is_key(pd.Series(["a", "b"] * 50), name="id")
    assert not is_key(pd.Series(np.arange(50.0)), name="id")


def test_the_free_blocks_hold_no_taken_place_and_a_walk_meets_each_free_place_once():
    taken = STREAM.integers(0, 100_000, size=3000)
    free = free_intervals(taken, 100_000, wanted=12_000)
    assert room(free) >= 12_000
    for in_order in (True, False):
        places = walked(np.arange(room(free)), free, in_order=in_order)
        assert len(np.unique(places)) == room(free)
        assert not np.isin(places, taken).any()
        assert places.min() >= 0 and places.max() < 100_000
    assert (np.diff(walked(np.arange(1000), free, in_order=True)) > 0).all()


def test_names_are_made_up_in_the_shape_of_real_ones_and_no_word_of_the_data_is_kept():
    people = pd.Series([f"Quentin{'a' * (k % 3)} Xylander{chr(97 + k % 26)}{chr(97 + k // 26)}" for k in range(300)])
    assert Key.fitted(people, name="name", place=0) is None
    text = Text.fitted(people, name="name", place=0)
    made = text.column(200, offset=0)
    assert set(made.map(shape_of)) == set(people.map(shape_of))
    assert "Quentin" not in json.dumps(text.state())
    assert not set(made) & set(people)
    assert made.nunique() == 200
    assert from_state(json.loads(json.dumps(text.state()))) == text


def test_letters_of_every_script_have_a_shape():
    assert shape_of("Ωmega 7-ö") == "Aaaaa 0-a"


def test_every_word_for_a_made_up_kind_is_one_that_a_file_of_kinds_may_use():
    from equipoise.data.tables.overrides import MADE_UP as words

    assert set(words) == set(MADE_UP)
