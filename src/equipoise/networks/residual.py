r"""The pair for images on a GPU: deep residual networks of grouped convolutions, without normalisation.

Each level of the grid has `depth` blocks

.. math::
    x + W_3\, \phi(G\, \phi(W_1 x)), \qquad W_1: c \to e c,\quad G: 3 \times 3 \text{ in groups},\quad W_3: e c \to c

an inverted bottleneck: wide inside, where the convolution is cheap because it works in groups. Between levels the grid
is resampled bilinearly and, where the width changes, mapped by a 1 x 1 convolution. The generator starts from a learned
coarse grid that the latents scale; the discriminator ends by one full-size convolution for each channel.

With L blocks in a player, layers before the last of a branch are drawn with He's variance and scaled by
:math:`L^{-1/4}`, and the last one is zero: an update then moves the output by as much as in a shallow network, which
takes the place of normalisation (Zhang et al. 2019, section 3, with three layers to a branch).

Reference:
    Huang et al. 2024, arXiv:2501.05441, section 4, configuration E; Zhang et al. 2019, arXiv:1901.09321; grouped
    inverted bottlenecks: Sandler et al. 2018, arXiv:1801.04381, Xie et al. 2017, arXiv:1611.05431.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, pad, pixel_shuffle, pixel_unshuffle

from equipoise.networks.base import Family
from equipoise.networks.conditioning import label_embedding, label_projection, projected, with_labels
from equipoise.networks.convolutional import channel_plan, grid_sizes
from equipoise.networks.heads import SampleHead
from equipoise.networks.mlp import LEAK
from equipoise.networks.spectral import normalise_spectra
from equipoise.shapes import Labels, Latents, Logits, Samples
from equipoise.spaces import ImageSpace, Space

SIDES = (8, 256)
"""Shortest and longest side: below, the coarsest grid has no room; above, nothing has been tried."""
EXPANSION = 2
"""e: how much wider a block is inside."""
GROUP = 16
"""Channels of a group, as in the source; narrower blocks have one group."""
NARROWING = 4
"""The finest level has at least so many times fewer channels than the coarsest, where there are levels enough."""


class GroupedBlock(nn.Module):
    """x + W3 act(G act(W1 x)): an inverted bottleneck with a grouped convolution, whose last layer starts at zero.

    Args:
        channels: of the grid.
        scale: on He's deviation of the first two layers, L^(-1/4) with L blocks in the player.
    """

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        inside = EXPANSION * channels
        groups = inside // GROUP if inside % GROUP == 0 else 1
        self.widen = nn.Conv2d(channels, inside, 1)
        self.mix = nn.Conv2d(inside, inside, 3, padding=1, groups=groups)
        self.narrow = nn.Conv2d(inside, channels, 1, bias=False)
        for layer in (self.widen, self.mix):
            nn.init.kaiming_normal_(layer.weight, a=LEAK)
            with torch.no_grad():
                layer.weight.mul_(scale)
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.narrow.weight)

    def forward(self, grid: Tensor) -> Tensor:
        """The same shape as `grid`."""
        inside = leaky_relu(self.mix(leaky_relu(self.widen(grid), LEAK)), LEAK)
        return grid + self.narrow(inside)


class ResidualGenerator(nn.Module):
    """A learned coarse grid scaled by the latents, then per level: blocks, bilinear doubling; then pixels.

    Args:
        space: of images.
        latents: width of the latents.
        width: channels of the coarsest level; finer ones have half as many each, and `width / NARROWING` at least.
        depth: blocks of each level.
        patch: side of the squares of pixels that are made as channels of one cell.
        tone: whether tone curves stand behind the pixels; see `networks.tone`.
        detail: whether detail curves do; see `networks.detail`.
        classes: of a conditional game; 0 without labels.
    """

    def __init__(
        self,
        space: Space,
        *,
        latents: int = 64,
        width: int = 128,
        depth: int = 2,
        patch: int = 1,
        tone: bool = False,
        detail: bool = False,
        classes: int = 0,
    ) -> None:
        super().__init__()
        assert isinstance(space, ImageSpace)
        self.latent_dimensions, self.patch, self.space = latents, patch, space
        self.sizes = grid_sizes(-(-space.height // patch), -(-space.width // patch))
        plan = level_widths(len(self.sizes), width)
        self.label_embedding = label_embedding(classes, latents)
        self.coarse = nn.Parameter(torch.randn(plan[0], *self.sizes[0]))
        self.modulation = nn.Linear(latents * (2 if classes else 1), plan[0])
        self.levels = nn.ModuleList(_level(channels, depth, blocks=depth * len(plan)) for channels in plan)
        self.changes = nn.ModuleList(_change(now, after) for now, after in pairwise(plan))
        self.output = nn.Conv2d(plan[-1], space.channels * patch**2, 1)
        self.head = SampleHead(space, tone=tone, detail=detail)
        _unit_gain(self.modulation)
        _unit_gain(self.output)

    def forward(self, latents: Latents, labels: Labels | None = None) -> Samples:
        """Images of shape `(batch, channels, height, width)`, mostly within [-1, 1]."""
        scales = self.modulation(with_labels(latents, self.label_embedding, labels))
        grid = self.coarse * scales[:, :, None, None]
        for index, level in enumerate(self.levels):
            grid = level(grid)
            if index < len(self.changes):
                size = self.sizes[index + 1]
                grid = interpolate(self.changes[index](grid), size=size, mode="bilinear", align_corners=False)
        image = pixel_shuffle(self.output(grid), self.patch)[:, :, : self.space.height, : self.space.width]
        return self.head(image.flatten(start_dim=1), None)


class ResidualDiscriminator(nn.Module):
    """The mirror image: pixels to channels, per level blocks and bilinear halving, then one number.

    Args:
        space: of images.
        width, depth, patch: as the generator's.
        spectral: whether all weights are divided by their largest singular value.
        classes: of a conditional game; 0 without labels.
    """

    def __init__(
        self,
        space: Space,
        *,
        width: int = 128,
        depth: int = 2,
        patch: int = 1,
        spectral: bool = False,
        classes: int = 0,
    ) -> None:
        super().__init__()
        assert isinstance(space, ImageSpace)
        self.patch = patch
        self.padding = (0, -space.width % patch, 0, -space.height % patch)
        self.sizes = grid_sizes(-(-space.height // patch), -(-space.width // patch))[::-1]
        plan = level_widths(len(self.sizes), width)[::-1]
        self.entry = nn.Conv2d(space.channels * patch**2, plan[0], 1)
        self.levels = nn.ModuleList(_level(channels, depth, blocks=depth * len(plan)) for channels in plan)
        self.changes = nn.ModuleList(_change(now, after) for now, after in pairwise(plan))
        self.summary = nn.Conv2d(plan[-1], plan[-1], self.sizes[-1], groups=plan[-1], bias=False)
        self.output = nn.Linear(plan[-1], 1)
        self.projection = label_projection(classes, plan[-1])
        _unit_gain(self.entry)
        _unit_gain(self.summary)
        _unit_gain(self.output)
        if spectral:
            normalise_spectra(self)

    def forward(self, samples: Samples, labels: Labels | None = None) -> Logits:
        """Logits of shape `(batch,)`."""
        grid = self.entry(pixel_unshuffle(pad(samples, self.padding), self.patch))
        for index, level in enumerate(self.levels):
            grid = level(grid)
            if index < len(self.changes):
                size = self.sizes[index + 1]
                grid = self.changes[index](interpolate(grid, size=size, mode="bilinear", align_corners=False))
        hidden = self.summary(grid).flatten(start_dim=1)
        logits = self.output(hidden).squeeze(1)
        return logits if self.projection is None else logits + projected(self.projection, hidden, labels)


def level_widths(levels: int, width: int) -> list[int]:
    """Channels per level from coarse to fine: `width`, halved each time, and `width / NARROWING` at least."""
    return channel_plan(levels, max(1, width // NARROWING), width)


def _level(channels: int, depth: int, *, blocks: int) -> nn.Sequential:
    if depth < 1:
        raise ValueError(f"depth is {depth}; expected at least one block of a level")
    return nn.Sequential(*(GroupedBlock(channels, blocks**-0.25) for _ in range(depth)))


def _change(now: int, after: int) -> nn.Module:
    if now == after:
        return nn.Identity()
    layer = nn.Conv2d(now, after, 1, bias=False)
    _unit_gain(layer)
    return layer


def _unit_gain(layer: nn.Module) -> None:
    """Weights that keep the variance of what comes in, where no rectifier is before them; no bias at first."""
    inputs = math.prod(layer.weight.shape[1:])
    nn.init.normal_(layer.weight, std=1 / math.sqrt(inputs))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _is_supported(space: Space) -> bool:
    if not isinstance(space, ImageSpace):
        return False
    return SIDES[0] <= min(space.height, space.width) and max(space.height, space.width) <= SIDES[1]


NETWORKS = {
    "residual": Family(
        generator=ResidualGenerator,
        discriminator=ResidualDiscriminator,
        supports=_is_supported,
        limits=f"images of {SIDES[0]} to {SIDES[1]} pixels a side, square or not",
    )
}
