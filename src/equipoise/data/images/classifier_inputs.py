"""What classifiers read of an image: pixels at several scales, their main directions, and statistics of texture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.data.judging import STANDARD_LIMIT, Rows

_COMPONENTS = 48
"""Main directions of the pixels that linear classifiers and trees see; 48 hold about 90 % of the variance of digits."""
_OUTLINE_COMPONENTS = 28
"""Main directions of outlines in which distances are taken. Measured on digits with one class missing, 1,000 trained on
a side: the mean log e-value is 8 with directions of pixels, 12 with 12 directions of outlines, 14 with 20 and 18 with
32."""
_SPARE, _ITERATIONS = 8, 4
"""Directions beyond those that are kept, and rounds, of the subspace iteration."""
_ORIENTATIONS = 8
_LONGEST_SIDE = 32
"""Larger images are averaged down to at most this before their directions are taken; texture is read at full size."""


@dataclass(frozen=True)
class MeasuredImages:
    """Images with what is computed of each alone; an index or a slice gives the same of some of them.

    Attributes:
        images: uint8. Shape `(n, channels, height, width)`.
        pixels: see `flat_pixels`.
        texture: see `texture`.
        outlines: see `outlines`.
    """

    images: np.ndarray
    pixels: np.ndarray
    texture: np.ndarray
    outlines: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, places: Any) -> MeasuredImages:
        return MeasuredImages(*(part[places] for part in vars(self).values()))


def measured(images: np.ndarray | MeasuredImages) -> MeasuredImages:
    """What preparations read of images, computed once."""
    if isinstance(images, MeasuredImages):
        return images
    return MeasuredImages(images, flat_pixels(images), texture(images)[0], outlines(images))


def image_preparation(
    real: np.ndarray | MeasuredImages, fake: np.ndarray | MeasuredImages
) -> Callable[[np.ndarray | MeasuredImages], Rows]:
    """A function from uint8 images `(n, channels, height, width)` to rows, fitted on these two sets.

    Linear classifiers see the main directions of both sides together (a direction in which only one side varies is
    among them) and statistics of texture, standardised on the side that varies less, so that wild values of the other
    stay wild. Distances are taken between outlines.
    """
    real, fake = measured(real), measured(fake)
    centre, directions = _main_directions([real.pixels, fake.pixels], most=_COMPONENTS)
    outline_centre, outline_directions = _main_directions([real.outlines, fake.outlines], most=_OUTLINE_COMPONENTS)
    scale = _scale(*((side.pixels - centre) @ directions for side in (real, fake)))
    texture_centre, texture_scale = (
        real.texture.mean(axis=0) / 2 + fake.texture.mean(axis=0) / 2,
        _scale(real.texture, fake.texture),
    )
    names = tuple(f"direction {index}" for index in range(directions.shape[1])) + texture(real.images[:1])[1]

    def prepare(images: np.ndarray | MeasuredImages) -> Rows:
        given = measured(images)
        along = (given.pixels - centre) @ directions
        standard = np.concatenate([along / scale, (given.texture - texture_centre) / texture_scale], axis=1)
        mixed = np.concatenate([along, given.texture], axis=1)
        return Rows(
            numbers=np.clip(standard, -STANDARD_LIMIT, STANDARD_LIMIT),
            mixed=mixed,
            is_category=(False,) * mixed.shape[1],
            names=names,
            levels=((),) * mixed.shape[1],
            positions=((given.outlines - outline_centre) @ outline_directions).astype(np.float64),
            images=given.images.astype(np.float32) / 255.0,
        )

    return prepare


def texture(images: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Statistics of one image at a time that blur, noise and wrong contrast change: brightness, gradients,
    curvature, extremes.

    Args:
        images: uint8. Shape `(n, channels, height, width)`.

    Returns:
        The statistics `(n, statistics)` and their names.
    """
    pixels = images.astype(np.float32) / 255.0
    columns: list[np.ndarray] = []
    names: list[str] = []

    def add(name: str, per_channel: np.ndarray) -> None:
        for channel in range(per_channel.shape[1]):
            columns.append(per_channel[:, channel])
            names.append(name if per_channel.shape[1] == 1 else f"{name}, channel {channel}")

    over = (2, 3)
    add("brightness", pixels.mean(axis=over))
    add("contrast", pixels.std(axis=over))
    add("share of black", (images <= 2).mean(axis=over))
    add("share of white", (images >= 253).mean(axis=over))
    add("share of dark grey", ((images > 2) & (images <= 64)).mean(axis=over))
    for axis, word in ((2, "down"), (3, "across")):
        if images.shape[axis] < 3:
            continue
        slope = np.abs(np.diff(pixels, axis=axis))
        curvature = np.abs(np.diff(pixels, n=2, axis=axis))
        add(f"slope {word}", slope.mean(axis=over))
        add(f"steepest slope {word}", slope.max(axis=over))
        add(f"curvature {word}", curvature.mean(axis=over))
        add(f"flat share {word}", (slope < 0.01).mean(axis=over))
    if min(images.shape[2:]) >= 4:
        halved = _halved(pixels)
        add("slope at half size", np.abs(np.diff(halved, axis=3)).mean(axis=over))
        add("detail lost at half size", np.abs(pixels - _doubled(halved, pixels.shape)).mean(axis=over))
    return np.stack(columns, axis=1).astype(np.float64), tuple(names)


def outlines(images: np.ndarray) -> np.ndarray:
    """How much gradient there is in each direction in each cell of 4 x 4 pixels: what is drawn, not how it is shaded.

    Two images of one shape, a little displaced, are near each other here and far apart in pixels.

    Args:
        images: uint8. Shape `(n, channels, height, width)`.

    Returns:
        Square roots of the summed gradients, so that one bold stroke does not rule. Shape `(n, 8 x cells)`.

    Reference:
        Dalal and Triggs 2005, "Histograms of oriented gradients for human detection", section 6, without its blocks.
    """
    pixels = images.astype(np.float32).mean(axis=1, keepdims=True) / 255.0
    while max(pixels.shape[2:]) > _LONGEST_SIDE:
        pixels = _halved(pixels)
    grey = np.pad(pixels[:, 0], ((0, 0), (1, 1), (1, 1)), mode="edge")
    down, across = grey[:, 2:, 1:-1] - grey[:, :-2, 1:-1], grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2]
    angle = np.arctan2(down, across) / (2 * np.pi) * _ORIENTATIONS
    strength, lower = np.hypot(down, across), np.floor(angle)
    beyond = angle - lower
    side = 4 if min(grey.shape[1:]) >= 18 else 2
    count, height, width = strength.shape
    rows, columns = -(-height // side), -(-width // side)
    # A pixel's gradient is shared by the two directions beside its own: most pixels have none, and are left out.
    image, row, column = np.nonzero(strength)
    strength, lower, beyond = (each[image, row, column] for each in (strength, lower.astype(np.int64), beyond))
    cell = (row // side) * columns + column // side
    sums = np.zeros((count, _ORIENTATIONS, rows, columns))
    for direction, share in ((lower % _ORIENTATIONS, 1 - beyond), ((lower + 1) % _ORIENTATIONS, beyond)):
        place = (image * _ORIENTATIONS + direction) * (rows * columns) + cell
        sums += np.bincount(place, weights=strength * share, minlength=sums.size).reshape(sums.shape)
    return np.sqrt(_with_neighbours(sums).reshape(count, -1)).astype(np.float32)


def _with_neighbours(sums: np.ndarray) -> np.ndarray:
    """Cells of which each has lent half of its sum to its four neighbours. Shape `(n, directions, rows, columns)`."""
    around = np.pad(sums, ((0, 0), (0, 0), (1, 1), (1, 1)))
    neighbours = around[..., :-2, 1:-1] + around[..., 2:, 1:-1] + around[..., 1:-1, :-2] + around[..., 1:-1, 2:]
    return sums / 2 + neighbours / 8


def flat_pixels(images: np.ndarray) -> np.ndarray:
    """Pixels in [0, 1], averaged down to at most `_LONGEST_SIDE` a side. Shape `(n, pixels)`, float32."""
    pixels = images.astype(np.float32) / 255.0
    while max(pixels.shape[2:]) > _LONGEST_SIDE:
        pixels = _halved(pixels)
    return pixels.reshape(len(pixels), -1)


def _halved(pixels: np.ndarray) -> np.ndarray:
    """Means over 2 x 2 pixels; an odd last row or column is repeated."""
    spare = [(0, 0), (0, 0), (0, pixels.shape[2] % 2), (0, pixels.shape[3] % 2)]
    even = np.pad(pixels, spare, mode="edge")
    return (even[:, :, ::2, ::2] + even[:, :, 1::2, ::2] + even[:, :, ::2, 1::2] + even[:, :, 1::2, 1::2]) / 4


def _doubled(halved: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return halved.repeat(2, axis=2).repeat(2, axis=3)[:, :, : shape[2], : shape[3]]


def _main_directions(sides: Sequence[np.ndarray], *, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean of both sides together, and the leading eigenvectors of their covariance. Shape `(pixels, components)`."""
    pooled = np.concatenate(sides)
    centre = pooled.mean(axis=0)
    centred = pooled - centre
    # By subspace iteration: a whole decomposition takes some twenty times as long, for directions that nobody reads.
    vectors = np.random.default_rng(0).standard_normal((centred.shape[1], min(most + _SPARE, centred.shape[1])))
    vectors = vectors.astype(np.float32)
    for _ in range(_ITERATIONS):
        vectors = np.linalg.qr(centred.T @ (centred @ vectors))[0]
    values, turned = np.linalg.eigh((along := (centred @ vectors).astype(np.float64)).T @ along)
    kept = min(most, max(1, int((values > 1e-9 * max(values[-1], 1e-30)).sum())))
    return centre, (vectors @ turned[:, ::-1][:, :kept]).astype(np.float32)


def _scale(*sides: np.ndarray) -> np.ndarray:
    """Of each column, the deviation on the side where it is smaller, but for a side where it is none."""
    deviations = np.stack([side.std(axis=0) for side in sides])
    deviations[deviations <= 1e-9] = np.inf
    smaller = deviations.min(axis=0)
    return np.where(np.isfinite(smaller), smaller, 1.0)
