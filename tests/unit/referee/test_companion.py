"""What the companion says of a difference, and what it makes of odd data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from equipoise.data.domain import domain_of
from equipoise.metrics.known import grid25
from equipoise.referee.companion import Companion, companion_test
from equipoise.referee.decision_text import permutation_lines

POINTS, TABLE = domain_of("points"), domain_of("table")


def companion_of(real, fake, *, domain=TABLE, level=0.025, seed=0, **options):
    return companion_test(real, fake, domain=domain, level=level, seed=seed, permutations=299, **options)


def people(seed, count=1500):
    stream = np.random.default_rng(seed)
    age = np.round(stream.normal(40, 12, count))
    return pd.DataFrame(
        {
            "age": age,
            "pay": np.round(1000 * np.exp(stream.normal(0, 0.5, count)), 2),
            "height": stream.normal(170, 8, count),
            "born": pd.Timestamp("2024-01-01") + pd.to_timedelta(stream.integers(0, 365, count), "D"),
            "town": stream.choice(["Bonn", "Kiel", "Ulm"], count, p=[0.5, 0.3, 0.2]),
            "grade": np.where(age > 40, "old", "young"),
        }
    )


def changed(column, change):
    frame = people(1)
    frame[column] = change(frame[column], np.random.default_rng(2))
    return frame


CHANGES = {
    "a mean": ("age", lambda ages, _: ages + 3, "mean", r"The mean of `age` is higher .* by \d"),
    "a mean of dates": (
        "born",
        lambda dates, _: dates + pd.Timedelta("40 days"),
        "mean",
        r"The mean of `born` is higher .* by \d\d\.\d days \(\d.*\): 2024-0\d-\d\d beside 2024",
    ),
    "a spread": ("height", lambda v, _: 170 + 1.3 * (v - 170), "spread", r"`height` varies more .* a ratio of 1\.3"),
    "a level": (
        "town",
        lambda towns, stream: towns.where(stream.random(len(towns)) > 0.15, "Ulm"),
        "share",
        r"`town` is 'Ulm' more often on the generated side: 3\d\.\d % beside \d\d\.\d %",
    ),
    "gaps": (
        "height",
        lambda v, stream: v.where(stream.random(len(v)) > 0.05),
        "share",
        r"`height` is missing more often on the generated side: \d\.\d % beside 0\.0 %",
    ),
    "a lattice": ("pay", lambda v, _: v.round(-1), "lattice", r"`pay` is a multiple of 10 more often"),
    "a finer lattice": ("pay", lambda v, s: v + s.uniform(-0.004, 0.004, len(v)), "lattice", "multiple of 0.01 less"),
    "times of day": (
        "born",
        lambda dates, stream: dates + pd.to_timedelta(stream.integers(0, 86_400, len(dates)), "s"),
        "lattice",
        r"`born` is at midnight less often",
    ),
    "a dependence": (
        "grade",
        lambda v, stream: pd.Series(np.where(stream.random(len(v)) < 0.2, stream.permutation(v), v)),
        "dependence",
        r"`age` and `grade` fit each other worse",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_the_strongest_difference_is_named_with_its_column_and_size(case):
    import re

    column, change, family, words = CHANGES[case]
    found = companion_of(people(0), changed(column, change))
    assert found.rejects and found.p_value == 1 / 300
    first = found.differences[0]
    assert column in first.columns and first.family == family
    assert re.search(words, first.statement), first.statement


def test_alike_tables_are_not_rejected_and_the_strongest_statistic_is_still_there():
    found = companion_of(people(0), people(1))
    assert not found.rejects and found.finding() is None and len(found.differences) == 1
    assert found.differences[0].p_value == found.p_value


def test_an_interval_excludes_0_exactly_where_the_difference_is_rejected_by_itself():
    found = companion_of(people(0), changed("age", lambda ages, _: ages + 3))
    first = found.differences[0]
    assert first.low < first.estimate < first.high and first.low > 0
    assert first.estimate == pytest.approx(3, abs=3 * np.sqrt(2 * 12**2 / 1500))
    assert (first.low, first.high) == pytest.approx((2 * first.estimate - first.high, first.high))


def test_a_correlation_and_a_missing_mode_of_points_are_named():
    stream = np.random.default_rng(0)
    real, fake = stream.standard_normal((2, 2000, 4))
    fake[:, 2] = 0.3 * fake[:, 1] + np.sqrt(1 - 0.09) * fake[:, 2]
    assert (
        "`x1` and `x2` are correlated differently: 0."
        in companion_of(real, fake, domain=POINTS).differences[0].statement
    )
    centres = np.array([(a, b) for a in (-4, 0, 4) for b in (-4, 0, 4)], float)
    real, fake = (
        centres[stream.integers(0, modes, 1000)] + 0.05 * stream.standard_normal((1000, 2)) for modes in (9, 8)
    )
    found = companion_of(real, fake, domain=POINTS)
    # The last mode is a corner: without it both means are lower and the columns are correlated.
    assert {each.family for each in found.differences} > {"place"}
    first = found.differences[0].statement
    assert first.startswith("Around `x") and "there are 0.0 % of the generated samples beside" in first


@pytest.mark.parametrize("count", [500, 4000])
def test_a_missing_mode_of_25_is_said_to_be_missing_and_a_shift_to_be_one(count):
    stream = np.random.default_rng(2)
    grid = grid25()
    real, fake = grid.sample(count, stream), grid.without_mode(24).sample(count, stream)
    missing = companion_of(real, fake, domain=POINTS).differences[0]
    assert missing.family == "place" and "there are 0.0 % of the generated samples" in missing.statement
    real, fake = stream.standard_normal((2, count, 2))
    assert companion_of(real, fake + np.array([0.4, 0.0]), domain=POINTS).differences[0].family == "mean"


def test_a_joint_difference_that_no_column_or_pair_shows_is_said_to_be_one():
    stream = np.random.default_rng(0)
    real, fake = np.sign(stream.standard_normal((2, 3000, 3))) * np.abs(stream.standard_normal((2, 3000, 3)))
    fake[:, 2] = np.abs(fake[:, 2]) * np.sign(fake[:, 0] * fake[:, 1])  # every pair is independent, the three are not
    found = companion_of(real, fake, domain=POINTS)
    assert found.rejects and found.differences[0].family in ("kernel", "place", "density")


def test_the_result_comes_back_from_its_json():
    found = companion_of(people(0), changed("age", lambda ages, _: ages + 3))
    assert Companion.from_json(found.to_json()) == found
    assert found.finding().check == "companion" and found.finding().is_problem


ODD = {
    "constant columns": lambda s: (np.ones((50, 3)), np.ones((50, 3))),
    "one constant column": lambda s: (np.c_[np.ones(50), s.random(50)], np.c_[np.ones(50), s.random(50)]),
    "all values tied but one": lambda s: (np.r_[np.ones((49, 1)), [[2.0]]], np.ones((50, 1))),
    "more columns than rows": lambda s: (s.random((30, 80)), s.random((30, 80))),
    "one column": lambda s: (s.random((40, 1)), s.random((40, 1))),
    "twenty samples": lambda s: (s.random((20, 2)), s.random((20, 2))),
    "one sample against many": lambda s: (s.random((1, 2)), s.random((40, 2))),
    "unlike sizes": lambda s: (s.random((50, 2)), s.random((3000, 2))),
    "missing and infinite values": lambda s: (
        np.where(s.random((60, 2)) < 0.3, np.nan, s.random((60, 2))),
        np.where(s.random((60, 2)) < 0.3, np.inf, s.random((60, 2))),
    ),
    "a column without values": lambda s: (np.c_[np.full(40, np.nan), s.random(40)],) * 2,
    "huge numbers": lambda s: (1e120 * s.random((40, 2)), 1e120 * s.random((40, 2))),
    "a column of two far values": lambda s: (s.choice([0.0, 1e12], (60, 1)), s.choice([0.0, 1e12], (60, 1))),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", ODD)
def test_odd_points_have_a_p_value(case):
    found = companion_of(*ODD[case](np.random.default_rng(0)), domain=POINTS)
    assert 0 < found.p_value <= 1
    assert all(isinstance(each.statement, str) and "nan" not in each.statement for each in found.differences)


@pytest.mark.filterwarnings("error")
def test_a_side_that_repeats_one_row_is_told_from_one_that_does_not():
    real = people(0, 300)
    repeated = real.iloc[np.zeros(300, int)].reset_index(drop=True)
    found = companion_of(real, repeated)
    assert found.p_value == 1 / 300
    assert companion_of(repeated, repeated).p_value == 1.0


@pytest.mark.filterwarnings("error")
def test_a_group_that_covers_a_whole_side_rejects_nothing():
    real, fake = people(0, 200), changed("age", lambda ages, _: ages + 10).iloc[:200].reset_index(drop=True)
    groups = np.zeros(200, int), np.arange(200)
    # The one group of the real side is one of 201: no p-value is below 1 / 201 but by the luck of the permutations.
    assert companion_of(real, fake, groups=groups).p_value >= 1 / 300
    assert companion_of(real, fake, groups=(np.zeros(200, int), np.zeros(200, int))).p_value > 0.3


def test_brighter_images_are_said_to_be_brighter():
    stream = np.random.default_rng(0)
    real, fake = (stream.integers(0, 200, (400, 1, 12, 12)).astype(np.uint8) for _ in range(2))
    found = companion_of(real, fake + np.uint8(5), domain=domain_of("images"))
    assert found.p_value == 1 / 300 and found.differences[0].family == "mean"
    assert any(
        statement.startswith("The mean of the images' brightness is higher on the generated side by 0.02")
        for statement in (each.statement for each in found.differences)
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 5), (1, 40, 33)])
def test_images_of_any_size_have_a_p_value(shape):
    stream = np.random.default_rng(0)
    real, fake = (stream.integers(0, 256, (30, *shape)).astype(np.uint8) for _ in range(2))
    assert 0 < companion_of(real, fake, domain=domain_of("images")).p_value <= 1


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.2, 0.5])
def test_the_margin_is_positive_where_the_companion_rejects_and_grows_with_the_difference(shift):
    stream = np.random.default_rng(1)
    real, fake = stream.standard_normal((2, 1000, 2))
    found, further = (companion_of(real, fake + np.array([size, 0]), domain=POINTS) for size in (shift, shift + 0.2))
    assert (found.margin > 0) == found.rejects
    # One side's shift of 0.2 is 0.2 sqrt(n / 2) = 4.5 standard errors more; squares and skewness bend that a little.
    assert shift == 0 or further.margin - found.margin == pytest.approx(0.2 * np.sqrt(500), rel=0.25)


def test_of_large_sides_some_units_are_compared_whole(monkeypatch):
    from equipoise.referee.companion import permutation_test

    units = np.repeat(np.arange(50), 4)
    kept = permutation_test._some_units(units, np.arange(200, dtype=np.uint64), 0, 60)
    assert len(kept) == 60 and set(np.bincount(units[kept], minlength=50)) == {0, 4}
    monkeypatch.setattr(permutation_test, "MOST_SAMPLES", 60)
    monkeypatch.setattr(permutation_test, "LEAST_SAMPLES", 60)
    stream = np.random.default_rng(0)
    real, fake = stream.standard_normal((2, 500, 2))
    found = companion_of(real, fake[:50] + 3, domain=POINTS)
    assert found.rejects and (found.compared, found.given) == ((60, 50), (500, 50))
    said = permutation_lines({"companion": found.to_json()})[0]
    assert said.endswith("It compared 60 of 500 real samples, drawn at random, so that they fit into memory.")
    both = permutation_lines({"companion": companion_of(real, fake, domain=POINTS).to_json()})[0]
    assert "It compared 60 of 500 real and 60 of 500 generated samples, drawn at random" in both
    whole = companion_of(real[:60], fake[:50], domain=POINTS)
    assert "drawn at random" not in permutation_lines({"companion": whole.to_json()})[0]


def test_a_companion_of_before_it_said_how_many_were_compared_is_read():
    found = companion_of(people(0, 200), people(1, 200))
    state = {name: value for name, value in found.to_json().items() if name not in ("compared", "given")}
    old = Companion.from_json(state)
    assert (old.compared, old.given, old.p_value) == (None, None, found.p_value)
    assert permutation_lines({"companion": old.to_json()}) == permutation_lines({"companion": found.to_json()})


@pytest.mark.parametrize(("real_count", "fake_count"), [(300, 300), (120, 700), (3200, 3200)])
def test_the_answer_depends_neither_on_the_order_of_samples_nor_on_which_side_is_called_real(real_count, fake_count):
    stream = np.random.default_rng(5)
    real, fake = (stream.standard_normal((count, 3)) for count in (real_count, fake_count))
    fake[:, 0] += 4 / np.sqrt(real_count * fake_count / (real_count + fake_count))  # four standard errors
    found = companion_of(real, fake, domain=POINTS)
    assert companion_of(real[::-1], stream.permutation(fake), domain=POINTS) == found
    turned = companion_of(fake, real, domain=POINTS)
    assert turned.p_value == found.p_value and found.differences[0].family == "mean"
    assert turned.differences[0].estimate == pytest.approx(-found.differences[0].estimate)


def test_neither_do_groups():
    stream = np.random.default_rng(5)
    real, fake = stream.standard_normal((2, 400, 2))
    groups = np.repeat(np.arange(100), 4), np.repeat(np.arange(80), 5)
    found = companion_of(real, fake + 0.1, domain=POINTS, groups=groups)
    turned = companion_of(fake[::-1] + 0.1, real, domain=POINTS, groups=(groups[1][::-1], groups[0]))
    assert turned.p_value == found.p_value


def test_a_strict_level_gets_the_permutations_that_it_needs():
    stream = np.random.default_rng(0)
    real, fake = stream.standard_normal((2, 200, 2))
    found = companion_test(real, fake + 1, domain=POINTS, level=0.002, seed=0)
    assert found.permutations == 4999 and found.rejects
    assert companion_test(real, fake, domain=POINTS, level=0.04, seed=0).permutations == 999


def test_long_names_and_levels_are_shortened_in_a_sentence():
    stream = np.random.default_rng(0)
    levels = ["a\n" * 500, "b" * 500]
    real, fake = (pd.DataFrame({"c" * 300: stream.choice(levels, 300, p=[share, 1 - share])}) for share in (0.2, 0.6))
    statement = companion_of(real, fake).differences[0].statement
    assert len(statement) < 300 and "\n" not in statement and "…" in statement
