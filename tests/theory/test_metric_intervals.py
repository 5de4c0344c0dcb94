"""Intervals of scores hold what they say: scores of other samples of the same size lie within them as often."""

import math

import numpy as np
import pytest

from equipoise.metrics import find, score
from equipoise.metrics.interval import GROUPS, score_intervals
from equipoise.metrics.kernel_distance import kernel_distance

TRIALS = 200


def test_the_interval_of_a_difference_of_means_is_that_of_student():
    # Of a mean, leaving groups out gives exactly the variance of the group means; the scale of the answer is known.
    stream = np.random.default_rng(0)
    real, fake = stream.normal(size=(1000, 1)), stream.normal(0.3, 2.0, size=(1000, 1))

    def difference(first, second):
        return {"difference": float(second.mean() - first.mean())}

    low, high = score_intervals(difference, real, fake, difference(real, fake))["difference"]
    groups = [fake[group::GROUPS].mean() - real[group::GROUPS].mean() for group in range(GROUPS)]
    error = np.std(groups, ddof=1) / math.sqrt(GROUPS)
    assert (high - low) / 2 == pytest.approx(2.262 * error, rel=1e-3)  # t of nine degrees of freedom


def test_the_kernel_distance_lies_in_its_interval_as_often_as_it_says():
    # N(0, 1) against N(1, 1): moments 0, 1, 0 and 1, 2, 4; 3 * 1 + 3 * 1 + 4 ** 2 = 22, whatever the number of samples.
    stream, truth, held = np.random.default_rng(1), 22.0, 0
    for _ in range(TRIALS):
        real, fake = stream.normal(size=(200, 1)), stream.normal(1.0, 1.0, size=(200, 1))
        values = {"kernel": kernel_distance(real, fake)}
        low, high = score_intervals(lambda a, b: {"kernel": kernel_distance(a, b)}, real, fake, values)["kernel"]
        held += low <= truth <= high
    # Of 200 trials at 95 % three standard errors are 9; third moments are skewed, which costs some more.
    assert 0.87 * TRIALS <= held <= 0.99 * TRIALS


def test_the_frechet_distance_of_so_many_samples_lies_in_its_interval_as_often_as_it_says():
    # Of n samples it is biased upwards: the interval is about its mean over sets of this size.
    stream, metric = np.random.default_rng(2), find("frechet_distance", where="test")
    found, ends = [], []
    for _ in range(TRIALS):
        real, fake = stream.normal(size=(150, 3)), stream.normal(0.5, 1.3, size=(150, 3))
        scored = score(metric, real, fake, floor=False, interval=True)
        found.append(scored.values["frechet_distance"])
        ends.append(scored.intervals["frechet_distance"])
    held = sum(low <= np.mean(found) <= high for low, high in ends)
    assert 0.87 * TRIALS <= held <= 0.995 * TRIALS


def test_an_interval_ends_at_the_bounds_of_its_metric_and_is_left_out_where_samples_are_too_few():
    stream, metric = np.random.default_rng(3), find("frechet_distance", where="test")
    same = score(metric, stream.normal(size=(40, 1)), stream.normal(size=(40, 1)), interval=True)
    assert same.intervals["frechet_distance"][0] >= 0.0
    nearest = find("precision_recall", where="test")
    few = score(nearest, stream.normal(size=(12, 1)), stream.normal(size=(6, 1)), interval=True)
    assert few.values and not few.intervals
