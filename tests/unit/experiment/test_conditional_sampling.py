"""Rows under a condition, balanced columns, parts of a sample: from generators whose law is known."""

from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from equipoise.cli.main import app
from equipoise.data import Dataset, load, prepare
from equipoise.errors import InputError
from equipoise.experiment.conditional_sampling import BLOCK, Acceptance, conditional_rows, joined_data, wanted_rows
from equipoise.experiment.sample_parts import SamplePart, read_part
from equipoise.experiment.train import fit
from equipoise.training.sampling import CHUNK


def people(rows: int = 600, seed: int = 0) -> pd.DataFrame:
    numbers = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": numbers.integers(18, 80, rows),
            "sex": numbers.choice(["Female", "Male"], rows, p=[0.2, 0.8]),
            "wage": np.where(numbers.random(rows) < 0.3, np.nan, numbers.lognormal(3, 1, rows).round(2)),
            "city": numbers.choice(["Ulm", "Bonn", "Rust"], rows, p=[0.7, 0.25, 0.05]),
        }
    )


ENCODER = prepare(load(people()), seed=0).encoder


def draws(seed: int = 1, size: int = 1000):
    """A generator whose rows are known: the laws of `people`, row number in the index."""
    for k in itertools.count():
        yield Dataset("table", people(size, seed=1000 * seed + k))


def first_rows(count: int, seed: int = 1) -> pd.DataFrame:
    batches = itertools.islice(draws(seed), -(-count // 1000))
    return pd.concat([batch.values for batch in batches], ignore_index=True).head(count)


def rows_of(n: int, **asked) -> tuple[pd.DataFrame, Acceptance]:
    wanted = wanted_rows(ENCODER, **asked)
    batches = list(conditional_rows(draws(), n, wanted, seed=5))
    return joined_data(batches).values, wanted.acceptance


def test_what_is_kept_are_the_rows_that_obey_in_their_order():
    # Hence the law is the generator's own under the condition, exactly, whatever the condition.
    found, acceptance = rows_of(700, where="sex == 'Female' and (age < 30 or wage is missing)")
    pool = first_rows(acceptance.drawn)
    obeys = (pool["sex"] == "Female") & ((pool["age"] < 30) | pool["wage"].isna())
    pd.testing.assert_frame_equal(found, pool[obeys].head(700).reset_index(drop=True))
    assert acceptance.kept == obeys.sum()


def test_row_k_does_not_depend_on_how_many_rows_are_asked_for():
    for asked in ({"where": "city == 'Rust'"}, {"balance": "city"}):
        few, many = rows_of(40, **asked)[0], rows_of(BLOCK + 300, **asked)[0]
        pd.testing.assert_frame_equal(few, many.head(40))


def test_a_balanced_column_has_each_value_equally_often_and_each_value_keeps_its_law():
    found, acceptance = rows_of(3 * BLOCK, balance="city")
    counts = found["city"].value_counts()
    assert counts.sum() == 3 * BLOCK and counts.max() - counts.min() <= 3  # one odd row a block
    pool = first_rows(acceptance.drawn)
    for city, rows in found.groupby("city"):
        there = pool[pool["city"] == city]
        # All of them are rows of the generator's with that value, none twice.
        assert len(rows.merge(there.drop_duplicates(), how="inner")) == len(rows)
    # The order says nothing of the value: a stretch of a block has every value.
    assert found["city"].head(60).nunique() == 3


def test_shares_of_a_column_can_be_stated_and_go_together_with_a_condition():
    found, _ = rows_of(2 * BLOCK, where="wage is not missing", balance={"sex": {"Female": 3, "Male": 1}})
    assert found["wage"].notna().all()
    assert (found["sex"] == "Female").sum() == 2 * BLOCK * 3 // 4
    found, _ = rows_of(BLOCK, where="city in ['Ulm', 'Rust']", balance="city")
    assert set(found["city"]) == {"Ulm", "Rust"}


def test_odd_rows_of_a_balanced_column_are_shared_out_evenly_in_the_mean():
    shares = wanted_rows(ENCODER, balance="city").balance
    counts = np.mean([shares.counts(10, seed=seed, block=0) for seed in range(3000)], axis=0)
    # 10 rows among 3 values: one odd row, whose counts have a variance of 2/9 at most.
    assert np.abs(counts - 10 / 3).max() < 4 * np.sqrt(2 / 9 / 3000)


def test_drawing_that_would_take_too_long_ends_with_the_acceptance_and_what_to_do():
    with pytest.raises(InputError) as refusal:
        rows_of(1000, where="city == 'Rust' and age == 33 and sex == 'Female'", most_draws=100_000)
    text = str(refusal.value)
    assert "of 20,000 rows drawn" in text and "at most 100,000 draws" in text and "--most-draws" in text


def test_drawing_that_never_keeps_a_row_ends():
    never = itertools.repeat(Dataset("table", people(1000).assign(city="Ulm")))
    with pytest.raises(InputError, match=r"0 of 20,000 rows drawn \(0 %\) .* more than") as refusal:
        list(conditional_rows(never, 3, wanted_rows(ENCODER, where="city == 'Rust'", most_draws=30_000), seed=0))
    least = re.search(r"more than ([\d,]+) draws", str(refusal.value))[1]
    assert int(least.replace(",", "")) > 30_000  # else it would be no reason to stop


def test_the_acceptance_is_told_once():
    said = []
    wanted = wanted_rows(ENCODER, where="city == 'Rust' and age < 30", tell=said.append)
    list(conditional_rows(draws(), 500, wanted, seed=0))
    assert len(said) == 1 and "500 take about" in said[0]


@pytest.mark.parametrize(("kept", "drawn"), [(0, 20), (1, 20), (5, 40), (20, 20)])
def test_the_upper_bound_on_the_acceptance_is_the_exact_one(kept, drawn):
    from scipy.stats import binom

    bound = Acceptance(drawn, kept).most()
    assert binom.cdf(kept, drawn, bound) == pytest.approx(1.0 if kept == drawn else 0.05, abs=1e-9)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"balance": "town"}, "no column is called 'town'"),
        ({"balance": "wage"}, "too many different values"),
        ({"balance": {"sex": {"Female": -1, "Male": 2}}}, "0 or more"),
        ({"balance": {"sex": {"Femal": 1}}}, "Did you mean 'Female'"),
        ({"balance": {"sex": 3}}, "share of each value"),
        ({"balance": {"sex": {}}}, "its shares are"),
        ({"where": 3}, "of type int"),
        ({"where": {}}, "names no column"),
        ({"where": "age > 1", "most_draws": 0}, "Expected 1 or more"),
    ],
)
def test_a_wish_that_means_nothing_is_refused(asked, reason):
    with pytest.raises(InputError) as refusal:
        wanted_rows(ENCODER, **asked)
    assert reason in str(refusal.value)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/2", ""])
def test_a_part_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="is no part"):
        read_part(text)


@pytest.mark.parametrize("n", [1, CHUNK, 5 * CHUNK + 7, 100_000])
@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_parts_are_consecutive_and_every_sample_is_in_one(n, of):
    parts = [SamplePart(k, of) for k in range(1, of + 1)]
    if -(-n // CHUNK) < of:
        with pytest.raises(InputError, match="Expected"):
            parts[0].chunks(n)
        return
    found = [part.chunks(n) for part in parts]
    assert found[0][0] == 0 and sum(count for _, count in found) == n
    assert all(a[0] * CHUNK + a[1] == b[0] * CHUNK for a, b in itertools.pairwise(found))
    assert sum(part.rows(n) for part in parts) == n


@pytest.fixture(scope="module")
def gan(tmp_path_factory):
    """A run of a few steps: what it has learned does not matter here."""
    folder = tmp_path_factory.mktemp("conditional")
    settings = ["evaluations.count=0", "outputs.final_verdict=false", "training.batch_size=16"]
    return fit(people(), steps=3, seed=0, settings=settings, outdir=folder / "run")


def test_every_sampled_row_obeys_and_the_same_seed_gives_the_same_rows(gan):
    where = "sex == 'Female' and 30 <= age < 60"
    found = gan.sample(500, where=where, seed=3)
    assert (found["sex"] == "Female").all() and found["age"].between(30, 59).all()
    pd.testing.assert_frame_equal(found, gan.sample(500, where={"sex": "Female", "age": slice(30, 60)}, seed=3))
    pd.testing.assert_frame_equal(found, pd.concat(gan.stream(500, where=where, seed=3), ignore_index=True))
    assert found.dtypes.equals(gan.sample(5).dtypes)


def test_parts_one_after_the_other_are_the_whole_sample(gan):
    whole = gan.sample(3 * CHUNK + 5, seed=8)
    parts = [batch.values for k in (1, 2, 3) for batch in gan.stream_raw(3 * CHUNK + 5, seed=8, part=SamplePart(k, 3))]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole)


def test_conditions_are_refused_where_the_samples_are_no_table(tmp_path):
    numbers = np.random.default_rng(0).normal(size=(100, 2))
    points = fit(numbers, steps=2, outdir=tmp_path / "run", settings=["outputs.final_verdict=false"])
    with pytest.raises(InputError, match="Expected a generator of tables"):
        points.sample(3, where="x > 0")


def run_sample(*options) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["sample", *map(str, options)])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_writes_rows_that_obey_and_states_the_acceptance(gan, tmp_path):
    target = tmp_path / "new.parquet"
    where = "city in ['Ulm', 'Bonn'] and wage is missing"
    code, out, _ = run_sample(gan.folder, "-n", 300, "--where", where, "-o", target, "--seed", 4, "--json")
    found, facts = pd.read_parquet(target), json.loads(out)
    assert code == 0 and len(found) == 300
    assert found["city"].isin(["Ulm", "Bonn"]).all() and found["wage"].isna().all()
    assert facts["written"][0]["drawn"] >= 300 and 0 < facts["written"][0]["acceptance"] <= 1


def test_the_command_writes_parts_and_sets(gan, tmp_path):
    for k in (1, 2):
        options = ["-n", 2 * CHUNK + 9, "--seed", 7, "--shard", f"{k}/2", "-o", tmp_path / f"part-{k}.parquet"]
        assert run_sample(gan.folder, *options)[0] == 0
    parts = [pd.read_parquet(tmp_path / f"part-{k}.parquet") for k in (1, 2)]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), gan.sample(2 * CHUNK + 9, seed=7))
    assert run_sample(gan.folder, "-n", 50, "--sets", 3, "--seed", 7, "-o", tmp_path / "new.csv")[0] == 0
    sets = [pd.read_csv(tmp_path / f"new-{k}.csv") for k in (1, 2, 3)]
    assert [len(each) for each in sets] == [50] * 3
    assert not sets[0].equals(sets[1]) and not sets[1].equals(sets[2])
    assert run_sample(gan.folder, "-n", 50, "--sets", 3, "--seed", 7, "-o", tmp_path / "new.csv")[0] == 2


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--where", "agee > 3"], "--where: no column is called 'agee'. Did you mean 'age'?"),
        (["--where", "age > 300"], "goes from 18 to 79"),
        (["--balance", "town"], "no column is called 'town'"),
        (["--shard", "1/2"], "Expected the same --seed"),
        (["--shard", "3/2", "--seed", "1"], "is no part"),
        (["--shard", "1/2", "--seed", "1"], "Ask for fewer parts"),
    ],
)
def test_the_command_refuses_what_cannot_be_had_and_writes_nothing(gan, tmp_path, options, reason):
    code, _, err = run_sample(gan.folder, "-n", 50, "-o", tmp_path / "new.csv", *options)
    assert code == 2 and reason in err
    assert not list(tmp_path.iterdir())
