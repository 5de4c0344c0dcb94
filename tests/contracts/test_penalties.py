"""What every penalty must satisfy; runs on all that are found, so a new file needs no new test."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from equipoise import penalties
from equipoise.errors import ConfigError
from equipoise.penalties import ForwardPass, Penalty

SHAPES = [(3,), (2, 4, 4)]


@pytest.fixture(params=penalties.available())
def penalty(request: pytest.FixtureRequest) -> Penalty:
    return penalties.find(request.param)()


def network_for(shape: tuple[int, ...]) -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), 8), nn.Softplus(), nn.Linear(8, 1), nn.Flatten(0))
    return layers.double()


def samples(size: int, shape: tuple[int, ...], seed: int) -> torch.Tensor:
    return torch.randn(size, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def forward_for(
    penalty: Penalty, network: nn.Module, shape: tuple[int, ...], *, size: int = 6, seed: int = 0
) -> ForwardPass:
    return ForwardPass(
        network,
        samples(size, shape, 1),
        samples(size, shape, 2),
        differentiate=penalty.differentiates,
        randomness=torch.Generator().manual_seed(seed),
    )


def test_a_penalty_is_called_what_it_is_found_by_and_states_its_source():
    for name in penalties.available():
        penalty = penalties.find(name)()
        assert penalty.name == name
        assert "arXiv:" in penalty.source or "doi:" in penalty.source


@pytest.mark.parametrize("shape", SHAPES, ids=["rows", "images"])
@pytest.mark.parametrize("size", [1, 6])
def test_it_gives_one_number_a_sample_that_is_never_negative(penalty, shape, size):
    values = penalty.per_sample(forward_for(penalty, network_for(shape), shape, size=size))
    assert values.shape == (size,)
    assert torch.isfinite(values).all()
    assert (values >= 0).all()


@pytest.mark.parametrize("shape", SHAPES, ids=["rows", "images"])
def test_it_reaches_the_discriminators_weights_and_not_the_samples(penalty, shape):
    network = network_for(shape)
    forward = forward_for(penalty, network, shape)
    penalty.per_sample(forward).mean().backward(inputs=list(network.parameters()))
    first = network[1].weight.grad
    assert first is not None and torch.isfinite(first).all() and float(first.abs().max()) > 0


def test_its_gradient_in_the_weights_is_that_of_finite_differences(penalty):
    network = network_for((3,))
    weights = network[1].weight

    def value() -> torch.Tensor:
        return penalty.per_sample(forward_for(penalty, network, (3,), seed=5)).mean()

    if penalty.state:  # anchors are constants of an update: fix them, as any update but the first does
        penalty.observe(forward_for(penalty, network, (3,)))
    (derivative,) = torch.autograd.grad(value(), weights)
    direction = torch.randn(weights.shape, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    step = 1e-5
    with torch.no_grad():
        weights += step * direction
    ahead = float(value().detach())
    with torch.no_grad():
        weights -= 2 * step * direction
    behind = float(value().detach())
    # Central difference: an error of order step^2 = 1e-10, and rounding of 1e-16 / 1e-5.
    assert float((derivative * direction).sum()) == pytest.approx((ahead - behind) / (2 * step), rel=1e-6, abs=1e-8)


def test_it_draws_from_the_given_stream_only_and_only_if_it_says_so(penalty):
    network = network_for((3,))
    state = torch.get_rng_state()
    one, again, other = (
        penalty.per_sample(forward_for(penalty, network, (3,), seed=seed)).detach() for seed in (1, 1, 2)
    )
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(one, again)
    assert torch.equal(one, other) != penalty.draws


def test_a_per_sample_penalty_gives_each_sample_what_it_would_get_alone(penalty):
    if not penalty.is_per_sample or penalty.draws:
        pytest.skip("not per sample, or drawn anew for each batch")
    network = network_for((3,))
    real, fake = samples(6, (3,), 1), samples(6, (3,), 2)
    together = penalty.per_sample(ForwardPass(network, real, fake, differentiate=penalty.differentiates))
    alone = [
        penalty.per_sample(ForwardPass(network, real[i : i + 1], fake[i : i + 1], differentiate=penalty.differentiates))
        for i in range(6)
    ]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-12, atol=1e-14)


def test_it_works_on_an_autocast_network_and_answers_in_float32(penalty):
    network = network_for((3,)).float()

    def coarse(x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return network(x)

    forward = ForwardPass(
        coarse,
        samples(6, (3,), 1).float(),
        samples(6, (3,), 2).float(),
        differentiate=penalty.differentiates,
        randomness=torch.Generator().manual_seed(0),
    )
    values = penalty.per_sample(forward)
    assert values.dtype == torch.float32
    values.mean().backward()
    assert torch.isfinite(network[1].weight.grad).all()


def test_what_it_remembers_can_be_stored_and_put_back(penalty):
    if not penalty.state:
        assert penalty.observe is None
        return
    network = network_for((3,))
    assert penalty.observe is not None
    penalty.observe(forward_for(penalty, network, (3,), size=4))
    stored = {name: tensor.clone() for name, tensor in penalty.state.items()}
    forward = forward_for(penalty, network, (3,))
    before = penalty.per_sample(forward)
    fresh = penalties.find(penalty.name)()
    for name, tensor in stored.items():
        fresh.state[name].copy_(tensor)
    fresh.place_state("cpu")
    assert torch.equal(fresh.per_sample(forward), before)
    penalty.observe(forward)
    assert any(not torch.equal(penalty.state[name], stored[name]) for name in stored)
    assert all(not tensor.requires_grad for tensor in penalty.state.values())


def test_two_penalties_of_one_kind_do_not_share_what_they_remember():
    one, two = penalties.find("lecam")(), penalties.find("lecam")()
    one.observe(forward_for(one, network_for((3,)), (3,)))
    assert float(two.state["weights"]) == 0.0


@pytest.mark.parametrize("weight", [-1.0, math.inf, math.nan])
@pytest.mark.parametrize("name", penalties.available())
def test_a_weight_that_would_reward_is_refused(name, weight):
    with pytest.raises(ConfigError, match=f"penalties.{name}.weight"):
        penalties.find(name)(weight)


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("dragan", {"noise_scale": 0.0}),
        ("lecam", {"decay": 1.0}),
        ("consistency", {"noise_scale": -1.0}),
        ("consistency", {"fake_share": math.nan}),
    ],
)
def test_an_option_out_of_range_is_refused_by_name(name, option):
    with pytest.raises(ConfigError, match=f"penalties.{name}.{next(iter(option))}"):
        penalties.find(name)(**option)


def test_an_unknown_name_is_answered_with_the_nearest_one():
    with pytest.raises(ConfigError, match=r"no penalty is called 'wgangp'\. Did you mean 'wgan_gp'"):
        penalties.find("wgangp")


def mean_with(penalty: Penalty, weights: torch.Tensor | None, *, repeats: torch.Tensor | None = None) -> torch.Tensor:
    """A penalty's mean with importance weights, or on generated samples that are repeated; the same draws each time."""
    fake = samples(6, (3,), 2)
    forward = ForwardPass(
        network_for((3,)),
        samples(6, (3,), 1),
        fake if repeats is None else fake.repeat_interleave(repeats, dim=0),
        differentiate=penalty.differentiates,
        randomness=torch.Generator().manual_seed(7),
        fake_weights=weights,
    )
    return penalty.per_sample(forward).mean().detach()


def test_it_heeds_importance_weights_and_those_of_one_are_no_weights_bit_for_bit(penalty):
    assert penalty.heeds_fake_weights
    assert torch.equal(mean_with(penalty, torch.ones(6, dtype=torch.float64)), mean_with(penalty, None))


def test_importance_weights_equal_repeated_generated_samples(penalty):
    counts = torch.tensor([0, 3, 1, 0, 2, 0])  # their mean is 1
    weighted = mean_with(penalty, counts.double())
    if not penalty.draws:
        assert float(weighted) == pytest.approx(float(mean_with(penalty, None, repeats=counts)), rel=1e-12)
        return
    # A repeated sample would get draws of its own. With the same draws the penalty is linear in the weights:
    # what each generated sample adds to the penalty without any, times its weight.
    nothing = mean_with(penalty, torch.zeros(6, dtype=torch.float64))
    each = [mean_with(penalty, row) - nothing for row in torch.eye(6, dtype=torch.float64)]
    expected = nothing + sum(int(count) * part for count, part in zip(counts, each, strict=True))
    assert float(weighted) == pytest.approx(float(expected), rel=1e-12)
    assert float(sum(each) + nothing) == pytest.approx(float(mean_with(penalty, None)), rel=1e-12)


def test_what_it_remembers_heeds_importance_weights(penalty):
    if penalty.observe is None:
        pytest.skip("it remembers nothing")
    counts = torch.tensor([0, 3, 1, 0, 2, 0])
    states = []
    for weights, repeats in ((counts.double(), torch.ones(6, dtype=torch.int64)), (None, counts)):
        remembering = penalties.find(penalty.name)()
        fake = samples(6, (3,), 2).repeat_interleave(repeats, dim=0)
        remembering.observe(ForwardPass(network_for((3,)), samples(6, (3,), 1), fake, fake_weights=weights))
        states.append(remembering.state)
    torch.testing.assert_close(states[0], states[1])
