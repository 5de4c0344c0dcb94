"""A small game in one dimension for several experiments: the package's own networks, Adam, and `train_step`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from equipoise.game import Batch, Player
from equipoise.networks.mlp import MLPDiscriminator, MLPGenerator
from equipoise.randomness import torch_stream
from equipoise.spaces import PointSpace

LATENTS = 2
Draw = Callable[[int, torch.Generator], Tensor]


def fresh(module: nn.Module, *, seed: int, name: str) -> nn.Module:
    """The module with its matrices drawn anew (He's scale) from a stream of its own, and its biases at zero."""
    stream = torch_stream(seed, f"lab weights, {name}")
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=stream) * (1.9 / parameter.shape[1]) ** 0.5)
            else:
                parameter.zero_()
    return module


def generator_network(*, seed: int, width: int = 32) -> nn.Module:
    """Latents of `LATENTS` coordinates to a point on the line."""
    return fresh(MLPGenerator(PointSpace(1), latents=LATENTS, width=width, depth=2), seed=seed, name="generator")


def discriminator_network(*, seed: int, width: int = 32) -> nn.Module:
    """A point on the line to its logit."""
    return fresh(MLPDiscriminator(PointSpace(1), width=width, depth=2), seed=seed, name="discriminator")


def player(network: nn.Module, learning_rate: float) -> Player:
    """A player with Adam as in the presets: without a first moment."""
    return Player(network, torch.optim.Adam(network.parameters(), lr=learning_rate, betas=(0.0, 0.99)))


def draw_batch(draw: Draw, size: int, *, stream: torch.Generator, latents: int = LATENTS) -> Batch:
    """Real samples and latents for one update."""
    return Batch(real=draw(size, stream), latents=torch.randn(size, latents, generator=stream))


def two_modes(count: int, stream: torch.Generator) -> Tensor:
    """Equal modes at -1 and 1 with standard deviation 0.1. Shape `(count, 1)`."""
    signs = 2.0 * torch.randint(0, 2, (count, 1), generator=stream) - 1.0
    return signs + 0.1 * torch.randn(count, 1, generator=stream)
