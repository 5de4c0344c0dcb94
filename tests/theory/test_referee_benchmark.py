"""The marks of the referee: what `benchmarks/referee.py` compares with, and how it counts."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import referee_classical as classical
import referee_summary as summary
import referee_table
from referee_data import Pools, cases
from referee_rows import SETS, Row, Settings, uncommitted


@pytest.fixture
def sides():
    stream = np.random.default_rng(3)
    return stream.standard_normal((30, 3)), stream.standard_normal((20, 3)) + 0.4


@pytest.mark.parametrize("name", ["dcorr", "hsic"])
def test_the_statistics_of_all_permutations_are_hyppos_up_to_one_factor(sides, name):
    pytest.importorskip("hyppo")
    from hyppo.independence import Dcorr
    from hyppo.tools import compute_dist, compute_kern

    samples, labels = np.concatenate(sides), np.repeat([0.0, 1.0], [30, 20])
    if name == "dcorr":
        theirs, of_labels = compute_dist(samples, labels[:, None], metric="euclidean")
        ours, values = theirs, (0.0, 1.0, 0.0)
    else:
        theirs, of_labels = compute_kern(samples, labels[:, None], metric="gaussian")
        ours, values = classical.gaussian_kernel(compute_dist(samples, labels[:, None], metric="euclidean")[0])
        np.testing.assert_allclose(ours, theirs, rtol=1e-10)
    stream = np.random.default_rng(0)
    orders = [np.arange(50), *(stream.permutation(50) for _ in range(6))]
    statistic = Dcorr(compute_distance=None).statistic
    expected = np.array([statistic(theirs, of_labels[order][:, order]) for order in orders])
    found = classical.permuted_statistics(ours, np.stack([labels[order] for order in orders], axis=1), values)
    # Dcorr divides by the root of the product of both distance variances, which no permutation changes.
    np.testing.assert_allclose(found / found[0], expected / expected[0], rtol=1e-8)
    assert found[0] * expected[0] > 0


def test_hotellings_p_value_of_one_dimension_is_that_of_the_t_test(sides):
    from scipy.stats import ttest_ind

    real, fake = (side[:, :1] for side in sides)
    assert classical.hotelling(real, fake) == pytest.approx(ttest_ind(real, fake).pvalue[0], rel=1e-9)


def row(mark=">= 0.9", planned=3, measure="alarm"):
    return Row("shift.2000", "shift", "points", 2000, 2000, measure, mark, planned)


@pytest.mark.parametrize("count", [20, 400])
def test_the_largest_loss_without_a_trial_in_which_the_tests_differ_is_wilsons_upper_limit_of_none(count):
    # With b = c = 0 the score is n d^2 / (d (1 - d)) = z^2, so d = z^2 / (n + z^2): Wilson's limit of 0 of n.
    squared = 1.6448536269514722**2
    assert summary.largest_loss(0, 0, count) == pytest.approx(squared / (count + squared), rel=1e-6)


def test_the_largest_loss_lies_below_the_true_one_in_at_most_a_twentieth_of_all_outcomes():
    from scipy.stats import multinomial

    count, theirs, ours = 40, 0.2, 0.1
    below = sum(
        multinomial.pmf([b, c, count - b - c], count, [theirs, ours, 1 - theirs - ours])
        for b in range(count + 1)
        for c in range(count + 1 - b)
        if summary.largest_loss(b, c, count) < theirs - ours
    )
    # A score limit keeps its level on average over the truths and not at each: half a point more at 40 trials.
    assert below < 0.055


def test_a_row_is_open_until_all_planned_trials_are_there():
    lines = [{"alarm": True, "cpu_seconds": 1.0}] * 3
    assert summary.rate_row(row(), lines[:2])["is_met"] is None
    assert summary.rate_row(row(), lines)["is_met"] is True


@pytest.mark.parametrize(("mark", "value"), [(">= 0.9", 0.0), ("<= 0.071", 1.0)])
def test_an_attempt_that_ended_in_an_error_counts_against_the_mark(mark, value):
    failed = {"error": "ValueError: no", "cpu_seconds": 1.0}
    found = summary.rate_row(row(mark), [failed] * 3)
    assert (found["value"], found["is_met"], found["errors"]) == (value, False, 3)


def test_trials_of_one_row_have_seeds_of_their_own_that_change_with_the_settings_commit():
    settings = [Settings("differences", commit, {"shift.2000": row()}) for commit in ("a" * 40, "b" * 40)]
    seeds = {each.seed(purpose, trial) for each in settings for purpose in ("x", "x verdict") for trial in range(5)}
    assert len(seeds) == 20


def test_the_rows_of_all_settings_name_cases_that_can_be_drawn():
    drawn_by = cases(Pools(None, None))
    for name in SETS:
        for each in uncommitted(name, "dev").rows.values():
            assert each.case in drawn_by


@pytest.mark.parametrize("name", ["lattice_tens", "lattice_cents", "lattice_midnights", "lattice_office_hours"])
def test_the_real_side_of_a_lattice_keeps_to_it_and_the_generated_one_does_not(name):
    keeps = {
        "lattice_tens": lambda values: values % 10 == 0,
        "lattice_cents": lambda values: np.isclose(100 * values, np.round(100 * values), rtol=0, atol=1e-6),
        "lattice_midnights": lambda values: values == values.dt.normalize(),
        "lattice_office_hours": lambda values: (values.dt.day_of_week < 5) & values.dt.hour.between(9, 16),
    }[name]
    real, fake = cases(Pools(None, None))[name](np.random.default_rng(0), 300, 300)
    assert keeps(real["value"]).all()
    assert keeps(fake["value"]).mean() < 0.5
    assert list(real.columns) == list(fake.columns)


def test_every_figure_of_the_page_about_verdicts_is_that_of_its_row():
    page = (Path(__file__).parents[2] / "docs" / "guides" / "verdict.md").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in referee_table.ROWS.read_text(encoding="utf-8").splitlines()]
    for table in referee_table.tables(lines).split("\n\n"):
        assert table in page, f"run benchmarks/referee_table.py and put this on the page:\n{table}"


def test_tables_hold_the_latest_version_alone_and_say_which_marks_are_open():
    old = {"claim": "shift.2000", "referee_version": 3, "repeats": 400, "planned": 400, "value": 0.5}
    new = old | {"referee_version": 5, "repeats": 300, "value": 0.95, "low": 0.92, "high": 0.97, "mark": ">= 0.9"}
    loss = new | {"claim": "shift.2000, loss to dcorr", "found_by_the_test": 0.98, "mark": "<= 0.05", "high": 0.061}
    said = referee_table.tables([old, new | {"is_met": None}, loss | {"is_met": False}])
    assert "| 2,000 | 285 of 300 (92.0 to 97.0 %) | at least 90 %, open: 300 of 400 trials |" in said
    assert "| Dcorr 98 %; loss at most 6.1 points (300 trials, mark 5: **not met**) |" in said
