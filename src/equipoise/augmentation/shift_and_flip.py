"""Shifts of images by a few pixels, and half of the images mirrored left to right."""

from __future__ import annotations

import torch

from equipoise.augmentation.base import Augmentation
from equipoise.augmentation.shift import require_images, shift_images
from equipoise.shapes import Samples


def shift_and_flip() -> Augmentation:
    """`shift`, and a flip with chance 1/2; not for letters or digits, whose mirror images are none.

    Reference:
        Zhao et al. 2021, arXiv:2002.04724, Section 4.
    """
    return Augmentation(name="shift_and_flip", apply=_shift_and_flip_images, source="arXiv:2002.04724, Section 4")


def _shift_and_flip_images(samples: Samples, strength: float, randomness: torch.Generator | None) -> Samples:
    require_images(samples, "shift_and_flip")
    is_flipped = torch.rand(len(samples), 1, 1, 1, generator=randomness, device=samples.device) < 0.5
    return shift_images(torch.where(is_flipped, samples.flip(3), samples), strength, randomness)


AUGMENTATIONS = {"shift_and_flip": shift_and_flip}
