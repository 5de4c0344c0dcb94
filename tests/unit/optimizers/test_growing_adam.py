"""Adam with a growing memory against its formula, and through copies and checkpoints."""

import copy
import math

import pytest
import torch
from torch import nn

from equipoise.optimizers.growing_adam import GrowingAdam, memory

STEPS = 60


def trained(gradients, *, eps=0.0, **options):
    """The weight after one update for each gradient, in float64, from 0."""
    weight = nn.Parameter(torch.zeros((), dtype=torch.float64))
    optimizer = GrowingAdam([weight], lr=0.1, eps=eps, **options)
    path = []
    for gradient in gradients:
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        path.append(weight.item())
    return path


def test_gradients_of_constant_size_make_updates_of_the_learning_rate_from_the_first_step_on():
    signs = [(-1.0) ** (step // 3) for step in range(STEPS)]
    path = trained([7.3 * sign for sign in signs], shortest=5, share=0.5)
    expected = [-0.1 * sum(signs[: step + 1]) for step in range(STEPS)]
    assert path == pytest.approx(expected, rel=1e-12)  # sums of 60 numbers in float64


def test_up_to_the_shortest_memory_squares_are_averaged_plainly():
    gradients = [math.sin(step) + 1.5 for step in range(10)]
    path = trained(gradients, shortest=10, share=0.01)
    position = 0.0
    for step, gradient in enumerate(gradients, start=1):
        position -= 0.1 * gradient / math.sqrt(sum(g * g for g in gradients[:step]) / step)
        assert path[step - 1] == pytest.approx(position, rel=1e-12)


def test_later_the_square_of_step_k_counts_in_proportion_to_a_power_of_k():
    # With the share 1/2 and a shortest memory of 2, m_t = t / 2 from step 4 on. The weight of step k in v_t is then
    # (1/m_k) prod_{j > k} (1 - 2/j) = (2/k) k (k-1) / (t (t-1)) = 2 (k-1) / (t (t-1)): the power 1/s - 1 = 1 of k - 1.
    # One gradient differs from the others, which shows its weight.
    odd = 9
    gradients = [1.0] * STEPS
    gradients[odd - 1] = 3.0
    path = trained(gradients, shortest=2, share=0.5)
    for step in range(odd + 1, STEPS + 1):
        share = 2 * (odd - 1) / (step * (step - 1))
        update = path[step - 2] - path[step - 1]
        # Differences of positions up to 6 in float64: 1e-15 each, against updates of 0.1.
        assert update == pytest.approx(0.1 / math.sqrt(1 + share * (9 - 1)), rel=1e-12)


def test_eps_is_added_to_the_root_as_it_is():
    (first,) = trained([0.5], eps=0.25)
    assert first == pytest.approx(-0.1 * 0.5 / (0.5 + 0.25), rel=1e-12)


def test_the_memory_is_the_run_then_its_shortest_then_a_share_of_the_run():
    assert [memory(step) for step in (1, 50, 100, 400, 1000)] == [1, 50, 100, 100, 200]


def network_after(optimizer_of, steps, network):
    stream = torch.Generator().manual_seed(1)
    optimizer = optimizer_of(network)
    for _ in range(steps):
        loss = network(torch.randn(8, 3, generator=stream)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    optimizer.zero_grad()
    return optimizer


def test_a_copy_and_a_restored_optimizer_go_on_bit_for_bit():
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    optimizer = network_after(lambda net: GrowingAdam(net.parameters(), shortest=5, fused=True), 20, network)
    other, twin = copy.deepcopy((network, optimizer))
    restored = copy.deepcopy(network)
    fresh = GrowingAdam(restored.parameters(), shortest=5, fused=True)
    fresh.load_state_dict(copy.deepcopy(optimizer.state_dict()))  # torch shares the counts otherwise
    for net, own in ((network, optimizer), (other, twin), (restored, fresh)):
        for step in range(5):
            net(torch.full((4, 3), 1.0 + step)).square().mean().backward()
            own.step()
            own.zero_grad()
    assert optimizer.updates == twin.updates == fresh.updates == 25
    for parameter, copied, again in zip(network.parameters(), other.parameters(), restored.parameters(), strict=True):
        assert torch.equal(parameter, copied) and torch.equal(parameter, again)


def two_groups(network):
    groups = [{"params": [network.weight], "lr": 0.02}, {"params": [network.bias], "eps": 0.01, "weight_decay": 0.1}]
    return GrowingAdam(groups, lr=0.1, shortest=5, beta1=0.3, fused=True)


def test_the_kernel_alone_moves_weights_as_adams_own_step_does(monkeypatch):
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    other = copy.deepcopy(network)
    ours = network_after(two_groups, 20, network)
    assert ours._is_plain() is False  # no gradients are left
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    assert ours._is_plain() is True
    monkeypatch.setattr(GrowingAdam, "_is_plain", lambda self: False)
    theirs = network_after(two_groups, 20, other)
    for own, parameter in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(own, parameter)
        states = (ours.state[own], theirs.state[parameter])
        assert all(torch.equal(states[0][name], states[1][name]) for name in ("step", "exp_avg", "exp_avg_sq"))


@pytest.mark.parametrize(
    "change",
    [
        lambda optimizer, weight: setattr(weight, "grad", None),
        lambda optimizer, weight: optimizer.state.pop(weight),
        lambda optimizer, weight: optimizer.param_groups[0].update(amsgrad=True),
        lambda optimizer, weight: optimizer.param_groups[0].update(lr=torch.tensor(0.1)),
        lambda optimizer, weight: setattr(optimizer, "found_inf", torch.zeros(())),
    ],
)
def test_whatever_else_adam_would_do_is_left_to_it(change):
    weight = nn.Parameter(torch.zeros(2))
    optimizer = GrowingAdam([weight], lr=0.1, fused=True)
    for _ in range(2):
        weight.grad = torch.ones(2)
        optimizer.step()
    assert optimizer._is_plain()
    change(optimizer, weight)
    assert not optimizer._is_plain()


def test_its_learning_rate_reads_as_it_was_set_between_steps():
    weight = nn.Parameter(torch.zeros(2))
    optimizer = GrowingAdam([weight], lr=0.1)
    weight.grad = torch.ones(2)
    optimizer.step()
    assert optimizer.param_groups[0]["lr"] == 0.1 and optimizer.param_groups[0]["eps"] == 1e-8


@pytest.mark.parametrize("options", [{"shortest": 0}, {"share": 0.0}, {"share": 1.5}, {"beta1": 1.0}, {"eps": -1.0}])
def test_nonsense_is_refused(options):
    with pytest.raises(ValueError, match=r"memory|share|beta|epsilon"):
        GrowingAdam([nn.Parameter(torch.zeros(1))], **options)
