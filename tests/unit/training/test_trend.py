"""The trend follows its stated rule on made-up looks."""

import math

import numpy as np
import pytest

from equipoise.metrics.known import grid25
from equipoise.referee import judge
from equipoise.referee.checks.collapse import STRIKING_Z
from equipoise.referee.classifiers import available
from equipoise.referee.evaluation_plan import EVALUATION_CHECKS
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


def crowding(score):
    return {"check": "collapse", "is_problem": False, "numbers": {"crowding_z_score": score}}


def test_few_regions_are_collapse_only_when_the_samples_there_are_good_and_crowd():
    assert shows_collapse(row(0.4, findings=[covering(0.3, 0.9), crowding(STRIKING_Z + 1)]))
    assert not shows_collapse(row(0.4, findings=[covering(0.3, 0.2), crowding(STRIKING_Z + 1)]))
    assert not shows_collapse(row(0.4, findings=[covering(0.7, 0.9), crowding(STRIKING_Z + 1)]))
    assert not shows_collapse(row(0.4, findings=[covering(0.3, 0.9), crowding(STRIKING_Z - 1)]))


def evaluated(real, fake):
    """The row of an evaluation of two sets, with the checks that the trend reads."""
    quick = [available()["quadratic"]]
    verdict = judge(real, fake, kind="points", checks=EVALUATION_CHECKS, classifiers=quick)
    return {"step": 1, **verdict.to_json()}


def test_collapse_is_never_said_of_samples_that_repeat_no_more_than_the_data_do():
    # Digits have 28 axes and 180 test rows. Samples at 0.7 of their distances cover the data and repeat nothing; a
    # noisy set reaches few balls but those of outliers, and lies further apart than the data.
    stream = np.random.default_rng(0)
    real, fake = (stream.normal(size=(450, 28)) for _ in range(2))
    outliers = np.where(np.arange(450)[:, None] % 45, 1.0, 5.0)
    for samples in (fake, 0.7 * fake, 1.5 * fake):
        assert not shows_collapse(evaluated(real * outliers, samples))


def test_collapse_is_said_of_one_mode_and_of_few_points():
    real, fake = (grid25().sample(count, np.random.default_rng(count)) for count in (3000, 60_000))
    one_mode = fake[np.linalg.norm(fake - real[0], axis=1) < 0.3]
    few_points = fake[np.random.default_rng(0).integers(0, 50, 3000)]
    few_points += 1e-4 * np.random.default_rng(1).normal(size=few_points.shape)
    assert len(one_mode) > 1000 and len(np.unique(one_mode, axis=0)) == len(one_mode)
    assert shows_collapse(evaluated(real, one_mode))
    assert shows_collapse(evaluated(real, few_points))


def test_a_look_without_an_error_neither_improves_nor_diverges():
    rows = [{"jsd_estimate_nats": 0.6}, {"jsd_estimate_nats": 0.1}, {"jsd_estimate_nats": 0.6}]
    assert trend_of(rows) == "plateaued"
