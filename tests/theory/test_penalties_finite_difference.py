"""The finite-difference form of R1 and R2: exact where theory says so, its bias and its variance measured apart."""

from __future__ import annotations

import math

import pytest
import torch

from equipoise import penalties
from equipoise.errors import ConfigError
from equipoise.penalties import ForwardPass
from equipoise.penalties.r1_r2 import squared_directional_derivative

DRAWS = 20_000


def stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def estimates(discriminator, point: torch.Tensor, *, step_size: float, seed: int = 0) -> torch.Tensor:
    repeated = point.expand(DRAWS, *point.shape)
    return squared_directional_derivative(discriminator, repeated, step_size=step_size, randomness=stream(seed))


@pytest.mark.parametrize("step_size", [1e-3, 0.1, 1.0])
def test_it_is_unbiased_with_the_stated_variance_for_a_quadratic_discriminator_at_every_step_size(step_size):
    root = torch.randn(4, 4, generator=stream(1), dtype=torch.float64)
    curvature, slope = root + root.T, torch.randn(4, generator=stream(2), dtype=torch.float64)
    point = torch.randn(4, generator=stream(3), dtype=torch.float64)
    gradient = curvature @ point + slope
    values = estimates(lambda x: ((x @ curvature) * x).sum(dim=1) / 2 + x @ slope, point, step_size=step_size)
    mean, variance = float(gradient.square().sum()), 2 * float(gradient.square().sum() ** 2 - gradient.pow(4).sum())
    # Five standard errors of a mean; a variance from 20,000 draws of kurtosis below 10 is known to 2.2 %.
    assert abs(float(values.mean()) - mean) < 5 * math.sqrt(variance / DRAWS)
    assert float(values.var()) == pytest.approx(variance, rel=0.11)


def test_normal_directions_would_have_a_larger_variance():
    gradient = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    signs = estimates(lambda x: x @ gradient, torch.zeros(3, dtype=torch.float64), step_size=0.1)
    normal = (torch.randn(DRAWS, 3, generator=stream(4), dtype=torch.float64) @ gradient).square()
    squared, fourth = float(gradient.square().sum()), float(gradient.pow(4).sum())
    assert float(signs.var()) == pytest.approx(2 * (squared**2 - fourth), rel=0.11)
    assert float(normal.var()) == pytest.approx(2 * squared**2, rel=0.15)


def test_in_one_dimension_it_has_no_variance():
    values = estimates(lambda x: 3 * x.sum(dim=1), torch.zeros(1, dtype=torch.float64), step_size=0.1)
    torch.testing.assert_close(values, torch.full((DRAWS,), 9.0, dtype=torch.float64), rtol=1e-12, atol=0)


@pytest.mark.parametrize("step_size", [0.4, 0.2, 0.1, 0.05])
def test_its_bias_for_a_cubic_discriminator_is_the_stated_one_and_of_order_step_size_squared(step_size):
    # l = x^3 at 1: the difference quotient is 3 + eps^2 in either direction, its square 9 + 6 eps^2 + eps^4.
    values = estimates(lambda x: x.pow(3).sum(dim=1), torch.ones(1, dtype=torch.float64), step_size=step_size)
    bias = float(values.mean()) - 9.0
    assert bias == pytest.approx(6 * step_size**2 + step_size**4, rel=1e-9)
    # The docstring's leading term: eps^2/3 (v g) D^3 l(v,v,v) = eps^2/3 * 3 * 6.
    assert bias == pytest.approx(step_size**2 / 3 * 3 * 6, rel=step_size**2 / 5)


def test_its_bias_in_several_dimensions_falls_with_the_square_of_the_step_size():
    def discriminator(x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x @ torch.tensor([1.0, -0.5, 0.25], dtype=torch.float64)) + x[:, 0].sin() * x[:, 1]

    point = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64)
    place = point[None].clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(place).sum(), place)
    # All eight directions, so that nothing but bias is left.
    directions = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 3)

    def bias(step_size: float) -> float:
        ahead, behind = discriminator(point + step_size * directions), discriminator(point - step_size * directions)
        return float(((ahead - behind) / (2 * step_size)).square().mean() - gradient.square().sum())

    # Halving the step quarters the bias, up to the next order: a relative eps^2 of some units.
    assert bias(0.1) / bias(0.05) == pytest.approx(4.0, rel=0.05)
    # And the function draws exactly these directions: its mean lies within five standard errors of theirs.
    values = estimates(discriminator, point, step_size=0.1)
    expected = float(gradient.square().sum()) + bias(0.1)
    assert abs(float(values.mean()) - expected) < 5 * float(values.std()) / math.sqrt(DRAWS)


@pytest.mark.parametrize("name", ["r1", "r2"])
def test_the_penalty_in_this_form_equals_the_exact_one_on_average(name):
    exact, drawn = penalties.find(name)(), penalties.find(name)(form="finite_difference", step_size=1e-3)
    weights = torch.tensor([1.0, -2.0], dtype=torch.float64)
    real, fake = (torch.randn(DRAWS, 2, generator=stream(seed), dtype=torch.float64) for seed in (5, 6))
    fake = fake + 2  # elsewhere, where the slope is another

    def discriminator(x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x @ weights)

    expected = exact.per_sample(ForwardPass(discriminator, real, fake, differentiate=exact.differentiates))
    found = drawn.per_sample(ForwardPass(discriminator, real, fake, randomness=stream(7)))
    assert not drawn.differentiates
    differences = (found - expected).detach()
    # eps = 1e-3: a bias of order 1e-6, far below five standard errors of the mean (about 0.01).
    assert abs(float(differences.mean())) < 5 * float(differences.std()) / math.sqrt(DRAWS)


def test_its_gradient_in_the_weights_is_unbiased_too():
    weights = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64, requires_grad=True)
    penalty = penalties.find("r1")(form="finite_difference")
    real = torch.randn(DRAWS, 3, generator=stream(8), dtype=torch.float64)
    values = penalty.per_sample(ForwardPass(lambda x: x @ weights, real, real, randomness=stream(9)))
    (slope,) = torch.autograd.grad(values.mean(), weights)
    # d/dw (v.w)^2 / 2 = (v.w) v, whose mean is w and whose variance per coordinate is sum of the other squares.
    for found, weight in zip(slope.tolist(), weights.tolist(), strict=True):
        spread = math.sqrt(float(weights.detach().square().sum()) - weight**2)
        assert abs(found - weight) < 5 * spread / math.sqrt(DRAWS)


@pytest.mark.parametrize("step_size", [0.0, -1.0, math.inf, math.nan])
def test_a_step_size_that_is_no_distance_is_refused(step_size):
    with pytest.raises(ConfigError, match=r"r1\.step_size"):
        penalties.find("r1")(form="finite_difference", step_size=step_size)


def test_an_unknown_form_is_answered_with_the_nearest_one():
    with pytest.raises(ConfigError, match="Did you mean 'finite_difference'"):
        penalties.find("r2")(form="finite_differences")
