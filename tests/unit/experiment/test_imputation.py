"""Gaps of given rows: what is given stays, what fills them has the generator's law, and what cannot be is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from equipoise.cli.main import app
from equipoise.errors import InputError
from equipoise.experiment.train import fit

pytestmark = pytest.mark.usefixtures("undrawn")
ROWS = 2000
DAY = pd.Timestamp("2024-01-01")


def stays(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    numbers = np.random.default_rng(seed)
    ward = numbers.choice(["a", "b", "c", "d"], rows, p=[0.5, 0.3, 0.15, 0.05])
    admitted = DAY + pd.to_timedelta(numbers.integers(0, 300, rows), unit="D")
    net, tax = numbers.integers(1, 9, rows), numbers.integers(0, 3, rows)
    return pd.DataFrame(
        {
            "case": [f"K-{k:06d}" for k in numbers.permutation(rows)],
            "town": numbers.choice([f"town {k}" for k in range(260)], rows),
            "age": numbers.integers(18, 95, rows),
            "ward": ward,
            "floor": pd.Series(ward).map({"a": 1, "b": 2, "c": 2, "d": 3}),
            "cost": np.where(numbers.random(rows) < 0.2, np.nan, numbers.lognormal(3, 1, rows).round(2)),
            "admitted": admitted,
            "left": admitted + pd.to_timedelta(numbers.integers(0, 9, rows), unit="D"),
            "net": net,
            "tax": tax,
            "gross": net + tax,
            "kind": numbers.choice(["x", "y"], rows),
        }
    )


@pytest.fixture(scope="module")
def gan(tmp_path_factory):
    """A generator whose columns depend on each other clearly, as no training made it."""
    settings = ["evaluations.count=0", "outputs.final_verdict=false", "training.batch_size=16", "outputs.samples=1"]
    rules = "data.rules=['admitted <= left', 'net + tax = gross', 'fixed(kind, tax)']"
    found = fit(stays(), steps=1, seed=0, settings=[*settings, rules], outdir=tmp_path_factory.mktemp("gaps") / "run")
    torch.manual_seed(1)
    with torch.no_grad():
        for output in found.generator.outputs:
            output.weight.normal_(std=0.15)
    return found


def test_given_cells_stay_and_every_gap_is_filled(gan):
    whole = stays(60, seed=5)
    partial = whole.mask(np.random.default_rng(0).random(whole.shape) < 0.6)
    partial["town"] = whole["town"]
    partial.index = [f"r{k}" for k in range(60)]
    # What one cell of a sum or of a pair of dates leaves to the others is drawn, and may take long: see below.
    partial.loc[partial[["net", "tax", "gross"]].notna().sum(axis=1) == 1, ["net", "tax", "gross"]] = None
    partial.loc[partial["admitted"].isna(), "left"] = pd.NaT
    found = gan.impute(partial, seed=1)
    assert found.index.equals(partial.index) and list(found) == list(gan.sample(3))
    for name in found:
        given = partial[name].notna()
        assert (found.loc[given, name].to_numpy() == whole[name].to_numpy()[given.to_numpy()]).all(), name
    assert found.notna().all().all()  # of the rows that were learned from a fifth have no cost
    assert (found["net"] + found["tax"] == found["gross"]).all() and (found["admitted"] <= found["left"]).all()
    assert (found["floor"] == found["ward"].map({"a": 1, "b": 2, "c": 2, "d": 3})).all()
    assert found.drop(columns="case").dtypes.equals(gan.sample(3).drop(columns="case").dtypes)
    pd.testing.assert_frame_equal(found, gan.impute(partial, seed=1))
    assert not found.equals(gan.impute(partial, seed=2))


def test_a_number_just_beyond_all_training_rows_stays_and_the_others_are_filled(gan):
    said = []
    found = gan.impute(pd.DataFrame({"age": [97, 30], "ward": ["a", None]}), seed=1, tell=said.append)
    assert found["age"].tolist() == [97, 30] and found["age"].dtype == gan.sample(3)["age"].dtype
    assert found.notna().all().all()
    assert said[0].startswith("1 cell lies beyond all training rows (age = 97)")


def test_what_rules_make_is_filled_too_and_obeys(tmp_path):
    numbers = np.random.default_rng(2)

    def gaps(values) -> pd.Series:
        return pd.Series(values).mask(numbers.random(600) < 0.3)

    low, net, tax = numbers.integers(0, 50, 600), gaps(numbers.integers(1, 9, 600)), numbers.integers(0, 3, 600)
    middle, high = gaps(low + numbers.integers(0, 9, 600)), gaps(low + numbers.integers(9, 20, 600))
    rows = pd.DataFrame({"low": low, "middle": middle, "high": high, "net": net, "tax": tax, "gross": gaps(net + tax)})
    settings = ["evaluations.count=0", "outputs.final_verdict=false", "training.batch_size=16", "outputs.samples=1"]
    rules = "data.rules=['low <= middle <= high', 'net + tax = gross']"
    made = fit(rows, steps=1, seed=0, settings=[*settings, rules], outdir=tmp_path / "run")
    sampled = made.sample(500, seed=0)
    assert sampled[["middle", "high", "net", "gross"]].isna().any().all()
    assert not (sampled["low"] > sampled["high"]).any()
    found = made.impute(rows[["low", "tax"]].head(40).assign(middle=middle.head(40)), seed=1)
    assert found.notna().all().all()
    assert (found["low"] <= found["middle"]).all() and (found["middle"] <= found["high"]).all()
    assert (found["net"] + found["tax"] == found["gross"]).all()


@pytest.mark.parametrize("given", [{"floor": 2, "net": 3}, {"ward": "d"}, {"cost": 20.0}, {"tax": 1, "age": 40}])
def test_what_fills_gaps_has_the_generators_law(gan, given):
    count = 500
    filled = gan.impute(pd.DataFrame([given] * count), seed=3)
    stated = [f"{name} == {value!r}" for name, value in given.items()]
    asked = gan.sample(count, where=" and ".join([*stated, "cost is not missing"]), seed=4)
    for tell in (
        lambda rows: rows["age"],
        lambda rows: rows["ward"] == "b",
        lambda rows: rows["cost"] > 20,
        lambda rows: (rows["left"] - rows["admitted"]).dt.days,
        lambda rows: rows["gross"],
        lambda rows: rows["kind"] == "x",
    ):
        a, b = (tell(rows).astype(float) for rows in (filled, asked))
        # Six comparisons of four tests: one in ten thousand runs goes beyond.
        assert abs(a.mean() - b.mean()) <= 4.5 * np.sqrt((a.var() + b.var()) / count) + 1e-9


def test_the_last_term_of_a_sum_is_worked_out(gan):
    rows = pd.DataFrame({"net": [3, 4], "gross": [4, 4]})
    assert gan.impute(rows, seed=0)["tax"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ({"agee": [3]}, "no column is called 'agee'. Did you mean 'age'?"),
        ({"age": [30, 3]}, "row 1: no row of the training data has the value 3"),
        ({"age": ["x"]}, "'x' is no value of this column, which holds the kind 'integer'"),
        ({"ward": ["e"]}, "no row of the training data has the value 'e'"),
        ({"net": [11]}, "no row of the training data has the value 11"),
        ({"age": [30.5]}, "30.5 is no value of this column"),
        ({"ward": ["a", "b"], "floor": [1, 3]}, "1 rows break what holds in every row of the training data, 'ward' de"),
        ({"admitted": ["2024-05-02"], "left": ["2024-05-01"]}, "the training data, admitted <= left: row 0"),
        ({"net": [1], "tax": [1], "gross": [3]}, "the training data, net + tax = gross: row 0 (net = 1"),
        ({"left": [DAY + pd.Timedelta(hours=5)]}, "1 of 1 rows have cells that no row of the generator's has together"),
    ],
)
def test_rows_that_cannot_be_continued_are_refused_with_the_reason(gan, rows, reason):
    with pytest.raises(InputError) as refusal:
        gan.impute(pd.DataFrame(rows), seed=0)
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    ("rows", "reason"), [([1, 2], "of type list"), (pd.DataFrame({"age": []}), "there are no rows")]
)
def test_what_is_no_frame_with_rows_is_refused(gan, rows, reason):
    with pytest.raises(InputError, match=reason):
        gan.impute(rows)
    twice = pd.DataFrame([[1, 2]], columns=["age", "age"])
    with pytest.raises(InputError, match="two columns are called 'age'"):
        gan.impute(twice)


def test_generators_that_cannot_hold_columns_are_refused(tmp_path):
    numbers, settings = np.random.default_rng(0).normal(size=(100, 2)), ["outputs.final_verdict=false"]
    points = fit(numbers, steps=1, outdir=tmp_path / "run", settings=settings)
    with pytest.raises(InputError, match="networks.family=columnwise"):
        points.impute(pd.DataFrame({"x": [1.0]}))


def test_the_command_fills_a_file_once_or_several_times_over(gan, tmp_path):
    pd.DataFrame({"ward": ["d", None], "age": [40, 50]}).to_csv(tmp_path / "part.csv", index=False)
    options = ["sample", str(gan.folder), "--given", str(tmp_path / "part.csv"), "--seed", "3"]
    result = CliRunner().invoke(app, [*options, "--sets", "2", "-o", str(tmp_path / "new.csv")])
    assert result.exit_code == 0, result.stderr
    sets = [pd.read_csv(tmp_path / f"new-{k}.csv") for k in (1, 2)]
    assert all(each["age"].tolist() == [40, 50] and each["ward"][0] == "d" for each in sets)
    assert not sets[0].equals(sets[1])
    result = CliRunner().invoke(app, [*options, "-n", "3", "-o", str(tmp_path / "more.csv")])
    assert result.exit_code == 2 and "it was given beside --given" in result.stderr


@pytest.fixture(scope="module")
def seats(tmp_path_factory):
    """A run on seats of which no two are the same."""
    places = pd.DataFrame([(row, seat) for row in range(30) for seat in "abcdef"], columns=["row", "seat"])
    places["price"] = np.random.default_rng(0).integers(5, 20, len(places))
    settings = ["evaluations.count=0", "outputs.final_verdict=false", "training.batch_size=16", "outputs.samples=1"]
    rules = "data.rules=['unique(row, seat)']"
    return fit(places, steps=1, seed=0, settings=[*settings, rules], outdir=tmp_path_factory.mktemp("seats") / "run")


def test_what_a_rule_keeps_apart_is_filled_apart(seats):
    partial = pd.DataFrame({"row": [3] * 5 + [4] * 5, "seat": ["a", None, "b", None, None] * 2})
    found = seats.impute(partial, seed=0)
    assert not found[["row", "seat"]].duplicated().any() and found.notna().all().all()
    given = partial["seat"].notna()
    assert (found["row"] == partial["row"]).all() and (found["seat"] == partial["seat"])[given].all()
    pd.testing.assert_frame_equal(found, seats.impute(partial, seed=0))


def test_rows_that_are_given_alike_are_refused_and_so_are_more_than_there_are_values(seats):
    twice = pd.DataFrame({"row": [5, 5, 6], "seat": ["a", "a", "a"]}, index=["x", "y", "z"])
    with pytest.raises(InputError, match=r"1 row repeats what 'unique\(row, seat\)' holds apart: row y\."):
        seats.impute(twice, seed=0)
    with pytest.raises(InputError, match="leave enough values to choose from"):
        seats.impute(pd.DataFrame({"row": [3] * 7}), seed=0)
