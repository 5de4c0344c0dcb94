r"""Detail curves: differences of neighbouring pixels, brought to the sizes that they have in the data.

A discriminator under a gradient penalty hardly resolves faint differences, and a generator that paints squares of
pixels at once leaves their grid in them: even areas look woven. What `networks.tone` does with brightness, these curves
do with differences. Any four pixels at the corners of a square are turned into means and differences,

.. math::
    y = (H \otimes U^\top)\, x, \qquad H = \frac12 \begin{pmatrix} 1 & 1 & 1 & 1 \\ 1 & -1 & 1 & -1 \\
    1 & 1 & -1 & -1 \\ 1 & -1 & -1 & 1 \end{pmatrix}

with the principal directions U of the differences of colours. Means stay as they are. A difference gets the real
difference of the same rank, with the distribution functions F of generated and G of real pictures:

.. math::
    t(y) = G^{-1}(F(y)), \qquad |t(y) - y| \le c

Each pixel is a corner of four squares, and becomes the mean of what they make of it. Squares that begin at even and at
odd rows and columns have curves of their own: some lie within the squares that a generator paints, others across their
borders. First come corners that are two pixels apart, then neighbours. Where they stand: `networks.heads`.

Reference:
    Curves that shrink small differences: Simoncelli & Adelson 1996, doi:10.1109/ICIP.1996.559512. The mean over shifts:
    Coifman & Donoho 1995, doi:10.1007/978-1-4612-2544-7_9. Here the curves are those that match ranks, and assume no
    noise model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from equipoise.shapes import Samples
from equipoise.spaces import ImageSpace

DISTANCES = (2, 1)
"""Pixels between the corners of a square, in the order in which the curves are passed."""
KNOTS = 257
"""Of a curve: close together around 0, where most differences are."""
MOST_CHANGE = 0.5
"""Of a difference, which moves each of its pixels by half of that: by 32 bytes, as for tone curves."""
ROUNDING = 1e-9
"""Of a rank: more than sums of shares lose in float64."""
STARTS = 4
"""Kinds of squares: those that begin at even or odd rows, and at even or odd columns; a pixel is a corner of each."""


class DetailCurves(nn.Module):
    """A curve for each difference of each colour direction, start and distance; identities until they are fitted.

    Args:
        space: of the images.

    Attributes:
        directions: the columns are the directions U, of shape `(channels, channels)`.
        curves: what the differences at `knots` become, of shape `(distances, starts * 3 * channels, knots)`.

    Raises:
        ValueError: the images are so small that they have no such squares.
    """

    is_fitted_to_the_average: ClassVar[bool] = True
    """As of `ToneCurves`: the network that is trained keeps curves that change nothing."""

    directions: Tensor
    curves: Tensor
    knots: Tensor

    def __init__(self, space: ImageSpace) -> None:
        super().__init__()
        if min(space.height, space.width) <= max(DISTANCES):
            raise ValueError(
                f"detail curves for images of {space.width} x {space.height} pixels; expected at least "
                f"{max(DISTANCES) + 1} a side"
            )
        self.channels = space.channels
        self.largest = 2 * math.sqrt(space.channels)
        even = torch.linspace(-1, 1, KNOTS, dtype=torch.float64)
        knots = (even * even.abs() * self.largest).to(torch.get_default_dtype())
        self.register_buffer("knots", knots, persistent=False)
        self.register_buffer("directions", torch.eye(space.channels))
        self.register_buffer("curves", knots.repeat(len(DISTANCES), STARTS * 3 * space.channels, 1))

    def forward(self, samples: Samples) -> Samples:
        """Images of the same shape, float32."""
        turned = self._turned(samples.float())
        changes = -turned
        for level in range(len(DISTANCES)):
            turned = self._passed(turned, level)
        # What is not changed is the sample itself, to the last bit of its number.
        return samples.float() + self._turned(turned + changes, back=True)

    def reset(self) -> None:
        """Make each curve the identity."""
        self.directions.copy_(torch.eye(self.channels))
        self.curves.copy_(self.knots.expand_as(self.curves))

    @torch.no_grad()
    def take_directions(self, images: Iterable[Samples]) -> None:
        """Take the directions from real images, some at a time."""
        product = torch.zeros(self.channels, self.channels, dtype=torch.float64)
        for some in images:
            for along in (2, 3):
                found = some.diff(dim=along).movedim(1, -1).reshape(-1, self.channels).double().cpu()
                product += found.T @ found
        directions = torch.linalg.eigh(product)[1]
        # A direction's sign is arbitrary; one and the same on every machine.
        signs = directions.gather(0, directions.abs().argmax(dim=0, keepdim=True)).sign()
        self.directions.copy_(directions * signs)

    @torch.no_grad()
    def counts(self, images: Iterable[Samples], level: int) -> np.ndarray:
        """How often differences lie between two knots, int64 `(starts * 3 * channels, knots - 1)`."""
        return self._counts((self._turned(some.float()) for some in images), level)

    @torch.no_grad()
    def fit(self, generated: Iterable[Samples], real: Sequence[np.ndarray]) -> list[Samples]:
        """Set the curves.

        Args:
            generated: images without curves, some at a time.
            real: `counts` of real ones, at each distance.

        Returns:
            The generated images, passed through the curves.
        """
        images = [self._turned(some.float()) for some in generated]
        for level, wanted in enumerate(real):
            found = detail_curves(self._counts(images, level), wanted, self.knots.cpu().double().numpy())
            self.curves[level].copy_(torch.from_numpy(found))
            images = [self._passed(some, level) for some in images]
        return [self._turned(some, back=True) for some in images]

    def _turned(self, images: Samples, *, back: bool = False) -> Samples:
        """Colours along the directions, or such numbers as colours."""
        matrix = self.directions if back else self.directions.T
        return conv2d(images, matrix[:, :, None, None])

    def _counts(self, turned: Iterable[Samples], level: int) -> np.ndarray:
        found = np.zeros(self.curves[level].numel(), dtype=np.int64)
        for some in turned:
            for kind, seen in enumerate(_differences(some, DISTANCES[level])):
                places = self._below(seen) + self._first(seen, kind)
                found += np.bincount(places.flatten().cpu().numpy(), minlength=len(found))
        return found.reshape(self.curves[level].shape)[..., :-1]

    def _passed(self, turned: Samples, level: int) -> Samples:
        curves, knots = self.curves[level], self.knots
        # By how much a difference changes is linear between knots: exactly 0 where the curve is the identity.
        slopes = curves.diff() / knots.diff() - 1
        offsets = curves[..., :-1] - knots[:-1] - slopes * knots[:-1]
        slopes, offsets = (nn.functional.pad(each, (0, 1)).flatten() for each in (slopes, offsets))
        changes = []
        for kind, seen in enumerate(_differences(turned, DISTANCES[level])):
            place = self._below(seen.detach()) + self._first(seen, kind)
            changes.append(offsets[place] + slopes[place] * seen.clamp(-self.largest, self.largest))
        return turned + _of_differences(changes, DISTANCES[level]) / STARTS

    def _below(self, seen: Tensor) -> Tensor:
        """The number of the knot below each difference."""
        share = seen.nan_to_num(0.0) / self.largest
        even = share.sign() * share.abs().sqrt()
        return ((even + 1) * ((KNOTS - 1) / 2)).floor().clamp(0, KNOTS - 2).long()

    def _first(self, seen: Tensor, kind: int) -> Tensor:
        """Where the curve of each square and direction begins among all of a level, `(channels, rows, columns)`."""
        rows, columns = (torch.arange(count, device=seen.device) % 2 for count in seen.shape[2:])
        start = 2 * rows[:, None] + columns
        direction = torch.arange(self.channels, device=seen.device)[:, None, None]
        return ((start * 3 + kind) * self.channels + direction) * KNOTS

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Weights of a generator that had no curves are loaded as those of one whose curves change nothing."""
        for name in ("directions", "curves"):
            state_dict.setdefault(f"{prefix}{name}", getattr(self, name).detach().clone())
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _differences(images: Samples, distance: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of the corners of all squares: along rows, along columns, and of the diagonals.

    Each is of shape `(batch, channels, height + distance, width + distance)`. Beyond a border the picture is mirrored:
    a grid of two pixels goes on there.
    """
    filled = pad(images, (distance,) * 4, mode="reflect")
    along, across = filled[..., distance:], filled[..., :-distance]
    total, change = (across + along) / 2, (across - along) / 2
    upper, lower = slice(None, -distance), slice(distance, None)
    return (
        change[..., upper, :] + change[..., lower, :],
        total[..., upper, :] - total[..., lower, :],
        change[..., upper, :] - change[..., lower, :],
    )


def _of_differences(seen: Sequence[Tensor], distance: int) -> Samples:
    """The sum over the four squares of which a pixel is a corner: the transpose of `_differences`, without borders."""
    rows, columns, diagonals = seen
    upper, lower = slice(distance, None), slice(None, -distance)
    # Upper corners of a square are pixels of which the square lies below: the later row of squares.
    change = (rows[..., upper, :] + rows[..., lower, :] + diagonals[..., upper, :] - diagonals[..., lower, :]) / 2
    total = (columns[..., upper, :] - columns[..., lower, :]) / 2
    return (total + change)[..., distance:] + (total - change)[..., :-distance]


def detail_curves(
    generated: np.ndarray, real: np.ndarray, knots: np.ndarray, *, most_change: float = MOST_CHANGE
) -> np.ndarray:
    r"""The increasing map, linear between knots, that gives generated differences the distribution of real ones.

    A knot becomes the number whose share of real differences below it is the knot's share of generated ones. Where real
    differences leave a gap, several numbers have that share, and it becomes the nearest of them: with the same counts
    on both sides nothing changes. What lies beyond all that was generated moves as far as the last of that.

    Args:
        generated: how often differences lie between two knots, of shape `(..., knots - 1)`; at least once one of them.
        real: the same of real images.
        knots: ascending.
        most_change: how far a knot moves, at most.

    Returns:
        Of shape `(..., knots)`, not decreasing along the last axis.
    """
    found = np.empty((*generated.shape[:-1], len(knots)))
    for place in np.ndindex(generated.shape[:-1]):
        own, wanted = (np.concatenate([[0], side[place].cumsum()]) / side[place].sum() for side in (generated, real))
        curve = np.clip(knots, _with_share(own - ROUNDING, wanted, knots), _with_share(own + ROUNDING, wanted, knots))
        first, last = np.flatnonzero(own == 0)[-1], np.flatnonzero(own == own[-1])[0]
        curve[:first] = curve[first] + knots[:first] - knots[first]
        curve[last:] = curve[last] + knots[last:] - knots[last]
        found[place] = curve
    return np.clip(found, knots - most_change, knots + most_change)


def _with_share(share: np.ndarray, below: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """The numbers, from the least to the largest real one, below which lies a share of what the knots have `below`."""
    at = np.searchsorted(below, share.clip(0, 1), side="left")
    ends = np.flatnonzero(np.diff(below))
    at = np.clip(at, ends[0] + 1, ends[-1] + 1)
    inside = (share - below[at - 1]) / (below[at] - below[at - 1])
    return knots[at - 1] + inside.clip(0, 1) * (knots[at] - knots[at - 1])
