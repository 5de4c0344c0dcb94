"""Images as numbers in [-1, 1]: a byte b is b / 127.5 - 1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from equipoise.data.base import Encoder, checked_samples
from equipoise.spaces import ImageSpace, space_to_json

MOST_LEVELS = 64
"""Brightness levels up to which images are taken to have levels at all; photographs use nearly all 256."""


@dataclass(frozen=True)
class ImageEncoder(Encoder):
    """Bytes to numbers, and numbers to the nearest byte that the data use.

    Images of few brightness levels (scans, drawings, scikit-learn's digits with 17) keep to their levels: no level is
    invented, just as no category of a table is. With more than `MOST_LEVELS` all 256 may come.
    """

    space: ImageSpace
    levels: tuple[int, ...] = ()

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Float32 `(n, channels, height, width)` in [-1, 1]."""
        return np.asarray(values, dtype=np.float32) / np.float32(127.5) - np.float32(1)

    def decode(self, samples: np.ndarray | torch.Tensor, *, offset: int = 0) -> np.ndarray:
        """Uint8 `(n, channels, height, width)`; numbers are clipped to [-1, 1], then go to the nearest level."""
        del offset
        found = checked_samples(samples, self.space)
        bytes_found = np.clip(np.rint((found + 1) * 127.5), 0, 255).astype(np.uint8)
        return bytes_found if not self.levels else _nearest_level(self.levels)[bytes_found]

    def to_float(self, batch: torch.Tensor) -> torch.Tensor:
        """Float32 in [-1, 1] from the bytes of a batch."""
        return batch.float().mul_(1 / 127.5).sub_(1)

    def state(self) -> dict[str, Any]:
        """Plain values for `domain.encoder_from_state`."""
        return {"kind": "images", "space": space_to_json(self.space), "levels": list(self.levels)}


def levels_of(parts: Iterable[np.ndarray]) -> tuple[int, ...]:
    """The bytes that occur in images, given part by part, if they are few."""
    occurs = np.zeros(256, dtype=bool)
    for images in parts:
        for image in images:  # one at a time: an index array of all pixels would take eight times their memory
            occurs[image.ravel()] = True
            if occurs.sum() > MOST_LEVELS:
                return ()
    return tuple(np.flatnonzero(occurs).tolist())


def _nearest_level(levels: tuple[int, ...]) -> np.ndarray:
    """For each byte the nearest of `levels`, uint8 `(256,)`; half way, the lower one."""
    known = np.array(levels, dtype=np.int64)
    return known[np.abs(np.arange(256)[:, None] - known).argmin(axis=1)].astype(np.uint8)
