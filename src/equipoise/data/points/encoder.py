"""Points as standardised coordinates: minus the mean, over the standard deviation, both of the training part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from equipoise.data.base import Encoder, checked_samples
from equipoise.spaces import PointSpace


@dataclass(frozen=True)
class PointEncoder(Encoder):
    """Mean and standard deviation of each coordinate.

    A constant coordinate has spread 0: it is encoded as 0 and always decoded as its constant.
    """

    mean: np.ndarray
    spread: np.ndarray

    @property
    def space(self) -> PointSpace:
        return PointSpace(len(self.mean))

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Float32 `(n, d)`."""
        return ((np.asarray(values, dtype=np.float64) - self.mean) / np.where(self.spread > 0, self.spread, 1)).astype(
            np.float32
        )

    def decode(self, samples: np.ndarray | torch.Tensor, *, offset: int = 0) -> np.ndarray:
        """Float64 `(n, d)`."""
        del offset
        return checked_samples(samples, self.space).astype(np.float64) * self.spread + self.mean

    def state(self) -> dict[str, Any]:
        """Plain values for `domain.encoder_from_state`."""
        return {"kind": "points", "mean": self.mean.tolist(), "spread": self.spread.tolist()}


def fit_points(values: np.ndarray) -> PointEncoder:
    """Mean and standard deviation of float64 `(n, d)`.

    Numerics:
        Scaled by powers of two first, which is exact, so that squares neither overflow nor vanish.
    """
    largest = np.abs(values).max(axis=0)
    scale = np.exp2(np.floor(np.log2(np.where(largest > 0, largest, 1))))
    scaled = values / scale
    spread = np.where(np.ptp(values, axis=0) > 0, scaled.std(axis=0), 0) * scale
    mean = np.where(spread > 0, scaled.mean(axis=0) * scale, values[0])
    return PointEncoder(mean, spread)


def coordinate_names(count: int) -> tuple[str, ...]:
    """'x0', 'x1', ...: what coordinates are called when nobody named them."""
    return tuple(f"x{position}" for position in range(count))


def names_or_default(names: Sequence[str], count: int) -> tuple[str, ...]:
    """`names` if there are as many as coordinates, else the usual ones."""
    return tuple(names) if len(names) == count else coordinate_names(count)
