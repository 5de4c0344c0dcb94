"""The two players of a playground game: the package's own networks for points, or linear maps."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from equipoise.game import Player
from equipoise.networks.mlp import MLPDiscriminator, MLPGenerator
from equipoise.playground.plane_data import normal_grid
from equipoise.playground.settings import LatentLaw, Settings
from equipoise.randomness import Stream, derived_seed
from equipoise.shapes import Latents, Logits, Samples
from equipoise.spaces import PointSpace

PLANE = PointSpace(2)
Start = tuple[float, float, float]
"""Where a linear generator begins: its mean, and the standard deviation of its cloud."""
IN_THE_MIDDLE: Start = (0.0, 0.0, 0.1)
BETAS = (0.0, 0.99)
"""Adam's, as in the presets: without a first moment."""


class LinearGenerator(nn.Module):
    """x = W z + b: a cloud that can move, turn and stretch. It starts round, as `start` says."""

    def __init__(self, latents: int, start: Start) -> None:
        super().__init__()
        self.output = nn.Linear(latents, 2)
        x, y, scale = start
        with torch.no_grad():
            nn.init.eye_(self.output.weight).mul_(scale)
            self.output.bias.copy_(torch.tensor((x, y)))

    def forward(self, latents: Latents) -> Samples:
        """Shape `(batch, 2)`."""
        return self.output(latents)


class LinearDiscriminator(nn.Module):
    """l(x) = w x + c: in front of a cloud and a spot it is the Dirac-GAN, on the plane.

    It begins with w = (0, 1): a cloud to the right of its spot is then sent around it, and not to and fro through it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.output = nn.Linear(2, 1)
        with torch.no_grad():
            self.output.weight.copy_(torch.tensor([[0.0, 1.0]]))
        nn.init.zeros_(self.output.bias)

    def forward(self, samples: Samples) -> Logits:
        """Shape `(batch,)`."""
        return self.output(samples).squeeze(1)


def make_players(settings: Settings, *, start: Start = IN_THE_MIDDLE) -> tuple[Player, Player]:
    """Fresh discriminator and generator; `start` is where a linear generator begins."""
    latents = latent_dimensions(settings.latents)
    networks: list[nn.Module] = []
    for role in ("discriminator", "generator"):
        # The stream is torch's own while a network is made; a game is made by one thread at a time (see `routes`).
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(settings.seed, Stream.WEIGHTS.format(role)))
            if role == "discriminator":
                width, depth = settings.discriminator_width, settings.discriminator_depth
                networks.append(MLPDiscriminator(PLANE, width=width, depth=depth) if depth else LinearDiscriminator())
            else:
                width, depth = settings.generator_width, settings.generator_depth
                networks.append(
                    MLPGenerator(PLANE, latents=latents, width=width, depth=depth)
                    if depth
                    else LinearGenerator(latents, start)
                )
    discriminator, generator = (make_player(network, settings, 1.0) for network in networks)
    set_rates(discriminator, generator, settings)
    return discriminator, generator


def make_player(network: nn.Module, settings: Settings, rate: float) -> Player:
    """A network with a fresh optimizer."""
    if settings.optimizer == "sgd":
        return Player(network, torch.optim.SGD(network.parameters(), lr=rate))
    return Player(network, torch.optim.Adam(network.parameters(), lr=rate, betas=BETAS))


def set_rates(discriminator: Player, generator: Player, settings: Settings) -> None:
    """Both players' learning rates, as the settings say."""
    for player, rate in ((discriminator, settings.discriminator_rate), (generator, settings.generator_rate)):
        for group in player.optimizer.param_groups:
            group["lr"] = rate


def latent_dimensions(law: LatentLaw) -> int:
    """Coordinates of the generator's input."""
    return 1 if law == "normal_line" else 2


def draw_latents(law: LatentLaw, count: int, stream: torch.Generator) -> Latents:
    """Latents of shape `(count, 1 or 2)`; uniform ones on (-sqrt 3, sqrt 3), which have the variance 1 too."""
    if law == "uniform":
        return (2 * torch.rand(count, 2, generator=stream) - 1) * math.sqrt(3)
    return torch.randn(count, latent_dimensions(law), generator=stream)


def latent_quadrature(law: LatentLaw, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Latents and weights, `cells` along each axis, whose weighted sums are expectations under their law."""
    if law == "uniform":
        axis = math.sqrt(3) * (2 * (np.arange(cells) + 0.5) / cells - 1)
        points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
        return points, np.full(len(points), 1 / len(points))
    return normal_grid(cells * cells if law == "normal_line" else cells, latent_dimensions(law))


def latent_lines(law: LatentLaw, lines: int) -> np.ndarray:
    """The grid of latents whose image is drawn: by quantiles, so that each mesh holds the same mass.

    Shape `(lines * lines, 2)`, row by row; `(lines * 4, 1)` for latents on a line.
    """
    from scipy.special import ndtri

    count = lines * 4 if law == "normal_line" else lines
    quantiles = (np.arange(count) + 0.5) / count
    axis = math.sqrt(3) * (2 * quantiles - 1) if law == "uniform" else ndtri(quantiles)
    if law == "normal_line":
        return axis[:, None]
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
