"""Features of random convolutions: they need no download and no labels, and see texture more than meaning."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, leaky_relu

MAPS, LEAK, SEED = 32, 0.2, 0
VERSION = 1
"""Part of the name: raised where the features change, so that scores of two versions are not mixed up."""
NAME = f"random convolutions, version {VERSION}"


@torch.no_grad()
def random_features(images: np.ndarray) -> np.ndarray:
    """Mean and standard deviation over its places of each map of two layers of random convolutions.

    The weights are normal with the variance 1 / (inputs of a place), always the same ones for the same number of
    channels. A first layer of 5 x 5 with stride 2 is followed by one of 3 x 3.

    Args:
        images: float32 in [0, 1], shape `(n, channels, height, width)`, 8 pixels a side or more.

    Returns:
        Shape `(n, 128)`.

    Reference:
        Random networks as features of images: Saxe et al. 2011, "On random weights and unsupervised feature learning".
    """
    first, second = _weights(images.shape[1])
    hidden = leaky_relu(
        conv2d(2 * torch.from_numpy(np.ascontiguousarray(images)) - 1, first, stride=2, padding=2), LEAK
    )
    deeper = leaky_relu(conv2d(hidden, second, padding=1), LEAK)
    flat = [grid.flatten(start_dim=2) for grid in (hidden, deeper)]
    return torch.cat([part for grid in flat for part in (grid.mean(2), grid.std(2))], dim=1).numpy()


@cache
def _weights(channels: int) -> tuple[Tensor, Tensor]:
    stream = torch.Generator().manual_seed(SEED)
    first = torch.randn(MAPS, channels, 5, 5, generator=stream) / math.sqrt(25 * channels)
    return first, torch.randn(MAPS, MAPS, 3, 3, generator=stream) / math.sqrt(9 * MAPS)
