"""Spectral normalisation bounds a discriminator's input gradient, whatever its weights become."""

import pytest
import torch
from torch import nn

from equipoise.networks import find
from equipoise.networks.spectral import has_normal_spectra, normalise_spectra
from equipoise.spaces import ImageSpace, PointSpace


def input_gradient_norm(network, samples, *labels):
    places = samples.requires_grad_(True)
    (gradient,) = torch.autograd.grad(network(places, *labels).sum(), places)
    return gradient.flatten(start_dim=1).norm(dim=1)


def grown(network, samples, *labels):
    """The network with weights ten times as large, after power iterations."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(10).add_(torch.randn_like(parameter))
    for _ in range(50):
        network(samples, *labels)
    return network


def test_a_fully_connected_discriminator_has_a_slope_of_at_most_one():
    torch.manual_seed(0)
    samples = torch.randn(64, 5)
    network = grown(find("mlp").discriminator(PointSpace(5), width=32, spectral=True), samples)
    steepest = float(input_gradient_norm(network, samples).max())
    # The power iteration approaches the largest singular value from below; 50 of them leave less than a percent.
    assert 0 < steepest <= 1.01
    assert (
        float(input_gradient_norm(grown(find("mlp").discriminator(PointSpace(5), width=32), samples), samples).max())
        > 100
    )


@pytest.mark.parametrize("classes", [0, 3])
def test_a_convolutional_discriminator_has_a_bounded_slope_and_finite_logits(classes):
    torch.manual_seed(0)
    space = ImageSpace(1, 16, 16)
    labels = (torch.arange(8) % 3,) if classes else ()
    samples = torch.randn(8, *space.shape)
    network = find("convolutional").discriminator(space, channels=4, widest=8, spectral=True, classes=classes)
    assert torch.isfinite(network(samples, *labels)).all()
    # 3 levels of a block (2 x 9 by the kernels' overlap) bound it far above this; unnormalised it grows like 10^9.
    assert float(input_gradient_norm(grown(network, samples, *labels), samples, *labels).max()) < 1000


def test_every_layer_is_asked_for_before_a_slope_counts_as_bounded():
    network = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 1))
    assert not has_normal_spectra(network)
    nn.utils.parametrizations.spectral_norm(network[0])
    assert not has_normal_spectra(network)
    nn.utils.parametrizations.spectral_norm(network[1])
    assert has_normal_spectra(network)
    assert not has_normal_spectra(nn.Identity())


def test_the_vectors_of_the_power_iteration_are_in_the_state():
    network = nn.Sequential(nn.Linear(2, 4))
    normalise_spectra(network)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network(torch.zeros(1, 2))
    changed = [name for name, tensor in network.state_dict().items() if not torch.equal(before[name], tensor)]
    assert {name.split(".")[-1] for name in changed} <= {"_u", "_v"} and changed
