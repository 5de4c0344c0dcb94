r"""Tone curves: what a generator of images paints, brought to the brightness that the data have.

What a discriminator under a gradient penalty cannot resolve it does not punish, and faint noise stays where real
pictures are exactly black, or exactly transparent. A curve is increasing and looks at one value at a time: with the
distribution functions F of the generated and G of the real values of a place,

.. math::
    t(x) = G^{-1}(F(x)), \qquad |t(x) - x| \le c

Nothing is learned: a value gets the real value of the same rank, unless that is further away than `MOST_CHANGE`. Of
small pictures each pixel has a curve of its own, so that a place that is black in all real pictures is black in all
generated ones; of others each channel has one.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from equipoise.shapes import Samples
from equipoise.spaces import ImageSpace

LEVELS = 256
"""Knots of a curve: the bytes that images have."""
MOST_CHANGE = 32
"""Bytes that a curve moves a value by, at most: it takes noise away and paints nothing. A rank that one picture in
thousands has would else turn faint noise into a bright speck."""
MOST_PLACES = 4096
"""Numbers of an image up to which each has its own curve: a mebibyte of curves, as many as 32 x 32 pixels with alpha
need."""
ROUNDING = 1e-9
"""Of a rank: more than sums of shares and their shift by up to 10,000 lose in float64."""


class ToneCurves(nn.Module):
    """A curve for each place, piecewise linear between the bytes; the identity until it is fitted.

    Args:
        space: of the images.
        whole: whether each channel has one curve, however small the images are.

    Attributes:
        curves: the byte that each byte becomes, uint8 `(channels, height, width, 256)`, or `(channels, 1, 1, 256)` for
            images of more than `MOST_PLACES` numbers.
    """

    is_fitted_to_the_average: ClassVar[bool] = True
    """The network that is trained keeps curves that change nothing, so that whatever measures the game measures it
    without them; see `game.ema`."""

    def __init__(self, space: ImageSpace, *, whole: bool = False) -> None:
        super().__init__()
        is_by_place = math.prod(space.shape) <= MOST_PLACES and not whole
        places = space.shape if is_by_place else (space.channels, 1, 1)
        self.register_buffer("curves", torch.arange(LEVELS).to(torch.uint8).repeat(*places, 1))

    def forward(self, samples: Samples) -> Samples:
        """Images of the same shape, float32; what lies beyond [-1, 1] stays as far beyond as it was."""
        places = self.curves.shape[:-1]
        within = samples.float().clamp(-1, 1)
        numbers = (within + 1) * ((LEVELS - 1) / 2)
        below = numbers.detach().floor().clamp(max=LEVELS - 2)
        first = torch.arange(math.prod(places), device=samples.device).reshape(places) * LEVELS
        index = below.nan_to_num(0.0).long() + first
        values = self.curves.flatten().float()
        low, high = values[index], values[index + 1]
        changed = (low + (high - low) * (numbers - below)) * (2 / (LEVELS - 1)) - 1
        return changed + (samples.float() - within)

    def counts(self, samples: Samples) -> np.ndarray:
        """How often each byte comes at each place, int64 of the shape of `curves`; numbers go to the nearest byte."""
        numbers = samples.detach().float().nan_to_num(0.0).clamp(-1, 1).cpu().numpy()
        found = np.rint((numbers + 1) * ((LEVELS - 1) / 2)).astype(np.int64)
        places = self.curves.shape[:-1]
        first = np.arange(math.prod(places)).reshape(places) * LEVELS
        return np.bincount((found + first).ravel(), minlength=self.curves.numel()).reshape(self.curves.shape)

    def reset(self) -> None:
        """Make each curve the identity."""
        self.curves.copy_(torch.arange(LEVELS).to(torch.uint8))

    def fit(self, generated: np.ndarray, real: np.ndarray) -> None:
        """Set the curves from `counts` of generated and of real images."""
        self.curves.copy_(torch.from_numpy(tone_curves(generated, real)))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Weights of a generator that had no curves are loaded as those of one whose curves change nothing."""
        state_dict.setdefault(f"{prefix}curves", self.curves.detach().clone())
        super()._load_from_state_dict(state_dict, prefix, *rest)


def tone_curves(generated: np.ndarray, real: np.ndarray, *, most_change: int = MOST_CHANGE) -> np.ndarray:
    r"""The increasing map of bytes that gives generated values the distribution of real ones.

    A byte becomes the real byte whose stretch of ranks holds the middle of its own stretch. With the same counts on
    both sides it is the identity on every byte that occurs.

    Args:
        generated: how often each byte comes, of shape `(..., 256)`; at least once one of them.
        real: the same of real images.
        most_change: bytes that a value moves by, at most.

    Returns:
        Uint8 of the same shape, not decreasing along the last axis.
    """
    own, wanted = (side.cumsum(axis=-1) / side.sum(axis=-1, keepdims=True) for side in (generated, real))
    # Above 0: what is darker than all that was generated becomes the darkest real byte, whether that is black or not.
    middle = np.maximum(own - np.diff(own, axis=-1, prepend=0) / 2 - ROUNDING, ROUNDING)
    # Shifted by 2 for each place, all distribution functions are one ascending row, in which one search finds all.
    shift = 2.0 * np.arange(math.prod(own.shape[:-1])).reshape(*own.shape[:-1], 1)
    found = np.searchsorted((wanted + shift).ravel(), (middle + shift).ravel()).reshape(own.shape)
    found = found - LEVELS * (shift / 2).astype(np.int64)
    bytes_of = np.arange(LEVELS)
    found = np.clip(found, bytes_of - most_change, bytes_of + most_change)
    return np.clip(found, 0, LEVELS - 1).astype(np.uint8)
