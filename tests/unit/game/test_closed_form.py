"""The step in closed form against the one by autograd: losses, gradients, updates and what a report says."""

import pytest
import torch

from equipoise.distributed import SINGLE_PROCESS
from equipoise.game import AveragedWeights, Batch, EagerStepper, Player, UpdateRule
from equipoise.game.closed_form import ClosedFormStepper
from equipoise.networks.mixture_prior import MixturePriorGenerator
from equipoise.networks.mlp import MLPDiscriminator
from equipoise.objectives import find
from equipoise.penalties.r1_r2 import r1, r2
from equipoise.spaces import PointSpace


def stepper(kind, *, dimensions=2, covariance="diagonal", depth=1, **changes):
    """Both players with weights that are nothing special, in float64."""
    torch.manual_seed(0)
    space = PointSpace(dimensions)
    generator = MixturePriorGenerator(space, components=5, width=6, depth=depth, covariance=covariance).double()
    discriminator = MLPDiscriminator(space, width=7, depth=3, input_gradient="closed_form").double()
    with torch.no_grad():
        for parameter in (*generator.parameters(), *discriminator.parameters()):
            parameter.add_(0.3 * torch.randn_like(parameter))
    options = {
        "objective": find("relativistic")(),
        "penalties": [r1(0.3), r2(0.7)],
        "update_rule": UpdateRule(shared_batch=True),
        "group": SINGLE_PROCESS,
        **changes,
    }
    return kind(
        Player(discriminator, torch.optim.SGD(discriminator.parameters(), lr=0.05)),
        Player(generator, torch.optim.SGD(generator.parameters(), lr=0.05), average=AveragedWeights(generator)),
        **options,
    )


def batch(dimensions, count=12):
    stream = torch.Generator().manual_seed(3)
    latents = torch.randn(count, dimensions + 1, generator=stream, dtype=torch.float64)
    return Batch(torch.randn(count, dimensions, generator=stream, dtype=torch.float64), latents)


@pytest.mark.parametrize("dimensions", [1, 2, 5])
@pytest.mark.parametrize("covariance", ["diagonal", "full"])
@pytest.mark.parametrize("depth", [1, 2])
def test_steps_are_those_of_autograd(dimensions, covariance, depth):
    options = {"dimensions": dimensions, "covariance": covariance, "depth": depth}
    ours, theirs = (stepper(kind, **options) for kind in (ClosedFormStepper, EagerStepper))
    assert ours.is_known
    for _ in range(3):
        found, expected = (each.step([batch(dimensions)], penalty_factor=0.4, measure=True) for each in (ours, theirs))
        # Sums of a few dozen numbers of order 1 in float64, three steps of 0.05.
        for name in ("real_logits", "fake_logits", "discriminator_loss", "generator_loss", "fake_weights"):
            assert torch.allclose(getattr(found, name), getattr(expected, name), rtol=1e-9, atol=1e-12), name
        for name in ("penalties", "gradient_norms"):
            assert getattr(found, name).keys() == getattr(expected, name).keys()
            for key, number in getattr(found, name).items():
                assert torch.allclose(number, getattr(expected, name)[key], rtol=1e-9), key
    for role in ("discriminator", "generator"):
        pairs = zip(
            getattr(ours, role).network.named_parameters(), getattr(theirs, role).network.parameters(), strict=True
        )
        for (name, weight), other in pairs:
            assert torch.allclose(weight, other, rtol=1e-9, atol=1e-12), name
    averages = [each.generator.average.network.parameters() for each in (ours, theirs)]
    assert all(torch.allclose(own, other, rtol=1e-9) for own, other in zip(*averages, strict=True))


@pytest.mark.parametrize("penalties", [[], [r1(0.3)], [r2(0.7)], [r2(0.7), r1(0.3)]])
def test_any_of_the_penalties_may_be_missing(penalties):
    ours, theirs = (stepper(kind, penalties=penalties) for kind in (ClosedFormStepper, EagerStepper))
    assert ours.is_known
    for each in (ours, theirs):
        each.step([batch(2)])
    for weight, other in zip(ours.discriminator.parameters, theirs.discriminator.parameters, strict=True):
        assert torch.allclose(weight, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "change",
    [
        {"objective": find("nonsaturating")()},
        {"penalties": [r1(0.3, form="finite_difference")]},
        {"update_rule": UpdateRule("simultaneous", shared_batch=True)},
    ],
)
def test_every_other_game_is_left_to_autograd(change):
    if "penalties" in change:
        assert not stepper(ClosedFormStepper, **change).is_known
        return
    ours, theirs = (stepper(kind, **change) for kind in (ClosedFormStepper, EagerStepper))
    assert not ours.is_known
    for each in (ours, theirs):
        each.step([batch(2)])
    for weight, other in zip(ours.generator.parameters, theirs.generator.parameters, strict=True):
        assert torch.equal(weight, other)


def test_hooks_on_weights_are_called():
    ours, plain = stepper(ClosedFormStepper), stepper(ClosedFormStepper)
    ours.generator.parameters[0].register_hook(lambda gradient: 0 * gradient)
    before = ours.generator.parameters[0].detach().clone()
    for each in (ours, plain):
        each.step([batch(2)])
    assert torch.equal(ours.generator.parameters[0], before)
    assert not torch.equal(plain.generator.parameters[0], before)


def test_hooks_that_change_nothing_change_no_number():
    ours, plain = stepper(ClosedFormStepper), stepper(ClosedFormStepper)
    called = []
    ours.discriminator.parameters[0].register_hook(lambda gradient: called.append("gradient"))
    ours.generator.parameters[-1].register_post_accumulate_grad_hook(lambda parameter: called.append("accumulated"))
    for each in (ours, plain):
        for _ in range(3):
            each.step([batch(2)])
    assert called == 3 * ["gradient", "accumulated"]
    for role in ("discriminator", "generator"):
        for own, other in zip(getattr(ours, role).parameters, getattr(plain, role).parameters, strict=True):
            assert torch.equal(own, other)
