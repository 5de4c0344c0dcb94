"""The pair for images on a GPU: how it starts, what its two numbers do, and what layout and precision change."""

import pytest
import torch
from torch import nn

from equipoise.networks import find
from equipoise.networks.residual import GroupedBlock, level_widths
from equipoise.spaces import ImageSpace, PointSpace

FAMILY = find("residual")
SMALL = {"width": 16, "depth": 1}


def pushed(network):
    """Weights as after some steps: none is zero."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return network


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (64, 48), (256, 8), (9, 13)])
def test_images_from_8_to_256_pixels_a_side_are_made_square_or_not(size):
    space = ImageSpace(3, *size)
    generator, discriminator = (getattr(FAMILY, role)(space, **SMALL) for role in ("generator", "discriminator"))
    samples = generator(torch.randn(2, generator.latent_dimensions))
    assert samples.shape == (2, 3, *size) and discriminator(samples).shape == (2,)


@pytest.mark.parametrize("space", [ImageSpace(1, 7, 28), ImageSpace(3, 257, 64), PointSpace(2)])
def test_other_sizes_and_other_samples_are_not_supported(space):
    assert not FAMILY.supports(space)


def test_a_block_is_the_identity_at_the_start_and_works_in_groups():
    block = GroupedBlock(32, 0.5)
    grid = torch.randn(2, 32, 5, 5)
    assert torch.equal(block(grid), grid)
    assert block.mix.groups == 4 and block.mix.in_channels == 64
    # A pixel of one group moves no other group.
    inside = torch.zeros(1, 64, 5, 5)
    inside[0, 20] = torch.randn(5, 5)
    changed = (block.mix(inside) != 0).any(dim=(0, 2, 3)).nonzero().flatten()
    assert set(changed.tolist()) <= set(range(16, 32))


def test_branches_are_scaled_by_the_fourth_root_of_the_number_of_blocks():
    torch.manual_seed(0)
    network = FAMILY.discriminator(ImageSpace(3, 32, 32), width=64, depth=4)
    blocks = [module for module in network.modules() if isinstance(module, GroupedBlock)]
    assert len(blocks) == 4 * 4  # grids of 32, 16, 8 and 4
    block = blocks[-1]
    # He's deviation is sqrt(2 / ((1 + 0.2 ** 2) * inputs)); 128 * 64 weights give it to a few percent.
    he = (2 / (1.04 * 64)) ** 0.5
    assert block.widen.weight.std().item() == pytest.approx(he * 16**-0.25, rel=0.05)


def test_width_and_depth_are_the_two_numbers():
    def parameters(**options):
        return sum(weight.numel() for weight in FAMILY.discriminator(ImageSpace(3, 32, 32), **options).parameters())

    assert level_widths(4, 64) == [64, 64, 32, 16] and level_widths(1, 8) == [2]
    one, two, three = (parameters(width=32, depth=depth) for depth in (1, 2, 3))
    assert two - one == three - two > 0  # each block of depth adds the same
    assert 2.5 < parameters(width=64, depth=2) / two < 4.2  # dense parts grow with the square


def test_a_grid_of_equal_cells_stays_so_through_resampling_to_odd_sides():
    network = pushed(FAMILY.generator(ImageSpace(1, 9, 13), **SMALL))
    with torch.no_grad():
        network.coarse.copy_(network.coarse[:, :1, :1].expand_as(network.coarse))
        for module in network.modules():
            if isinstance(module, GroupedBlock):
                nn.init.zeros_(module.narrow.weight)  # convolutions see the edge
    image = network(torch.randn(1, network.latent_dimensions))
    assert torch.allclose(image, image[..., :1, :1].expand_as(image), atol=1e-5)


@pytest.mark.parametrize("classes", [0, 3])
def test_channels_last_changes_no_number_beyond_rounding_not_even_of_penalties(classes):
    space, labels = ImageSpace(3, 16, 16), (torch.arange(4) % 3,) if classes else ()
    network = pushed(FAMILY.discriminator(space, classes=classes, **SMALL))
    other = pushed(FAMILY.discriminator(space, classes=classes, **SMALL))
    other.load_state_dict(network.state_dict())
    other = other.to(memory_format=torch.channels_last)
    found = []
    for player in (network, other):
        samples = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(2)).requires_grad_(True)
        (slope,) = torch.autograd.grad(player(samples, *labels).sum(), samples, create_graph=True)
        penalty = slope.square().sum()
        penalty.backward()
        weights = torch.cat([weight.grad.flatten() for weight in player.parameters() if weight.grad is not None])
        found.append((penalty.detach(), weights))
    # Sums of float32 in another order; 1e-4 of the largest number is a hundred units in the last place.
    assert found[0][0].item() == pytest.approx(found[1][0].item(), rel=1e-4)
    assert torch.allclose(found[0][1], found[1][1], atol=1e-4 * found[0][1].abs().max().item())


def test_bf16_moves_logits_by_its_own_rounding():
    torch.manual_seed(0)
    network = pushed(FAMILY.discriminator(ImageSpace(3, 16, 16), **SMALL))
    samples = torch.randn(16, 3, 16, 16)
    exact = network(samples)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = network(samples).float()
    # 8 bits of mantissa through about ten layers: a few percent of the spread of the logits.
    assert (rounded - exact).abs().max() < 0.1 * exact.std() + 0.05 * exact.abs().max()
