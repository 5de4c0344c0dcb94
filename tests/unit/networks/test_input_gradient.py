"""The closed form of a discriminator's input gradient against autograd, through the loss that a step makes of it."""

import pytest
import torch

from equipoise.game import Batch, Player
from equipoise.game.step import discriminator_loss
from equipoise.networks.input_gradient import activations, backward_pass, input_gradient, weight_gradients
from equipoise.networks.mlp import MLPDiscriminator, MLPGenerator
from equipoise.objectives import find
from equipoise.penalties.r1_r2 import r1, r2
from equipoise.spaces import PointSpace


def gradients(form, *, objective="relativistic", penalties=None, depth=3, dimensions=3, classes=0):
    torch.manual_seed(0)
    space = PointSpace(dimensions)
    options = {"width": 7, "depth": depth, "input_gradient": form, "classes": classes}
    discriminator = MLPDiscriminator(space, **options).double()
    generator = MLPGenerator(space, latents=2, width=5, depth=1, classes=classes).double()
    labels = torch.arange(6) % 3 if classes else None
    batch = Batch(torch.randn(6, dimensions, dtype=torch.float64), torch.randn(6, 2, dtype=torch.float64), labels)
    forward, loss, terms = discriminator_loss(
        Player(discriminator, torch.optim.SGD(discriminator.parameters(), lr=1)),
        Player(generator, torch.optim.SGD(generator.parameters(), lr=1)),
        objective=find(objective)(),
        batch=batch,
        penalties=[r1(0.3), r2(0.7)] if penalties is None else penalties,
    )
    loss.backward()
    return forward, [loss, *terms.values(), *(weight.grad for weight in discriminator.parameters())]


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("dimensions", [1, 3])
@pytest.mark.parametrize("objective", ["relativistic", "nonsaturating", "wasserstein"])
def test_losses_penalties_and_gradients_are_those_of_autograd(objective, depth, dimensions):
    options = {"objective": objective, "depth": depth, "dimensions": dimensions}
    (_, expected), (forward, found) = (gradients(form, **options) for form in ("autograd", "closed_form"))
    assert not forward.real.requires_grad  # the closed form was taken
    # Sums of a few dozen numbers of order 1 in float64.
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_one_side_alone_class_labels_and_no_penalty_leave_it_to_autograd():
    for options in ({"penalties": [r1(0.3)]}, {"classes": 3}, {"penalties": []}):
        (_, expected), (_, found) = (gradients(form, **options) for form in ("autograd", "closed_form"))
        for ours, theirs in zip(found, expected, strict=True):
            assert torch.equal(ours, theirs)


def test_samples_have_the_gradient_of_the_logits_too():
    torch.manual_seed(0)
    discriminator = MLPDiscriminator(PointSpace(3), width=8, depth=2, input_gradient="closed_form").double()
    samples = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    logits, gradient = discriminator.with_input_gradient(samples)
    (found,) = torch.autograd.grad(logits.sum(), samples)
    assert torch.allclose(found, gradient.detach())
    assert torch.allclose(logits, discriminator(samples))


def test_what_it_is_given_is_left_as_it_was():
    torch.manual_seed(0)
    network = MLPDiscriminator(PointSpace(3), width=8, depth=3).double()
    linear = [*(layer for layer in network.body if isinstance(layer, torch.nn.Linear)), network.output]
    layers = [(layer.weight.detach(), layer.bias.detach()) for layer in linear]
    hidden, output = activations(torch.randn(5, 3, dtype=torch.float64), layers, leak=0.2)
    backs, gradient = input_gradient(hidden, layers, leak=0.2)
    given = [output, gradient, *hidden, *backs, *(entry for layer in layers for entry in layer)]
    before = [entry.clone() for entry in given]
    weight_gradients(output, gradient, hidden, backs, layers, leak=0.2)
    backward_pass(output, hidden, layers, leak=0.2)
    assert all(torch.equal(entry, copy) for entry, copy in zip(given, before, strict=True))


def test_a_spectrally_normalised_network_leaves_it_to_autograd():
    assert (
        MLPDiscriminator(PointSpace(2), spectral=True, input_gradient="closed_form").with_input_gradient(
            torch.zeros(2, 2)
        )
        is None
    )


def test_another_form_is_refused():
    with pytest.raises(ValueError, match="expected autograd or closed_form"):
        MLPDiscriminator(PointSpace(2), input_gradient="exact")
