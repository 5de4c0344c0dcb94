r"""A closed walk through what a generator makes: frames that change little by little, and end where they began.

.. math::
    z(t) = \cos(2 \pi t)\, a + \sin(2 \pi t)\, b, \qquad a, b \sim N(0, I)

Every latent z(t) is itself standard normal, so each frame is a sample like any other; a straight line from a to b would
lead through latents of half the variance, which are more usual than samples are.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from equipoise.data import Encoder
from equipoise.errors import InputError
from equipoise.experiment.config.schema import RunConfig
from equipoise.files import replacing
from equipoise.plotting.samples import image_grid
from equipoise.plotting.style import save_figure
from equipoise.randomness import Stream, torch_stream

MOST_CLASSES = 10
WALKS = 8
"""Walks beside each other where there are no classes."""
FRAME_SECONDS = 0.08


class Walked(Protocol):
    """What is needed of a trained generator; `equipoise.experiment.generator.Gan` has it."""

    config: RunConfig
    encoder: Encoder
    generator: nn.Module
    label_names: tuple[str, ...]

    def class_number(self, label: str | int) -> int:
        """The number of a class."""
        ...


def latent_circle(frames: int, walks: int, dimensions: int, *, seed: int) -> Tensor:
    """z(t) at `frames` equal steps of t from 0 on, for each walk. Shape `(frames, walks, dimensions)`."""
    start, other = torch.randn(2, walks, dimensions, generator=torch_stream(seed, Stream.WALK))
    angles = 2 * math.pi * torch.arange(frames)[:, None, None] / frames
    return angles.cos() * start + angles.sin() * other


@torch.no_grad()
def walk(gan: Walked, frames: int, *, seed: int = 0, label: str | int | None = None) -> np.ndarray:
    """Images on closed walks, uint8 `(frames, walks, channels, height, width)`.

    Args:
        gan: a generator of images.
        frames: how many; the one after the last is the first.
        seed: decides the walks.
        label: only this class; by default a walk in each class, or `WALKS` of them without classes.

    Raises:
        InputError: no images, no such class, or fewer than 2 frames.
    """
    if gan.encoder.space.kind != "images" or frames < 2:
        raise InputError(
            "interpolation",
            f"{frames} frames of {gan.encoder.space.kind}.",
            "Expected two frames or more, of images.",
            "Give -n a number such as 48, and a run on images.",
        )
    classes = len(gan.label_names) if gan.config.networks.conditional else 0
    if label is not None:
        asked = torch.full((WALKS,), gan.class_number(label))
    else:
        asked = torch.arange(min(classes, MOST_CLASSES)) if classes else None
    walks = WALKS if asked is None else len(asked)
    device = next((weight.device for weight in gan.generator.parameters()), torch.device("cpu"))
    found = []
    for latents in latent_circle(frames, walks, gan.generator.latent_dimensions, seed=seed):
        given = [latents] if asked is None else [latents, asked]
        made = gan.generator(*(rows.to(device) for rows in given)).float().cpu()
        found.append(gan.encoder.decode(made.numpy()))
    return np.stack(found)


def save_strip(images: np.ndarray, path: Path) -> None:
    """Write frames of walks as one picture, a row for each walk, from left to right."""
    frames = images.shape[0]
    save_figure(image_grid(images.swapaxes(0, 1).reshape(-1, *images.shape[2:]), columns=frames), path)


def save_loop(images: np.ndarray, path: Path) -> None:
    """Write frames of walks as a looping GIF, whole or not at all; transparent images on white."""
    frames = []
    for tiles in images:
        if tiles.shape[1] == 4:
            alpha = tiles[:, 3:] / 255
            tiles = np.rint(alpha * tiles[:, :3] + (1 - alpha) * 255).astype(np.uint8)
        frames.append(image_grid(tiles).convert("RGB"))
    with replacing(path) as temporary:
        frames[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=frames[1:],
            duration=round(1000 * FRAME_SECONDS),
            loop=0,
        )
