"""Long runs as a few bins: nothing is lost that a reader has to see."""

from __future__ import annotations

import numpy as np
import pytest

from equipoise.plotting.curves import binned, error_of_bin_means, series


def rows_of(values):
    return [{"step": step, "value": value, "error": 0.3} for step, value in enumerate(values)]


def test_a_short_run_is_shown_as_it_is():
    found = series(rows_of([1.0, 4.0, 2.0]), "value")
    assert found.per_bin == 1
    np.testing.assert_array_equal(found.mean, [1.0, 4.0, 2.0])
    np.testing.assert_array_equal(found.steps, [0, 1, 2])


def test_a_long_run_keeps_its_overall_mean_and_its_spikes():
    values = np.random.default_rng(0).normal(size=10_007)
    values[4_321] = 99.0
    found = binned(np.arange(10_007), values)
    assert len(found.mean) <= 400
    assert found.high.max() == 99.0
    assert found.low.min() == values.min()
    # The bins' means weighted by their counts are the mean of all values; only rounding differs.
    assert np.average(found.mean, weights=found.counts) == pytest.approx(values.mean(), rel=1e-12)


def test_missing_values_are_counted_and_not_averaged():
    found = binned(np.arange(6.0), np.array([1.0, np.nan, np.nan, np.nan, 5.0, 7.0]), most=3)
    np.testing.assert_array_equal(found.mean, [1.0, np.nan, 6.0])
    np.testing.assert_array_equal(found.counts, [1, 0, 2])
    assert found.missing == 3
    assert found.last == 6.0


def test_the_error_of_a_mean_of_k_batches_shrinks_with_the_root_of_k():
    # k independent batches of standard error 0.3 each: 0.3 / sqrt(k).
    np.testing.assert_allclose(error_of_bin_means(rows_of([1.0] * 16), "error", most=4), 0.3 / 2)
    np.testing.assert_allclose(error_of_bin_means(rows_of([1.0] * 3), "error"), 0.3)


def test_no_rows_give_an_empty_series():
    assert series([], "value").is_empty
    assert series([], "value").last is None
