"""The EMA of the weights against its recurrence, and against the power-function profile that it follows."""

import numpy as np
import pytest
import torch
from torch import nn

from equipoise.game import AveragedWeights


def test_the_average_follows_its_recurrence():
    network = nn.Linear(1, 1, bias=False).double()
    average = AveragedWeights(network, relative_length=0.5)
    expected = network.weight.item()
    for update in range(1, 6):
        with torch.no_grad():
            network.weight.fill_(float(update))
        average.update()
        expected += (update - expected) / (1 + 0.5 * update)
    assert average.network.weight.item() == pytest.approx(expected, rel=1e-12)


def test_an_average_of_length_zero_is_the_last_weights():
    network = nn.Linear(2, 2)
    average = AveragedWeights(network, relative_length=0.0)
    with torch.no_grad():
        network.weight.mul_(3)
    average.update()
    assert torch.equal(average.network.weight, network.weight)


def contributions(relative_length, steps):
    """How much the weights of each step count in the average after `steps` steps; step 0 is the start."""
    network = nn.Linear(steps + 1, 1, bias=False).double()
    average = AveragedWeights(network, relative_length=relative_length)
    with torch.no_grad():
        for step in range(steps + 1):
            network.weight.zero_()[0, step] = 1.0
            if step == 0:
                average.network.weight.copy_(network.weight)
            else:
                average.update()
    return average.network.weight.detach().numpy()[0]


@pytest.mark.parametrize("relative_length", [0.05, 0.2, 0.5])
def test_the_average_is_the_polynomial_decay_average_of_shamir_and_zhang(relative_length):
    # arXiv:1212.1824, Section 4: a <- (1 - (eta + 1)/(n + eta)) a + (eta + 1)/(n + eta) w of the n-th iterate, the
    # start being the first one, with eta = gamma.
    gamma, expected = 1 / relative_length - 1, np.zeros(41)
    for step in range(41):
        weight = (gamma + 1) / (step + 1 + gamma)
        expected *= 1 - weight
        expected[step] += weight
    assert contributions(relative_length, 40) == pytest.approx(expected, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("relative_length", [0.05, 0.2])
def test_the_weights_of_a_step_count_as_in_edm2s_power_function_ema_with_gamma_one_over_the_length_less_one(
    relative_length,
):
    # arXiv:2312.02696, Eq. 121: the profile (gamma + 1)/t (k/t)^gamma, here Gamma(k + gamma + 1)/Gamma(k + 1) in place
    # of k^gamma: off by gamma (gamma + 1)/(2 k), and as much at k = t.
    gamma, steps = 1 / relative_length - 1, 4000
    step = np.arange(2000, steps + 1)
    profile = (gamma + 1) / steps * (step / steps) ** gamma
    worst = gamma * (gamma + 1) / (2 * step[0])
    assert contributions(relative_length, steps)[step] == pytest.approx(profile, rel=1.1 * worst)


def test_the_relative_standard_deviation_is_that_of_edm2s_profile():
    # arXiv:2312.02696, Eq. 123; the start and the whole steps cost a relative 1 / steps each.
    gamma, steps = 19, 4000
    counts, place = contributions(0.05, steps), np.arange(steps + 1) / steps
    mean = (counts * place).sum()
    deviation = np.sqrt((counts * (place - mean) ** 2).sum())
    assert deviation == pytest.approx(np.sqrt((gamma + 1) / ((gamma + 2) ** 2 * (gamma + 3))), rel=5e-3)
