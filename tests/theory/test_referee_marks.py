"""Reduced versions of the benchmark rows that no other test holds; `benchmarks/referee.py --list` has the full ones."""

from __future__ import annotations

import numpy as np
import pytest

from equipoise.metrics.divergence import jsd_by_quadrature
from equipoise.metrics.known import Mixture, gaussian, grid25
from equipoise.referee import Conclusion, judge, plan_evaluations
from equipoise.referee.bound import is_distinguished, log_e_value
from equipoise.referee.classifiers import available
from equipoise.referee.cross_fitting import measured_once
from equipoise.referee.splits import split
from equipoise.referee.train_and_test import train_and_test


def classifiers(*names: str):
    return [available()[name] for name in names]


def digits() -> np.ndarray:
    from sklearn.datasets import load_digits

    return np.round(load_digits().images * 255 / 16).astype(np.uint8)[:, None]


def diamonds():
    return pytest.importorskip("plotnine.data").diamonds


def halves(pool, count: int, seed: int):
    order = np.random.default_rng(seed).permutation(len(pool))
    first, second = order[:count], order[count : 2 * count]
    return (pool[first], pool[second]) if isinstance(pool, np.ndarray) else (pool.iloc[first], pool.iloc[second])


FALSE_ALARMS = {
    # false_alarm.points_64d, false_alarm.table, false_alarm.images
    "64-D points": (
        "points",
        lambda seed: halves(gaussian(64).sample(600, np.random.default_rng(seed)), 300, 0),
        ("quadratic",),
    ),
    "table": ("table", lambda seed: halves(diamonds(), 300, seed), ("quadratic", "pairs")),
    "images": ("images", lambda seed: halves(digits(), 300, seed), ("quadratic",)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FALSE_ALARMS)
def test_false_alarms_stay_within_the_level_on_other_kinds_of_data(name):
    kind, draw, names = FALSE_ALARMS[name]
    alarms = 0
    for trial in range(25):
        found = train_and_test(split(*draw(trial), seed=trial), kind=kind, seed=trial, classifiers=classifiers(*names))
        alarms += is_distinguished(log_e_value(found.real_logits, found.fake_logits), confidence=0.95)
    # At a rate of 5 % more than 5 alarms in 25 trials have a chance of 0.3 %.
    assert alarms <= 5


def test_modes_a_quarter_too_wide_are_found():
    # power.spread: 95 % at 10,000 a side and JSD 0.0045; here a quarter too wide, JSD about 0.02, at 3,000.
    stream, grid = np.random.default_rng(0), grid25()
    found = judge(
        grid.sample(3000, stream),
        grid.widened(1.25).sample(3000, stream),
        kind="points",
        classifiers=classifiers("neighbour curves"),
        checks=[],
    )
    assert found.conclusion == Conclusion.DISTINGUISHED


def test_the_bound_on_a_missing_mode_is_near_the_truth():
    # tight.missing_mode: 0.7 of the truth at 10,000 a side. At 5,000 with two classifiers the estimate is about 0.85 of
    # it, 1.6 standard errors take 0.2 off, and room for generated samples in the mode that were not met another 0.1;
    # the deviation from seed to seed is 0.1.
    stream, grid = np.random.default_rng(0), grid25()
    found = judge(
        grid.sample(5000, stream),
        grid.without_mode(6).sample(5000, stream),
        kind="points",
        classifiers=classifiers("neighbour trees", "neighbour curves"),
        checks=[],
    )
    assert 0.25 * 0.01407 < found.jsd_lower_bound_nats < 1.05 * 0.01407


def test_the_bound_on_a_narrow_grid_is_near_the_truth():
    # tight.generator needs a trained generator; a grid of modes of 0.45 of the width stands for one. Its JSD is that of
    # one mode, since the modes lie ten deviations apart.
    plane = gaussian(2)
    truth = jsd_by_quadrature(plane.log_density, plane.widened(0.45).log_density, low=-8, high=8, cells=800)
    stream, grid = np.random.default_rng(0), grid25()
    found = judge(
        grid.sample(4000, stream),
        grid.widened(0.45).sample(4000, stream),
        kind="points",
        classifiers=classifiers("neighbour curves", "neighbour trees"),
        checks=[],
    )
    assert 0.8 * truth < found.jsd_lower_bound_nats < 1.03 * truth


def test_a_generator_with_a_jsd_of_a_fiftieth_is_found_at_one_evaluation_of_fifty():
    # evaluations.power: shift with JSD 0.02 (0.4027 by bisection), at the level of one of fifty evaluations.
    stream, confidence = np.random.default_rng(0), 1 - plan_evaluations(50, evaluations=50, power=1.0).levels[0]
    found = judge(
        gaussian(2).sample(4000, stream),
        gaussian(2, mean=0.4).sample(4000, stream),
        kind="points",
        classifiers=classifiers("quadratic"),
        checks=[],
        confidence=confidence,
    )
    assert confidence == pytest.approx(0.999)
    assert found.conclusion == Conclusion.DISTINGUISHED


@pytest.mark.slow
@pytest.mark.parametrize("name", ["spread", "shares", "far"])
def test_the_bound_covers_the_true_jsd_of_other_pairs(name):
    two = Mixture("two", np.array([[-2.0, 0.0], [2.0, 0.0]]), 0.6, np.array([0.5, 0.5]))
    lopsided = Mixture("lopsided", two.means, 0.6, np.array([0.6, 0.4]))
    plane = gaussian(2)
    near, far = {
        "spread": (plane, plane.widened(1.3)),
        "shares": (two, lopsided),
        "far": (plane, gaussian(2, mean=2.5)),
    }[name]
    truth = jsd_by_quadrature(near.log_density, far.log_density, low=-10, high=10, cells=400)
    above = 0
    for trial in range(60):
        stream = np.random.default_rng(trial)
        parts = split(near.sample(400, stream), far.sample(400, stream), seed=trial)
        found = train_and_test(parts, kind="points", seed=trial, classifiers=classifiers("quadratic"))
        above += measured_once(found).lower_bound_nats(0.95) > truth
    # At a rate of 5 % more than 8 of 60 have a chance of 0.4 %.
    assert above <= 8
