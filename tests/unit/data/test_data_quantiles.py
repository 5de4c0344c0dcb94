from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from equipoise.data.tables.quantile_transform import QuantileMap, fit_quantiles, row_jitter

numbers = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100)
columns = st.lists(numbers, min_size=1, max_size=300).map(np.array)
repeated = st.lists(st.integers(-1000, 1000), min_size=1, max_size=300).map(lambda v: np.array(v, dtype=np.float64))


def fitted(values):
    return fit_quantiles(*np.unique(values, return_counts=True))


def through_float32(quantiles, values):
    encoded = quantiles.encode(values, row_jitter(len(values), column=0)).astype(np.float32)
    return encoded, quantiles.decode(encoded)


@settings(deadline=None)
@given(columns | repeated)
def test_up_to_a_thousand_values_come_back_exactly(values):
    # Each of them is a knot; a knot comes back exactly.
    encoded, decoded = through_float32(fitted(values), values)
    assert np.isfinite(encoded).all()
    assert (decoded == values).all()


@settings(deadline=None)
@given(columns | repeated, columns)
def test_the_encoding_rises_with_the_value(values, others):
    quantiles = fitted(values)
    ordered = np.sort(np.concatenate([values, others]))
    encoded = quantiles.encode(ordered, np.full(len(ordered), 0.5))
    # Interpolation in float64 between numbers below 5 in size: a few roundings of 4e-16.
    assert (np.diff(encoded) >= -1e-14).all()
    assert (np.diff(quantiles.decode(np.sort(encoded))) >= -1e-14 * np.ptp(values)).all()


@settings(deadline=None)
@given(columns | repeated, st.lists(st.floats(-40, 40, width=32), min_size=1, max_size=50).map(np.array))
def test_any_number_decodes_into_the_observed_range(values, encoded):
    decoded = fitted(values).decode(encoded)
    assert (values.min() <= decoded).all() and (decoded <= values.max()).all()


@settings(deadline=None)
@given(columns | repeated)
def test_the_stored_state_gives_the_same_map(values):
    quantiles = fitted(values)
    again = QuantileMap.from_state(quantiles.state())
    for ours, theirs in zip(through_float32(quantiles, values), through_float32(again, values), strict=True):
        assert (ours == theirs).all()


@pytest.mark.parametrize("kind", ["normal", "heavy tails", "rounded", "few values"])
def test_an_encoded_column_is_standard_normal(kind):
    rng = np.random.default_rng(0)
    values = {
        "normal": lambda: 5 + 3 * rng.standard_normal(20_000),
        "heavy tails": lambda: rng.standard_cauchy(20_000),
        "rounded": lambda: np.round(rng.gamma(2, 10, 20_000)),
        "few values": lambda: rng.choice([1.0, 2.0, 5.0], 20_000, p=[0.7, 0.2, 0.1]),
    }[kind]()
    encoded, _ = through_float32(fitted(values), values)
    # Kolmogorov-Smirnov: 1.63 / sqrt(20,000) = 0.0115 is exceeded by chance in 1 % of samples; the quantile map
    # follows the sample itself, which only makes the distance smaller, and the interval borders take up to 1 %.
    assert kstest(encoded, "norm").statistic < 0.0115


def test_normal_numbers_decode_to_the_same_shares_of_each_value():
    rng = np.random.default_rng(0)
    values = np.round(rng.gamma(2, 4, 50_000))
    decoded = fitted(values).decode(rng.standard_normal(50_000))
    for value, count in zip(*np.unique(values, return_counts=True), strict=True):
        # Two binomial counts: five standard deviations of their difference.
        assert abs((decoded == value).sum() - count) <= 5 * np.sqrt(2 * count) + 1


def test_a_million_rows_of_rounded_numbers_come_back_exactly():
    values = np.round(np.random.default_rng(0).normal(500, 80, 1_000_000))
    _, decoded = through_float32(fitted(values), values)
    assert (decoded == values).all()


def test_many_different_numbers_come_back_within_a_thousandth_of_the_gap_between_knots():
    values = np.random.default_rng(0).standard_normal(200_000)
    quantiles = fitted(values)
    assert len(quantiles.values) < 1100
    _, decoded = through_float32(quantiles, values)
    knot = np.clip(np.searchsorted(quantiles.values, values), 1, len(quantiles.values) - 1)
    gap = quantiles.values[knot] - quantiles.values[knot - 1]
    # The snapping to knots and the float32 rounding move z by 2.5e-7 (1 + |z|); a bulk knot interval is 1 / 800 wide
    # in probability, 0.003 in z, hence below 1e-3 of it.
    assert (np.abs(decoded - values) <= 1e-3 * gap).all()


def test_an_outlier_leaves_the_other_values_as_they_are():
    values = np.append(np.random.default_rng(0).standard_normal(5000), 1e12)
    _, decoded = through_float32(fitted(values), values)
    assert np.abs(decoded[:-1] - values[:-1]).max() < 1e-4 and decoded[-1] == 1e12


def test_jitter_is_even_and_the_same_every_time():
    jitter = row_jitter(10_000, column=3)
    assert (jitter == row_jitter(10_000, column=3)).all()
    assert kstest(jitter, "uniform").statistic < 0.0163  # 1 % level for 10,000
    assert abs(np.corrcoef(jitter, row_jitter(10_000, column=4))[0, 1]) < 0.04  # four standard errors of 0.01
