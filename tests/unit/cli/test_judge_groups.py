"""Rows that belong together stay together: in the order, in the folds, in the permutations, and in what is counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from equipoise.errors import ConfigError, DataError
from equipoise.experiment.judge.datasets import judge_sources
from equipoise.referee import judge
from equipoise.referee.chunks import chunk_indices
from equipoise.referee.classifiers import available
from equipoise.referee.cross_fitting import _folds
from equipoise.referee.splits import Parts

QUADRATIC = [available()["quadratic"]]


def clustered(seed, *, groups=60, most=10, shift=0.0):
    """Groups of 1 to `most` rows that lie close to each other, and the group of each row."""
    stream = np.random.default_rng(seed)
    sizes = stream.integers(1, most + 1, groups)
    centres = stream.normal(shift, 1.0, (groups, 2))
    rows = np.repeat(centres, sizes, axis=0) + 0.1 * stream.normal(size=(sizes.sum(), 2))
    return rows, np.repeat(np.arange(groups), sizes)


def keys(rows):
    return np.arange(len(rows), dtype=np.uint64)


def test_a_whole_group_is_in_one_chunk_and_each_row_is_there_once():
    (real, of_real), (fake, of_fake) = clustered(0), clustered(1, groups=90)
    chunks = chunk_indices(keys(real), 10_000 + keys(fake), seed=0, scored_chunks=4, groups=(of_real, of_fake))
    for side, pieces in ((of_real, chunks.real), (of_fake, chunks.fake)):
        met = [set(side[piece]) for piece in pieces]
        assert sum(map(len, met)) == len(set(side)) and len(set.union(*met)) == len(set(side))
        assert sorted(np.concatenate(pieces)) == list(range(len(side)))
        assert len(met[0]) == round(0.2 * len(set(side)))
    first = len(set(of_real[chunks.real[0]])), len(set(of_fake[chunks.fake[0]]))
    assert chunks.scored_units == (60 - first[0], 90 - first[1])


def test_large_groups_come_no_earlier_than_small_ones():
    # A sample drawn at random is of a large group more often: in the order of samples large groups would be fitted on,
    # and small ones scored. In that of groups the first chunk's mean size is that of all, within its error.
    rows, of = clustered(0, groups=50, most=40)
    sizes = np.bincount(of)
    means = [
        sizes[np.unique(of[chunk_indices(keys(rows), keys(rows), seed=seed, scored_chunks=2, groups=(of, of)).real[0]])]
        for seed in range(100)
    ]
    error = sizes.std() / np.sqrt(100 * 10)
    assert np.mean(np.concatenate(means)) == pytest.approx(sizes.mean(), abs=4 * error)


def test_no_fold_trains_on_a_row_of_a_group_that_it_tests():
    of_real, of_fake = clustered(0)[1], clustered(1)[1]
    nothing = np.zeros(0, dtype=np.int64)
    halves = [(np.flatnonzero(of < 30), nothing, np.flatnonzero(of >= 30)) for of in (of_real, of_fake)]
    tested = [[], []]
    for parts in _folds(Parts.of_sides(*halves), 3, seed=0, groups=(of_real, of_fake)):
        for side, (of, name) in enumerate(((of_real, "real"), (of_fake, "fake"))):
            found = [set(of[getattr(parts, f"{name}_{part}")]) for part in ("train", "validation", "test")]
            assert not found[2] & (found[0] | found[1]) and not found[0] & found[1]
            tested[side] += getattr(parts, f"{name}_test").tolist()
    assert sorted(tested[0]) == halves[0][0].tolist() and sorted(tested[1]) == halves[1][0].tolist()


def test_groups_of_one_law_are_rarely_told_apart_while_their_rows_taken_as_independent_are():
    alarms, as_rows = 0, 0
    for seed in range(5):
        (real, of_real), (fake, of_fake) = clustered(2 * seed), clustered(2 * seed + 1)
        used = {"kind": "points", "classifiers": QUADRATIC, "checks": [], "folds": 1, "seed": seed}
        alarms += judge(real, fake, groups=(of_real, of_fake), **used).exit_code == 10
        as_rows += judge(real, fake, **used).exit_code == 10
    assert alarms <= 1  # at 5 % each, two in five have a chance of 2 %
    assert as_rows >= 4


def test_groups_that_differ_are_told_apart_the_same_from_either_side():
    (real, of_real), (fake, of_fake) = clustered(0, groups=150), clustered(1, groups=120, shift=2.5)
    used = {"kind": "points", "classifiers": QUADRATIC, "checks": [], "folds": 2}
    there = judge(real, fake, groups=(of_real, of_fake), **used)
    back = judge(fake, real, groups=(of_fake, of_real), **used)
    assert there.conclusion == back.conclusion == "distinguished"
    assert there.log_e_value == pytest.approx(back.log_e_value, rel=1e-9)
    assert there.jsd_lower_bound_nats == pytest.approx(back.jsd_lower_bound_nats, rel=1e-6) and back.folds == 2
    # Every group counts as one term.
    assert there.measured == (150, 120) and back.measured == (120, 150)
    assert any("150 real groups of 1 to 10 and 120 generated groups" in each.statement for each in there.findings)


def table(seed, name, shift=0.0):
    rows, of = clustered(seed, shift=shift)
    return pd.DataFrame({"a": rows[:, 0], "b": rows[:, 1], "patient": [f"{name}{number}" for number in of]})


def test_the_column_that_groups_is_not_judged(equipoise, tmp_path):
    for name in ("real", "fake"):
        table(len(name), name[0]).to_csv(tmp_path / f"{name}.csv", index=False)
    table(9, "s").assign(patient="s1").to_csv(tmp_path / "one.csv", index=False)
    paths = tmp_path / "real.csv", tmp_path / "fake.csv"
    # No patient is on both sides: judged itself, the column would tell every row's side.
    assert equipoise("judge", *paths, "--folds", 1).code == 10
    outcome = equipoise("judge", *paths, "--group", "patient", "--json")
    assert outcome.code in (0, 11) and outcome.json["log_e_value"] < 3
    misspelt = equipoise("judge", *paths, "--group", "pateint")
    assert misspelt.code == 2 and "Did you mean 'patient'?" in misspelt.err and "real.csv" in misspelt.err
    assert "Its columns: a, b, patient." in misspelt.err
    whole = equipoise("judge", tmp_path / "real.csv", tmp_path / "one.csv", "--group", "patient")
    assert whole.code == 2 and "samples are of one group" in whole.err and "Group by what is repeated" in whole.err
    assert equipoise("judge", tmp_path, "--group", "patient").code == 2


def test_groups_that_are_missing_too_few_or_alone_are_refused_by_name():
    real, fake = table(0, "r"), table(1, "f")
    gaps = real.assign(patient=real["patient"].where(real.index > 3))
    with pytest.raises(DataError, match="4 of .* rows have no value in 'patient'"):
        judge_sources(gaps, fake, group="patient")
    with pytest.raises(DataError, match="is its only column"):
        judge_sources(real[["patient"]], fake[["patient"]], group="patient")
    with pytest.raises(DataError, match="groups are given for"):
        judge_sources(real[["a", "b"]], fake[["a", "b"]], group=(np.arange(3), np.arange(len(fake))))
    rows, of = clustered(0)
    with pytest.raises(ConfigError, match="beside a training part"):
        judge(rows, rows + 1, kind="points", real_train=rows, groups=(of, of))
    few = judge(rows, rows + 1.5, kind="points", groups=(of % 5, of))
    assert few.conclusion == "too_little_data"
