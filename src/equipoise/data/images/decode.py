"""Pictures of any size and mode as one uint8 array.

Size: `image_size` when it is given, else the largest of 8, 16, 32 and 64 pixels that enlarges the median short side
by 15 % at most. Each picture is scaled so that it just covers the target, then cropped at the centre; by averaging
when the scale is a whole number, otherwise with a Lanczos filter.

Channels: grey if every picture is grey (whatever its file's mode), RGBA if any picture has real transparency,
otherwise RGB. Orientation stored by a camera is applied, 16-bit grey is scaled to 8 bits, of an animation the first
frame is taken.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from equipoise.data.dataset import SMALLEST_SIDE, DataOptions
from equipoise.data.store.arrays import OnDiskArray, OnDiskWriter, chunks_of, save_array
from equipoise.data.store.cache import building, built, map_above_bytes, open_entry
from equipoise.data.store.errors import storing
from equipoise.errors import DataError
from equipoise.limits import limit

SIZES = (8, 16, 32, 64)
MOST_ENLARGED = 1.15
FILE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
# Decoders release the interpreter's lock; more than two readers gain little on small pictures.
READERS = 2
CHUNK = 1024
GREY_MODES = ("1", "L", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")
FAULTS_SHOWN = 5


@dataclass(frozen=True)
class ImageItem:
    """A picture that can be opened: its name for messages, and a function that opens it lazily."""

    name: str
    open: Callable[[], Image.Image]


class UnusableImage(Exception):
    """Why one picture cannot be used; collected, never shown alone."""


def assemble(
    items: Sequence[ImageItem], *, options: DataOptions, source: str, key: str | None = None
) -> tuple[np.ndarray | OnDiskArray, np.ndarray, tuple[str, ...]]:
    """Read pictures twice: their headers, to choose size and channels, then their pixels.

    Args:
        items: the pictures, in the order that they will have.
        options: `image_size` and `max_bad_share` are used.
        source: for messages.
        key: name of the cache's entry for these pictures; large ones are kept there, instead of in memory.

    Returns:
        uint8 `(n, channels, height, width)`; the positions of those n in `items`; notes on skipped ones.

    Raises:
        DataError: more than `max_bad_share` of the pictures cannot be used, or none can.
    """
    entry = None if key is None else open_entry(key)
    if entry is not None:
        return entry.mapped("values"), entry.loaded("kept"), (*entry.facts["notes"], entry.note())
    faults: dict[int, str] = {}
    sides, depths = _probe(items, faults)
    _limit(faults, items, options=options, source=source)
    median = float(np.median([side for side in sides if side]))
    height, width = options.target_size or (choose_side(median),) * 2
    channels = max(depths)
    shape = (len(items), channels, height, width)
    small = [f"The pictures are small (median short side {median:g} pixels): enlarged to {height}x{width}."]
    more = small if median * MOST_ENLARGED < min(height, width) else []
    least, most = min(side for side in sides if side), max(sides)
    if not more and (least, most) != (min(height, width),) * 2:
        were = f"{least:g}" if least == most else f"{least:g} to {most:g}"
        more = [f"Scaled to {height}x{width}; the short sides were {were} pixels."]
    if key is None or math.prod(shape) < map_above_bytes():
        pixels = np.empty(shape, dtype=np.uint8)
        kept, notes = _read_pixels(items, pixels, faults, options=options, source=source)
        pixels = pixels[kept] if faults else pixels
        fewest = fewest_channels((part for _, part in chunks_of(pixels, CHUNK)), channels)
        return np.ascontiguousarray(pixels[:, :fewest]), kept, (*notes, *more)
    with building(key, needs_bytes=2 * math.prod(shape)) as (folder, facts):
        with OnDiskWriter(folder / "pixels.npy", shape=shape, dtype=np.uint8) as writer:
            kept, notes = _read_pixels(
                items, writer.array, faults, options=options, source=source, after_each=writer.wrote
            )
        _keep(folder, kept)
        facts["notes"] = [*notes, *more]
    entry = built(key)
    return entry.mapped("values"), kept, (*entry.facts["notes"], entry.note())


def _read_pixels(
    items: Sequence[ImageItem],
    pixels: np.ndarray,
    faults: dict[int, str],
    *,
    options: DataOptions,
    source: str,
    after_each: Callable[[int], None] = lambda count: None,
) -> tuple[np.ndarray, list[str]]:
    """Fill `pixels` with the items that are not at fault, and say which those are; `after_each` hears of the bytes."""
    _, channels, height, width = pixels.shape

    def read(position: int) -> str:
        try:
            with items[position].open() as image:
                pixels[position] = _decode(image, channels=channels, height=height, width=width)
        except Exception as error:  # a decoder may raise anything on a damaged file; the file is named and skipped
            return _reason(error)
        return ""

    with _quiet(), ThreadPoolExecutor(READERS) as pool:
        wanted = [position for position in range(len(items)) if position not in faults]
        for start in range(0, len(wanted), CHUNK):  # the pool holds a task for each at once
            part = wanted[start : start + CHUNK]
            faults.update({place: fault for place, fault in zip(part, pool.map(read, part), strict=True) if fault})
            after_each(len(part) * pixels[0].nbytes)
    _limit(faults, items, options=options, source=source)
    kept = np.array([position for position in range(len(items)) if position not in faults], dtype=np.int64)
    return kept, [_skipped(faults, items)] if faults else []


def _keep(folder: Path, kept: np.ndarray) -> None:
    """Make `values.npy` of `pixels.npy`: the pictures at `kept`, in the fewest channels that show them."""
    save_array(folder / "kept.npy", kept)
    pixels = OnDiskArray(folder / "pixels.npy")
    parts = (pixels[kept[start : start + CHUNK]] for start in range(0, len(kept), CHUNK))
    channels = fewest_channels(parts, pixels.shape[1])
    if len(kept) == len(pixels) and channels == pixels.shape[1]:
        with storing(folder / "values.npy"):
            (folder / "pixels.npy").rename(folder / "values.npy")
        return
    shape = (len(kept), channels, *pixels.shape[2:])
    with OnDiskWriter(folder / "values.npy", shape=shape, dtype=np.uint8) as writer:
        for start in range(0, len(kept), CHUNK):
            writer.put(start, pixels[kept[start : start + CHUNK]][:, :channels])
    with storing(folder / "pixels.npy"):
        (folder / "pixels.npy").unlink()


def choose_side(median_short_side: float) -> int:
    """The side that pictures get when nobody chose one; 8 at least."""
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
            "Use kind 'points' for values that are no pictures, or give larger images.",
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
            result[row] = _to_array(cover(image, height=target[0], width=target[1]))

    with ThreadPoolExecutor(READERS) as pool:
        list(pool.map(scale, range(0, len(pixels), CHUNK)))
    return result, f"Images scaled from {height}x{width} to {target[0]}x{target[1]} pixels."


def cover(image: Image.Image, *, height: int, width: int) -> Image.Image:
    """Scale an L, RGB or RGBA picture so that it just covers the target, cropped at the centre."""
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


def _probe(items: Sequence[ImageItem], faults: dict[int, str]) -> tuple[list[int], list[int]]:
    """Short side and channels (by mode) of each picture, 0 where it is at fault; faults are added to `faults`."""
    sides, depths = [0] * len(items), [0] * len(items)

    most = limit("pixels")

    def probe(position: int) -> None:
        try:
            with items[position].open() as image:
                if image.width * image.height > most:
                    raise UnusableImage(f"{image.width}x{image.height} pixels are too many")
                if min(image.size) < SMALLEST_SIDE:
                    raise UnusableImage(f"{image.width}x{image.height} pixels are too few")
                sides[position], depths[position] = min(image.size), _depth(image)
        except Exception as error:  # as in `assemble`
            faults[position] = _reason(error)

    with _quiet(), ThreadPoolExecutor(READERS) as pool:
        list(pool.map(probe, range(len(items))))
    return sides, depths


@contextmanager
def _quiet() -> Iterator[None]:
    """Pillow warns of large pictures, for which `limits` has a number, and of damaged notes beside the pixels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", module="PIL")
        yield


def _depth(image: Image.Image) -> int:
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return 4
    return 1 if image.mode in GREY_MODES else 3


def _decode(image: Image.Image, *, channels: int, height: int, width: int) -> np.ndarray:
    if image.format in ("JPEG", "MPO"):
        # The decoder may drop detail that scaling averages away; four times the target loses nothing visible.
        image.draft(None, (4 * max(width, height),) * 2)
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "I" or image.mode.startswith("I;16"):
        image = Image.fromarray(np.clip(np.rint(np.asarray(image) / 257), 0, 255).astype(np.uint8))
    return _to_array(cover(image.convert(MODES[channels]), height=height, width=width))


def _to_array(image: Image.Image) -> np.ndarray:
    """Channels first."""
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)


def fewest_channels(parts: Iterable[np.ndarray], channels: int) -> int:
    """How many channels show the pictures: no alpha that is opaque everywhere, no colours that are grey everywhere."""
    is_opaque, is_grey = channels == 4, channels >= 3
    for part in parts:
        is_opaque = is_opaque and not (part[:, 3] != 255).any()
        is_grey = is_grey and not (part[:, :2] != part[:, 1:3]).any()
        if not is_opaque and (channels == 4 or not is_grey):
            break
    if channels == 4 and not is_opaque:
        return 4
    return 1 if is_grey else min(channels, 3)


def _limit(faults: dict[int, str], items: Sequence[ImageItem], *, options: DataOptions, source: str) -> None:
    if not faults or (len(faults) < len(items) and len(faults) <= options.max_bad_share * len(items)):
        return
    shown = [f"{items[position].name} ({faults[position]})" for position in sorted(faults)[:FAULTS_SHOWN]]
    more = f", and {len(faults) - FAULTS_SHOWN} more" if len(faults) > FAULTS_SHOWN else ""
    raise DataError(
        source,
        f"{len(faults)} of {len(items)} images cannot be used: {', '.join(shown)}{more}.",
        f"Expected at most {options.max_bad_share:.0%} of them to be unusable.",
        "Repair or remove these files, or allow more with data.max_bad_share.",
    )


def _skipped(faults: dict[int, str], items: Sequence[ImageItem]) -> str:
    shown = [f"{items[position].name} ({faults[position]})" for position in sorted(faults)[:FAULTS_SHOWN]]
    more = f", and {len(faults) - FAULTS_SHOWN} more" if len(faults) > FAULTS_SHOWN else ""
    return f"Skipped {len(faults)} of {len(items)} images: {', '.join(shown)}{more}."


def _reason(error: Exception) -> str:
    if isinstance(error, UnusableImage):
        return str(error)
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a readable image"
    if isinstance(error, Image.DecompressionBombError):
        return "too many pixels"
    if isinstance(error, MemoryError):
        return "too large for the memory"
    return (str(error).splitlines() or [type(error).__name__])[0][:80] or type(error).__name__
