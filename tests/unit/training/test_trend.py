"""The trend follows its stated rule on made-up looks."""

import math

import pytest

from equipoise.training.trend import RISE_NATS, SUDDEN_NATS, WINDOW, shows_collapse, trend_of


def row(estimate, *, error=0.01, findings=()):
    """An evaluation whose estimate has the standard error `error` (V has twice that)."""
    return {"jsd_estimate_nats": estimate, "value_standard_error": 2 * error, "findings": list(findings)}


REPEATS = {"check": "collapse", "is_problem": True, "numbers": {}}


def covering(coverage, precision):
    numbers = {
        "coverage_share": coverage,
        "coverage_floor_share": 0.96,
        "precision_share": precision,
        "precision_floor_share": 0.98,
    }
    return {"check": "coverage", "is_problem": coverage < 0.9, "numbers": numbers}


@pytest.mark.parametrize(
    ("estimates", "trend"),
    [
        ([], None),
        ([0.3], None),
        ([0.3, math.nan], None),
        ([0.5, 0.3], "improving"),
        ([0.30, 0.29], "plateaued"),
        # Each fall is within 2 errors of a difference, sqrt(2) * 0.02 = 0.028; over three looks it is not.
        ([0.40, 0.38, 0.36, 0.34], "improving"),
        ([0.3, 0.3, 0.3, 0.3, 0.3], "plateaued"),
        ([0.6, 0.2, 0.21], "plateaued" if WINDOW < 2 else "improving"),
        ([0.6, 0.2, 0.2, 0.2, 0.2, 0.2 + RISE_NATS + 0.01], "plateaued"),  # an evaluation may be out by chance
        ([0.6, 0.2, 0.2, 0.2, *[0.2 + RISE_NATS + 0.01] * 2], "diverged"),
        ([0.6, 0.2, 0.2, 0.2, *[0.2 + RISE_NATS - 0.01] * 2], "plateaued"),
        ([0.6, 0.2, 0.2, 0.2, 0.2, 0.2 + SUDDEN_NATS + 0.01], "diverged"),
    ],
)
def test_estimates_give_their_trend(estimates, trend):
    assert trend_of([row(estimate) for estimate in estimates]) == trend


def test_a_rise_within_its_error_is_no_divergence():
    # 3 sqrt(2) 0.1 = 0.42.
    assert trend_of([row(0.2, error=0.1), *[row(0.6, error=0.1)] * 2]) == "plateaued"


def test_collapse_has_to_be_new_or_to_stay():
    assert trend_of([row(0.5), row(0.4, findings=[REPEATS])]) == "collapsed"
    assert trend_of([row(0.5, findings=[REPEATS]), row(0.4, findings=[REPEATS])]) == "collapsed"
    assert trend_of([row(0.5, findings=[REPEATS]), row(0.4)]) == "improving"


def test_few_regions_are_collapse_only_when_the_samples_there_are_good():
    assert shows_collapse(row(0.4, findings=[covering(0.3, 0.9)]))
    assert not shows_collapse(row(0.4, findings=[covering(0.3, 0.2)]))
    assert not shows_collapse(row(0.4, findings=[covering(0.7, 0.9)]))


def test_a_look_without_an_error_neither_improves_nor_diverges():
    rows = [{"jsd_estimate_nats": 0.6}, {"jsd_estimate_nats": 0.1}, {"jsd_estimate_nats": 0.6}]
    assert trend_of(rows) == "plateaued"
