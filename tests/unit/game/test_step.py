"""One training step on a game small enough to compute by hand: the Dirac-GAN.

Data at 0, generator at theta, discriminator l(x) = psi * x (Mescheder et al. 2018, arXiv:1801.04406).
"""

import math

import pytest
import torch
from torch import nn

from equipoise.errors import ConfigError
from equipoise.game import Batch, Player, UpdateRule, train_step
from equipoise.objectives import find
from equipoise.penalties.r1_r2 import r1, r2


class Point(nn.Module):
    """Generator: every latent goes to theta."""

    def __init__(self, theta):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([[theta]], dtype=torch.float64))

    def forward(self, latents):
        return self.theta.expand(len(latents), 1)


class Slope(nn.Module):
    """Discriminator: l(x) = psi * x."""

    def __init__(self, psi):
        super().__init__()
        self.psi = nn.Parameter(torch.tensor(psi, dtype=torch.float64))

    def forward(self, samples):
        return self.psi * samples.squeeze(1)


def players(theta, psi, step_size):
    generator, discriminator = Point(theta), Slope(psi)
    return (
        Player(discriminator, torch.optim.SGD(discriminator.parameters(), lr=step_size)),
        Player(generator, torch.optim.SGD(generator.parameters(), lr=step_size)),
    )


def batch(size=4):
    return Batch(real=torch.zeros(size, 1, dtype=torch.float64), latents=torch.zeros(size, 1, dtype=torch.float64))


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def positions(discriminator, generator):
    return generator.network.theta.item(), discriminator.network.psi.item()


@pytest.mark.parametrize("rule", ["simultaneous", "alternating"])
def test_a_step_of_the_dirac_game_is_the_one_computed_by_hand(rule):
    theta, psi, h = 0.7, -0.4, 0.1
    discriminator, generator = players(theta, psi, h)
    train_step(
        discriminator,
        generator,
        objective=find("nonsaturating")(),
        batches=[batch(), batch()],
        update_rule=UpdateRule(rule),
    )
    # V = log sigma(0) + log sigma(-psi theta): dV/dpsi = -theta sigma(psi theta), ascended by the discriminator.
    new_psi = psi - h * theta * sigmoid(psi * theta)
    # Generator loss -log sigma(psi theta): its gradient is -psi sigma(-psi theta), at the psi it answers.
    seen = psi if rule == "simultaneous" else new_psi
    new_theta = theta + h * seen * sigmoid(-seen * theta)
    assert positions(discriminator, generator) == pytest.approx((new_theta, new_psi), abs=1e-15)


def test_r1_and_r2_add_gamma_times_the_slope_to_the_discriminators_gradient():
    theta, psi, h, gamma = 0.7, -0.4, 0.1, 0.3
    discriminator, generator = players(theta, psi, h)
    report = train_step(
        discriminator,
        generator,
        objective=find("relativistic")(),
        batches=[batch(), batch()],
        penalties=[r1(gamma), r2(gamma)],
    )
    # The derivative of l is psi everywhere, so each penalty is gamma psi^2 / 2 with gradient gamma psi.
    expected = psi - h * (theta * sigmoid(psi * theta) + 2 * gamma * psi)
    assert discriminator.network.psi.item() == pytest.approx(expected, abs=1e-15)
    assert report.penalties["r1"].item() == pytest.approx(psi**2 / 2, abs=1e-15)
    assert report.penalties["r2"].item() == pytest.approx(psi**2 / 2, abs=1e-15)


def test_the_penalty_factor_scales_every_penalty():
    ends = []
    for weight, factor in ((0.6, 0.5), (0.3, 1.0)):
        discriminator, generator = players(0.7, -0.4, 0.1)
        train_step(
            discriminator,
            generator,
            objective=find("relativistic")(),
            batches=[batch(), batch()],
            penalties=[r1(weight)],
            penalty_factor=factor,
        )
        ends.append(positions(discriminator, generator))
    assert ends[0] == pytest.approx(ends[1], abs=1e-15)


def test_k_discriminator_turns_equal_k_updates_by_hand():
    theta, psi, h = 0.7, -0.4, 0.1
    discriminator, generator = players(theta, psi, h)
    train_step(
        discriminator,
        generator,
        objective=find("nonsaturating")(),
        batches=[batch()] * 4,
        update_rule=UpdateRule(n_critic=3),
    )
    for _ in range(3):
        psi -= h * theta * sigmoid(psi * theta)
    assert discriminator.network.psi.item() == pytest.approx(psi, abs=1e-15)


def test_a_generator_turn_leaves_no_gradient_in_the_discriminator():
    discriminator, generator = players(0.7, -0.4, 0.1)
    train_step(discriminator, generator, objective=find("nonsaturating")(), batches=[batch(), batch()])
    assert discriminator.network.psi.grad is None


def test_the_report_is_detached_and_describes_the_position_before_the_update():
    discriminator, generator = players(0.7, -0.4, 0.1)
    report = train_step(
        discriminator, generator, objective=find("nonsaturating")(), batches=[batch(), batch()], measure=True
    )
    assert not report.fake_logits.requires_grad
    assert not report.discriminator_loss.requires_grad
    assert report.fake_logits.tolist() == pytest.approx([-0.28] * 4, abs=1e-15)
    assert report.gradient_norms["discriminator"].item() == pytest.approx(0.7 * sigmoid(-0.28), abs=1e-15)


def test_simultaneous_updates_with_a_larger_n_critic_are_refused_by_name():
    with pytest.raises(ConfigError, match="simultaneous updates with 2 discriminator"):
        UpdateRule("simultaneous", n_critic=2)


def test_a_step_without_an_update_of_each_player_is_refused():
    with pytest.raises(ConfigError, match="0 generator updates"):
        UpdateRule(generator_updates=0)


def test_labels_reach_both_players_and_a_joined_batch_repeats_them():
    seen = []

    class Labelled(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, inputs, labels):
            seen.append((len(inputs), labels.tolist()))
            return (self.weight * inputs).sum(dim=1) if inputs.shape[1] == 2 else self.weight * inputs.repeat(1, 2)

    generator, discriminator = Labelled(), Labelled()
    batch = Batch(real=torch.randn(3, 2), latents=torch.randn(3, 1), labels=torch.tensor([0, 1, 2]))
    train_step(
        Player(discriminator, torch.optim.SGD(discriminator.parameters(), lr=0.1)),
        Player(generator, torch.optim.SGD(generator.parameters(), lr=0.1)),
        objective=find("relativistic")(),
        batches=[batch, batch],
        penalties=[r1(), r2()],
    )
    assert (6, [0, 1, 2, 0, 1, 2]) in seen  # real and fake samples together for R1 + R2
    assert all(len(labels) == rows for rows, labels in seen)


@pytest.mark.parametrize("rule", ["simultaneous", "alternating"])
def test_a_shared_batch_makes_the_step_that_two_equal_batches_make(rule):
    def after(shares):
        discriminator, generator = players(0.7, -0.4, 0.1)
        rule_used = UpdateRule(rule, shared_batch=shares)
        batches = [batch()] * rule_used.updates_per_step
        report = train_step(
            discriminator,
            generator,
            objective=find("relativistic")(),
            batches=batches,
            penalties=[r1(0.3), r2(0.3)],
            update_rule=rule_used,
        )
        return positions(discriminator, generator), float(report.generator_loss), float(report.discriminator_loss)

    assert after(True) == after(False)


def test_with_a_shared_batch_samples_are_made_once():
    class Counting(Point):
        calls = 0

        def forward(self, latents):
            Counting.calls += 1
            return super().forward(latents)

    generator, discriminator = Counting(0.7), Slope(-0.4)
    train_step(
        Player(discriminator, torch.optim.SGD(discriminator.parameters(), lr=0.1)),
        Player(generator, torch.optim.SGD(generator.parameters(), lr=0.1)),
        objective=find("relativistic")(),
        batches=[batch()],
        update_rule=UpdateRule(shared_batch=True),
    )
    assert Counting.calls == 1


@pytest.mark.parametrize("rule", ["extragradient", "optimistic", "consensus", "alternating_consensus"])
def test_rules_that_make_their_samples_again_share_no_batch(rule):
    with pytest.raises(ConfigError, match="cannot share a batch"):
        UpdateRule(rule, shared_batch=True)


def test_two_updates_of_a_player_share_no_batch():
    with pytest.raises(ConfigError, match="cannot share a batch"):
        UpdateRule(n_critic=2, shared_batch=True)


def test_a_group_with_a_floor_keeps_its_rate_when_the_schedule_goes_below():
    first, second = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    network = nn.Module()
    network.first, network.second = first, second
    groups = [{"params": [first], "lr": 0.1}, {"params": [second], "lr": 0.2, "floor": 0.3}]
    player = Player(network, torch.optim.SGD(groups, lr=1.0))
    rates = {}
    for decay, scale in ((1.0, 1.0), (0.5, 1.0), (0.01, 1.0), (0.01, 0.5)):
        player.scale_learning_rate(decay, scale=scale)
        rates[decay, scale] = [group["lr"] for group in player.optimizer.param_groups]
    assert rates[1.0, 1.0] == pytest.approx([0.1, 0.2])
    assert rates[0.5, 1.0] == pytest.approx([0.05, 0.1])
    assert rates[0.01, 1.0] == pytest.approx([0.001, 0.06])
    assert rates[0.01, 0.5] == pytest.approx([0.0005, 0.03])  # a warm-up and a rollback lower the floor, too
