"""Penalties against closed forms: linear and quadratic discriminators, batches of 1, 4 and 256, rows and images."""

from __future__ import annotations

import math

import pytest
import torch

from equipoise import penalties
from equipoise.errors import ConfigError, DataError
from equipoise.penalties import ForwardPass, automatic_gamma, require_independent_samples
from equipoise.penalties.base import norm
from equipoise.penalties.gradient_penalty import between

SIZES = [1, 4, 256]
# Sums of a few products in float64.
EXACT = {"rtol": 1e-12, "atol": 1e-12}


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def samples(size: int, *shape: int, seed: int) -> torch.Tensor:
    return torch.randn(size, *shape, generator=stream(seed), dtype=torch.float64)


def linear(weights: torch.Tensor):
    return lambda x: (x * weights).flatten(start_dim=1).sum(dim=1)


def quadratic(curvature: torch.Tensor, slope: torch.Tensor):
    """l(x) = x.A x / 2 + b.x, whose gradient is A x + b for symmetric A."""
    return lambda x: ((x @ curvature) * x).sum(dim=1) / 2 + x @ slope


def forward_for(penalty, discriminator, real, fake, *, seed: int = 0) -> ForwardPass:
    return ForwardPass(discriminator, real, fake, differentiate=penalty.differentiates, randomness=stream(seed))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["r1", "r2"])
def test_the_zero_centred_penalty_of_a_linear_discriminator_is_half_its_squared_slope(name, size):
    weights, penalty = samples(1, 3, 2, 2, seed=1)[0], penalties.find(name)()
    forward = forward_for(penalty, linear(weights), samples(size, 3, 2, 2, seed=2), samples(size, 3, 2, 2, seed=3))
    expected = weights.square().sum() / 2
    torch.testing.assert_close(penalty.per_sample(forward), expected.expand(size), **EXACT)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["r1", "r2"])
def test_the_zero_centred_penalty_of_a_quadratic_discriminator_is_taken_at_the_right_samples(name, size):
    root, slope = samples(5, 5, seed=4), samples(1, 5, seed=5)[0]
    curvature, penalty = root + root.T, penalties.find(name)()
    real, fake = samples(size, 5, seed=6), samples(size, 5, seed=7)
    forward = forward_for(penalty, quadratic(curvature, slope), real, fake)
    gradient = (real if name == "r1" else fake) @ curvature + slope
    torch.testing.assert_close(penalty.per_sample(forward), gradient.square().sum(dim=1) / 2, **EXACT)


def test_both_penalties_together_share_one_pass_and_change_nothing():
    curvature = torch.diag(torch.tensor([1.0, -2.0], dtype=torch.float64))
    discriminator = quadratic(curvature, torch.ones(2, dtype=torch.float64))
    real, fake = samples(7, 2, seed=8), samples(7, 2, seed=9)
    both = ForwardPass(discriminator, real, fake, differentiate=frozenset({"real", "fake"}))
    for name, side in (("r1", "real"), ("r2", "fake")):
        penalty = penalties.find(name)()
        alone = forward_for(penalty, discriminator, real, fake)
        torch.testing.assert_close(penalty.per_sample(both), penalty.per_sample(alone), **EXACT)
        torch.testing.assert_close(both.input_gradient(side), alone.input_gradient(side), **EXACT)
    torch.testing.assert_close(both.real_logits, discriminator(real), **EXACT)
    torch.testing.assert_close(both.fake_logits, discriminator(fake), **EXACT)


def test_the_gradient_of_r1_in_the_weights_of_a_linear_discriminator_is_the_weights():
    weights = samples(1, 6, seed=10)[0].requires_grad_(True)
    penalty = penalties.find("r1")()
    forward = forward_for(penalty, linear(weights), samples(4, 6, seed=11), samples(4, 6, seed=12))
    (slope,) = torch.autograd.grad(penalty.per_sample(forward).mean(), weights)
    torch.testing.assert_close(slope, weights.detach(), **EXACT)


@pytest.mark.parametrize("is_one_sided", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_a_discriminator_of_slope_one_pays_exactly_nothing_at_every_batch_size(size, is_one_sided):
    penalty = penalties.find("wgan_gp")(is_one_sided=is_one_sided)
    # Sixteen slopes of a quarter: every product, the sum and the root are exact in float32.
    weights = torch.full((1, 4, 4), 0.25)
    real, fake = (samples(size, 1, 4, 4, seed=seed).float() for seed in (13, 14))
    values = penalty.per_sample(forward_for(penalty, linear(weights), real, fake))
    assert values.shape == (size,)
    assert torch.equal(values, torch.zeros(size))
    around = penalties.find("dragan")()
    assert torch.equal(around.per_sample(forward_for(around, linear(weights), real, fake)), torch.zeros(size))


@pytest.mark.parametrize("size", SIZES)
def test_a_linear_discriminator_pays_for_its_excess_slope(size):
    real, fake = samples(size, 2, seed=15), samples(size, 2, seed=16)
    for weights, two_sided, one_sided in (((3.0, 4.0), 16.0, 16.0), ((0.3, 0.4), 0.25, 0.0)):
        for penalty, expected in (
            (penalties.find("wgan_gp")(), two_sided),
            (penalties.find("wgan_gp")(is_one_sided=True), one_sided),
            (penalties.find("dragan")(), two_sided),
        ):
            discriminator = linear(torch.tensor(weights, dtype=torch.float64))
            values = penalty.per_sample(forward_for(penalty, discriminator, real, fake))
            torch.testing.assert_close(values, torch.full((size,), expected, dtype=torch.float64), **EXACT)


@pytest.mark.parametrize("size", SIZES)
def test_wgan_gp_of_a_quadratic_discriminator_is_taken_on_the_segments(size):
    penalty, real, fake = penalties.find("wgan_gp")(), samples(size, 3, seed=17), samples(size, 3, seed=18) + 4
    bowl = quadratic(torch.eye(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64))  # its slope at x is |x|
    values = penalty.per_sample(forward_for(penalty, bowl, real, fake, seed=19))
    points = between(real, fake, randomness=stream(19))
    torch.testing.assert_close(values, (points.square().sum(dim=1).sqrt() - 1).square(), **EXACT)


def test_points_between_are_uniform_on_their_own_segment():
    real, fake = samples(20_000, 2, seed=20), samples(20_000, 2, seed=21)
    points = between(real, fake, randomness=stream(22))
    fractions = (points - fake) / (real - fake)
    torch.testing.assert_close(
        fractions[:, 0], fractions[:, 1], rtol=1e-6, atol=1e-6
    )  # one fraction a sample: on the segment
    fraction = fractions[:, 0]
    # Five standard errors of the mean, sqrt(1/12/n), and of the mean square, sqrt(4/45/n).
    assert abs(float(fraction.mean()) - 1 / 2) < 5 * math.sqrt(1 / 12 / 20_000)
    assert abs(float(fraction.square().mean()) - 1 / 3) < 5 * math.sqrt(4 / 45 / 20_000)
    assert 0 <= float(fraction.min()) and float(fraction.max()) <= 1
    assert len(between(real[:3], fake[:5], randomness=stream())) == 3


def test_dragan_looks_at_normal_noise_of_the_stated_width_around_real_samples():
    penalty, real = penalties.find("dragan")(noise_scale=0.3), samples(40_000, 1, seed=23)
    seen = []

    def discriminator(x: torch.Tensor) -> torch.Tensor:
        seen.append(x.detach())
        return 0 * x.sum(dim=1)

    penalty.per_sample(forward_for(penalty, discriminator, real, real))
    noise = seen[-1] - real
    # Five standard errors of a mean and of a standard deviation of 40,000 normal numbers.
    assert abs(float(noise.mean())) < 5 * 0.3 / 200
    assert float(noise.std()) == pytest.approx(0.3, abs=5 * 0.3 / math.sqrt(80_000))


@pytest.mark.parametrize("name", ["wgan_gp", "dragan"])
def test_a_flat_discriminator_pays_one_and_gets_no_push_rather_than_nan(name):
    weights = torch.zeros(3, requires_grad=True)
    penalty = penalties.find(name)()
    real, fake = torch.randn(4, 3), torch.randn(4, 3)
    values = penalty.per_sample(forward_for(penalty, linear(weights), real, fake))
    assert torch.equal(values, torch.ones(4))
    (slope,) = torch.autograd.grad(values.mean(), weights)
    assert torch.equal(slope, torch.zeros(3))


def test_the_norm_is_one_per_sample_whatever_the_shape_of_a_sample():
    gradient = torch.zeros(2, 3, 2, 2)
    gradient[0], gradient[1, 0, 0, 0] = 1.0, 5.0
    torch.testing.assert_close(norm(gradient), torch.tensor([math.sqrt(12), 5.0]))
    assert norm(gradient.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize("size", SIZES)
def test_lecam_pulls_each_side_to_the_running_mean_of_the_other(size):
    penalty = penalties.find("lecam")(decay=0.75)
    discriminator = linear(torch.tensor([1.0, 0.0], dtype=torch.float64))
    updates = [(samples(size, 2, seed=seed), samples(size, 2, seed=seed + 50)) for seed in (24, 25, 26)]
    expected_weight, expected_real, expected_fake = 0.0, 0.0, 0.0
    for update, (real, fake) in enumerate(updates):
        forward = forward_for(penalty, discriminator, real, fake)
        real_mean, fake_mean = float(real[:, 0].mean()), float(fake[:, 0].mean())
        if update == 0:
            alpha_real, alpha_fake = real_mean, fake_mean
        else:
            alpha_real, alpha_fake = expected_real / expected_weight, expected_fake / expected_weight
        expected = (real[:, 0] - alpha_fake).square() + (fake[:, 0] - alpha_real).square()
        # The state is float32: anchors are good to a few of its roundings.
        torch.testing.assert_close(penalty.per_sample(forward).double(), expected, rtol=1e-5, atol=1e-5)
        penalty.observe(forward)
        expected_real = 0.75 * expected_real + 0.25 * real_mean
        expected_fake = 0.75 * expected_fake + 0.25 * fake_mean
        expected_weight = 0.75 * expected_weight + 0.25
    assert float(penalty.state["weights"]) == pytest.approx(1 - 0.75**3)


def test_consistency_of_a_linear_discriminator_is_the_squared_difference_of_its_logits():
    weights = torch.tensor([2.0, -1.0], dtype=torch.float64)
    real, fake = samples(4, 2, seed=27), samples(4, 2, seed=28)
    shift = torch.tensor([1.0, 0.5], dtype=torch.float64)
    penalty = penalties.find("consistency")(augmentation=lambda x, randomness: x + shift, fake_share=0.5)
    values = penalty.per_sample(forward_for(penalty, linear(weights), real, fake))
    torch.testing.assert_close(values, torch.full((4,), 1.5 * 1.5**2, dtype=torch.float64), **EXACT)
    # A shift across the gradient, which the discriminator does not see.
    unseen = penalties.find("consistency")(augmentation=lambda x, randomness: x + torch.tensor([1.0, 2.0]))
    values = unseen.per_sample(forward_for(unseen, linear(weights), real, fake))
    torch.testing.assert_close(values, torch.zeros(4, dtype=torch.float64), **EXACT)


def test_consistency_with_its_own_noise_has_the_expected_size():
    weights = torch.tensor([3.0, 4.0], dtype=torch.float64)
    real, penalty = samples(20_000, 2, seed=29), penalties.find("consistency")(noise_scale=0.1, fake_share=0.0)
    values = penalty.per_sample(forward_for(penalty, linear(weights), real, real))
    # E (w . noise)^2 = 0.01 |w|^2 = 0.25; a squared normal has a variance of twice its squared mean.
    assert float(values.mean()) == pytest.approx(0.25, abs=5 * 0.25 * math.sqrt(2 / 20_000))


@pytest.mark.parametrize("layer", [torch.nn.BatchNorm1d(3), torch.nn.SyncBatchNorm(3)])
def test_batch_normalisation_under_a_per_sample_penalty_is_refused_by_name(layer):
    discriminator = torch.nn.Sequential(torch.nn.Linear(3, 3), layer, torch.nn.Linear(3, 1))
    with pytest.raises(ConfigError, match=r"layer '1' is batch normalisation.*'r1'"):
        require_independent_samples(discriminator, [penalties.find("r1")()])
    require_independent_samples(discriminator, [penalties.find("lecam")()])
    require_independent_samples(
        torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.LayerNorm(3)), [penalties.find("r1")()]
    )


def test_batch_normalisation_does_break_a_per_sample_penalty():
    # The reason for the refusal: with it, the penalty of one sample depends on its neighbours.
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(2, 4), torch.nn.BatchNorm1d(4), torch.nn.Tanh(), torch.nn.Linear(4, 1)
    )
    penalty, real = penalties.find("r1")(), torch.randn(4, 2)
    other = torch.cat([real[:1], torch.randn(3, 2)])
    first, second = (
        penalty.per_sample(forward_for(penalty, lambda x: network(x).squeeze(1), batch, batch))[0]
        for batch in (real, other)
    )
    assert abs(float((first - second).detach())) > 1e-3


def test_automatic_gamma_scales_with_the_square_of_the_data_and_ignores_where_it_lies():
    data = samples(4_000, 2, seed=30)
    unit = automatic_gamma((data - data.mean(dim=0)) / data.std(dim=0))
    assert (unit.start, unit.end) == (pytest.approx(0.1), pytest.approx(1e-3))
    assert unit.start_resolution == pytest.approx(2 * math.sqrt(0.1))
    scaled = automatic_gamma(7 * (data - data.mean(dim=0)) / data.std(dim=0) + 100)
    assert scaled.start == pytest.approx(49 * unit.start, rel=1e-9)
    assert scaled.end == pytest.approx(49 * unit.end, rel=1e-9)
    with_border = torch.cat([data, torch.full((4_000, 5), -1.0)], dim=1)
    assert automatic_gamma(with_border).start == pytest.approx(automatic_gamma(data).start)


def test_the_same_game_at_another_scale_has_the_same_penalty_once_gamma_follows():
    # l(x / s) on data times s: gradients shrink by s, gamma grows by s^2.
    weights, real = samples(1, 3, seed=31)[0], samples(8, 3, seed=32)
    penalty = penalties.find("r1")()
    small = automatic_gamma(real).start * penalty.per_sample(forward_for(penalty, linear(weights), real, real))
    large_data = 5 * real
    at_large = penalty.per_sample(forward_for(penalty, linear(weights / 5), large_data, large_data))
    torch.testing.assert_close(automatic_gamma(large_data).start * at_large, small, **EXACT)


@pytest.mark.parametrize("data", [torch.zeros(5, 2), torch.ones(1, 2)])
def test_data_that_do_not_vary_have_no_automatic_gamma(data):
    with pytest.raises(DataError, match="do not vary"):
        automatic_gamma(data)
