"""Images brought to one size and to the fewest channels that show them.

Each is scaled so that it just covers the target, then cropped at the centre; by averaging when the scale is a whole
number, otherwise with a Lanczos filter.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from equipoise.data.dataset import SMALLEST_SIDE
from equipoise.errors import DataError

SIZES = (8, 16, 32, 64)
MOST_ENLARGED = 1.15
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
# Decoders release the interpreter's lock; more than two readers gain little on small images.
READERS = 2
WHITE = 65_535
"""Value of a white pixel in images of more than 8 bits."""
CHUNK = 1024


def choose_side(median_short_side: float) -> int:
    """The side that images get when nobody chose one; 8 at least."""
    fitting = [size for size in SIZES if size <= MOST_ENLARGED * median_short_side]
    return max(fitting, default=SIZES[0])


def resize_array(pixels: np.ndarray, *, size: tuple[int, int] | None, source: str) -> tuple[np.ndarray, str]:
    """Scale and crop uint8 `(n, channels, h, w)` by the rule in the head of this module; and a note, or ''."""
    height, width = pixels.shape[2:]
    if min(height, width) < SMALLEST_SIDE:
        raise DataError(
            source,
            f"the images have {height}x{width} pixels.",
            f"Expected {SMALLEST_SIDE} pixels a side at least.",
            "Use kind 'points' for values that are no images, or give larger images.",
        )
    target = size or (choose_side(min(height, width)),) * 2
    if (height, width) == target:
        return pixels, ""
    mode = MODES[pixels.shape[1]]
    result = np.empty((*pixels.shape[:2], *target), dtype=np.uint8)

    def scale(start: int) -> None:
        for row in range(start, min(start + CHUNK, len(pixels))):
            channels_last = np.ascontiguousarray(np.moveaxis(pixels[row], 0, -1))
            image = Image.frombytes(mode, (width, height), channels_last.tobytes())
            result[row] = to_array(cover(image, height=target[0], width=target[1]))

    with ThreadPoolExecutor(READERS) as pool:
        list(pool.map(scale, range(0, len(pixels), CHUNK)))
    return result, f"Images scaled from {height}x{width} to {target[0]}x{target[1]} pixels."


def cover(image: Image.Image, *, height: int, width: int) -> Image.Image:
    """Scale an L, RGB or RGBA image so that it just covers the target, cropped at the centre."""
    scale = min(image.width / width, image.height / height)
    crop_width, crop_height = min(width * scale, image.width), min(height * scale, image.height)
    left, top = (image.width - crop_width) / 2, (image.height - crop_height) / 2
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


def to_array(image: Image.Image) -> np.ndarray:
    """Channels first."""
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
