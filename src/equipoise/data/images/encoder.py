"""Images as numbers in [-1, 1]: a byte b is b / 127.5 - 1; colours that are partly transparent count by their alpha.

With alpha a and a colour c, both in [0, 1], the players see 2 a c - 1: what the pixel adds to a picture before black.
The colour of a pixel that nobody sees then has no influence, and an edge has no halo (Porter & Duff 1984,
doi:10.1145/964965.808606, section 4, premultiplied alpha).
"""

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

    Attributes:
        levels: the bytes that occur, if they are few.
        premultiplied: whether colours are multiplied by alpha; runs of earlier versions did not.
    """

    space: ImageSpace
    levels: tuple[int, ...] = ()
    premultiplied: bool = False

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Float32 `(n, channels, height, width)` in [-1, 1]."""
        seen = np.array(values, dtype=np.float32)
        if self.premultiplied:
            seen[:, :3] *= seen[:, 3:] / np.float32(255)
        return seen / np.float32(127.5) - np.float32(1)

    def decode(self, samples: np.ndarray | torch.Tensor, *, offset: int = 0) -> np.ndarray:
        """Uint8 `(n, channels, height, width)`; numbers are clipped to [-1, 1], then go to the nearest level."""
        del offset
        found = checked_samples(samples, self.space)
        if not self.premultiplied:
            return self._bytes((found + 1) * 127.5)
        seen = np.clip(found + 1, 0, 2) * 127.5
        alpha = self._bytes(seen[:, 3:])
        colours = seen[:, :3] * (255 / np.maximum(alpha, 1))
        return np.concatenate([np.where(alpha > 0, self._bytes(colours), np.uint8(0)), alpha], axis=1)

    def _bytes(self, numbers: np.ndarray) -> np.ndarray:
        found = np.clip(np.rint(numbers), 0, 255).astype(np.uint8)
        return found if not self.levels else _nearest_level(self.levels)[found]

    def to_float(self, batch: torch.Tensor) -> torch.Tensor:
        """Float32 in [-1, 1] from the bytes of a batch."""
        found = batch.to(torch.float32, copy=True)
        if self.premultiplied:
            found[:, :3] *= found[:, 3:] / 255
        return found.mul_(1 / 127.5).sub_(1)

    def state(self) -> dict[str, Any]:
        """Plain values for `domain.encoder_from_state`."""
        return {
            "kind": "images",
            "space": space_to_json(self.space),
            "levels": list(self.levels),
            "premultiplied": self.premultiplied,
        }


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
