"""A gradient that lies in memory in another order than its weight: a fused optimizer misreads it, a player does not."""

import pytest
import torch
from torch import nn

from equipoise.game import Player, UpdateRule, train_step
from equipoise.game.step import Batch
from equipoise.networks import find
from equipoise.objectives import find as find_objective
from equipoise.penalties import find as find_penalty
from equipoise.spaces import ImageSpace


def transposed_gradient():
    """A gradient of a 4 x 3 weight, as a view of a 3 x 4 tensor; signs differ from column to column."""
    return (torch.arange(12.0).view(3, 4).t() + 1) * torch.tensor([1.0, -1.0, 1.0])


def adam(weight, *, fused):
    return torch.optim.Adam([weight], lr=0.1, betas=(0.0, 0.99), fused=fused)


def layer():
    torch.manual_seed(0)
    return nn.Linear(3, 4, bias=False)


def moved(network, update):
    before = network.weight.detach().clone()
    update()
    return (network.weight.detach() - before).sign()


def test_the_first_step_of_adam_goes_against_the_sign_of_each_gradient_also_fused_in_a_players_hands():
    network = layer()
    player = Player(network, adam(network.weight, fused=True))
    network.weight.grad = transposed_gradient()
    assert torch.equal(moved(network, player.update), -transposed_gradient().sign())


def test_torch_alone_misreads_such_a_gradient_when_fused_which_is_why_players_copy_it():
    network = layer()
    optimizer = adam(network.weight, fused=True)
    network.weight.grad = transposed_gradient()
    if torch.equal(moved(network, optimizer.step), -transposed_gradient().sign()):
        pytest.skip(f"torch {torch.__version__} reads it rightly")
    other = layer()
    optimizer = adam(other.weight, fused=False)
    other.weight.grad = transposed_gradient()
    assert torch.equal(moved(other, optimizer.step), -transposed_gradient().sign())


class WritesLayouts:
    """An optimizer's hook that notes which gradients do not lie like their weights."""

    def __init__(self):
        self.differing, self.steps = [], 0

    def __call__(self, optimizer, arguments, keywords):
        self.steps += 1
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        self.differing += [weight for weight in weights if weight.grad.stride() != weight.stride()]


@pytest.mark.parametrize("rule", ["alternating", "simultaneous", "consensus", "alternating_consensus", "extragradient"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_in_every_update_rule_gradients_reach_the_optimizer_in_the_layout_of_their_weights(rule, layout):
    torch.manual_seed(0)
    space, family, notes = ImageSpace(1, 8, 8), find("strided"), WritesLayouts()
    players = []
    for make in (family.discriminator, family.generator):
        network = make(space, channels=4, widest=8, patch=1, classes=2).to(memory_format=layout)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.0, 0.99), fused=True)
        optimizer.register_step_pre_hook(notes)
        players.append(Player(network, optimizer))
    batches = [Batch(torch.rand(4, 1, 8, 8), torch.randn(4, 64), torch.arange(4) % 2) for _ in range(2)]
    train_step(
        *players,
        objective=find_objective("relativistic")(),
        penalties=[find_penalty(name)(weight=1.0) for name in ("r1", "r2")],
        batches=batches,
        update_rule=UpdateRule(rule),
    )
    assert notes.steps >= 2
    assert not notes.differing
