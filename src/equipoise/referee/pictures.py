"""What discriminators read of an image: pixels at several scales, their main directions, and statistics of texture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from equipoise.referee.base import Rows
from equipoise.referee.prepare import MOST_DISTANCE_AXES, STANDARD_LIMIT

_COMPONENTS = 48
"""Main directions of the pixels that linear members and trees see; 48 hold about 90 % of the variance of digits."""
_LONGEST_SIDE = 32
"""Larger images are averaged down to at most this before their directions are taken; texture is read at full size."""


def image_preparation(real: np.ndarray, fake: np.ndarray) -> Callable[[np.ndarray], Rows]:
    """A function from uint8 images `(n, channels, height, width)` to rows, fitted on these two sets.

    Linear members see the main directions of both sides together (a direction in which only one side varies is
    among them) and statistics of texture, standardised on the real side.
    """
    pixels = np.concatenate([_flat(real), _flat(fake)])
    centre = pixels.mean(axis=0)
    directions = _main_directions(pixels - centre)
    statistics, names = texture(real)
    scale_of = {
        "directions": _scale((_flat(real) - centre) @ directions),
        "texture": _scale(statistics),
    }
    texture_centre = statistics.mean(axis=0)
    direction_names = tuple(f"direction {index}" for index in range(directions.shape[1]))

    def prepare(images: np.ndarray) -> Rows:
        along = (_flat(images) - centre) @ directions
        look, _ = texture(images)
        standard = np.concatenate(
            [along / scale_of["directions"], (look - texture_centre) / scale_of["texture"]], axis=1
        )
        mixed = np.concatenate([along, look], axis=1)
        return Rows(
            numbers=np.clip(standard, -STANDARD_LIMIT, STANDARD_LIMIT),
            mixed=mixed,
            is_category=(False,) * mixed.shape[1],
            names=direction_names + names,
            levels=((),) * mixed.shape[1],
            positions=along[:, :MOST_DISTANCE_AXES].astype(np.float64),
            images=images.astype(np.float32) / 255.0,
        )

    return prepare


def texture(images: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Statistics of one image at a time that blur, noise and wrong contrast change: brightness, slopes, curvature,
    extremes.

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


def _flat(images: np.ndarray) -> np.ndarray:
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


def _main_directions(centred: np.ndarray) -> np.ndarray:
    """Leading eigenvectors of the pixels' covariance. Shape `(pixels, components)`."""
    covariance = centred.T.astype(np.float64) @ centred.astype(np.float64)
    values, vectors = np.linalg.eigh(covariance)
    kept = min(_COMPONENTS, int((values > 1e-9 * max(values[-1], 1e-30)).sum()))
    return vectors[:, ::-1][:, : max(kept, 1)].astype(np.float32)


def _scale(values: np.ndarray) -> np.ndarray:
    deviation = values.std(axis=0)
    return np.where(deviation > 1e-9, deviation, 1.0)
