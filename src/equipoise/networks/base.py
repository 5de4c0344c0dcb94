"""What a family of networks is: a matching pair of factories for the two players."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from equipoise.spaces import Space


@dataclass(frozen=True)
class Family:
    """A pair of networks that are used together.

    Attributes:
        generator: `generator(space, *, latents, classes, ...)`; the module has `latent_dimensions`, the width of
            the latents it wants, and maps `(latents)` or `(latents, labels)` to samples of the space. It may also have
            `weighted_samples`, of the same arguments, for training (see `shapes.WeightedSamples`), and
            `parameter_groups`, names of parameters that an optimizer may give rates of their own.
        discriminator: `discriminator(space, *, classes, ...)`; maps samples (and labels) to logits `(batch,)`.
        supports: whether the family has networks for a space.
        limits: what `supports` asks for, in words.
    """

    generator: Callable[..., nn.Module]
    discriminator: Callable[..., nn.Module]
    supports: Callable[[Space], bool]
    limits: str
