"""The duality gap against closed forms, and the promise that measuring it changes nothing."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.prepare import plan_run
from equipoise.game import Player
from equipoise.objectives import available, find
from equipoise.objectives.value import value_function
from equipoise.objectives.value_change import change_of_value, influences, standard_error
from equipoise.training import BatchSource, Plan, Trainer
from equipoise.training.checkpoints import stored_state
from equipoise.training.duality_gap import duality_gap


class Slope(nn.Module):
    """D(x) = psi x."""

    def __init__(self, psi):
        super().__init__()
        self.psi = nn.Parameter(torch.tensor(psi, dtype=torch.float64))

    def forward(self, samples):
        return (self.psi * samples).squeeze(1)


class Place(nn.Module):
    """G(z) = theta, whatever z."""

    def __init__(self, theta):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(theta, dtype=torch.float64))

    def forward(self, latents):
        return self.theta.expand(len(latents), 1)


def dirac(psi, theta, *, real=None, rate=0.01, **options):
    discriminator, generator = Slope(psi), Place(theta)
    real = torch.zeros(64, 1, dtype=torch.float64) if real is None else real
    return Trainer(
        discriminator=Player(discriminator, torch.optim.SGD(discriminator.parameters(), lr=rate, **options)),
        generator=Player(generator, torch.optim.SGD(generator.parameters(), lr=rate, **options)),
        objective=find("wasserstein")(),
        batches=BatchSource(real, latent_dimensions=1, batch_size=8, updates_per_step=2, seed=0),
        plan=Plan(steps=10),
    )


@pytest.mark.parametrize("steps", [1, 7])
def test_gains_in_the_dirac_game_are_their_closed_form(steps):
    # V = psi (E x - theta) with E x = 0. Rates h (1 - i / K) sum to h (K + 1) / 2; D' = psi - that * theta gains
    # theta^2 times it, and G' = theta + that * psi gains psi^2 times it.
    psi, theta, rate = 0.7, -1.3, 0.01
    found = duality_gap(
        dirac(psi, theta, rate=rate).state, steps=steps, real=torch.zeros(50, 1, dtype=torch.float64), seed=0
    )
    distance = rate * (steps + 1) / 2
    assert found["discriminator_gain"] == pytest.approx(distance * theta**2, rel=1e-9)
    assert found["generator_gain"] == pytest.approx(distance * psi**2, rel=1e-9)
    assert found["gap"] == pytest.approx(distance * (psi**2 + theta**2), rel=1e-9)
    assert found["gap_standard_error"] == 0  # every sample of a side is the same
    assert found["value"] == pytest.approx(-psi * theta, rel=1e-12)


def test_at_the_equilibrium_of_the_dirac_game_neither_player_gains():
    found = duality_gap(dirac(0.0, 0.0).state, steps=5, real=torch.zeros(50, 1, dtype=torch.float64), seed=0)
    assert found["discriminator_gain"] == found["generator_gain"] == found["gap"] == 0


def test_the_error_of_a_gain_is_that_of_the_paired_difference():
    # Real rows are Gaussian; D' - D = (psi' - psi) x on them and constant on generated ones, so that the error of the
    # gain is |psi' - psi| s / sqrt(n), far below the error |psi| s / sqrt(n) of V itself.
    psi, theta, rate, rows = 1.0, 2.0, 0.01, 400
    real = torch.from_numpy(np.random.default_rng(0).normal(size=(rows, 1)))
    game = dirac(psi, theta, real=torch.zeros(64, 1, dtype=torch.float64), rate=rate)
    found = duality_gap(game.state, steps=1, real=real, seed=0)
    spread = float(real.std()) / math.sqrt(rows)
    assert found["discriminator_gain_standard_error"] == pytest.approx(rate * theta * spread, rel=1e-9)
    assert found["generator_gain_standard_error"] == 0
    assert found["value_standard_error"] == pytest.approx(psi * spread, rel=1e-9)


def test_a_copy_that_does_worse_on_other_training_batches_stays():
    game = dirac(0.7, -1.3, maximize=True)  # both ascend their own loss
    found = duality_gap(game.state, steps=3, real=torch.zeros(50, 1, dtype=torch.float64), seed=0)
    assert (found["discriminator_gain"], found["generator_gain"]) == (0, 0)


GAMES = {
    "points": ("ring8", []),
    "spectral normalisation, clipping, instance noise, classes": (
        "digits",
        [
            "networks.discriminator.spectral=true",
            "optimizers.generator.clip_norm=0.1",
            "augmentation.instance_noise.level=0.1",
        ],
    ),
    "a penalty with a memory, averaging": ("ring8", ["objective=relativistic_average", "penalties=[lecam, r1]"]),
    "optimistic": ("ring8", ["training.update_rule=optimistic", "objective=hinge"]),
}


@pytest.mark.parametrize("game", GAMES)
def test_play_is_bit_identical_with_and_without_measuring(game):
    source, settings = GAMES[game]
    small = [
        "networks.generator.width=8",
        "networks.discriminator.width=8",
        "data.points=400",
        "training.batch_size=16",
    ]
    planned = plan_run(source, steps=6, settings=[*small, *settings])
    states = []
    for measures in (False, True):
        trainer = build_trainer(planned.config, planned.data)
        for step in range(6):
            trainer.train_step()
            if measures and step in (2, 4):
                batch = trainer.batches.at(step)[0]
                found = duality_gap(trainer.state, steps=2, real=batch.real, labels=batch.labels, seed=0)
                assert found["gap"] is not None
        states.append(stored_state(trainer.state))
    (plain, numbers), (measured, other_numbers) = states
    assert numbers["step"] == other_numbers["step"] and plain.keys() == measured.keys()
    assert all(torch.equal(plain[name], measured[name]) for name in plain)


def test_the_same_state_gives_the_same_gap():
    planned = plan_run("ring8", steps=6, settings=["networks.generator.width=8", "data.points=400"])
    trainer = build_trainer(planned.config, planned.data)
    trainer.train_step()
    state, real = trainer.state, trainer.batches.at(0)[0].real
    assert duality_gap(state, steps=2, real=real, seed=3) == duality_gap(state, steps=2, real=real, seed=3)


@pytest.mark.parametrize("name", available())
def test_influences_give_the_value_and_to_first_order_its_error(name):
    stream = torch.Generator().manual_seed(0)
    real, fake = torch.randn(400, generator=stream) * 0.3 + 0.2, torch.randn(300, generator=stream) * 0.3
    objective = find(name)()
    found, expected = influences(objective, real, fake), value_function(objective, real, fake)
    assert found.value == pytest.approx(expected.value, rel=1e-9)
    # Hoeffding's second-order term, left out, is of relative size 1 / min(m, n).
    assert standard_error([found.real, found.fake]) == pytest.approx(expected.standard_error, rel=0.02)
    assert change_of_value(found, found) == (0, 0)
