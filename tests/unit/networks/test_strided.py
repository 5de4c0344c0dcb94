"""The pair for images on a CPU: which sizes it makes, how it starts, and a blur that no checkerboard passes."""

import math

import numpy as np
import pytest
import torch

from equipoise.networks import find
from equipoise.networks.convolutional import blurred
from equipoise.networks.strided import EPSILON, place_correlations, place_statistics
from equipoise.spaces import ImageSpace, PointSpace

FAMILY = find("strided")


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (64, 48), (256, 8), (256, 256)])
def test_images_from_8_to_256_pixels_a_side_are_made_square_or_not(size):
    space = ImageSpace(1, *size)
    assert FAMILY.supports(space)
    generator = FAMILY.generator(space, channels=2, widest=4, patch=2, latents=3)
    samples = generator(torch.randn(2, 3))
    assert samples.shape == (2, 1, *size)
    assert FAMILY.discriminator(space, channels=2, widest=4, patch=2)(samples).shape == (2,)


@pytest.mark.parametrize("space", [ImageSpace(1, 7, 28), ImageSpace(3, 257, 64), PointSpace(2)])
def test_other_sizes_and_other_samples_are_not_supported(space):
    assert not FAMILY.supports(space)


def test_at_first_the_label_changes_no_logit():
    network = FAMILY.discriminator(ImageSpace(1, 12, 12), classes=3)
    image = torch.randn(1, 1, 12, 12).repeat(3, 1, 1, 1)
    logits = network(image, torch.arange(3))
    assert torch.allclose(logits, logits[:1].expand(3), rtol=1e-5)  # rows of one batch, in another order of sums


def test_convolutions_keep_the_mean_square_of_a_signal_at_the_start():
    """He's variance: each layer keeps E[x^2] of its input in the mean, here within edges and chance."""
    torch.manual_seed(0)
    network = FAMILY.discriminator(ImageSpace(4, 64, 64), channels=64, widest=64)
    grid = torch.randn(8, 16, 32, 32)
    first = network.entry(grid)
    # For a zero-mean Gaussian pre-activation, var = 9 * 16 * 2 / ((1 + LEAK^2) * 9 * 16) * E[x^2] = 1.92; the border of
    # 4 * 31 of 32^2 cells misses up to a third of it.
    assert first.square().mean().item() == pytest.approx(2 / 1.04, rel=0.15)
    second = network.halvings[0](torch.nn.functional.leaky_relu(first, 0.2))
    assert second.square().mean().item() == pytest.approx(first.square().mean().item(), rel=0.3)


@pytest.mark.parametrize("frequency", [0.0, math.pi / 2, math.pi])
def test_the_blur_has_the_gain_of_its_formula_and_none_for_a_checkerboard(frequency):
    wave = torch.cos(frequency * torch.arange(16.0))
    image = (wave[:, None] * wave[None, :])[None, None]
    gain = ((1 + math.cos(frequency)) / 2) ** 2
    inner = blurred(image)[..., 1:-1, 1:-1]
    assert torch.allclose(inner, gain * image[..., 1:-1, 1:-1], atol=1e-6)


def test_the_blur_leaves_an_even_picture_as_it_is_up_to_the_edge():
    image = torch.full((1, 3, 5, 7), 0.25)
    assert torch.equal(blurred(image), image)


def test_a_generator_with_a_blur_draws_the_blurred_picture():
    space = ImageSpace(3, 16, 16)
    torch.manual_seed(0)
    plain = FAMILY.generator(space, patch=2, channels=2, widest=4)
    torch.manual_seed(0)
    smooth = FAMILY.generator(space, patch=2, channels=2, widest=4, blur=True)
    assert plain.state_dict().keys() == smooth.state_dict().keys()
    latents = 0.1 * torch.randn(2, 64)  # small enough to stay within [-1, 1], where the head is the identity
    assert torch.allclose(smooth(latents), blurred(plain(latents)), atol=1e-6)


def test_statistics_of_places_are_means_and_deviations_and_do_not_depend_on_where():
    checkerboard = torch.tensor([[1.0, 5.0], [5.0, 1.0]]).repeat(3, 2)  # 3 and 2 in closed form
    grid = torch.stack([checkerboard, torch.full((6, 4), -0.5)])[None].double()
    means, deviations = place_statistics(grid)[0].split(2)
    assert means.tolist() == pytest.approx([3.0, -0.5])
    assert deviations.tolist() == pytest.approx([math.sqrt(4 + EPSILON), math.sqrt(EPSILON)])
    places = torch.randperm(24)
    moved = grid.flatten(start_dim=2)[..., places].unflatten(2, (6, 4))
    assert torch.allclose(place_statistics(moved), place_statistics(grid))


def test_correlations_of_places_are_those_of_numpy_up_to_epsilon():
    grid = torch.randn(3, 4, 5, 6, dtype=torch.float64)
    grid[:, 1] += 2 * grid[:, 0]
    found = place_correlations(grid)
    assert torch.allclose(found[:, :8], place_statistics(grid))
    for image, row in zip(grid, found[:, 8:], strict=True):
        expected = np.corrcoef(image.flatten(start_dim=1).numpy())
        assert row.unflatten(0, (4, 4)).numpy() == pytest.approx(expected, abs=5 * EPSILON)


@pytest.mark.parametrize("statistics", [place_statistics, place_correlations])
def test_statistics_of_places_can_be_differentiated_twice(statistics):
    grid = torch.randn(2, 3, 3, 4, dtype=torch.float64)
    assert torch.autograd.gradgradcheck(statistics, grid.requires_grad_())


@pytest.mark.parametrize("statistics", [place_statistics, place_correlations])
def test_a_channel_that_is_the_same_everywhere_has_finite_gradients(statistics):
    """In float32 the mean of squares less the square of the mean may be negative: here by about 1e-2."""
    grid = torch.full((1, 2, 16, 16), 333.3).requires_grad_()
    found = statistics(grid)
    (gradient,) = torch.autograd.grad(found.sum(), grid, create_graph=True)
    gradient.square().sum().backward()
    assert found.isfinite().all() and gradient.isfinite().all() and grid.grad.isfinite().all()


def test_statistics_pooling_adds_what_the_dense_layer_makes_of_them():
    space = ImageSpace(3, 16, 12)
    torch.manual_seed(0)
    plain = FAMILY.discriminator(space, channels=2, widest=4)
    pooling = FAMILY.discriminator(space, channels=2, widest=4, statistics_pooling=True)
    pooling.load_state_dict(plain.state_dict(), strict=False)
    images = torch.rand(5, 3, 16, 12) * 2 - 1
    assert not torch.allclose(pooling(images), plain(images))
    torch.nn.init.zeros_(pooling.of_places.weight)
    assert torch.allclose(pooling(images), plain(images), atol=1e-6)


def test_local_latents_come_after_the_global_ones_and_at_first_change_nothing():
    space = ImageSpace(3, 20, 16)
    torch.manual_seed(0)
    plain = FAMILY.generator(space, channels=2, widest=4, patch=2, latents=5)
    local = FAMILY.generator(space, channels=2, widest=4, patch=2, latents=5, local_latents=3)
    local.load_state_dict(plain.state_dict(), strict=False)
    assert local.latent_dimensions == 5 + 3 * (5 * 4 + 10 * 8)  # grids of 5 x 4 and 10 x 8 squares
    latents = torch.randn(2, local.latent_dimensions)
    assert torch.allclose(local(latents), plain(latents[:, :5]), atol=1e-6)


def test_a_local_latent_changes_the_image_where_it_is():
    """One latent of the finest grid reaches two cells further by the block, one by the output: 7 x 7 squares."""
    torch.manual_seed(0)
    generator = FAMILY.generator(ImageSpace(1, 64, 64), channels=2, widest=4, patch=2, latents=5, local_latents=1)
    for layer in (*generator.local, *(level[0].second for level in generator.levels)):
        torch.nn.init.normal_(layer.weight)
    latents = 0.01 * torch.randn(1, generator.latent_dimensions)
    other = latents.clone()
    other[0, -32 * 32 + 10 * 32 + 20] += 1.0  # row 10, column 20 of the grid of 32 x 32 squares
    changed = (generator(other) != generator(latents))[0, 0].nonzero()
    assert changed.min(dim=0).values.tolist() == [2 * (10 - 3), 2 * (20 - 3)]
    assert changed.max(dim=0).values.tolist() == [2 * (10 + 3) + 1, 2 * (20 + 3) + 1]
