"""Images brought to one size and to the fewest channels that show them.

Size: what is asked for; else the one that all images have, if its sides are 8 to 64 pixels; else the largest square of
8, 16, 32 and 64 pixels that enlarges the median short side by 15 % at most.

Each image is scaled so that it just covers the target, then cropped at the centre, or at a place that is drawn for
each image; with `crop: none` all of it is scaled to the target, whose proportions are then the median ones where no
size is asked for. Scaling is by averaging when the scale is a whole number, otherwise with a Lanczos filter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from equipoise.data.dataset import SMALLEST_SIDE, DataOptions
from equipoise.data.images.views import View, views_of
from equipoise.errors import DataError

SIZES = (8, 16, 32, 64)
MOST_PIXELS = 256
"""Longest side that is chosen by itself."""
MOST_ENLARGED = 1.15
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
# Decoders release the interpreter's lock; more than two readers gain little on small images.
READERS = 2
WHITE = 65_535
"""Value of a white pixel in images of more than 8 bits."""
CHUNK = 1024
LEAST_CUT = 0.02
"""Share of an image that may be cropped without a note: a pixel of fifty."""
NEARLY_ALL = 0.99
"""Share that is not told more exactly: rounded, it would be all of an image."""


def choose_side(median_short_side: float) -> int:
    """The side that images get when nobody chose one; 8 at least."""
    fitting = [size for size in SIZES if size <= MOST_ENLARGED * median_short_side]
    return max(fitting, default=SIZES[0])


def choose_size(sizes: Sequence[tuple[int, int]], options: DataOptions) -> tuple[int, int]:
    """Height and width that images of these heights and widths get, by the rule in the head of this module."""
    if options.target_size is not None:
        return options.target_size
    if (
        not options.as_first_version
        and len(set(sizes)) == 1
        and SIZES[0] <= min(sizes[0]) <= max(sizes[0]) <= SIZES[-1]
    ):
        return sizes[0]
    side = choose_side(float(np.median([min(size) for size in sizes])))
    if options.crop != "none":
        return side, side
    ratio = float(np.median([height / width for height, width in sizes]))
    long = min(MOST_PIXELS, max(side, round(side * max(ratio, 1 / ratio))))
    return (long, side) if ratio > 1 else (side, long)


def resize_array(
    pixels: np.ndarray, *, options: DataOptions, source: str, first_row: int = 0, images: int | None = None
) -> tuple[np.ndarray, str]:
    """Scale, crop and mirror uint8 `(n, channels, h, w)` by the rule in the head of this module; and a note, or ''.

    Args:
        pixels: images of one size.
        options: the size, the crop, and whether some are mirrored.
        source: for messages.
        first_row: number of the first image among all of the source.
        images: of the source in all, for the note; by default those of `pixels`.
    """
    height, width = pixels.shape[2:]
    if min(height, width) < SMALLEST_SIDE:
        raise DataError(
            source,
            f"the images have {height}x{width} pixels.",
            f"Expected {SMALLEST_SIDE} pixels a side at least.",
            "Use kind 'points' for values that are no images, or give larger images.",
        )
    target = choose_size([(height, width)], options)
    if (height, width) == target and not options.mirror:
        return pixels, ""
    mode = MODES[pixels.shape[1]]
    views = views_of(options, range(first_row, first_row + len(pixels)))
    result = np.empty((*pixels.shape[:2], *target), dtype=np.uint8)

    def scale(start: int) -> None:
        for row in range(start, min(start + CHUNK, len(pixels))):
            channels_last = np.ascontiguousarray(np.moveaxis(pixels[row], 0, -1))
            image = Image.frombytes(mode, (width, height), channels_last.tobytes())
            result[row] = to_array(framed(image, views[row], height=target[0], width=target[1]))

    with ThreadPoolExecutor(READERS) as pool:
        list(pool.map(scale, range(0, len(pixels), CHUNK)))
    if (height, width) == target:
        return result, ""
    cut = cut_off([(height, width)] * (len(pixels) if images is None else images), target, options)
    return result, " ".join([f"Images scaled from {height}x{width} to {target[0]}x{target[1]} pixels.", *cut])


def cut_off(sizes: Sequence[tuple[int, int]], target: tuple[int, int], options: DataOptions) -> list[str]:
    """A note on how much of images of these heights and widths is left out, or none."""
    if options.crop == "none" or options.as_first_version or not sizes:
        return []
    height, width = np.array(sizes, dtype=np.float64).T
    scale = np.maximum(target[0] / height, target[1] / width)
    share = 1 - target[0] * target[1] / (scale**2 * height * width)
    count, most = int((share > LEAST_CUT).sum()), float(share.max())
    if not count:
        return []
    said = f"at most {most:.0%}" if most < NEARLY_ALL else f"more than {NEARLY_ALL:.0%} of some"
    left = f"of {count} of {len(sizes)} images a part is left out, {said}"
    return [f"Cropped to these proportions: {left}. data.crop=none (--crop none) keeps all of each."]


def framed(image: Image.Image, view: View, *, height: int, width: int) -> Image.Image:
    """The view of an L, RGB or RGBA image that is trained with, in the target's size."""
    found = squeezed(image, height=height, width=width) if view.is_whole else cover(image, view.place, height, width)
    return found.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if view.is_mirrored else found


def squeezed(image: Image.Image, *, height: int, width: int) -> Image.Image:
    """All of an image, scaled along each side to the target."""
    if image.size == (width, height):
        return image
    is_whole = image.width % width == 0 and image.height % height == 0
    return image.resize((width, height), Image.Resampling.BOX if is_whole else Image.Resampling.LANCZOS)


def cover(image: Image.Image, place: tuple[float, float], height: int, width: int) -> Image.Image:
    """Scale an image so that it just covers the target, cropped at `place`: 0 is left or top, 1 right or bottom."""
    scale = min(image.width / width, image.height / height)
    crop_width, crop_height = min(width * scale, image.width), min(height * scale, image.height)
    left, top = (image.width - crop_width) * place[0], (image.height - crop_height) * place[1]
    if scale.is_integer():
        left, top = int(left), int(top)
        if scale == 1:
            return image.crop((left, top, left + width, top + height))
    box = (left, top, left + crop_width, top + crop_height)
    return image.resize(
        (width, height), Image.Resampling.BOX if scale.is_integer() else Image.Resampling.LANCZOS, box=box
    )


def fewest_channels(parts: Iterable[np.ndarray], channels: int) -> int:
    """How many channels show the images: no alpha that is opaque everywhere, no colours that are grey everywhere."""
    is_opaque, is_grey = channels == 4, channels >= 3
    for part in parts:
        is_opaque = is_opaque and not (part[:, 3] != 255).any()
        is_grey = is_grey and not (part[:, :2] != part[:, 1:3]).any()
        if not is_opaque and (channels == 4 or not is_grey):
            break
    if channels == 4 and not is_opaque:
        return 4
    return 1 if is_grey else min(channels, 3)


def without_hidden_colour(pixels: np.ndarray) -> np.ndarray:
    """The pixels `(channels, h, w)` or `(n, channels, h, w)`, black wherever alpha is 0: nobody sees a colour there."""
    if pixels.shape[-3] != 4:
        return pixels
    return np.where(pixels[..., 3:, :, :] == 0, np.uint8(0), pixels)


def on_background(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """RGBA pixels `(4, h, w)` or `(n, 4, h, w)` as a person sees them before an even colour: uint8, three channels."""
    alpha = pixels[..., 3:, :, :] / 255
    behind = np.array(colour, dtype=np.float64)[:, None, None]
    return np.rint(alpha * pixels[..., :3, :, :] + (1 - alpha) * behind).astype(np.uint8)


def to_array(image: Image.Image) -> np.ndarray:
    """Channels first."""
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
