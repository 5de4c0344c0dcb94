"""Long runs as a few bins: nothing is lost that a reader has to see."""

from __future__ import annotations

import numpy as np
import pytest

from equipoise.plotting.curves import binned, error_of_bin_means, series
from equipoise.plotting.number_text import duration, number, percent
from equipoise.reports.wording import moment, silence, state_phrase


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


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1437, "1,437"),
        (-0.693147, "-0.6931"),
        (1e-5, "1e-5"),
        (123456.7, "123,457"),
        (None, "–"),
        (float("nan"), "–"),
        (True, "–"),
        ("3", "–"),
        (1e300, "1e+300"),
    ],
)
def test_numbers_are_written_as_people_read_them(value, text):
    assert number(value) == text


def test_shares_durations_and_moments_are_written_as_people_read_them():
    assert [percent(share) for share in (0.95, 0.975, 1.0, 0.5, None)] == ["95 %", "97.5 %", "100 %", "50 %", "–"]
    spans = [duration(seconds) for seconds in (0.4, 45, 130, 3_599.9, 7_200, 86_400 * 3, -1, None)]
    assert spans == ["0.4 s", "45 s", "2 min 10 s", "1 h", "2 h", "3 days", "–", "–"]
    assert moment(0) == "1970-01-01 00:00 UTC"
    assert moment("yesterday") == "yesterday"
    assert moment(1e300) == "–"


def test_only_a_run_that_says_it_trains_and_was_silent_for_long_is_doubted():
    status = {"state": "training", "updated": 1_000.0}
    assert silence(status, now=1_010.0) is None
    assert state_phrase(status, now=1_000.0 + 7_200) == "training (no sign of life for 2 h)"
    assert state_phrase({**status, "state": "finished"}, now=1e9) == "finished"
    assert state_phrase({}, now=0.0) == "unknown"
