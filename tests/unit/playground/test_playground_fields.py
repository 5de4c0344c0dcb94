"""What the playground draws on the plane, held to closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from equipoise import objectives
from equipoise.playground import fields
from equipoise.playground.plane_data import BUILT_IN, find_data, normal_grid
from equipoise.playground.players import LinearGenerator, latent_quadrature, make_players
from equipoise.playground.settings import Settings


def a_game_on(data="two-modes", **changes):
    settings = Settings().changed(changes)
    discriminator, generator = make_players(settings, start=(0.5, 0.2, 0.5))
    return find_data(data), discriminator.network, generator.network


def some_points(count=40):
    return torch.randn(count, 2, generator=torch.Generator().manual_seed(3))


def test_both_classic_gradients_at_a_generated_point_are_those_of_their_losses():
    _, discriminator, _ = a_game_on()
    real, fake = some_points(), some_points() + 0.3
    told = fields.told(discriminator, objectives.find("minimax")(), real, fake)
    points = fake.clone().requires_grad_(True)
    logits = discriminator(points)
    # Written as in the paper, from probabilities: exact to float32 at the logits of a fresh network.
    saturating = torch.log(1 - torch.sigmoid(logits)).sum()
    nonsaturating = -torch.log(torch.sigmoid(logits)).sum()
    for loss, arrows in ((saturating, told.saturating), (nonsaturating, told.nonsaturating)):
        (gradient,) = torch.autograd.grad(loss, points, retain_graph=True)
        torch.testing.assert_close(arrows, -gradient, rtol=1e-4, atol=1e-6)


def test_the_two_arrows_of_a_point_differ_in_length_by_the_exponential_of_its_logit():
    _, discriminator, _ = a_game_on()
    told = fields.told(discriminator, objectives.find("nonsaturating")(), some_points(), some_points())
    lengths = [torch.linalg.vector_norm(arrows, dim=1) for arrows in (told.saturating, told.nonsaturating)]
    torch.testing.assert_close(lengths[0] / lengths[1], torch.exp(told.logits), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", objectives.available())
def test_the_arrows_of_a_game_are_the_gradient_of_its_own_generator_loss(name):
    _, discriminator, _ = a_game_on()
    objective = objectives.find(name)()
    real, fake = some_points(), some_points() + 0.3
    points = fake.clone().requires_grad_(True)
    loss = objective.generator_loss(discriminator(real).detach(), discriminator(points)) * len(points)
    (gradient,) = torch.autograd.grad(loss, points)
    told = fields.told(discriminator, objective, real, fake)
    torch.testing.assert_close(told.own, -gradient, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(told.pull[:, None] * told.slope, told.own)


@pytest.mark.parametrize("name", objectives.available())
def test_only_log_odds_are_drawn_as_a_probability(name):
    objective = objectives.find(name)()
    _, discriminator, _ = a_game_on()
    drawn = fields.surface(discriminator, objective)
    assert drawn.is_probability == (objective.logit_meaning != "other")
    assert drawn.values.shape == (fields.CELLS, fields.CELLS)
    assert drawn.low <= drawn.values.min() <= drawn.values.max() <= drawn.high


def test_the_surface_has_the_lowest_row_first():
    class Up(torch.nn.Module):
        def forward(self, samples):
            return 3 * samples[:, 1]

    drawn = fields.surface(Up(), objectives.find("minimax")())
    assert drawn.values[0].max() < 0.01 < 0.99 < drawn.values[-1].min()


@pytest.mark.parametrize("law", ["normal", "uniform", "normal_line"])
def test_all_of_the_generators_mass_is_in_the_window_when_its_points_are(law):
    _, _, generator = a_game_on(latents=law, generator_depth=0)
    assert fields.pushed_masses(generator, law).sum() == pytest.approx(1, abs=2e-3)  # 4.5 deviations are kept


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_the_masses_of_built_in_data_add_up_to_one(name):
    masses = fields.cell_masses(find_data(name), balanced=False)
    assert masses.sum() == pytest.approx(1, abs=5e-3)  # the tails leave the window


def test_the_best_discriminator_is_the_share_of_the_datas_density():
    # A linear generator of normal latents is a Gaussian whose density is known.
    data, generator = find_data("gaussian"), LinearGenerator(2, (0.8, 0.3, 0.5))
    best = fields.best_discriminator(generator, "normal", fields.cell_masses(data, balanced=False))
    centres = fields.cell_centres().double().numpy()
    p = multivariate_normal([0, 0], 0.36 * np.eye(2)).pdf(centres)
    q = multivariate_normal([0.8, 0.3], 0.25 * np.eye(2)).pdf(centres)
    both = (p + q > 0.02).reshape(fields.CELLS, fields.CELLS)
    # From the centre of a cell to its edge are 1/16; log(p/q) changes by up to 4 a unit here, D* by a quarter of that.
    assert np.abs(best.probabilities - (p / (p + q)).reshape(both.shape))[both].max() < 4 / 4 / 16
    area = (6 / 400) ** 2
    axis = -3 + 6 / 400 * (np.arange(400) + 0.5)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    p = multivariate_normal([0, 0], 0.36 * np.eye(2)).pdf(grid)
    q = multivariate_normal([0.8, 0.3], 0.25 * np.eye(2)).pdf(grid)
    jsd = float(((p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q))) / 2).sum() * area)
    # Coarse cells can only hide a difference; here they hide little.
    assert jsd - 0.01 < best.jsd_nats < jsd + 1e-3
    assert best.value == pytest.approx(-math.log(4) + 2 * best.jsd_nats)


def test_a_perfect_generator_has_a_best_discriminator_of_one_half():
    data, generator = find_data("gaussian"), LinearGenerator(2, (0.0, 0.0, 0.6))
    best = fields.best_discriminator(generator, "normal", fields.cell_masses(data, balanced=False))
    assert best.jsd_nats < 2e-3  # the lattice of latents falls unevenly into cells
    assert np.abs(best.probabilities - 0.5)[best.real > 1e-3].max() < 0.12


def jsd_by_quadrature(data, mean, deviation) -> float:
    """JSD of a mixture and one round Gaussian: each side's expectation over nodes of its own."""
    density = data.sampled_density(balanced=False)
    offsets, masses = normal_grid(40)  # spectrally accurate on what is as smooth as a Gaussian: 1e-6 and better

    def log_normal(x, centre, sd):
        return -np.square(x - centre).sum(axis=-1) / (2 * sd**2) - math.log(2 * math.pi * sd**2)

    def log_p(x):
        each = log_normal(x[:, None], density.means[None], density.standard_deviation)
        return logsumexp(each, b=density.weights, axis=1)

    def log_q(x):
        return log_normal(x, np.asarray(mean), deviation)

    real = (density.means[:, None] + density.standard_deviation * offsets).reshape(-1, 2)
    fake = np.asarray(mean) + deviation * offsets
    p = (density.weights[:, None] * masses).ravel()
    middle = [np.logaddexp(log_p(x), log_q(x)) - math.log(2) for x in (real, fake)]
    return float((p @ (log_p(real) - middle[0]) + masses @ (log_q(fake) - middle[1])) / 2)


@pytest.mark.parametrize(
    ("name", "mean", "deviation", "hidden"),
    [
        ("gaussian", (0.8, 0.3), 0.5, 0.002),
        ("gaussian", (0.0, 0.0), 0.6, 0.002),
        ("two-modes", (0.0, 0.0), 1.0, 0.002),
        ("spot", (0.05, 0.0), 0.1, 0.002),
        ("spot", (0.3, 0.2), 0.2, 0.006),
        # Modes with deviations of 0.025 and 0.02, in cells of 1/16.
        ("grid25", (0.0, 0.0), 1.0, 0.01),
        ("ring8", (0.0, 0.0), 1.5, 0.016),
    ],
)
def test_cells_hide_no_more_of_the_divergence_than_is_said(name, mean, deviation, hidden):
    data, generator = find_data(name), LinearGenerator(2, (*mean, deviation))
    best = fields.best_discriminator(generator, "normal", fields.cell_masses(data, balanced=False))
    truth = jsd_by_quadrature(data, mean, deviation)
    # The lattice of latents falls unevenly into cells, which adds up to 0.002.
    assert truth - hidden < best.jsd_nats < truth + 0.002
    assert truth - best.jsd_nats < max(0.002, truth - best.coarse_jsd_nats)  # finer cells come closer
    assert best.coarse_value == pytest.approx(-math.log(4) + 2 * best.coarse_jsd_nats)


@pytest.mark.parametrize("law", ["normal", "uniform"])
def test_the_finer_lattice_holds_the_images_that_the_generator_would_give(law):
    # Through a linear map, interpolation is exact, beyond the outermost latents too.
    coarse, _ = latent_quadrature(law, 6)
    fine, _ = latent_quadrature(law, 12)
    made = torch.from_numpy(coarse.reshape(6, 6, 2))
    for dim in (0, 1):
        made = fields._twice_as_fine(made, dim=dim)
    np.testing.assert_allclose(made.reshape(-1, 2), fine, atol=1e-12)


def test_what_is_outside_the_window_is_counted_nowhere_and_a_point_in_its_own_cell():
    edge = fields.REACH
    points = torch.tensor([[-edge + 0.01, edge - 0.01], [edge + 0.01, 0.0], [0.0, -edge - 1e6], [float("inf"), 0.0]])
    counted = fields._in_cells(points, np.array([0.25, 1.0, 1.0, 1.0]))
    assert counted[-1, 0] == counted.sum() == 0.25


def test_the_best_discriminator_has_no_line_between_what_is_known_and_where_there_is_nothing():
    # Two spots far from each other: D* is one near the one and nought near the other, and half of neither elsewhere.
    data, generator = find_data("spot"), LinearGenerator(2, (2.0, 0.0, 0.1))
    best = fields.best_discriminator(generator, "normal", fields.cell_masses(data, balanced=False))
    assert set(np.unique(best.probabilities.round(3))) == {0.0, 1.0}
    assert best.probabilities[24, 0] == 1.0 and best.probabilities[24, -1] == 0.0
