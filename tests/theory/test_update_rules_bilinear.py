"""Extragradient, optimistic and consensus updates on the bilinear game, with three optimizers, against their matrices.

The Wasserstein Dirac game is bilinear: `v = A w` with `A = [[0, -1], [1, 0]]`, so every rule with a linear optimizer is
a matrix on (parameters, optimizer state, rule memory), written out here by hand and nowhere else.
"""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from equipoise import objectives
from equipoise.errors import ConfigError
from equipoise.game import Batch, Player, UpdateRule, train_step
from equipoise.lab.dirac_game import DiracGame, gradient_descent
from equipoise.penalties.lecam import lecam
from equipoise.penalties.r1_r2 import r1, r2

A = np.array([[0.0, -1.0], [1.0, 0.0]])
ONE, NIL = np.eye(2), np.zeros((2, 2))
H, BETA, KAPPA = 0.1, 0.3, 1.0


def momentum(parameters, rate):
    return torch.optim.SGD(parameters, lr=rate, momentum=BETA)


def gentle_adam(parameters, rate):
    # With eps = 1 and gradients of 1e-9, Adam divides by 1 + 1e-9: it is plain descent to nine digits.
    return torch.optim.Adam(parameters, lr=rate, betas=(0.0, 0.99), eps=1.0)


def train(rule, optimizer, steps, *, start=(1e-9, 0.5e-9)):
    return DiracGame(
        objectives.find("wasserstein")(), UpdateRule(rule, consensus_weight=KAPPA), optimizer=optimizer
    ).train(*start, steps=steps)


def steps_of_gradient_descent(rule):
    """w after a step, as a function of (w, the gradient field, the last update); and the update."""

    def step(w, last):
        field = A @ w
        if rule == "extragradient":
            return w - H * A @ (w - H * field), None
        if rule == "consensus":
            return w - H * (A + KAPPA * A.T @ A) @ w, None
        update = -H * field
        return w + 2 * update - (update if last is None else last), update

    return step


@pytest.mark.parametrize("optimizer", [gradient_descent, gentle_adam], ids=["descent", "adam"])
@pytest.mark.parametrize("rule", ["extragradient", "optimistic", "consensus"])
def test_each_rule_moves_as_its_formula_says(rule, optimizer):
    path = train(rule, optimizer, 12)
    w, last, step = path[0], None, steps_of_gradient_descent(rule)
    for found in path[1:]:
        w, last = step(w, last)
        # 1e-9 of Adam's denominator per step, times 12 steps; the parameters themselves are of size 1e-9.
        assert found == pytest.approx(w, abs=2e-17)


MOMENTUM_MATRICES = {
    # On (w, m): m' = beta m + v, w' = w - h m'.
    "simultaneous": np.block([[ONE - H * A, -H * BETA * ONE], [A, BETA * ONE]]),
    "consensus": np.block([[ONE - H * (A + KAPPA * A.T @ A), -H * BETA * ONE], [A + KAPPA * A.T @ A, BETA * ONE]]),
}


def extragradient_with_momentum():
    look = np.block([[ONE - H * A, -H * BETA * ONE], [A, BETA * ONE]])  # (w, m) -> (look-ahead, m')
    push = A @ look[:2] + BETA * look[2:]  # m'' = beta m' + A (look-ahead)
    return np.vstack([np.hstack([ONE, NIL]) - H * push, push])


def optimistic_with_momentum():
    push = np.hstack([A, BETA * ONE, NIL])  # on (w, m, u): m'
    update = -H * push
    return np.vstack([np.hstack([ONE, NIL, -ONE]) + 2 * update, push, update])


@pytest.mark.parametrize("rule", ["simultaneous", "consensus", "extragradient", "optimistic"])
def test_with_momentum_the_growth_of_long_play_is_the_spectral_radius_of_the_hand_made_matrix(rule):
    matrix = MOMENTUM_MATRICES.get(rule)
    if matrix is None:
        matrix = extragradient_with_momentum() if rule == "extragradient" else optimistic_with_momentum()
    path = train(rule, momentum, 400)
    state = np.zeros(len(matrix))
    state[:2] = path[0]
    if rule == "optimistic":
        state[4:] = -H * A @ path[0]  # the first step has no predecessor: it takes its own update for the last one
    for found in path[1:200]:
        state = matrix @ state
        assert found == pytest.approx(state[:2], rel=1e-9, abs=1e-20)
    radius = np.linalg.norm(path, axis=1)
    expected = np.abs(np.linalg.eigvals(matrix)).max()
    # The leading pair rotates; over 200 steps the wobble of the radius (a factor below 1.2) costs log(1.2)/200 = 1e-3.
    assert (radius[400] / radius[200]) ** (1 / 200) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("rule", "eigenvalue"),
    [
        ("simultaneous", 1 - 1j * H),
        ("extragradient", 1 - 1j * H + (1j * H) ** 2),
        ("optimistic", (1 - 2j * H + np.sqrt(1 + 4 * (1j * H) ** 2)) / 2),
        ("consensus", 1 - H * KAPPA - 1j * H),
    ],
)
def test_gradient_descent_grows_by_the_closed_form_eigenvalue(rule, eigenvalue):
    game = DiracGame(objectives.find("wasserstein")(), UpdateRule(rule, consensus_weight=KAPPA))
    assert game.growth() == pytest.approx(abs(eigenvalue), abs=1e-8)


@pytest.mark.parametrize("beta", [0.3, 0.9])
def test_adam_with_a_first_moment_turns_outwards_where_gradient_descent_does_not(beta):
    def adam(parameters, rate):
        return torch.optim.Adam(parameters, lr=rate, betas=(beta, 0.99), eps=1.0)

    # With alternating updates gradient descent keeps its orbit; a first moment lags behind a rotating gradient and
    # goes outwards.
    radius = np.linalg.norm(train("alternating", adam, 600), axis=1)
    assert radius[-60:].max() > 1.5 * radius[:60].max()


def networks(seed=0):
    torch.manual_seed(seed)
    generator = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2)).double()
    discriminator = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0)).double()
    return discriminator, generator


def adam_players(pair):
    optimizers = (torch.optim.Adam(network.parameters(), lr=1e-2, betas=(0.0, 0.99)) for network in pair)
    return tuple(Player(network, optimizer) for network, optimizer in zip(pair, optimizers, strict=True))


def batches(seed=1, count=2):
    stream = torch.Generator().manual_seed(seed)
    return [
        Batch(
            real=torch.randn(16, 2, generator=stream, dtype=torch.float64),
            latents=torch.randn(16, 2, generator=stream, dtype=torch.float64),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("objective", ["relativistic", "relativistic_average", "nonsaturating", "fgan_kl"])
def test_consensus_with_weight_zero_is_simultaneous_play(objective):
    pair = networks()
    ends = []
    for update_rule in (UpdateRule("consensus", consensus_weight=0.0), UpdateRule("simultaneous")):
        players = adam_players(copy.deepcopy(pair))
        for step in range(3):
            train_step(
                *players,
                objective=objectives.find(objective)(),
                batches=batches(step),
                penalties=[r1(0.5), r2(0.5)],
                update_rule=update_rule,
            )
        ends.append(torch.cat([p.detach().flatten() for player in players for p in player.parameters]))
    # Adam divides small gradients by themselves, so rounding of 1e-16 may grow; measured below 1e-12.
    assert torch.allclose(ends[0], ends[1], atol=1e-9, rtol=0)


@pytest.mark.parametrize("objective", ["relativistic", "relativistic_average", "minimax"])
def test_the_consensus_gradient_is_that_of_half_the_squared_field(objective):
    pair, kappa, h = networks(), 0.7, 1e-6
    batch = batches()

    def squared_field(shift, parameter, place):
        shifted = copy.deepcopy(pair)
        with torch.no_grad():
            next(shifted[parameter].parameters())[place] += shift
        players = [Player(network, torch.optim.SGD(network.parameters(), lr=0.0)) for network in shifted]
        report = train_step(
            *players,
            objective=objectives.find(objective)(),
            batches=batch,
            penalties=[r2(0.5)],
            update_rule=UpdateRule("simultaneous"),
            measure=True,
        )
        return sum(float(norm) ** 2 for norm in report.gradient_norms.values())

    def gradients(weight):
        players = [Player(network, torch.optim.SGD(network.parameters(), lr=1.0)) for network in copy.deepcopy(pair)]
        before = [[p.detach().clone() for p in player.parameters] for player in players]
        train_step(
            *players,
            objective=objectives.find(objective)(),
            batches=batch,
            penalties=[r2(0.5)],
            update_rule=UpdateRule("consensus", consensus_weight=weight),
        )
        return [
            [b - p.detach() for b, p in zip(kept, player.parameters, strict=True)]
            for kept, player in zip(before, players, strict=True)
        ]

    plain, with_consensus = gradients(0.0), gradients(kappa)
    for parameter in (0, 1):
        place = (3, 1)
        difference = (squared_field(h, parameter, place) - squared_field(-h, parameter, place)) / (2 * h)
        found = float(with_consensus[parameter][0][place] - plain[parameter][0][place])
        # Central difference: h^2 times a third derivative of order 1, and 1e-16/h = 1e-10 of rounding.
        assert found == pytest.approx(kappa * difference / 2, abs=1e-8)


def test_optimistic_play_continues_exactly_from_its_stored_memory():
    objective, update_rule = objectives.find("nonsaturating")(), UpdateRule("optimistic")
    players = adam_players(networks())
    for step in range(4):
        train_step(*players, objective=objective, batches=batches(step), update_rule=update_rule)
    copies = adam_players(copy.deepcopy(tuple(player.network for player in players)))
    for player, duplicate in zip(players, copies, strict=True):
        duplicate.optimizer.load_state_dict(copy.deepcopy(player.optimizer.state_dict()))
        duplicate.memory.update({name: tensor.clone() for name, tensor in player.memory.items()})
        assert set(player.memory) == {f"previous_update.{name}" for name, _ in player.network.named_parameters()}
    for pair in (players, copies):
        train_step(*pair, objective=objective, batches=batches(9), update_rule=update_rule)
    for player, duplicate in zip(players, copies, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(player.parameters, duplicate.parameters, strict=True))


def test_extragradient_looks_ahead_and_moves_from_where_it_stood():
    # Two gradient steps by hand in the saturating game: the extrapolation, then the update with the gradient found
    # there.
    def sigmoid(t):
        return 1 / (1 + math.exp(-t))

    theta, psi, h = 0.7, -0.4, 0.1
    path = DiracGame(objectives.find("minimax")(), UpdateRule("extragradient")).train(theta, psi, steps=1)
    ahead_psi = psi - h * theta * sigmoid(psi * theta)
    ahead_theta = theta + h * psi * sigmoid(psi * theta)
    derivative = sigmoid(ahead_psi * ahead_theta)
    assert path[1] == pytest.approx((theta + h * ahead_psi * derivative, psi - h * ahead_theta * derivative), abs=1e-15)


@pytest.mark.parametrize("rule", ["extragradient", "optimistic", "consensus"])
def test_rules_that_update_both_players_together_refuse_a_larger_n_critic_by_name(rule):
    with pytest.raises(ConfigError, match=f"{rule} updates with 3 discriminator"):
        UpdateRule(rule, n_critic=3)


def test_an_unknown_rule_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match="Did you mean 'extragradient'"):
        UpdateRule("extra_gradient")


def test_a_negative_consensus_weight_is_refused():
    with pytest.raises(ConfigError, match="is not a weight"):
        UpdateRule("consensus", consensus_weight=-1.0)


def test_penalties_observe_each_discriminator_turn_once():
    penalty = lecam(decay=0.5)
    train_step(
        *adam_players(networks()),
        objective=objectives.find("hinge")(),
        batches=batches(count=4),
        penalties=[penalty],
        update_rule=UpdateRule(n_critic=3),
    )
    assert float(penalty.state["weights"]) == pytest.approx(1 - 0.5**3)
    for rule in ("extragradient", "consensus", "optimistic", "simultaneous"):
        penalty = lecam(decay=0.5)
        train_step(
            *adam_players(networks()),
            objective=objectives.find("hinge")(),
            batches=batches(),
            penalties=[penalty],
            update_rule=UpdateRule(rule),
        )
        assert float(penalty.state["weights"]) == pytest.approx(0.5)
