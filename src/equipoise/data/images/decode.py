"""Images of any size and mode as one uint8 array.

Size: see `resize`. Channels: grey if every image is grey (whatever its file's mode), RGBA if any image has real
transparency, otherwise RGB; transparent images are put on a background where one is asked for. Orientation stored by a
camera is applied, 16-bit grey is scaled to 8 bits, of an animation the first frame is taken.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from equipoise.data.dataset import SMALLEST_SIDE, DataOptions
from equipoise.data.images.resize import (
    MODES,
    MOST_ENLARGED,
    WHITE,
    choose_size,
    cut_off,
    fewest_channels,
    framed,
    on_background,
    to_array,
    without_hidden_colour,
)
from equipoise.data.images.views import View, views_of
from equipoise.data.store.arrow import OnDiskArray, Writer
from equipoise.data.store.cache import Draft, kept, map_above_bytes, open_entry
from equipoise.errors import DataError
from equipoise.limits import VARIABLE, limit

FILE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
FIRST_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
"""What version 0.1.0 read."""
IMAGE_SUFFIXES = (*FIRST_SUFFIXES, ".jfif", ".tif", ".tiff")
DARK = 1 / 4
"""Brightest value of 16-bit images, as a share of white, below which a note is worth it."""
# Decoders release the interpreter's lock; more than two readers gain little on small images.
READERS = 2
CHUNK = 1024
HAVE_FRAMES = ("GIF", "PNG", "WEBP", "TIFF")
"""Formats of several frames or pages; the further pictures in a camera's JPEG are aids of its own."""
GREY_MODES = ("1", "L", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")
FAULTS_SHOWN = 5
ORIENTATION = 0x0112
"""TIFF 6.0's tag for how the image is to be turned."""


@dataclass(frozen=True)
class ImageItem:
    """An image that can be opened: its name for messages, and a function that opens it lazily."""

    name: str
    open: Callable[[], Image.Image]


class UnusableImage(Exception):
    """Why one image cannot be used; collected, never shown alone."""


def assemble(
    items: Sequence[ImageItem], *, options: DataOptions, source: str, key: str | None = None
) -> tuple[np.ndarray | OnDiskArray, np.ndarray, tuple[str, ...]]:
    """Read images twice: their headers, to choose size and channels, then their pixels.

    Args:
        items: the images, in the order that they will have.
        options: `image_size` and `max_bad_share` are used.
        source: for messages.
        key: name of the cache's entry for these images; large ones are kept there, instead of in memory.

    Returns:
        uint8 `(n, channels, height, width)`; the positions of those n in `items`; notes on skipped ones.

    Raises:
        DataError: more than `max_bad_share` of the images cannot be used, or none can.
    """
    entry = None if key is None else open_entry(key)
    if entry is None:
        faults: dict[int, str] = {}
        sizes, depths = _probe(items, faults, options)
        _limit(faults, items, options=options, source=source)
        height, width, note = _target([size for size in sizes if size is not None], options)
        shape = (len(items), max(depths), height, width)

        def make(draft: Draft) -> None:
            with draft.writer("pixels", shape=shape, dtype=np.uint8) as writer:
                positions, notes = _read_pixels(items, writer, faults, options=options, source=source)
            _keep(draft, positions, len(items))
            read = [size for position in positions if (size := sizes[position]) is not None]
            draft.facts["notes"] = [*notes, *note, *cut_off(read, (height, width), options)]

        is_large = math.prod(shape) >= map_above_bytes()
        entry = kept(key if is_large else None, make, needs_bytes=2 * math.prod(shape))
    return entry.array("values"), entry.loaded("kept"), (*entry.facts["notes"], *entry.notes)


def _target(sizes: Sequence[tuple[int, int]], options: DataOptions) -> tuple[int, int, list[str]]:
    """Height and width that images of these heights and widths get, and a note on what that does to them."""
    height, width = choose_size(sizes, options)
    if set(sizes) == {(height, width)}:
        return height, width, []
    sides = [min(size) for size in sizes]
    median, least, most = float(np.median(sides)), min(sides), max(sides)
    if median * MOST_ENLARGED < min(height, width):
        small = f"The images are small (median short side {median:g} pixels): enlarged to {height}x{width}."
        return height, width, [small]
    if (least, most) == (min(height, width),) * 2 and options.crop != "none":
        return height, width, []
    were = f"{least:g}" if least == most else f"{least:g} to {most:g}"
    whole = ", whole, whatever their proportions" if options.crop == "none" else ""
    return height, width, [f"Scaled to {height}x{width}{whole}; the short sides were {were} pixels."]


def _read_pixels(
    items: Sequence[ImageItem],
    writer: Writer,
    faults: dict[int, str],
    *,
    options: DataOptions,
    source: str,
) -> tuple[np.ndarray, list[str]]:
    """Write the items that are not at fault, each at its place, and say which those are."""
    pixels = writer.array
    shape = pixels.shape[1:]
    deep: list[int] = []
    animated: list[str] = []
    views = views_of(options, range(len(items)))

    def read(position: int) -> str:
        try:
            with items[position].open() as image:
                pixels[position] = _decode(image, deep, options, views[position], shape=shape)
                if _has_frames(image):
                    animated.append(items[position].name)
        except Exception as error:  # a decoder may raise anything on a damaged file; the file is named and skipped
            return _reason(error)
        return ""

    with _quiet(), ThreadPoolExecutor(READERS) as pool:
        wanted = [position for position in range(len(items)) if position not in faults]
        for start in range(0, len(wanted), CHUNK):  # the pool holds a task for each at once
            part = wanted[start : start + CHUNK]
            faults.update({place: fault for place, fault in zip(part, pool.map(read, part), strict=True) if fault})
            writer.wrote(len(part) * pixels[0].nbytes)
    _limit(faults, items, options=options, source=source)
    positions = np.array([position for position in range(len(items)) if position not in faults], dtype=np.int64)
    notes = [_skipped(faults, items)] if faults else []
    if animated and not options.as_first_version:
        name = min(animated)
        notes.append(f"The first frame is taken of images with several: {len(animated)}, such as {name}.")
    if deep and not options.as_first_version:
        some = f"More than 8 bits a pixel: {len(deep)} of {len(positions)} images. "
        notes.append((some if len(deep) < len(positions) else "") + deep_pixels(max(deep), options.white))
    return positions, notes


def _has_frames(image: Image.Image) -> bool:
    """Whether there are pictures after the first one, damaged or not."""
    try:
        return image.format in HAVE_FRAMES and bool(getattr(image, "is_animated", False))
    except Exception:  # a decoder may raise anything on what follows a picture that was read
        return False


def deep_pixels(brightest: int, white: int | None) -> str:
    """The note on images of more than 8 bits."""
    most = white or WHITE
    note = f"Read as pixels from 0 (black) to {most:,} (white), scaled to 8 bits"
    if brightest >= DARK * most:
        return f"{note}."
    bits = next(bits for bits in (8, 10, 12, 14, 16) if brightest < 2**bits)
    return f"{note}; the brightest is {brightest:,}, so they are dark. --set data.white={2**bits - 1} if that is white."


def _keep(draft: Draft, positions: np.ndarray, count: int) -> None:
    """Make `values` of `pixels`: the images at `positions` of `count`, in the fewest channels that show them."""
    draft.hold("kept", positions)
    pixels = draft.array("pixels")

    def parts() -> Iterator[np.ndarray]:
        return (pixels[positions[start : start + CHUNK]] for start in range(0, len(positions), CHUNK))

    channels = fewest_channels(parts(), pixels.shape[1])
    if len(positions) < count or channels < pixels.shape[1]:
        shape = (len(positions), channels, *pixels.shape[2:])
        draft.save("values", (part[:, :channels] for part in parts()), shape=shape, dtype=np.uint8)
        draft.remove("pixels")
    else:
        draft.rename("pixels", "values")


def _probe(
    items: Sequence[ImageItem], faults: dict[int, str], options: DataOptions
) -> tuple[list[tuple[int, int] | None], list[int]]:
    """Height and width, and channels (by mode), of each image; `None` and 0 where it is at fault, which is noted."""
    sizes: list[tuple[int, int] | None] = [None] * len(items)
    depths = [0] * len(items)
    most = limit("pixels")

    def probe(position: int) -> None:
        try:
            with items[position].open() as image:
                if image.width * image.height > most:
                    raise UnusableImage(f"{image.width}x{image.height} pixels are too many: {_stated_limit()}")
                if min(image.size) < SMALLEST_SIDE:
                    raise UnusableImage(f"{image.width}x{image.height} pixels are too few")
                sizes[position] = image.size if _is_on_its_side(image) else image.size[::-1]
                depth = _depth(image)
                depths[position] = 3 if depth == 4 and options.background is not None else depth
        except Exception as error:  # as in `assemble`
            faults[position] = _reason(error)

    with _quiet(), ThreadPoolExecutor(READERS) as pool:
        list(pool.map(probe, range(len(items))))
    return sizes, depths


def _is_on_its_side(image: Image.Image) -> bool:
    """Whether a camera stored that the image is to be turned by a right angle."""
    if image.width == image.height or (image.format == "PNG" and "exif" not in image.info):
        return False  # Pillow would decode a whole PNG to look for it
    return image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)


@contextmanager
def _quiet() -> Iterator[None]:
    """Pillow warns of large images, for which `limits` has a number, and of damaged notes beside the pixels."""
    with warnings.catch_warnings(), _PILLOWS_LIMIT.raised(limit("pixels")):
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", module="PIL")
        yield


class _PillowsLimit:
    """Pillow refuses large images by a number of its own, of the whole process: never below ours while we read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers = 0
        self._before: int | None = None

    @contextmanager
    def raised(self, pixels: int) -> Iterator[None]:
        """Several threads may read at once: the last one puts back what the first one found."""
        with self._lock:
            if self._readers == 0:
                self._before = Image.MAX_IMAGE_PIXELS
            self._readers += 1
            if Image.MAX_IMAGE_PIXELS is not None:
                Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, pixels)
        try:
            yield
        finally:
            with self._lock:
                self._readers -= 1
                if self._readers == 0:
                    Image.MAX_IMAGE_PIXELS = self._before


_PILLOWS_LIMIT = _PillowsLimit()


def _stated_limit() -> str:
    return f"{VARIABLE}PIXELS={limit('pixels')}, raise it if you trust the file"


def _depth(image: Image.Image) -> int:
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return 4
    return 1 if image.mode in GREY_MODES else 3


def _decode(
    image: Image.Image, deep: list[int], options: DataOptions, view: View, *, shape: tuple[int, int, int]
) -> np.ndarray:
    """The pixels of an image, uint8 of this shape; the brightest of one of more than 8 bits is added to `deep`."""
    channels, height, width = shape
    if image.format in ("JPEG", "MPO"):
        # The decoder may drop detail that scaling averages away; four times the target loses nothing visible.
        image.draft(None, (4 * max(width, height),) * 2)
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.asarray(image)
        deep.append(int(values.max()))
        image = Image.fromarray(np.clip(np.rint(values * (255 / (options.white or WHITE))), 0, 255).astype(np.uint8))
    elif image.mode == "F" and not options.as_first_version:
        raise UnusableImage("pixels that are real numbers; make them whole numbers of 8 or 16 bits")
    colour = options.background_colour
    if colour is not None and _depth(image) == 4:
        seen = to_array(framed(image.convert("RGBA"), view, height=height, width=width))
        return on_background(seen, colour)
    found = to_array(framed(image.convert(MODES[channels]), view, height=height, width=width))
    return found if options.as_first_version else without_hidden_colour(found)


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
        return f"too many pixels: {_stated_limit()}"
    if isinstance(error, MemoryError):
        return "too large for the memory"
    return (str(error).splitlines() or [type(error).__name__])[0][:80] or type(error).__name__
