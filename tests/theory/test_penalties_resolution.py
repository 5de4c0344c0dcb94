"""Gamma is a squared length: what the discriminator of a penalised game sees is smoothed at 2 sqrt(gamma)."""

from __future__ import annotations

import math

import pytest
import torch

from equipoise import objectives


@pytest.mark.parametrize("name", ["minimax", "relativistic"])
@pytest.mark.parametrize("gamma", [0.01, 0.1])
@pytest.mark.parametrize("wavenumber", [1, 2, 4])
def test_the_best_penalised_logit_is_the_difference_divided_by_one_plus_four_gamma_k_squared(name, gamma, wavenumber):
    # On a ring with uniform density rho, p - q = delta cos(k x). Near the equilibrium V with R1 and R2 is quadratic,
    # and its maximum over l = A cos(k x) is A = (delta / rho) / (1 + 4 gamma k^2), as `penalties/gamma.py` derives.
    objective, count = objectives.find(name)(), 64
    x = 2 * math.pi * torch.arange(count, dtype=torch.float64) / count
    wave, uniform, ripple = torch.cos(wavenumber * x), torch.full((count,), 1 / count, dtype=torch.float64), 1e-3
    p, q = uniform * (1 + ripple * wave / 2), uniform * (1 - ripple * wave / 2)
    slope = -wavenumber * torch.sin(wavenumber * x)

    def fall(amplitude: torch.Tensor) -> torch.Tensor:
        logits = amplitude * wave
        if objective.form == "pairing":
            value = p @ objective.real_term(logits[:, None] - logits[None, :]) @ q
        else:
            value = p @ objective.real_term(logits) + q @ objective.fake_term(logits)
        return -value + gamma / 2 * ((p + q) @ (amplitude * slope).square())

    amplitude = torch.zeros((), dtype=torch.float64, requires_grad=True)
    for _ in range(3):  # Newton's method on a function that is quadratic up to terms of order ripple^2
        (first,) = torch.autograd.grad(fall(amplitude), amplitude, create_graph=True)
        (second,) = torch.autograd.grad(first, amplitude)
        amplitude = (amplitude - first / second).detach().requires_grad_(True)
    # Neglected: relative corrections of order ripple^2 = 1e-6.
    assert float(amplitude.detach()) == pytest.approx(ripple / (1 + 4 * gamma * wavenumber**2), rel=1e-5)
