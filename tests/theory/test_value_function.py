"""The batch value as a Monte-Carlo estimate: unbiased at every batch size, with an error that is what it says.

Logits are drawn directly: normal on each side, so that the true V is a one-dimensional integral. 20,000 batches each.
"""

from __future__ import annotations

import functools
import math

import pytest
import torch
from densities import gaussian_mean
from torch.nn.functional import logsigmoid

from equipoise import objectives
from equipoise.errors import DataError
from equipoise.objectives import value_function
from equipoise.objectives.value import AS_DRAWN, two_sample_variance

DRAWS = 20_000
REAL_MEAN, FAKE_MEAN, SD = 0.6, -0.3, 0.5
# A mean of 20,000 draws lies within 5 standard errors of its expectation but for one time in two million.
SIGMAS = 5.0
UNBIASED = sorted(set(objectives.available()) - {"relativistic_average"})


def true_value(objective, *, real_mean: float = REAL_MEAN) -> float:
    if objective.form == "pairing":
        return gaussian_mean(objective.real_term, real_mean - FAKE_MEAN, math.sqrt(2) * SD)
    if objective.form == "averaging":
        real_part = gaussian_mean(objective.real_term, real_mean - FAKE_MEAN, SD)
        return real_part + gaussian_mean(objective.fake_term, FAKE_MEAN - real_mean, SD)
    return gaussian_mean(objective.real_term, real_mean, SD) + gaussian_mean(objective.fake_term, FAKE_MEAN, SD)


@functools.lru_cache(maxsize=4)
def batches(size: int, *, seed: int = 0, count: int = DRAWS) -> tuple[torch.Tensor, torch.Tensor]:
    stream = torch.Generator().manual_seed(seed)
    normal = torch.randn(2, count, size, generator=stream, dtype=torch.float64)
    return REAL_MEAN + SD * normal[0], FAKE_MEAN + SD * normal[1]


def assert_mean_is(numbers: torch.Tensor, expected: float) -> None:
    error = float(numbers.std()) / math.sqrt(len(numbers))
    assert abs(float(numbers.mean()) - expected) <= SIGMAS * error, (float(numbers.mean()), expected, error)


def estimates(objective, real: torch.Tensor, fake: torch.Tensor, **options):
    found = [value_function(objective, *sides, **options) for sides in zip(real, fake, strict=True)]
    values = torch.tensor([estimate.value for estimate in found], dtype=torch.float64)
    errors = [estimate.standard_error for estimate in found]
    return values, None if errors[0] is None else torch.tensor(errors, dtype=torch.float64)


@pytest.mark.parametrize("size", [1, 2, 16, 256])
@pytest.mark.parametrize("name", UNBIASED)
def test_the_batch_value_is_unbiased_at_every_batch_size(name, size):
    objective = objectives.find(name)()
    real, fake = batches(size)
    assert_mean_is(torch.vmap(objective.value)(real, fake), true_value(objective))


@pytest.mark.parametrize("size", [1, 2, 16])
@pytest.mark.parametrize("name", ["minimax", "relativistic"])
def test_the_measured_value_is_unbiased_and_so_is_its_squared_error(name, size):
    objective = objectives.find(name)()
    values, errors = estimates(objective, *batches(size, seed=1))
    assert_mean_is(values, true_value(objective))
    if size == 1:
        assert errors is None
        return
    # Var(estimate) is known from the draws themselves; the standard deviation of a variance estimate from n draws of
    # kurtosis k is sqrt((k - 1) / n) of it, and k stays below 6 here.
    variance = float(values.var())
    squared_errors = errors.square()
    error = math.hypot(float(squared_errors.std()) / math.sqrt(DRAWS), variance * math.sqrt(5 / DRAWS))
    assert abs(float(squared_errors.mean()) - variance) <= SIGMAS * error


def test_the_squared_error_of_all_pairs_needs_its_second_order_term():
    # With two draws a side the first-order formula, var(rows)/m + var(columns)/n, is too large: both means contain
    # the interaction, once each. This shows that the test above could have seen the mistake.
    term = lambda t: torch.exp(-t.square())  # noqa: E731 -- even, so that the first-order terms nearly vanish
    stream = torch.Generator().manual_seed(3)
    x, y = (torch.randn(DRAWS, 2, generator=stream, dtype=torch.float64) for _ in range(2))
    tables = term(x[:, :, None] - y[:, None, :])
    values = tables.mean(dim=(1, 2))
    centred = tables - values[:, None, None]
    unbiased = torch.stack([two_sample_variance(t.sum(1), t.sum(0), t.square().sum()) for t in centred])
    first_order = tables.mean(dim=2).var(dim=1) / 2 + tables.mean(dim=1).var(dim=1) / 2
    variance = float(values.var())
    error = math.hypot(float(unbiased.std()) / math.sqrt(DRAWS), variance * math.sqrt(5 / DRAWS))
    assert abs(float(unbiased.mean()) - variance) <= SIGMAS * error
    assert float(first_order.mean()) > variance + 2 * SIGMAS * error
    assert float(unbiased.min()) < 0  # the price of being unbiased for a term that is not monotone


def test_the_squared_error_of_a_monotone_pairing_is_never_negative():
    stream = torch.Generator().manual_seed(4)
    for trial in range(300):
        m, n = 2 + trial % 4, 2 + trial % 3
        x, y = (3 * torch.randn(count, generator=stream, dtype=torch.float64) for count in (m, n))
        # A random staircase: the hardest monotone functions are those with jumps.
        edges = torch.sort(3 * torch.randn(4, generator=stream, dtype=torch.float64)).values
        table = torch.bucketize(x[:, None] - y[None, :], edges).double()
        centred = table - table.mean()
        assert float(two_sample_variance(centred.sum(1), centred.sum(0), centred.square().sum())) >= -1e-12


def test_all_pairs_of_unequal_batches_are_counted_and_have_an_unbiased_error():
    objective = objectives.find("relativistic")()
    real, fake = batches(6, seed=5, count=8_000)[0], batches(3, seed=6, count=8_000)[1]
    values, errors = estimates(objective, real, fake)
    assert_mean_is(values, true_value(objective))
    variance, squared_errors = float(values.var()), errors.square()
    error = math.hypot(float(squared_errors.std()), variance * math.sqrt(5)) / math.sqrt(8_000)
    assert abs(float(squared_errors.mean()) - variance) <= SIGMAS * error
    by_hand = logsigmoid(real[0][:, None] - fake[0][None, :]).mean()
    assert values[0].item() == pytest.approx(float(by_hand), abs=1e-9)  # softplus is linear beyond 20, to 2e-9


def test_the_pairs_are_the_same_whatever_the_block_they_are_visited_in(monkeypatch):
    objective = objectives.find("relativistic")()
    real, fake = batches(37, count=1)
    whole = value_function(objective, real[0], fake[0][:23])
    monkeypatch.setattr("equipoise.objectives.value._PAIRS_AT_ONCE", 50)
    pieces = value_function(objective, real[0], fake[0][:23])
    assert pieces.value == pytest.approx(whole.value, rel=1e-13)
    assert pieces.standard_error == pytest.approx(whole.standard_error, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), [("minimax", DRAWS), ("relativistic", 4_000), ("hinge", DRAWS)])
def test_intervals_of_95_percent_cover_the_true_value_93_to_97_times_in_a_hundred(name, count):
    objective = objectives.find(name)()
    real, fake = batches(256, seed=7, count=count)
    truth = true_value(objective)
    values, errors = estimates(objective, real, fake)
    coverage = float(((values - truth).abs() <= 1.959964 * errors).double().mean())
    # From 4,000 intervals the observed share has a standard error of 0.35 %: 93 to 97 is nearly six of them each way.
    assert 0.93 <= coverage <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 16, 256])
def test_known_weights_give_the_value_under_the_data_density_without_bias(size):
    # Logits drawn from N(mean, sd), wanted under the density that e^{tilt z} gives: N(mean + tilt sd, sd). E[w] = 1.
    objective, tilt = objectives.find("minimax")(), 0.5
    real, fake = batches(size, seed=8, count=DRAWS if size < 256 else 5_000)
    weights = torch.exp(tilt * (real - REAL_MEAN) / SD - tilt**2 / 2)
    found = [value_function(objective, r, f, weights=w) for r, f, w in zip(real, fake, weights, strict=True)]
    values = torch.tensor([estimate.value for estimate in found], dtype=torch.float64)
    assert_mean_is(values, true_value(objective, real_mean=REAL_MEAN + tilt * SD))
    assert "known constant" in found[0].density
    if size > 1:
        squared = torch.tensor([estimate.standard_error for estimate in found], dtype=torch.float64).square()
        error = float(squared.std()) / math.sqrt(len(squared)) + float(values.var()) * math.sqrt(10 / len(squared))
        assert abs(float(squared.mean()) - float(values.var())) <= SIGMAS * error


def test_known_weights_are_unbiased_for_pairs_too():
    objective, tilt = objectives.find("relativistic")(), 0.5
    real, fake = batches(4, seed=9, count=8_000)
    weights = torch.exp(tilt * (real - REAL_MEAN) / SD - tilt**2 / 2)
    found = [value_function(objective, r, f, weights=w) for r, f, w in zip(real, fake, weights, strict=True)]
    values = torch.tensor([estimate.value for estimate in found], dtype=torch.float64)
    assert_mean_is(values, true_value(objective, real_mean=REAL_MEAN + tilt * SD))
    squared = torch.tensor([estimate.standard_error for estimate in found], dtype=torch.float64).square()
    error = float(squared.std()) / math.sqrt(8_000) + float(values.var()) * math.sqrt(10 / 8_000)
    assert abs(float(squared.mean()) - float(values.var())) <= SIGMAS * error


@pytest.mark.slow
def test_self_normalised_weights_have_a_bias_that_falls_like_one_over_the_batch_size():
    # x ~ N(0,1), w = e^x, and the logit log r = x - 1/2 between N(1,1) and N(0,1).
    objective, stated = objectives.find("minimax")(), {1: -0.50, 2: -0.28, 16: -0.05, 256: -0.003}
    truth = gaussian_mean(logsigmoid, 0.5, 1.0) - math.log(2)
    # First order: bias = -E[w^2 (f - F)] / m with E[w] = 1; w^2 e^{-1} moves the mean of x to 2 and has E[w^2] = e.
    leading = -math.e * (gaussian_mean(logsigmoid, 1.5, 1.0) - gaussian_mean(logsigmoid, 0.5, 1.0))
    stream = torch.Generator().manual_seed(10)
    for size, bias in stated.items():
        x = torch.randn(DRAWS, size, generator=stream, dtype=torch.float64)
        found = [
            value_function(objective, row - 0.5, torch.zeros(1), weights=row.exp(), weighting="self_normalised")
            for row in x
        ]
        values = torch.tensor([estimate.value for estimate in found], dtype=torch.float64)
        error = float(values.std()) / math.sqrt(DRAWS)
        rounding = 0.0005 if size == 256 else 0.005
        assert abs(float(values.mean()) - truth - bias) <= SIGMAS * error + rounding
        if size == 256:
            # The next order is a further factor of a few over m.
            assert abs(float(values.mean()) - truth - leading / size) <= SIGMAS * error + 0.05 * abs(leading) / size
        assert "self-normalised" in found[0].density


def test_self_normalised_weights_may_have_any_constant_and_known_ones_may_not():
    objective = objectives.find("relativistic")()
    real, fake = batches(16, count=1)
    weights = torch.linspace(0.1, 1.1, 16, dtype=torch.float64)
    of = lambda w, weighting: value_function(objective, real[0], fake[0], weights=w, weighting=weighting)  # noqa: E731
    one, ten = of(weights, "self_normalised"), of(10 * weights, "self_normalised")
    assert one.value == pytest.approx(ten.value, rel=1e-12)
    assert one.standard_error == pytest.approx(ten.standard_error, rel=1e-10)
    assert of(10 * weights, "known").value == pytest.approx(10 * of(weights, "known").value, rel=1e-6)


@pytest.mark.parametrize("name", ["minimax", "relativistic", "relativistic_average"])
@pytest.mark.parametrize("weighting", ["known", "self_normalised"])
def test_equal_weights_change_neither_value_nor_error(name, weighting):
    objective = objectives.find(name)()
    real, fake = batches(16, count=1)
    plain = value_function(objective, real[0], fake[0])
    weighted = value_function(objective, real[0], fake[0], weights=torch.ones(16), weighting=weighting)
    assert weighted.value == pytest.approx(plain.value, rel=1e-12)
    assert weighted.standard_error == pytest.approx(plain.standard_error, rel=1e-12)


@pytest.mark.parametrize("name", ["minimax", "relativistic", "relativistic_average"])
def test_the_error_with_self_normalised_weights_is_the_spread_that_is_seen(name):
    objective = objectives.find(name)()
    real, fake = batches(128, seed=11, count=1_500)
    weights = torch.exp(0.5 * (real - REAL_MEAN) / SD)
    found = [
        value_function(objective, r, f, weights=w, weighting="self_normalised")
        for r, f, w in zip(real, fake, weights, strict=True)
    ]
    values = torch.tensor([estimate.value for estimate in found], dtype=torch.float64)
    typical = math.sqrt(sum(estimate.standard_error**2 for estimate in found) / len(found))
    # 1,500 repeats know a standard deviation to 1.8 %; the delta method at m = 128 is good to about 2 %.
    assert typical == pytest.approx(float(values.std()), rel=0.10)


def test_the_average_game_is_biased_by_an_amount_that_falls_like_one_over_the_batch_size():
    objective = objectives.find("relativistic_average")()
    biases = {}
    for size in (1, 2, 16, 256):
        real, fake = batches(size, seed=12)
        # With the true means in place of the batch's the estimate has no bias, and nearly the same noise.
        unbiased = objective.real_term(real - FAKE_MEAN).mean(dim=1) + objective.fake_term(fake - REAL_MEAN).mean(dim=1)
        assert_mean_is(unbiased, true_value(objective))
        differences = torch.vmap(objective.value)(real, fake) - unbiased
        biases[size] = float(differences.mean())
        error = float(differences.std()) / math.sqrt(DRAWS)
        if size == 1:
            # One draw a side compares each sample with the other: twice the pairing value.
            paired = 2 * gaussian_mean(logsigmoid, REAL_MEAN - FAKE_MEAN, math.sqrt(2) * SD)
            assert abs(biases[1] - (paired - true_value(objective))) <= SIGMAS * error
        # A mean inside a concave function makes the value too small, by a second derivative times a variance / m;
        # what is left after the first order is of order 1/m^2, and is not resolved at m = 256.
        assert abs(biases[size] - biases[1] / size) <= SIGMAS * error + 0.3 * abs(biases[1]) / size
        assert size == 256 or biases[size] < -SIGMAS * error


def test_the_average_game_has_an_error_that_matches_the_spread_that_is_seen():
    objective = objectives.find("relativistic_average")()
    real, fake = batches(64, seed=13, count=2_000)
    values, errors = estimates(objective, real, fake)
    # 2,000 repeats know a standard deviation to 1.6 %; the delta method at m = 64 is good to about 2 %.
    assert math.sqrt(float(errors.square().mean())) == pytest.approx(float(values.std()), rel=0.08)


def test_one_draw_a_side_has_a_value_and_says_that_it_has_no_standard_error():
    estimate = value_function(objectives.find("minimax")(), torch.zeros(1), torch.zeros(1))
    assert estimate.value == pytest.approx(-math.log(4))
    assert estimate.standard_error is None
    assert estimate.interval() is None
    assert "no standard error" in str(estimate)
    assert (estimate.real_count, estimate.fake_count, estimate.density) == (1, 1, AS_DRAWN)
    assert value_function(objectives.find("relativistic")(), torch.zeros(1), torch.zeros(5)).standard_error is None


def test_statistics_are_in_float64_whatever_the_logits_were_in():
    # 1e5 numbers around 100: float32 would lose the fourth digit of a spread of 1e-3.
    stream = torch.Generator().manual_seed(14)
    fake = 100 + 1e-3 * torch.randn(100_000, generator=stream, dtype=torch.float64)
    estimate = value_function(objectives.find("wasserstein")(), torch.zeros(2), fake)
    assert estimate.value == pytest.approx(-float(fake.mean()), rel=1e-14)
    assert estimate.standard_error == pytest.approx(float(fake.std()) / math.sqrt(100_000), rel=1e-9)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (torch.tensor([1.0, -0.5, 1.0]), "weight 1 is negative"),
        (torch.zeros(3), "all weights are zero"),
        (torch.tensor([1.0, math.nan, 1.0]), "not a finite number"),
        (torch.ones(2), "shape"),
    ],
)
def test_weights_that_are_no_weights_are_refused(weights, message):
    with pytest.raises(DataError, match=message):
        value_function(objectives.find("minimax")(), torch.zeros(3), torch.zeros(3), weights=weights)


def test_an_empty_side_is_refused():
    with pytest.raises(DataError, match="0 real and 3 generated"):
        value_function(objectives.find("minimax")(), torch.zeros(0), torch.zeros(3))
