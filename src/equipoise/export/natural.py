"""A generator whose samples are natural values, so that whoever runs an exported file needs no encoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equipoise.shapes import Labels, Latents

LATENTS_LAW = "independent standard normal numbers, float32"
SMALLEST_ALPHA = 1 / 255
"""Below it no byte of alpha is left, and no colour: colours are divided by no less."""
EXAMPLE_ROWS = 3
"""Rows that a network is traced with: neither 0 nor 1, which tracing takes for constants."""


class NaturalGenerator(nn.Module):
    """Latents, and class numbers where there are classes, to images in [0, 1] or to points in their own units.

    Images come as `(batch, channels, height, width)`, float32; colours of transparent ones are straight, as files have
    them. They are not rounded to bytes. Points come as `(batch, d)`, float64.

    Args:
        generator: the network, in evaluation mode.
        has_alpha: whether its fourth channel is alpha and its colours are multiplied by it.
        mean, spread: of points, shape `(d,)` each; `None` for images.
        conditional: whether it is called with labels.
    """

    def __init__(
        self,
        generator: nn.Module,
        *,
        has_alpha: bool = False,
        mean: Tensor | None = None,
        spread: Tensor | None = None,
        conditional: bool = False,
    ) -> None:
        super().__init__()
        self.generator, self.has_alpha, self.conditional = generator, has_alpha, conditional
        self.latent_dimensions = int(generator.latent_dimensions)
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)

    def forward(self, latents: Latents, labels: Labels | None = None) -> Tensor:
        """Natural values of one sample for each row of latents."""
        made = self.generator(latents, labels) if self.conditional else self.generator(latents)
        if self.mean is not None:
            return made.double() * self.spread + self.mean
        seen = ((made + 1) / 2).clamp(0, 1)
        if not self.has_alpha:
            return seen
        alpha = seen[:, 3:]
        return torch.cat([(seen[:, :3] / alpha.clamp(min=SMALLEST_ALPHA)).clamp(max=1), alpha], dim=1)

    def example(self, classes: int) -> tuple[Tensor, ...]:
        """Inputs of the right shape, always the same ones."""
        latents = torch.randn(EXAMPLE_ROWS, self.latent_dimensions, generator=torch.Generator().manual_seed(0))
        return (latents, torch.arange(EXAMPLE_ROWS) % classes) if self.conditional else (latents,)
