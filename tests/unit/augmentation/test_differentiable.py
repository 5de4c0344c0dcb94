"""Differentiable augmentation: what each transformation does, through which penalties differentiate, and no leak."""

import math

import pytest
import torch

from equipoise.augmentation.differentiable import KINDS, SPEED, Draw, differentiable, transformed
from equipoise.errors import ConfigError
from equipoise.networks import find
from equipoise.spaces import ImageSpace


def drawn(count, first=0.0, second=0.0, chance=0.0):
    return Draw(*(torch.full((count,), value) for value in (chance, first, second)))


def ramp(count=1, channels=1, side=16):
    return torch.linspace(-1, 1, side).expand(count, channels, side, side).clone()


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def test_without_a_hit_every_pixel_stays_as_it_was():
    images = torch.rand(4, 3, 9, 12, generator=stream()) * 2 - 1
    assert torch.equal(differentiable(tuple(KINDS), probability=0.0)(images, stream()), images)


def test_an_image_is_hit_by_each_transformation_with_the_probability_that_is_asked_for():
    images = torch.ones(4000, 1, 8, 8)
    found = differentiable(["cutout"], probability=0.3)(images, stream())
    share = (found != 1).flatten(start_dim=1).any(dim=1).float().mean()
    # Every square of half the side covers a pixel. Five standard errors: 5 * sqrt(.3 * .7 / 4000) = .036.
    assert float(share) == pytest.approx(0.3, abs=0.036)


def test_a_shift_moves_by_whole_pixels_up_to_an_eighth_and_repeats_the_edge():
    images = torch.arange(16.0).expand(1, 1, 16, 16)
    reached = set()
    for value in torch.linspace(0, 0.999, 50).tolist():
        found = transformed(images, {"translate": drawn(1, second=value)}, 1.0)[0, 0, 5]
        by = int(found[8]) - 8
        assert torch.equal(found, (torch.arange(16.0) + by).clamp(0, 15))
        reached.add(by)
    assert reached == {-2, -1, 0, 1, 2}


def test_a_turn_by_an_angle_turns_the_gradient_of_a_ramp_by_it():
    found = transformed(ramp(side=32), {"rotate": drawn(1, first=1.0)}, 1.0)[0, 0, 10:22, 10:22]
    step = 2 / 31
    down, right = (found[1:] - found[:-1]).mean() / step, (found[:, 1:] - found[:, :-1]).mean() / step
    # Away from the edges bilinear weights reproduce a linear function exactly.
    assert float(right) == pytest.approx(math.cos(math.radians(15)), abs=1e-4)
    assert abs(float(down)) == pytest.approx(math.sin(math.radians(15)), abs=1e-4)


def test_scaling_keeps_the_centre_and_spreads_a_ramp_by_its_factor():
    found = transformed(ramp(side=33), {"scale": drawn(1, first=1.0)}, 1.0)[0, 0]
    assert float(found[16, 16]) == pytest.approx(0.0, abs=1e-6)
    slope = (found[16, 20] - found[16, 12]) / 8 / (2 / 32)
    assert float(slope) == pytest.approx(math.exp(-0.15), abs=1e-4)


def test_colours_of_transparent_images_stay_below_their_alpha():
    alpha = torch.rand(50, 1, 6, 6, generator=stream())
    colours = torch.rand(50, 3, 6, 6, generator=stream(1)) * alpha
    images = 2 * torch.cat([colours, alpha], dim=1) - 1
    found = (differentiable(["colour"], probability=1.0)(images, stream()) + 1) / 2
    assert torch.allclose(found[:, 3:], alpha, atol=1e-6)
    assert (found[:, :3] <= alpha + 1e-6).all() and not torch.allclose(found[:, :3], colours)


def test_penalties_differentiate_through_it_twice():
    torch.manual_seed(0)
    network = find("strided").discriminator(ImageSpace(3, 8, 8), channels=4, widest=8, patch=1)
    augment = differentiable(tuple(KINDS), probability=0.9)
    images = torch.rand(4, 3, 8, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(augment(images, stream())).sum(), images, create_graph=True)
    gradient.square().sum().backward()
    assert network.entry.weight.grad.abs().sum() > 0


def test_the_law_of_one_pixel_tells_its_law_before_as_long_as_some_images_pass_untouched():
    """No leak in a case that can be counted: one-pixel patterns under shifts of probability p.

    A picture whose bright column is c becomes one whose bright column is c + s. With p < 1 the matrix of these chances
    is diagonally dominant, so that only the data's own law of c gives the law that the discriminator sees.
    """
    side, count, p = 8, 40_000, 0.4
    law = torch.tensor([0.0, 0.0, 0.5, 0.0, 0.3, 0.2, 0.0, 0.0])
    columns = torch.multinomial(law, count, replacement=True, generator=stream())
    images = torch.nn.functional.one_hot(columns, side).float()[:, None, None, :].expand(-1, 1, side, -1)
    seen = differentiable(["translate"], probability=p)(images, stream(1))[:, 0, 0]
    found = seen.mean(dim=0)
    chances = torch.zeros(side, side)
    for column in range(2, 6):  # the edges hold nothing here: a shift of one pixel stays inside
        chances[column, column] += 1 - p + p / 3
        for other in (column - 1, column + 1):
            chances[other, column] += p / 3
    # Rounding makes the three shifts equally likely: (2u - 1) * 1.5 is even on [-1.5, 1.5).
    assert torch.allclose(found, chances @ law, atol=5 * (0.25 / count) ** 0.5)
    recovered = torch.linalg.lstsq(chances[:, 2:6], found[:, None]).solution[:, 0]
    # The inverse of a matrix whose diagonal leads by (1 - p + p/3) - 2p/3 = .467 magnifies errors by at most 1 / .467.
    assert torch.allclose(recovered, law[2:6], atol=5 * (0.25 / count) ** 0.5 * 4 / 0.467)


@pytest.mark.parametrize(("lead", "sign"), [(1.0, 1), (-1.0, -1)])
def test_an_adaptive_probability_follows_how_often_real_leads(lead, sign):
    part = differentiable(probability=0.5, target=0.2)
    assert part.strength(0, 10) == 0.5
    for _ in range(10):
        part.observe(torch.full((6,), lead), torch.zeros(6))
    assert part.strength(0, 10) == pytest.approx(0.5 + sign * 10 * SPEED)


def test_a_transformation_that_there_is_not_is_answered_with_the_nearest_one():
    with pytest.raises(ConfigError, match="Did you mean 'rotate'"):
        differentiable(["rotatte"])
