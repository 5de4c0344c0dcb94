"""V by quadrature and the referee's quick reading, held to draws and to known densities."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from equipoise import objectives
from equipoise.objectives.value import value_function
from equipoise.playground import measure
from equipoise.playground.plane_data import find_data
from equipoise.playground.players import draw_latents, make_players
from equipoise.playground.settings import Settings


@pytest.mark.parametrize("law", ["normal", "uniform", "normal_line"])
@pytest.mark.parametrize("name", ["nonsaturating", "relativistic", "relativistic_average", "wasserstein"])
def test_the_value_by_quadrature_is_that_of_many_draws(name, law):
    settings = Settings(latents=law)
    discriminator, generator = (player.network for player in make_players(settings))
    data, objective = find_data("four-modes"), objectives.find(name)()
    points, weights = data.quadrature()
    exact = measure.value_by_quadrature(objective, discriminator, generator, law=law, real=points, real_weights=weights)
    stream = torch.Generator().manual_seed(1)
    count = 4_000
    with torch.no_grad():
        real, _ = data.draw(count, np.random.default_rng(1))
        fake = generator(draw_latents(law, count, stream))
        drawn = value_function(objective, discriminator(torch.from_numpy(real).float()), discriminator(fake))
    # Five standard errors, and 2e-3 for the midpoint rule on the folds of the networks.
    assert abs(exact - drawn.value) < 5 * drawn.standard_error + 2e-3


def test_the_referee_proves_nothing_of_equal_sides_and_no_more_than_there_is_of_others():
    rng = np.random.default_rng(0)
    sides = rng.standard_normal((2, measure.REFEREE_SAMPLES, 2))
    same = measure.prove(sides[0], sides[1], step=3, seed=0)
    # One reading errs with a probability of 5 %; with this seed it does not.
    assert same.jsd_nats == 0 and same.step == 3
    other = measure.prove(sides[0], sides[1] + [1.0, 0.0], step=3, seed=0)
    # JSD of N(0, 1) and N(1, 1) is 0.1121 nats, by quadrature (lab densities).
    assert 0.04 < other.jsd_nats < 0.1121


def test_the_referee_says_nothing_about_a_handful_of_samples():
    assert measure.prove(np.zeros((12, 2)), np.ones((500, 2)), step=0, seed=0) is None


def test_a_pairing_game_gets_an_offset_and_others_do_not():
    discriminator = make_players(Settings())[0].network
    real, fake = torch.randn(64, 2), torch.randn(64, 2)
    assert measure.offset_of(objectives.find("minimax")(), discriminator, real, fake) == 0
    shifted = measure.offset_of(objectives.find("relativistic")(), discriminator, real, real.clone())
    with torch.no_grad():  # with equal sides the best offset puts the mean of sigma(l - c) at one half
        assert torch.sigmoid(discriminator(real) - shifted).mean().item() == pytest.approx(0.5, abs=1e-4)
