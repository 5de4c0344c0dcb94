r"""Eigenvalues of every update rule at the equilibrium of the Dirac-GAN, in closed form.

Data at 0, generator at `theta`, discriminator `l(x) = l* + psi x`. At `(theta, psi) = (0, 0)` the gradients are

    v_theta = -c_G psi,        v_psi = c_D theta + g psi,

where `c_D` and `c_G` are the derivatives of the value and of the generator's loss (both 1/2 for minimax,
non-saturating and RpGAN, 1 for Wasserstein), and `g` is what a penalty or instance noise adds: gamma for R1, gamma for
R2.

Reference:
    Mescheder, Geiger, Nowozin 2018, arXiv:1801.04406, Sections 2 to 4.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

import torch

from equipoise.game import UpdateRule
from equipoise.objectives.base import Objective


@dataclass(frozen=True)
class Derivatives:
    """The constants of the game near its equilibrium.

    Attributes:
        best_logit: l*, the best logit where the densities agree.
        of_value: c_D.
        of_generator: c_G.
        damping_per_variance: what instance noise of variance 1 adds to g.
    """

    best_logit: float
    of_value: float
    of_generator: float
    damping_per_variance: float

    @property
    def rotation(self) -> float:
        """c = sqrt(c_D c_G): the angular speed around the equilibrium in continuous time; 0 if there is none."""
        return math.sqrt(max(0.0, self.of_value * self.of_generator))


def derivatives_of(objective: Objective) -> Derivatives:
    """The constants of an objective, from derivatives of its two losses in one logit."""
    zero = torch.zeros(1, dtype=torch.float64)
    best = zero if objective.best_logits is None else objective.best_logits(zero)
    shift = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    (value_derivative,) = torch.autograd.grad(objective.value(best, best + shift), shift)
    (loss_derivative,) = torch.autograd.grad(objective.generator_loss(best, best + shift), shift)
    real, fake = objective.margins(best, best)
    curvature = _curvature(objective.real_term, real)
    curvature = 2 * curvature if objective.fake_term is None else curvature + _curvature(objective.fake_term, fake)
    return Derivatives(float(best), -float(value_derivative), -float(loss_derivative), -curvature)


def closed_form(
    update_rule: UpdateRule, *, step_size: float, derivatives: Derivatives, damping: float = 0.0
) -> tuple[complex, ...]:
    r"""Eigenvalues of one step at the equilibrium, both players with the same step size and gradient descent.

    With `a = g/2 +- sqrt(g^2/4 - c^2)`, the eigenvalues of the field itself:

    - simultaneous: `1 - h a`; without damping `|.| = sqrt(1 + h^2 c^2)`.
    - alternating: roots of `x^2 - (2 - h g - h^2 c^2) x + (1 - h g)`; without damping `|.| = 1` while `h c < 2`.
    - extragradient: `1 - h a + h^2 a^2`.
    - optimistic: `(1 - 2 h a +- sqrt(1 + 4 h^2 a^2)) / 2`, four in all.
    - consensus: `1 - h b`, with b the eigenvalues of `A + kappa A^T A`; without damping `1 - h kappa c^2 -+ i h c`.

    Args:
        update_rule: the rule.
        step_size: h.
        derivatives: c_D and c_G.
        damping: g.
    """
    h, g, c_value, c_generator = step_size, damping, derivatives.of_value, derivatives.of_generator
    if update_rule.name == "alternating":
        # k updates of one player: psi -> kept psi - change theta, then theta -> theta + h c_G psi, k times.
        kept = (1 - h * g) ** update_rule.n_critic
        change = c_value * ((1 - kept) / g if g else h * update_rule.n_critic)
        response = h * c_generator * update_rule.generator_updates
        return _roots(1 + kept - response * change, kept)
    if "consensus" in update_rule.name:
        kappa = update_rule.consensus_weight
        b11 = kappa * c_value**2
        b12 = -c_generator + kappa * c_value * g
        b21 = c_value + kappa * c_value * g
        b22 = g + kappa * (c_generator**2 + g**2)
        if update_rule.name == "consensus":
            return tuple(1 - h * b for b in _roots(b11 + b22, b11 * b22 - b12 * b21))
        return _roots(2 - h * (b11 + b22) + h**2 * b12 * b21, (1 - h * b11) * (1 - h * b22))
    field = _roots(g, c_value * c_generator)
    if update_rule.name == "simultaneous":
        return tuple(1 - h * a for a in field)
    if update_rule.name == "extragradient":
        return tuple(1 - h * a + (h * a) ** 2 for a in field)
    return tuple((1 - 2 * h * a + sign * cmath.sqrt(1 + 4 * (h * a) ** 2)) / 2 for a in field for sign in (1, -1))


def largest_stable_step(update_rule: UpdateRule, *, derivatives: Derivatives, damping: float = 0.0) -> float:
    r"""The step size below which one step contracts, for the rules that have a short formula.

    Simultaneous: `g / c^2` while the eigenvalues are complex (`g < 2 c`). Alternating, n_critic 1: the positive
    root of `h^2 c^2 + 2 h g = 4` for `g > 0`, a weaker condition. Extragradient without damping: `1/c`; optimistic
    without damping: `1 / (sqrt 3 c)`; consensus without damping: `2 kappa / (1 + kappa^2 c^2)`.
    """
    c, g = derivatives.rotation, damping
    if update_rule.name == "simultaneous":
        return g / c**2
    if update_rule.name == "alternating":
        return (math.sqrt(g**2 + 4 * c**2) - g) / c**2
    if update_rule.name == "extragradient":
        return 1 / c
    if update_rule.name == "optimistic":
        return 1 / (math.sqrt(3) * c)
    kappa = update_rule.consensus_weight
    return 2 * kappa / (1 + (kappa * c) ** 2)


def _roots(trace: float, determinant: float) -> tuple[complex, complex]:
    """Eigenvalues of a 2 x 2 matrix."""
    half = cmath.sqrt(trace**2 / 4 - determinant)
    return trace / 2 + half, trace / 2 - half


def _curvature(term: object, at: torch.Tensor) -> float:
    """Second derivative of an elementwise term at one point; 0 for a term that is linear there."""
    point = at.detach().clone().requires_grad_(True)
    (derivative,) = torch.autograd.grad(term(point).sum(), point, create_graph=True)  # type: ignore[operator]
    if not derivative.requires_grad:
        return 0.0
    (curvature,) = torch.autograd.grad(derivative.sum(), point, allow_unused=True, materialize_grads=True)
    return float(curvature)
