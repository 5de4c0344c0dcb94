"""No player is updated from what is not finite; nothing waits for the device to know."""

import copy

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from equipoise.game import FiniteUpdates, Player
from equipoise.game.finite import AsyncCopy

CPU = torch.device("cpu")
OPTIMIZERS = {
    "fused Adam": lambda weights: torch.optim.Adam(weights, lr=0.1, fused=True),
    "fused AdamW": lambda weights: torch.optim.AdamW(weights, lr=0.1, fused=True),
    "fused SGD with momentum": lambda weights: torch.optim.SGD(weights, lr=0.1, momentum=0.9, fused=True),
    "Adam": lambda weights: torch.optim.Adam(weights, lr=0.1),
    "RMSprop": lambda weights: torch.optim.RMSprop(weights, lr=0.1),
    "NAdam": lambda weights: torch.optim.NAdam(weights, lr=0.1),
}


def players(make=OPTIMIZERS["fused Adam"]):
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
    optimizer = player.optimizer.state_dict()["state"]
    return copy.deepcopy((player.network.state_dict(), optimizer))


def same(first, second):
    (weights, moments), (others, other_moments) = first, second
    return all(torch.equal(weights[name], others[name]) for name in weights) and all(
        torch.equal(torch.as_tensor(moments[index][key]), torch.as_tensor(other_moments[index][key]))
        for index in moments
        for key in moments[index]
    )


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_bad_gradient_changes_no_weight_and_no_moment_of_either_player(optimizer, at_once):
    discriminator, generator = players(OPTIMIZERS[optimizer])
    guard = FiniteUpdates(discriminator, generator, device=CPU, reads_at_once=at_once)
    for player in (discriminator, generator):
        give_gradients(player)
        player.update()
    before = state(discriminator), state(generator)
    give_gradients(discriminator, bad=2)
    discriminator.update()
    give_gradients(generator)
    generator.update()
    assert same(state(discriminator), before[0]) and same(state(generator), before[1])
    found = guard.first_nonfinite()
    assert (found.player, found.kind, found.layer) == ("discriminator", "gradient", "1.weight")


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_finite_gradients_give_the_updates_that_they_give_without_a_guard(optimizer, at_once):
    guarded, alone = players(OPTIMIZERS[optimizer]), players(OPTIMIZERS[optimizer])
    guard = FiniteUpdates(*guarded, device=CPU, reads_at_once=at_once)
    for _ in range(3):
        for player in (*guarded, *alone):
            give_gradients(player)
            player.update()
        guard.check_losses(torch.tensor(1.0), torch.tensor(1.0))
    assert all(same(state(one), state(other)) for one, other in zip(guarded, alone, strict=True))
    assert not guard.is_known_nonfinite() and guard.first_nonfinite() is None


@pytest.mark.parametrize("at_once", [True, False])
def test_the_first_number_that_is_not_finite_is_named_with_its_step(at_once):
    discriminator, generator = players()
    guard = FiniteUpdates(discriminator, generator, device=CPU, reads_at_once=at_once)
    for step, bad in ((7, None), (8, 3), (9, 0)):
        guard.step = step
        give_gradients(generator, bad=bad)
        generator.update()
        guard.check_losses(torch.tensor(0.0), torch.tensor(float("inf") if step == 9 else 0.0))
    found = guard.first_nonfinite()
    assert (found.step, found.player, found.kind, found.layer) == (8, "generator", "gradient", "1.bias")
    assert guard.is_known_nonfinite()


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(("place", "player"), [(0, "discriminator"), (1, "generator")])
def test_a_loss_that_is_not_finite_is_that_players(at_once, place, player):
    guard = FiniteUpdates(*players(), device=CPU, reads_at_once=at_once)
    losses = [torch.tensor(0.5), torch.tensor(0.5)]
    losses[place] = torch.tensor(float("nan"))
    guard.check_losses(*losses)
    assert (guard.first_nonfinite().player, guard.first_nonfinite().kind, guard.first_nonfinite().layer) == (
        player,
        "loss",
        None,
    )


@pytest.mark.parametrize("at_once", [True, False])
def test_a_broken_weight_is_named_as_the_cause_of_the_others_gradient(at_once):
    discriminator, generator = players()
    guard = FiniteUpdates(discriminator, generator, device=CPU, reads_at_once=at_once)
    with torch.no_grad():
        generator.parameters[1][0] = float("inf")
    give_gradients(discriminator, bad=0)
    discriminator.update()
    found = guard.first_nonfinite()
    assert (found.player, found.kind, found.layer) == ("generator", "weight", "0.bias")


@pytest.mark.parametrize("at_once", [True, False])
def test_after_a_reset_players_are_updated_again(at_once):
    discriminator, generator = players()
    guard = FiniteUpdates(discriminator, generator, device=CPU, reads_at_once=at_once)
    give_gradients(generator, bad=0)
    generator.update()
    guard.check_losses(torch.tensor(0.0), torch.tensor(0.0))
    guard.reset()
    before = state(generator)
    give_gradients(generator)
    generator.update()
    assert not guard.is_known_nonfinite() and guard.first_nonfinite() is None
    assert not torch.equal(state(generator)[0]["0.weight"], before[0]["0.weight"])


class Reads(TorchDispatchMode):
    """Counts how often a number is read from a tensor, which makes a device wait."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        self.count += function in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.is_nonzero.default)
        return function(*arguments, **(keywords or {}))


@pytest.mark.parametrize("optimizer", ["fused Adam", "fused SGD with momentum"])
def test_on_a_device_no_number_is_read_in_an_update_or_after_a_step(optimizer):
    discriminator, generator = players(OPTIMIZERS[optimizer])
    guard = FiniteUpdates(discriminator, generator, device=CPU, reads_at_once=False)
    guard._copy = Unhurried()
    with Reads() as reads:
        for bad in (None, 1, None):
            for player in (discriminator, generator):
                give_gradients(player, bad=bad)
                player.update()
            guard.check_losses(discriminator.parameters[0].sum(), generator.parameters[0].sum())
            guard.is_known_nonfinite()
    assert reads.count == 0


class Unhurried:
    """A copy that never arrives."""

    def start(self):
        return None

    def has_arrived_set(self):
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


def test_a_copy_is_read_when_it_has_arrived_and_not_before_even_if_it_is_always_late():
    source = torch.zeros(5, dtype=torch.float64)
    copied = AsyncCopy(source)
    copied._arrival = LateArrival()
    copied.start()
    source[0] = 1.0  # after the copy was made
    copied._arrival.has_happened = True
    copied.start()  # the first has arrived, with the mark not set; the next one starts
    assert not copied.has_arrived_set()
    copied.start()  # still under way: no second copy
    assert not copied.has_arrived_set()
    copied._arrival.has_happened = True
    copied.start()  # it is read before the next one overwrites it
    assert copied.has_arrived_set()
