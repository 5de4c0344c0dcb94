"""The discriminator's side: the supremum of V is the stated divergence, and the stated best logit reaches it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from densities import (
    DISCRETE,
    GAUSSIANS,
    STATED_SUPREMA,
    Gaussians,
    Pair,
    averaging_value,
    jsd_of_product_distributions,
    maximised,
    pairing_value,
    pointwise_supremum,
    stated_supremum,
)
from scipy import integrate, optimize, stats

from equipoise import objectives
from equipoise.objectives.base import Objective

SEPARABLE = sorted(STATED_SUPREMA)
DISTRIBUTIONS = [*GAUSSIANS, *DISCRETE]
CELLS = 20_000
TOLERANCE = 1e-6


def as_masses(distributions: Gaussians | Pair) -> Pair:
    return distributions.cells(CELLS) if isinstance(distributions, Gaussians) else distributions


def value_at(objective: Objective, logits: torch.Tensor, pair: Pair) -> float:
    if objective.form == "pairing":
        return float(pairing_value(logits, pair, objective.real_term))
    assert objective.fake_term is not None
    return float(pair.p @ objective.real_term(logits) + pair.q @ objective.fake_term(logits))


def named(distributions: Gaussians | Pair) -> str:
    return distributions.name


@pytest.mark.parametrize("distributions", DISTRIBUTIONS, ids=named)
@pytest.mark.parametrize("name", SEPARABLE)
def test_the_supremum_found_by_maximising_is_the_stated_divergence(name, distributions):
    objective = objectives.find(name)()
    # Beyond 1e9 float64 has no digits left for the terms that matter; within it every maximum lies.
    found = pointwise_supremum(
        objective.real_term, objective.fake_term, as_masses(distributions), reach=min(objective.finite_range, 1e9)
    )
    assert found == pytest.approx(stated_supremum(name, distributions), abs=TOLERANCE)


@pytest.mark.parametrize("distributions", DISTRIBUTIONS, ids=named)
@pytest.mark.parametrize("name", SEPARABLE)
def test_the_stated_best_logit_reaches_the_stated_divergence(name, distributions):
    objective, pair = objectives.find(name)(), as_masses(distributions)
    reached = value_at(objective, objective.best_logits(pair.log_ratio), pair)
    assert reached == pytest.approx(stated_supremum(name, distributions), abs=TOLERANCE)


@pytest.mark.parametrize("size", [1e-3, 0.1, 1.0])
@pytest.mark.parametrize("name", [*SEPARABLE, "relativistic"])
def test_no_perturbed_logit_beats_the_best_one(name, size):
    objective = objectives.find(name)()
    noise = torch.Generator().manual_seed(1)
    for distributions in DISTRIBUTIONS:
        pair = distributions.cells(200) if isinstance(distributions, Gaussians) else distributions
        best = objective.best_logits(pair.log_ratio)
        ceiling = value_at(objective, best, pair)
        for _ in range(20):
            perturbed = best + size * torch.randn(len(best), generator=noise, dtype=torch.float64)
            # 1e-12: float64 rounding of a sum of numbers of order 1 (and up to 1e3 for Pearson's tails).
            assert value_at(objective, perturbed, pair) <= ceiling + 1e-12 * (1 + abs(ceiling))


@pytest.mark.parametrize("label", [0.7, 0.9])
@pytest.mark.parametrize("distributions", DISTRIBUTIONS, ids=named)
def test_label_smoothing_has_the_supremum_and_the_best_logit_that_it_states(distributions, label):
    objective, pair = objectives.find("minimax")(real_label=label), as_masses(distributions)
    mixed = ((1 - label) * pair.p + pair.q) / (2 - label)
    middle = (pair.p + pair.q) / 2
    divergence = float(label / 2 * (pair.p @ torch.log(pair.p / middle)))
    divergence += float((1 - label / 2) * (mixed @ torch.log(mixed / middle)))
    stated = label * math.log(label / 2) + (2 - label) * math.log(1 - label / 2) + 2 * divergence
    found = pointwise_supremum(objective.real_term, objective.fake_term, pair, reach=1e9)
    assert found == pytest.approx(stated, abs=TOLERANCE)
    assert value_at(objective, objective.best_logits(pair.log_ratio), pair) == pytest.approx(stated, abs=TOLERANCE)


@pytest.mark.parametrize("distributions", DISTRIBUTIONS, ids=named)
def test_the_pairing_game_reaches_the_divergence_of_the_two_product_distributions(distributions):
    objective = objectives.find("relativistic")()
    # 160 cells: the midpoint rule on smooth Gaussians is exact far below 1e-6 already (checked in the next test).
    pair = distributions.cells(160) if isinstance(distributions, Gaussians) else distributions
    stated = -math.log(2) + jsd_of_product_distributions(pair)
    found, _ = maximised(lambda logits: pairing_value(logits, pair, objective.real_term), len(pair.p))
    assert found == pytest.approx(stated, abs=TOLERANCE)
    for constant in (0.0, -3.0, 10.0):
        shifted = objective.best_logits(pair.log_ratio) + constant
        assert value_at(objective, shifted, pair) == pytest.approx(stated, abs=TOLERANCE)


@pytest.mark.parametrize("distributions", GAUSSIANS, ids=named)
def test_the_divergence_of_the_product_distributions_agrees_with_quadrature_over_the_plane(distributions):
    low, high = distributions.ends(7.0)
    x, weights = np.polynomial.legendre.leggauss(160)
    x, weights = low + (x + 1) / 2 * (high - low), weights * (high - low) / 2
    forward, backward = (
        np.outer(distributions.p(x), distributions.q(x)),
        np.outer(distributions.q(x), distributions.p(x)),
    )
    by_gauss = weights @ (forward * (math.log(2) - np.logaddexp(0, np.log(backward) - np.log(forward)))) @ weights
    assert jsd_of_product_distributions(distributions.cells(160)) == pytest.approx(by_gauss, abs=TOLERANCE)


def test_the_wasserstein_supremum_over_lipschitz_logits_is_the_earth_movers_distance():
    for pair in DISCRETE:
        steps = np.diff(pair.points.numpy())
        count = len(pair.p)
        # |l_{i+1} - l_i| <= x_{i+1} - x_i for neighbours implies it for all pairs, on a line.
        slopes = np.eye(count)[1:] - np.eye(count)[:-1]
        found = optimize.linprog(
            -(pair.p - pair.q).numpy(),
            A_ub=np.vstack([slopes, -slopes]),
            b_ub=np.concatenate([steps, steps]),
            bounds=[(0, 0), *[(None, None)] * (count - 1)],
        )
        points = pair.points.numpy()
        stated = stats.wasserstein_distance(points, points, pair.p.numpy(), pair.q.numpy())
        assert -found.fun == pytest.approx(stated, abs=TOLERANCE)
        potential = torch.tensor(found.x)
        assert value_at(objectives.find("wasserstein")(), potential, pair) == pytest.approx(stated, abs=TOLERANCE)


@pytest.mark.parametrize("distributions", GAUSSIANS, ids=named)
def test_the_wasserstein_potential_of_gaussians_reaches_the_integral_of_the_distance_of_distribution_functions(
    distributions,
):
    low, high = distributions.ends()

    def gap(x: float) -> float:
        """F_q(x) - F_p(x)."""
        return stats.norm.cdf(x, distributions.fake_mean, distributions.fake_sd) - stats.norm.cdf(
            x, distributions.real_mean, distributions.real_sd
        )

    spread = distributions.fake_sd - distributions.real_sd
    # The distribution functions cross where both standardised coordinates agree.
    crossing = (
        (distributions.real_mean * distributions.fake_sd - distributions.fake_mean * distributions.real_sd) / spread
        if spread
        else high
    )
    stated = math.fsum(
        integrate.quad(lambda x: abs(gap(x)), a, b, epsabs=1e-11, limit=200)[0]
        for a, b in ((low, crossing), (crossing, high))
        if a < b
    )
    # The best slope is the sign of F_q - F_p: mass is carried across x from the side that has too much.
    pair = distributions.cells(CELLS)
    sides = torch.sign(torch.tensor(gap(crossing - 1))), torch.sign(torch.tensor(gap(crossing + 1)))
    before = sides[0] * torch.clamp(pair.points - crossing, max=0)
    potential = before + sides[1] * torch.clamp(pair.points - crossing, min=0)
    assert value_at(objectives.find("wasserstein")(), potential, pair) == pytest.approx(stated, abs=TOLERANCE)


def test_without_control_of_the_slope_the_wasserstein_value_has_no_bound():
    objective, pair = objectives.find("wasserstein")(), DISCRETE[1]
    values = [value_at(objective, scale * torch.sign(pair.p - pair.q), pair) for scale in (1.0, 10.0, 1000.0)]
    assert values == pytest.approx([1.0, 10.0, 1000.0])  # scale * integral |p - q|
    assert objective.needs_lipschitz_control


def test_the_average_game_has_its_optimum_elsewhere_than_at_the_log_ratio_plus_a_constant():
    objective = objectives.find("relativistic_average")()
    pair = DISCRETE[0]

    def value(logits: torch.Tensor) -> torch.Tensor:
        return averaging_value(logits, pair, objective.real_term, objective.fake_term)

    found, logits = maximised(value, len(pair.p))
    assert found > float(value(pair.log_ratio)) + 1e-3
    distance = (logits - pair.log_ratio) - (logits - pair.log_ratio).mean()
    assert float(distance.abs().max()) > 0.01
    # A constant changes nothing: both margins are differences.
    assert float(value(pair.log_ratio + 5.0)) == pytest.approx(float(value(pair.log_ratio)), abs=1e-12)


def test_the_average_game_at_equal_densities_is_won_by_nobody():
    objective = objectives.find("relativistic_average")()
    same = Pair("same", DISCRETE[0].p, DISCRETE[0].p, DISCRETE[0].points)
    found, _ = maximised(lambda logits: averaging_value(logits, same, objective.real_term, objective.fake_term), 6)
    assert found == pytest.approx(objective.equilibrium_value, abs=TOLERANCE)


@pytest.mark.parametrize("name", ["minimax", "nonsaturating", "fgan_gan"])
def test_the_value_of_every_discriminator_bounds_the_divergence_from_below(name):
    objective, noise = objectives.find(name)(), torch.Generator().manual_seed(2)
    for pair in DISCRETE:
        jsd = (stated_supremum("minimax", pair) + math.log(4)) / 2
        for _ in range(100):
            logits = 2 * torch.randn(len(pair.p), generator=noise, dtype=torch.float64)
            assert (value_at(objective, logits, pair) + math.log(4)) / 2 <= jsd


def test_relativistic_logits_put_into_that_bound_would_lie():
    # A pairing value is not a minimax value, and log(p/q) + c is no log-odds.
    pair = DISCRETE[1]
    minimax, pairing = objectives.find("minimax")(), objectives.find("relativistic")()
    jsd = (stated_supremum("minimax", pair) + math.log(4)) / 2
    mistaken = (value_at(pairing, pair.log_ratio, pair) + math.log(4)) / 2
    assert mistaken > jsd + 0.1
    assert (value_at(minimax, pair.log_ratio + 3.0, pair) + math.log(4)) / 2 < 0 < jsd


def test_half_the_negative_value_is_the_cross_entropy_of_a_classifier_with_equal_priors():
    objective = objectives.find("minimax")()
    real, fake = torch.randn(64, dtype=torch.float64), torch.randn(64, dtype=torch.float64)
    logits = torch.cat([real, fake]).requires_grad_(True)
    labels = torch.cat([torch.ones(64), torch.zeros(64)]).double()
    cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
    loss = objective.discriminator_loss(logits[:64], logits[64:])
    assert float(loss.detach()) == pytest.approx(2 * float(cross_entropy.detach()), rel=1e-14)
    (one,), (two,) = torch.autograd.grad(loss, logits), torch.autograd.grad(cross_entropy, logits)
    torch.testing.assert_close(one, 2 * two, rtol=1e-14, atol=0)
