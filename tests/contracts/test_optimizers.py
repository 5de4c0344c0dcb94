"""What every optimizer of our own must satisfy."""

import copy

import pytest
import torch
from torch import nn

from equipoise.optimizers import available, find


@pytest.fixture(params=available())
def kind(request):
    return find(request.param)


def slope(network):
    return network(torch.linspace(-1, 1, 12).reshape(4, 3)).square().sum()


def test_it_descends_a_convex_function(kind):
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    optimizer = kind(network.parameters(), lr=0.01)
    before = float(slope(network).detach())
    for _ in range(100):
        optimizer.zero_grad()
        slope(network).backward()
        optimizer.step()
    assert float(slope(network).detach()) < before / 2


def test_what_it_remembers_is_tensors_that_a_checkpoint_can_hold(kind):
    """Numbers, or tensors of the weight's shape; a copy that is given them goes on bit for bit."""
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    optimizer = kind(network.parameters(), lr=0.01)
    for _ in range(7):
        slope(network).backward()
        optimizer.step()
        optimizer.zero_grad()
    weights = list(network.parameters())
    state = optimizer.state_dict()["state"]
    for index, entries in state.items():
        for entry in entries.values():
            assert isinstance(entry, torch.Tensor) and (entry.numel() == 1 or entry.shape == weights[index].shape)
    again = copy.deepcopy(network)
    fresh = kind(again.parameters(), lr=0.01)
    state = copy.deepcopy(state)  # torch shares the counts otherwise
    fresh.load_state_dict({"state": state, "param_groups": fresh.state_dict()["param_groups"]})
    for net, own in ((network, optimizer), (again, fresh)):
        slope(net).backward()
        own.step()
    assert all(map(torch.equal, network.parameters(), again.parameters()))


def test_groups_have_rates_of_their_own(kind):
    first, second = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(3))
    optimizer = kind([{"params": [first], "lr": 0.1}, {"params": [second], "lr": 0.0}])
    first.grad, second.grad = torch.ones(3), torch.ones(3)
    optimizer.step()
    assert not torch.equal(first, torch.zeros(3)) and torch.equal(second, torch.zeros(3))
