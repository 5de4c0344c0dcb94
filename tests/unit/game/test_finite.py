"""No player moves on what is not finite; nobody waits for the device to know."""

import copy

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from equipoise.game import FiniteUpdates, Player
from equipoise.game.finite import AsyncCopy

CPU = torch.device("cpu")
OPTIMISERS = {
    "fused Adam": lambda weights: torch.optim.Adam(weights, lr=0.1, fused=True),
    "fused AdamW": lambda weights: torch.optim.AdamW(weights, lr=0.1, fused=True),
    "fused SGD with momentum": lambda weights: torch.optim.SGD(weights, lr=0.1, momentum=0.9, fused=True),
    "plain Adam": lambda weights: torch.optim.Adam(weights, lr=0.1),
    "RMSprop": lambda weights: torch.optim.RMSprop(weights, lr=0.1),
    "NAdam": lambda weights: torch.optim.NAdam(weights, lr=0.1),
}


def players(make=OPTIMISERS["fused Adam"]):
    torch.manual_seed(0)
    made = []
    for width in (3, 2):
        network = torch.nn.Sequential(torch.nn.Linear(width, 4), torch.nn.Linear(4, 1))
        made.append(Player(network, make(list(network.parameters()))))
    return made


def give_gradients(player, *, bad=None):
    """Gradients of one for all weights; NaN in one entry of the parameter with number `bad`."""
    for number, parameter in enumerate(player.parameters):
        parameter.grad = torch.ones_like(parameter)
        if number == bad:
            parameter.grad.view(-1)[-1] = float("nan")


def state(player):
    optimiser = player.optimizer.state_dict()["state"]
    return copy.deepcopy((player.network.state_dict(), optimiser))


def same(first, second):
    (weights, moments), (others, other_moments) = first, second
    return all(torch.equal(weights[name], others[name]) for name in weights) and all(
        torch.equal(torch.as_tensor(moments[index][key]), torch.as_tensor(other_moments[index][key]))
        for index in moments
        for key in moments[index]
    )


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_a_bad_gradient_moves_no_weight_and_no_moment_of_either_player(optimiser, at_once):
    discriminator, generator = players(OPTIMISERS[optimiser])
    moves = FiniteUpdates(discriminator, generator, device=CPU, reads_at_once=at_once)
    for player in (discriminator, generator):
        give_gradients(player)
        player.update()
    before = state(discriminator), state(generator)
    give_gradients(discriminator, bad=2)
    discriminator.update()
    give_gradients(generator)
    generator.update()
    assert same(state(discriminator), before[0]) and same(state(generator), before[1])
    found = moves.trouble()
    assert (found.player, found.kind, found.layer) == ("discriminator", "gradient", "1.weight")


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_finite_gradients_move_as_they_would_without_anybody_watching(optimiser, at_once):
    watched, alone = players(OPTIMISERS[optimiser]), players(OPTIMISERS[optimiser])
    moves = FiniteUpdates(*watched, device=CPU, reads_at_once=at_once)
    for _ in range(3):
        for player in (*watched, *alone):
            give_gradients(player)
            player.update()
        moves.watch(torch.tensor(1.0), torch.tensor(1.0))
    assert all(same(state(one), state(other)) for one, other in zip(watched, alone, strict=True))
    assert not moves.noticed() and moves.trouble() is None


@pytest.mark.parametrize("at_once", [True, False])
def test_the_first_trouble_is_the_one_that_is_named_with_its_step(at_once):
    discriminator, generator = players()
    moves = FiniteUpdates(discriminator, generator, device=CPU, reads_at_once=at_once)
    for step, bad in ((7, None), (8, 3), (9, 0)):
        moves.step = step
        give_gradients(generator, bad=bad)
        generator.update()
        moves.watch(torch.tensor(0.0), torch.tensor(float("inf") if step == 9 else 0.0))
    found = moves.trouble()
    assert (found.step, found.player, found.kind, found.layer) == (8, "generator", "gradient", "1.bias")
    assert moves.noticed()


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(("place", "player"), [(0, "discriminator"), (1, "generator")])
def test_a_loss_that_is_not_finite_is_that_players(at_once, place, player):
    moves = FiniteUpdates(*players(), device=CPU, reads_at_once=at_once)
    losses = [torch.tensor(0.5), torch.tensor(0.5)]
    losses[place] = torch.tensor(float("nan"))
    moves.watch(*losses)
    assert (moves.trouble().player, moves.trouble().kind, moves.trouble().layer) == (player, "loss", None)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_broken_weight_is_named_as_the_cause_of_the_others_gradient(at_once):
    discriminator, generator = players()
    moves = FiniteUpdates(discriminator, generator, device=CPU, reads_at_once=at_once)
    with torch.no_grad():
        generator.parameters[1][0] = float("inf")
    give_gradients(discriminator, bad=0)
    discriminator.update()
    found = moves.trouble()
    assert (found.player, found.kind, found.layer) == ("generator", "weight", "0.bias")


@pytest.mark.parametrize("at_once", [True, False])
def test_after_it_is_cleared_play_moves_again(at_once):
    discriminator, generator = players()
    moves = FiniteUpdates(discriminator, generator, device=CPU, reads_at_once=at_once)
    give_gradients(generator, bad=0)
    generator.update()
    moves.watch(torch.tensor(0.0), torch.tensor(0.0))
    moves.clear()
    before = state(generator)
    give_gradients(generator)
    generator.update()
    assert not moves.noticed() and moves.trouble() is None
    assert not torch.equal(state(generator)[0]["0.weight"], before[0]["0.weight"])


class Reads(TorchDispatchMode):
    """Counts how often a number is read from a tensor, which makes a device wait."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        self.count += function in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.is_nonzero.default)
        return function(*arguments, **(keywords or {}))


@pytest.mark.parametrize("optimiser", ["fused Adam", "fused SGD with momentum"])
def test_on_a_device_no_number_is_read_in_a_turn_or_after_a_step(optimiser):
    discriminator, generator = players(OPTIMISERS[optimiser])
    moves = FiniteUpdates(discriminator, generator, device=CPU, reads_at_once=False)
    moves._courier = Unhurried()
    with Reads() as reads:
        for bad in (None, 1, None):
            for player in (discriminator, generator):
                give_gradients(player, bad=bad)
                player.update()
            moves.watch(discriminator.parameters[0].sum(), generator.parameters[0].sum())
            moves.noticed()
    assert reads.count == 0


class Unhurried:
    """A courier that is always under way."""

    def send(self):
        return None

    def has_brought_bad_news(self):
        return False


class LateArrival:
    """A CUDA event that has happened when it is told so; waiting for it is a failure."""

    def __init__(self):
        self.has_happened = False

    def record(self):
        self.has_happened = False

    def query(self):
        return self.has_happened

    def synchronize(self):
        raise AssertionError("nobody waits")


def test_news_is_read_when_it_has_arrived_and_not_before_even_if_it_is_always_late():
    source = torch.zeros(5, dtype=torch.float64)
    courier = AsyncCopy(source)
    courier._arrival = LateArrival()
    courier.send()
    source[0] = 1.0  # after the copy was made
    courier._arrival.has_happened = True
    courier.send()  # the first has arrived without bad news; the next one leaves
    assert not courier.has_brought_bad_news()
    courier.send()  # still under way: no second copy
    assert not courier.has_brought_bad_news()
    courier._arrival.has_happened = True
    courier.send()  # it is read before the next one overwrites it
    assert courier.has_brought_bad_news()
