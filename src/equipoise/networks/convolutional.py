"""Convolutional players for images: residual, without normalisation.

The generator grows an image from a small grid by doubling, the discriminator shrinks it again; each level
has `blocks` residual blocks. Residual branches start at zero (Zhang et al. 2019, arXiv:1901.09321), which
takes the place of normalisation: a batch-wide one is forbidden under per-sample penalties, and none is needed.
With `patch` p, squares of p x p pixels are folded into channels, so that the finest grid, where most of the work is,
has a p-th of the side: on a CPU p = 2 buys three to four times the steps. `whitening` says in which coordinates; see
`networks.folding`.

The grain of a photograph is another number at every place. A generator that has only a few latents for the whole image
must make grain from them, and so repeats it. With `local_latents` k the generator's input has, beside the global
latents, k for every place of every level, which a 1x1 convolution without a bias adds to the level's channels. They are
latents as the others are: stored, exported, truncated and interpolated with them.

Reference:
    Noise inputs: Karras et al. 2019, arXiv:1812.04948, section 3.2; here they are a part of the latents.
"""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu, pad

from equipoise.networks.base import Family
from equipoise.networks.conditioning import label_embedding, label_projection, projected, with_labels
from equipoise.networks.folding import Folding
from equipoise.networks.heads import SampleHead
from equipoise.networks.mlp import LEAK
from equipoise.networks.spectral import normalise_spectra
from equipoise.shapes import Labels, Latents, Logits, Samples
from equipoise.spaces import ImageSpace, Space

SMALLEST_GRID = 4
"""Shorter side of the coarsest grid: large enough to hold a layout, small enough for one dense layer."""


class ResidualBlock(nn.Module):
    """x + conv(act(conv(act(x)))), with the second convolution starting at zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.kaiming_normal_(self.first.weight, a=LEAK)
        nn.init.zeros_(self.first.bias)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, grid: Tensor) -> Tensor:
        """The same shape as `grid`."""
        return grid + self.second(leaky_relu(self.first(leaky_relu(grid, LEAK)), LEAK))


class ConvolutionalGenerator(nn.Module):
    """Latents to a coarse grid by a dense layer, then per level: blocks, doubling, a 1x1 convolution to other
    channels.

    Attributes:
        latent_dimensions: width of the latents: the global ones, then `local_latents` planes of each level, from coarse
            to fine. What the local ones add starts at 0.
    """

    def __init__(
        self,
        space: Space,
        *,
        latents: int = 64,
        channels: int = 32,
        widest: int = 128,
        blocks: int = 1,
        patch: int = 1,
        blur: bool = False,
        tone: bool = False,
        detail: bool = False,
        whitening: float = 0.0,
        local_latents: int = 0,
        classes: int = 0,
    ) -> None:
        super().__init__()
        assert isinstance(space, ImageSpace)
        self.blur = blur
        self.label_embedding = label_embedding(classes, latents)
        self.sizes = grid_sizes(-(-space.height // patch), -(-space.width // patch))
        self.parts = (latents, *(local_latents * math.prod(size) for size in self.sizes))
        self.latent_dimensions = sum(self.parts)
        plan = channel_plan(len(self.sizes), channels, widest)
        self.entry = nn.Linear(latents * (2 if classes else 1), plan[0] * math.prod(self.sizes[0]))
        self.levels = nn.ModuleList(_residual_blocks(width, blocks) for width in plan)
        self.changes = nn.ModuleList(nn.Conv2d(now, after, 1) for now, after in pairwise(plan))
        self.local = nn.ModuleList(nn.Conv2d(local_latents, width, 1, bias=False) for width in plan if local_latents)
        for layer in self.local:
            nn.init.zeros_(layer.weight)
        self.folding = Folding(space, patch=patch, whitening=whitening)
        self.output = nn.Conv2d(plan[-1], self.folding.channels, 3, padding=1)
        self.head = SampleHead(space, tone=tone, detail=detail)

    def forward(self, latents: Latents, labels: Labels | None = None) -> Samples:
        """Images of shape `(batch, channels, height, width)`, mostly within [-1, 1]."""
        local: list[Tensor] = []
        if self.local:
            latents, *local = latents.split(self.parts, dim=1)
        latents = with_labels(latents, self.label_embedding, labels)
        grid = self.entry(latents).unflatten(1, (-1, *self.sizes[0]))
        for index, level in enumerate(self.levels):
            if local:
                grid = grid + self.local[index](local[index].unflatten(1, (-1, *self.sizes[index])))
            grid = level(grid)
            if index < len(self.changes):
                grid = interpolate(self.changes[index](grid), size=self.sizes[index + 1], mode="nearest")
        image = self.folding.painted_by(self.output, leaky_relu(grid, LEAK))
        if self.blur:
            image = blurred(image)
        return self.head(image.flatten(start_dim=1), None)


class ConvolutionalDiscriminator(nn.Module):
    """The generator's mirror image: per level residual blocks, a 1x1 convolution to other channels, halving; then one
    logit."""

    def __init__(
        self,
        space: Space,
        *,
        channels: int = 32,
        widest: int = 128,
        blocks: int = 1,
        patch: int = 1,
        spectral: bool = False,
        whitening: float = 0.0,
        classes: int = 0,
    ) -> None:
        super().__init__()
        assert isinstance(space, ImageSpace)
        self.folding = Folding(space, patch=patch, whitening=whitening)
        self.sizes = grid_sizes(-(-space.height // patch), -(-space.width // patch))[::-1]
        plan = channel_plan(len(self.sizes), channels, widest)[::-1]
        self.entry = nn.Conv2d(self.folding.channels, plan[0], 3, padding=1)
        self.levels = nn.ModuleList(_residual_blocks(width, blocks) for width in plan)
        self.changes = nn.ModuleList(nn.Conv2d(now, after, 1) for now, after in pairwise(plan))
        features = plan[-1] * math.prod(self.sizes[-1])
        self.summary = nn.Linear(features, widest)
        self.output = nn.Linear(widest, 1)
        self.projection = label_projection(classes, widest)
        if spectral:
            normalise_spectra(self)

    def to_read_units(self, gradient: Samples) -> Tensor:
        """Input gradients as those of the squares that the network reads; see `networks.folding`."""
        return self.folding.in_folded_units(gradient)

    def forward(self, samples: Samples, labels: Labels | None = None) -> Logits:
        """Logits of shape `(batch,)`."""
        grid = self.folding.read_by(self.entry, samples)
        for index, level in enumerate(self.levels):
            grid = level(grid)
            if index < len(self.changes):
                grid = self.changes[index](_halve(grid))
        hidden = leaky_relu(self.summary(leaky_relu(grid, LEAK).flatten(start_dim=1)), LEAK)
        logits = self.output(hidden).squeeze(1)
        return logits if self.projection is None else logits + projected(self.projection, hidden, labels)


def blurred(images: Tensor) -> Tensor:
    r"""Images smoothed along both sides by (1, 2, 1) / 4; pixels beyond an edge repeat the edge.

    The gain at frequency :math:`\omega` per pixel is :math:`(1 + \cos \omega) / 2` along each side: 1 for an even
    picture and exactly 0 at :math:`\omega = \pi`. That is the frequency of the checkerboard, which a network draws
    that makes the pixels of a 2 x 2 patch in channels of their own (Odena et al. 2016, doi:10.23915/distill.00003).

    Args:
        images: shape `(batch, channels, height, width)`.

    Returns:
        The same shape.
    """
    padded = pad(images, (1, 1, 1, 1), mode="replicate")
    rows = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]
    return (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 16


def grid_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Grid sizes from coarse to fine: halved, rounding up, while the shorter side stays at `SMALLEST_GRID` or more.

    28 x 28 gives 4, 7, 14, 28: a last odd side is halved with rounding up.
    """
    sizes = [(height, width)]
    while min(-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)) >= SMALLEST_GRID:
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    return sizes[::-1]


def channel_plan(levels: int, channels: int, widest: int) -> list[int]:
    """Channels per level from coarse to fine: `channels` at full size, doubling with each halving up to `widest`."""
    return [min(widest, channels * 2 ** (levels - 1 - index)) for index in range(levels)]


def _residual_blocks(width: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))


def _halve(grid: Tensor) -> Tensor:
    """Mean over 2x2 cells; the last row or column of an odd side is averaged over the cells it has."""
    return avg_pool2d(grid, 2, ceil_mode=True, count_include_pad=False)


NETWORKS = {
    "convolutional": Family(
        generator=ConvolutionalGenerator,
        discriminator=ConvolutionalDiscriminator,
        supports=lambda space: isinstance(space, ImageSpace) and min(space.height, space.width) >= 8,
        limits="images of at least 8 by 8 pixels",
    )
}
