"""Copies, distances and attacks: what a copy, a fresh sample and unrelated rows score."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from equipoise.data.tables.classifier_inputs import measured
from equipoise.metrics.tables.privacy import _ranks, closest, privacy
from equipoise.metrics.tables.sides import COPY, INDEPENDENT, SYNTHETIC, UNUSED, sides_of


@pytest.fixture
def stream():
    return np.random.default_rng(0)


def rows(stream, count):
    one = stream.normal(size=count)
    return pd.DataFrame({"a": one, "b": one + stream.normal(size=count), "c": stream.choice(list("xyz"), count)})


def sides(stream, fake, train, *, unused=True, count=600):
    return sides_of(
        rows(stream, count),
        fake,
        train=train,
        unused=rows(stream, count) if unused else None,
        most=count,
        stream=stream,
    )


def test_gowers_distance_is_the_mean_over_columns_of_rank_and_level_differences():
    known = pd.DataFrame({"n": [0.0, 1.0, 2.0, 3.0], "l": ["x", "x", "y", "y"], "g": [1.0, np.nan, 1.0, np.nan]})
    table = measured(known)
    coded = _ranks(table)(table)
    # Ranks of n are 1/8, 3/8, 5/8, 7/8; the two values of g that are there share the rank 1/2.
    first, back = closest(tuple(part[:, :1] for part in coded), tuple(part[:, 1:] for part in coded))
    distances = np.array([0.25 + 0 + 1, 0.5 + 1 + 0, 0.75 + 1 + 1]) / 3
    assert first[0] == pytest.approx(distances.min(), abs=1e-6)
    assert back == pytest.approx(distances, abs=1e-6)


def test_the_closest_of_many_rows_is_the_one_that_a_plain_loop_finds(stream):
    one, other = measured(rows(stream, 700)), measured(rows(stream, 650))
    table = measured(pd.concat([rows(stream, 700), rows(stream, 650)], ignore_index=True))
    one, other = table[np.arange(700)], table[np.arange(700, 1350)]
    rank = _ranks(one)
    found, back = closest(rank(one), rank(other))
    (numbers, codes), (others, levels) = rank(one), rank(other)
    plain = np.abs(numbers[:, :, None] - others[:, None, :]).sum(axis=0)
    plain = (plain + (codes[:, :, None] != levels[:, None, :]).sum(axis=0)) / 3
    assert found == pytest.approx(plain.min(axis=1), abs=1e-6)
    assert back == pytest.approx(plain.min(axis=0), abs=1e-6)


def test_a_copy_gives_everything_away_and_fresh_rows_of_the_same_law_give_nothing(stream):
    found = privacy(sides(stream, rows(stream, 600), rows(stream, 600)), stream=stream)
    assert found.copies[COPY].value == 1
    assert found.nearer[COPY].value == 1
    assert found.membership[COPY].value > 0.99
    for fresh in (SYNTHETIC, UNUSED):
        assert found.copies[fresh].value == 0
        assert found.copies_beyond_chance[fresh].low <= 0
        assert found.nearer[fresh].low < 0.5 < found.nearer[fresh].high
        assert found.membership[fresh].low < 0.5 < found.membership[fresh].high
    assert found.calibrated[SYNTHETIC].low < 0.5 < found.calibrated[SYNTHETIC].high
    assert found.distances[COPY] == (0.0, 0.0)
    assert set(found.nearer) == {SYNTHETIC, UNUSED, INDEPENDENT, COPY}


def test_rows_that_are_training_rows_with_a_little_noise_are_caught_by_the_attacks_though_none_is_a_copy(stream):
    train = rows(stream, 600)
    noisy = train.assign(a=train["a"] + 0.01 * stream.normal(size=600), b=train["b"] + 0.01 * stream.normal(size=600))
    found = privacy(sides(stream, noisy, train), stream=stream)
    assert found.copies[SYNTHETIC].value == 0
    assert found.nearer[SYNTHETIC].low > 0.9
    assert found.membership[SYNTHETIC].low > 0.9
    assert found.calibrated[SYNTHETIC].low > 0.7


def test_a_row_in_ten_that_is_copied_is_counted_beyond_chance(stream):
    train, fake = rows(stream, 600), rows(stream, 600)
    fake.iloc[:60] = train.iloc[:60]
    found = privacy(sides(stream, fake, train), stream=stream)
    assert found.copies_beyond_chance[SYNTHETIC].value == pytest.approx(0.1)
    assert found.copies_beyond_chance[SYNTHETIC].low > 0


def test_rows_that_real_rows_repeat_by_chance_are_no_copies_beyond_it(stream):
    def levels(count):
        return pd.DataFrame({"l": stream.choice(list("abcd"), count), "k": stream.choice(list("xy"), count)})

    found = privacy(
        sides_of(levels(400), levels(400), train=levels(400), unused=levels(400), most=400, stream=stream),
        stream=stream,
    )
    assert found.copies[SYNTHETIC].value == 1
    assert found.copies_beyond_chance[SYNTHETIC].low <= 0


def test_without_roles_only_copies_and_distances_are_known(stream):
    real = rows(stream, 600)
    unknown = sides_of(real, real.iloc[:300], train=None, unused=None, most=600, stream=stream)
    found = privacy(unknown, stream=stream)
    assert not found.has_roles
    assert found.nearer == found.membership == {}
    assert found.copies_beyond_chance[SYNTHETIC].low > 0.3  # half of the copied rows are in the half that is looked in


def test_few_rows_say_nothing_of_privacy(stream):
    found = privacy(sides(stream, rows(stream, 600), rows(stream, 40)), stream=stream)
    assert found.why_not.startswith("Fewer than 50 rows")


def test_unused_rows_alone_make_the_real_rows_the_training_rows(stream):
    real, unused = rows(stream, 300), rows(stream, 200)
    found = sides_of(real, real, train=None, unused=unused, most=1000, stream=stream)
    assert found.has_roles
    assert len(found.train) == 300
    assert len(found.real) == len(found.unused) == 100


def test_every_set_has_as_many_rows_as_the_one_that_it_is_compared_with(stream):
    found = sides(stream, rows(stream, 250), rows(stream, 600))
    assert {len(table) for table in found.sets.values()} == {len(found.real)} == {250}
    assert len(found.fake) == 250
    assert len(found.train) == 600
