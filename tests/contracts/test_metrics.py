"""What every metric must satisfy; finds new ones by itself."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from equipoise import metrics
from equipoise.errors import InputError
from equipoise.metrics.known import ring8

METRICS = [metrics.find(name) for name in metrics.available()]


def sides(metric, shift=0.0, count=400):
    """A real side as the metric wants it, and points around it."""
    density = ring8()
    fake = density.sample(count, np.random.default_rng(1)) + shift
    return density if metric.needs_density else density.sample(2 * count, np.random.default_rng(0)), fake


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_is_named_sourced_and_explained(metric):
    assert metrics.find(metric.name) is metric
    assert metric.title and metric.source
    assert metric.reading.endswith(".") and metric.reading[0].isupper()
    assert metric.kinds and 2 <= metric.least < metric.most


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_gives_finite_numbers_that_its_seed_and_samples_decide(metric):
    real, fake = sides(metric)
    first, again = (metrics.score(metric, real, fake, seed=3) for _ in range(2))
    assert first == again
    assert all(math.isfinite(value) for value in (*first.values.values(), *first.between_real_sets.values()))
    assert first.values.keys() == first.between_real_sets.keys()
    assert first.fake_samples == 400 and first.real_samples in (0, 400)
    json.dumps(first.to_json(), allow_nan=False)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_sees_samples_far_from_the_data_and_not_good_ones(metric):
    good = metrics.score(metric, *sides(metric))
    far = metrics.score(metric, *sides(metric, shift=1.0))
    # A perfect sampler and the remainder differ by chance alone, and a shift of fifty deviations by far more than that.
    assert any(
        abs(far.values[name] - floor) > 3 * abs(good.values[name] - floor)
        for name, floor in good.between_real_sets.items()
    )


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_refuses_too_few_samples_and_says_how_many_it_needs(metric):
    real, fake = sides(metric)
    with pytest.raises(InputError, match=f"Expected {metric.least} or more"):
        metrics.score(metric, real, fake[: metric.least - 1])


def test_an_unknown_metric_is_answered_with_the_known_ones():
    with pytest.raises(InputError, match="frechet_distance"):
        metrics.find("frechet")


def test_both_comparisons_of_a_score_have_the_same_number_of_samples():
    real, fake = np.random.default_rng(0).standard_normal((30, 2)), np.zeros((100, 2))
    metric = metrics.find("energy_distance")
    beside_real = metrics.score(metric, real, fake)
    assert (beside_real.real_samples, beside_real.fake_samples) == (15, 15)
    alone = metrics.score(metric, real, fake, floor=False)
    assert (alone.real_samples, alone.fake_samples) == (30, 100) and not alone.between_real_sets


def test_the_two_real_sets_share_no_sample():
    def shared(real, fake):
        return {"shared": float(len(set(real[:, 0]) & set(fake[:, 0])))}

    metric = metrics.Metric("shared", "Shared", shared, "Copies in both sets.", "here")
    found = metrics.score(metric, np.arange(41.0)[:, None], np.arange(30.0)[:, None])
    assert found.between_real_sets == {"shared": 0.0} and found.values["shared"] > 0
    assert found.real_samples == found.fake_samples == 20


def test_intervals_of_shares_end_at_0_and_1_and_that_of_a_density_does_not():
    # A few rows in two dimensions: precision is near 1, and its error reaches beyond.
    stream = np.random.default_rng(0)
    real, near = stream.normal(size=(80, 2)), stream.normal(scale=0.5, size=(40, 2))
    found = metrics.score(metrics.find("precision_recall"), real, near, interval=True)
    assert found.intervals["density"][1] > 1
    for name in ("precision", "recall", "coverage"):
        low, high = found.intervals[name]
        assert 0 <= low <= found.values[name] <= high <= 1, name
    far = metrics.score(metrics.find("precision_recall"), real, near + 3.5, interval=True)
    assert far.intervals["coverage"][0] == 0
