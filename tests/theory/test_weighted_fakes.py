"""Importance weights of generated samples: V, its error and the generator's gradient are those of its own density.

The generator is a mixture whose components are drawn equally often. What it should give is written out here as sums
over components and integrals over the normal draw within each.
"""

from __future__ import annotations

import math

import pytest
import torch
from densities import gaussian_mean
from torch import nn

from equipoise import objectives
from equipoise.game import Batch, Player, discriminator_loss, generator_loss
from equipoise.networks.mixture_prior import MixturePriorGenerator
from equipoise.objectives import value_function
from equipoise.penalties import find as find_penalty
from equipoise.spaces import PointSpace

COMPONENTS = 4
SIGMAS = 5.0
"""A mean of many draws lies within 5 standard errors of its expectation but for one time in two million."""


@pytest.fixture(params=objectives.available())
def objective(request):
    return objectives.find(request.param)()


def mixture(dimensions: int, **options) -> MixturePriorGenerator:
    """A generator whose components come unequally often."""
    torch.manual_seed(2)
    generator = MixturePriorGenerator(PointSpace(dimensions), components=COMPONENTS, width=6, **options).double()
    with torch.no_grad():
        generator.weight_logits.copy_(torch.tensor([0.4, -1.0, 1.1, 0.0]))
    return generator


def discriminator(dimensions: int) -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(dimensions, 8), nn.Softplus(), nn.Linear(8, 1), nn.Flatten(0)).double()


def player(network: nn.Module) -> Player:
    return Player(network, torch.optim.SGD(network.parameters(), lr=1.0))


def every_component(normals: torch.Tensor) -> torch.Tensor:
    """Latents of each component with each of the normal draws; component by component."""
    quantiles = (torch.arange(COMPONENTS, dtype=torch.float64) + 0.5) / COMPONENTS
    last = torch.special.ndtri(quantiles).repeat_interleave(len(normals))
    return torch.cat([normals.repeat(COMPONENTS, 1), last[:, None]], dim=1)


def enumerated_losses(objective, generator, network, real, latents, logits_of_weights):
    """Both losses as explicit sums over components, with their shares as a function of `logits_of_weights`."""
    shares = torch.softmax(logits_of_weights, 0)
    with torch.no_grad():
        fake = generator.weighted_samples(latents).samples
        on_real, on_fake = network(real), network(fake).reshape(COMPONENTS, -1)

    def over_components(terms: torch.Tensor) -> torch.Tensor:
        return sum(shares[k] * terms[k].mean() for k in range(COMPONENTS))

    if objective.form == "pairing":
        pairs = on_real.reshape(COMPONENTS, -1) - on_fake
        return -over_components(objective.real_term(pairs)), over_components(objective.generator_fake_term(-pairs))
    real_margins, fake_margins = on_real, on_fake
    if objective.form == "averaging":
        real_margins, fake_margins = on_real - over_components(on_fake), on_fake - on_real.mean()
    value = objective.real_term(real_margins).mean() + over_components(objective.fake_term(fake_margins))
    answer = over_components(objective.generator_fake_term(fake_margins))
    if objective.generator_real_term is not None:
        answer = answer + objective.generator_real_term(real_margins).mean()
    return -value, answer


def test_both_losses_and_the_gradient_of_the_mixture_weights_are_those_of_full_enumeration(objective):
    generator, network = mixture(2), discriminator(2)
    stream = torch.Generator().manual_seed(4)
    latents = every_component(torch.randn(3, 2, generator=stream, dtype=torch.float64))
    real = torch.randn(len(latents), 2, generator=stream, dtype=torch.float64)
    batch = Batch(real=real, latents=latents)
    _, loss, _ = discriminator_loss(player(network), player(generator), objective=objective, batch=batch)
    answer = generator_loss(player(network), player(generator), objective=objective, batch=batch)
    (gradient,) = torch.autograd.grad(answer, generator.weight_logits)

    def enumerated(weights: torch.Tensor) -> tuple[float, float]:
        found = enumerated_losses(objective, generator, network, real, latents, weights)
        return float(found[0]), float(found[1])

    weights = generator.weight_logits.detach()
    assert (float(loss.detach()), float(answer.detach())) == pytest.approx(enumerated(weights), rel=1e-12)
    step = 1e-5  # central differences: an error of 1e-10, and rounding of 1e-11
    for index in range(COMPONENTS):
        shift = step * torch.eye(COMPONENTS, dtype=torch.float64)[index]
        difference = (enumerated(weights + shift)[1] - enumerated(weights - shift)[1]) / (2 * step)
        assert float(gradient[index]) == pytest.approx(difference, rel=1e-6, abs=1e-9)


def test_equal_draws_of_random_components_have_that_gradient_on_average():
    """Components drawn at random rather than spread evenly: unbiased all the same."""
    objective, generator, network = objectives.find("nonsaturating")(), mixture(1), discriminator(1)
    latents = torch.randn(400_000, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    real = torch.zeros(len(latents), 1, dtype=torch.float64)
    loss = generator_loss(
        player(network), player(generator), objective=objective, batch=Batch(real=real, latents=latents)
    )
    (gradient,) = torch.autograd.grad(loss, generator.weight_logits)
    shares = generator.shares.detach()
    expected = torch.tensor([of_component(generator, network, k, objective.generator_fake_term) for k in range(4)])
    exact = shares * (expected - shares @ expected.double())
    # Terms of about 0.7 times weights of 1: each entry is a mean with a standard error below 0.7 * 2 / sqrt(n) = 0.002.
    torch.testing.assert_close(gradient, exact, rtol=0, atol=SIGMAS * 0.002)


def of_component(generator, network, component: int, term) -> float:
    """E term(l(x)) of one component, by quadrature over its normal draw."""
    quantile = torch.special.ndtri(torch.tensor((component + 0.5) / COMPONENTS, dtype=torch.float64))

    def integrand(normals: torch.Tensor) -> torch.Tensor:
        latents = torch.stack([normals.reshape(-1), quantile.expand(normals.numel())], dim=1)
        with torch.no_grad():
            return term(network(generator.weighted_samples(latents).samples)).reshape(normals.shape)

    return gaussian_mean(integrand, 0.0, 1.0)


@pytest.mark.parametrize("name", ["minimax", "least_squares", "wasserstein"])
def test_the_measured_value_is_that_of_quadrature_within_its_error(name):
    objective, generator, network = objectives.find(name)(), mixture(1), discriminator(1)
    real_part = gaussian_mean(lambda x: objective.real_term(network(x.reshape(-1, 1)).detach()), 0.3, 0.8)
    shares = generator.shares.tolist()
    truth = real_part + sum(
        share * of_component(generator, network, k, objective.fake_term) for k, share in enumerate(shares)
    )
    stream = torch.Generator().manual_seed(6)
    real = 0.3 + 0.8 * torch.randn(200_000, 1, generator=stream, dtype=torch.float64)
    latents = torch.randn(200_000, 2, generator=stream, dtype=torch.float64)
    with torch.no_grad():
        made, plain = generator.weighted_samples(latents), generator(latents)
        weighted = value_function(objective, network(real), network(made.samples), fake_weights=made.weights)
        drawn = value_function(objective, network(real), network(plain))
        unweighted = value_function(objective, network(real), network(made.samples))
    for found in (weighted, drawn):
        assert abs(found.value - truth) <= SIGMAS * found.standard_error
    assert abs(unweighted.value - truth) > SIGMAS * unweighted.standard_error, "the weights make no difference here"


def test_the_squared_error_with_weights_is_that_of_the_closed_form():
    """Wasserstein: the mean of `w l` over that of w, with w independent of l, has the variance E[w^2] var(l) / n."""
    objective, count, repeats = objectives.find("wasserstein")(), 400, 300
    stream = torch.Generator().manual_seed(7)
    real = torch.randn(repeats, count, generator=stream, dtype=torch.float64)
    fake = 2 + 3 * torch.randn(repeats, count, generator=stream, dtype=torch.float64)
    weights = torch.where(torch.rand(repeats, count, generator=stream) < 0.5, 0.4, 1.6).double()
    errors = [
        value_function(objective, *sides[:2], fake_weights=sides[2]).standard_error
        for sides in zip(real, fake, weights, strict=True)
    ]
    expected = (1.0 + 9.0 * (0.4**2 + 1.6**2) / 2) / count
    # The mean of 300 squared errors, each known to sqrt(2 / 400) and a little more, is known to 0.5 %.
    assert sum(error**2 for error in errors) / repeats == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("name", ["minimax", "relativistic", "relativistic_average"])
def test_the_error_with_weights_is_the_spread_that_is_seen(name):
    objective = objectives.find(name)()
    stream = torch.Generator().manual_seed(8)
    real, fake = 0.6 + torch.randn(2, 1_500, 128, generator=stream, dtype=torch.float64)
    weights = torch.exp(0.5 * fake)  # up to a factor
    found = [
        value_function(objective, *sides[:2], fake_weights=sides[2]) for sides in zip(real, fake, weights, strict=True)
    ]
    values = torch.tensor([estimate.value for estimate in found], dtype=torch.float64)
    typical = math.sqrt(sum(estimate.standard_error**2 for estimate in found) / len(found))
    # 1,500 repeats know a standard deviation to 1.8 %; the delta method at n = 128 is good to about 2 %.
    assert typical == pytest.approx(float(values.std()), rel=0.10)


@pytest.mark.parametrize("name", ["minimax", "relativistic", "relativistic_average"])
def test_equal_weights_change_neither_value_nor_error(name):
    objective = objectives.find(name)()
    real, fake = torch.randn(2, 16, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    plain = value_function(objective, real, fake)
    weighted = value_function(objective, real, fake, fake_weights=torch.full((16,), 3.0))
    assert weighted.value == pytest.approx(plain.value, rel=1e-12)
    assert weighted.standard_error == pytest.approx(plain.standard_error, rel=1e-12)


def test_the_penalty_on_generated_samples_is_the_mean_over_the_mixtures_own_density():
    generator, network = mixture(2), discriminator(2)
    latents = every_component(torch.randn(3, 2, generator=torch.Generator().manual_seed(4), dtype=torch.float64))
    batch = Batch(real=torch.zeros(len(latents), 2, dtype=torch.float64), latents=latents)
    _, _, terms = discriminator_loss(
        player(network),
        player(generator),
        objective=objectives.find("relativistic")(),
        batch=batch,
        penalties=[find_penalty("r2")(1.0)],
    )
    samples = generator.weighted_samples(latents).samples.detach().requires_grad_(True)
    (slopes,) = torch.autograd.grad(network(samples).sum(), samples)
    halves = slopes.square().sum(dim=1).reshape(COMPONENTS, -1).mean(dim=1) / 2
    assert float(terms["r2"]) == pytest.approx(float(generator.shares.detach() @ halves), rel=1e-12)
