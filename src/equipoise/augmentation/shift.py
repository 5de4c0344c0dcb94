"""Shifts of images by a few pixels."""

from __future__ import annotations

import torch

from equipoise.augmentation.base import Augmentation
from equipoise.errors import ConfigError
from equipoise.shapes import Samples

REACH = 1 / 8
"""How far images are shifted, as a fraction of their side: 1 pixel of 8, 4 of 32, as the source does."""


def shift() -> Augmentation:
    """Each image shifted by its own whole number of pixels along both sides, up to an eighth of the side.

    Reference:
        Zhao et al. 2021, arXiv:2002.04724, Section 4 (random shifting by a few pixels).
    """
    return Augmentation(name="shift", apply=shift_images, source="arXiv:2002.04724, Section 4")


def shift_images(samples: Samples, strength: float, randomness: torch.Generator | None) -> Samples:
    """Images `(batch, channels, height, width)`, shifted, whatever the strength.

    Pixels that come in at an edge repeat the edge: a border of one value would be a mark that no real image bears.
    """
    del strength
    require_images(samples, "shift")
    count, _, height, width = samples.shape
    rows = _source_lines(count, height, samples.device, randomness)
    columns = _source_lines(count, width, samples.device, randomness)
    images = torch.arange(count, device=samples.device)[:, None, None]
    shifted = samples.permute(0, 2, 3, 1)[images, rows[:, :, None], columns[:, None, :]]
    return shifted.permute(0, 3, 1, 2).contiguous()


def require_images(samples: Samples, name: str) -> None:
    """Refuse samples that are no images."""
    if samples.ndim != 4:
        raise ConfigError(
            f"augmentation '{name}'",
            f"samples of shape {tuple(samples.shape[1:])}.",
            "Expected images, (channels, height, width).",
            "Points and rows of a table have 'instance_noise'.",
        )


def _source_lines(count: int, side: int, device: torch.device, randomness: torch.Generator | None) -> torch.Tensor:
    """Which line of an image each line is taken from, int64 `(count, side)`."""
    reach = max(1, int(side * REACH))
    by = torch.randint(-reach, reach + 1, (count, 1), generator=randomness, device=device)
    return (torch.arange(side, device=device) + by).clamp(0, side - 1)


AUGMENTATIONS = {"shift": shift}
