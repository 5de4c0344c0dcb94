"""Rejection by a discriminator that was fitted on training rows: the law of what is kept, its share, and refusals."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from typer.testing import CliRunner

from equipoise.cli.main import app
from equipoise.errors import EquipoiseError, InputError
from equipoise.experiment.conditional_sampling import BLOCK
from equipoise.experiment.rejection import LEAST_KEPT, MASS, chances, fitted, limit_of
from equipoise.experiment.train import fit

pytestmark = pytest.mark.usefixtures("undrawn")
SHIFT, ROWS = 0.7, 12_000


def rows(mean: float, count: int, seed: int) -> pd.DataFrame:
    """A normal number, and a category that the number leads to as often on either side."""
    numbers = np.random.default_rng(seed)
    x = numbers.normal(mean, 1, count)
    return pd.DataFrame({"x": x, "side": np.where(x + numbers.normal(size=count) > 0, "right", "left")})


def drawn(count: int, number: int) -> pd.DataFrame:
    return rows(0.0, count, 100 + number)


@pytest.fixture(scope="module")
def shifted():
    return fitted(rows(SHIFT, ROWS, 0), drawn, seed=0)


def test_what_is_kept_has_the_law_of_the_formula(shifted):
    # log r(x) = SHIFT x - SHIFT^2 / 2, which grows with x: its quantile is at the quantile of x among real rows.
    log_ratio = lambda x: SHIFT * x - SHIFT**2 / 2  # noqa: E731
    limit = log_ratio(SHIFT + norm.ppf(MASS))
    kept = lambda x: norm.pdf(x) * math.exp(min(0.0, log_ratio(x) - limit))  # noqa: E731
    share = quad(kept, -8, 8)[0]
    mean = quad(lambda x: x * kept(x), -8, 8)[0] / share
    made = rows(0.0, 40_000, 2)
    found = made.iloc[shifted.places(made, seed=0, source=0, batch=0)]
    # Trees of 9,600 rows a side know the ratio to some percent.
    assert shifted.kept == pytest.approx(share, abs=0.05)
    assert len(found) / len(made) == pytest.approx(shifted.kept, abs=0.02)
    assert float(found["x"].mean()) == pytest.approx(mean, abs=0.08)
    assert abs(float(found["x"].mean()) - SHIFT) < 0.15


def test_the_area_under_the_curve_is_that_of_rows_that_were_not_fitted(shifted):
    assert shifted.auc == pytest.approx(norm.cdf(SHIFT / math.sqrt(2)), abs=0.03)
    assert shifted.train_rows == round(0.8 * ROWS)
    assert f"{shifted.train_rows:,} training rows" in shifted.text() and f"{shifted.auc:.3f}" in shifted.text()


def test_of_rows_like_the_training_rows_nearly_all_are_kept():
    same = fitted(rows(0.0, 4000, 3), drawn, seed=0)
    assert same.kept > 0.8 and same.auc == pytest.approx(0.5, abs=0.04)


def test_chances_are_ratios_over_the_limit_and_at_most_one():
    found = chances(np.log([0.5, 1.0, 2.0, 8.0]), math.log(2.0))
    assert found.tolist() == pytest.approx([0.25, 0.5, 1.0, 1.0])


def test_the_limit_keeps_at_least_a_quarter():
    ratios = np.log(np.concatenate([np.full(900, 0.01), np.full(100, 9.0)]))  # the quantile alone keeps a tenth
    assert chances(ratios, np.log(9.0)).mean() < LEAST_KEPT
    assert chances(ratios, limit_of(ratios)).mean() == pytest.approx(LEAST_KEPT, abs=1e-6)
    even = np.zeros(100)
    assert limit_of(even) == 0.0 and chances(even, 0.0).mean() == 1.0


@pytest.fixture(scope="module")
def gan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reject")
    rows(1.0, 900, 5).to_csv(folder / "rows.csv", index=False)
    settings = ["evaluations.count=0", "outputs.final_verdict=false", "training.batch_size=16"]
    return fit(str(folder / "rows.csv"), steps=3, seed=0, settings=settings, outdir=folder / "run")


def test_rows_are_a_function_of_the_seed_and_of_their_number(gan):
    rejection = gan.rejection()
    many = gan.sample(2000, seed=3, rejection=rejection)
    pd.testing.assert_frame_equal(gan.sample(50, seed=3, rejection=gan.rejection()), many.head(50))
    pd.testing.assert_frame_equal(pd.concat(gan.stream(2000, seed=3, rejection=rejection), ignore_index=True), many)
    assert not many.equals(gan.sample(2000, seed=3))


def test_rows_under_a_condition_obey_and_are_rejected_too(gan):
    found = gan.sample(300, seed=1, where="side == 'left'", rejection=gan.rejection())
    assert (found["side"] == "left").all() and len(found) == 300
    assert not found.equals(gan.sample(300, seed=1, where="side == 'left'"))
    even = gan.sample(BLOCK, seed=1, balance="side", rejection=gan.rejection())
    assert (even["side"] == "left").sum() == BLOCK / 2


def test_a_rule_that_leaves_fewer_rows_than_the_trees_are_fitted_to_is_no_hindrance(tmp_path):
    seats = pd.DataFrame([(row, seat) for row in range(40) for seat in range(10)], columns=["row", "seat"])
    seats["price"] = np.random.default_rng(0).integers(5, 20, len(seats))
    seats.to_csv(tmp_path / "seats.csv", index=False)
    settings = ["evaluations.count=0", "outputs.final_verdict=false", "training.batch_size=16"]
    rules = "data.rules=['unique(row, seat)']"
    gan = fit(str(tmp_path / "seats.csv"), steps=1, seed=0, settings=[*settings, rules], outdir=tmp_path / "run")
    found = gan.sample(60, seed=0, rejection=gan.rejection())
    assert len(found) == 60 and not found[["row", "seat"]].duplicated().any()


def run_sample(*options) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["sample", *map(str, options)])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_tells_how_many_are_kept(gan, tmp_path):
    options = [gan.folder, "-n", 400, "--seed", 2, "--reject"]
    code, out, err = run_sample(*options, "-o", tmp_path / "new.csv")
    assert code == 0 and "of which" in out and "were kept" in out
    assert gan.rejection().text() in err.replace("\n", " ")
    found = pd.read_csv(tmp_path / "new.csv")
    pd.testing.assert_frame_equal(found, gan.sample(400, seed=2, rejection=gan.rejection()), check_dtype=False)
    facts = json.loads(run_sample(*options, "-o", tmp_path / "again.csv", "--json")[1])["written"][0]
    assert facts["drawn"] >= 400 and facts["acceptance"] == pytest.approx(gan.rejection().kept, abs=0.1)


def test_it_is_refused_where_it_means_nothing(gan, tmp_path):
    (tmp_path / "given.csv").write_text("side\nleft\n")
    code, _, err = run_sample(gan.folder, "--given", tmp_path / "given.csv", "--reject")
    assert code == 2 and "--reject" in err
    settings = ["evaluations.count=0", "outputs.final_verdict=false", "training.batch_size=16"]
    points = fit(np.random.default_rng(0).normal(size=(100, 2)), steps=2, outdir=tmp_path / "points", settings=settings)
    with pytest.raises(InputError, match="Expected a generator of all columns of a table"):
        points.rejection()
    few = fit(rows(0.0, 150, 6), steps=2, outdir=tmp_path / "few", settings=settings)
    with pytest.raises(EquipoiseError, match="Expected at least 200"):
        few.rejection()
