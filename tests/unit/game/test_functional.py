"""The compilable form of both updates gives the gradients of the reference, eager and compiled."""

import os
import shutil

import pytest
import torch

from equipoise.game import Batch, Player, discriminator_loss, generator_loss
from equipoise.game.functional import assign_gradients, discriminator_gradients, generator_gradients, weights_of
from equipoise.networks import find as find_network
from equipoise.objectives import available, find
from equipoise.penalties import find as find_penalty
from equipoise.spaces import PointSpace

GAMMA, FACTOR = 0.3, 0.7
"""Weight of r1 and r2, and the factor that a decaying gamma would have."""


def players():
    torch.manual_seed(0)
    family = find_network("mlp")
    generator = family.generator(PointSpace(2), latents=3, width=16, depth=2)
    discriminator = family.discriminator(PointSpace(2), width=16, depth=2)
    return generator, discriminator


def batch(size=32):
    stream = torch.Generator().manual_seed(1)
    return Batch(real=torch.randn(size, 2, generator=stream), latents=torch.randn(size, 3, generator=stream))


def terms():
    return [find_penalty(name)(GAMMA) for name in ("r1", "r2")]


def reference(generator, discriminator, objective):
    """Both losses and gradients by the step's own functions."""
    one, other = (
        Player(network, torch.optim.SGD(network.parameters(), lr=1.0)) for network in (discriminator, generator)
    )
    _, loss, _ = discriminator_loss(
        one, other, objective=objective, batch=batch(), penalties=terms(), penalty_factor=FACTOR
    )
    loss.backward(inputs=list(discriminator.parameters()))
    answer = generator_loss(one, other, objective=objective, batch=batch())
    answer.backward(inputs=list(generator.parameters()))
    gradients = [{name: p.grad.clone() for name, p in net.named_parameters()} for net in (discriminator, generator)]
    return (gradients[0], loss.detach()), (gradients[1], answer.detach())


def functional(generator, discriminator, objective, *, transform=lambda function: function):
    """The same by the compilable functions."""
    fake = generator(batch().latents).detach()
    first = transform(discriminator_gradients(discriminator, objective, terms()))
    second = transform(generator_gradients(generator, discriminator, objective))
    return (
        first(weights_of(discriminator), batch().real, fake, FACTOR),
        second(weights_of(generator), weights_of(discriminator), batch().latents, batch().real),
    )


def assert_same(found, expected, *, tolerance):
    for (gradients, loss), (expected_gradients, expected_loss) in zip(found, expected, strict=True):
        assert gradients.keys() == expected_gradients.keys()
        torch.testing.assert_close(loss, expected_loss, rtol=tolerance, atol=tolerance)
        for name, gradient in expected_gradients.items():
            torch.testing.assert_close(gradients[name], gradient, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", available())
def test_the_functional_form_is_the_reference_for_every_objective(name):
    objective = find(name)()
    # The same float32 formulas by another order of derivatives: gradients of order 1, so 1e-5.
    assert_same(functional(*players(), objective), reference(*players(), objective), tolerance=1e-5)


@pytest.mark.compile
@pytest.mark.slow
@pytest.mark.skipif(shutil.which(os.environ.get("CXX", "g++")) is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.parametrize("name", ["relativistic", "nonsaturating", "wasserstein"])
def test_the_compiled_form_is_the_reference(name):
    objective = find(name)()

    def compiled(function):
        return torch.compile(function, fullgraph=True)

    torch.compiler.reset()
    found = functional(*players(), objective, transform=compiled)
    assert_same(found, reference(*players(), objective), tolerance=1e-5)


def test_assigned_gradients_move_a_network_as_backward_does():
    generator, discriminator = players()
    (gradients, _), _ = functional(generator, discriminator, find("hinge")())
    (expected, _), _ = reference(*players(), find("hinge")())
    assign_gradients(discriminator, gradients)
    for name, parameter in discriminator.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["relativistic", "relativistic_average", "nonsaturating"])
def test_the_functional_form_is_the_reference_with_importance_weights(name):
    _, discriminator = players()
    torch.manual_seed(0)
    generator = find_network("mixture_prior").generator(PointSpace(2), components=3, width=8)
    torch.nn.init.normal_(generator.weight_logits)
    made = generator.weighted_samples(batch().latents)
    of_discriminator = discriminator_gradients(discriminator, find(name)(), terms())
    of_generator = generator_gradients(generator, discriminator, find(name)())
    found = (
        of_discriminator(weights_of(discriminator), batch().real, made.samples.detach(), FACTOR, made.weights.detach()),
        of_generator(weights_of(generator), weights_of(discriminator), batch().latents, batch().real),
    )
    assert_same(found, reference(generator, discriminator, find(name)()), tolerance=1e-5)
