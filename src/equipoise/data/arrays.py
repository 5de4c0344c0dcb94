"""Arrays as points or images, by rules that are stated here and nowhere else.

Axes: `(n,)` and `(n, d)` are points. `(n, h, w)` are grey images. Of four axes, channels are the second if that
has 1, 3 or 4 entries, else the last; if both could be, the reading that makes the images square wins, and then
channels first.

Pixels: booleans are black and white, and so are whole numbers of which none is above 1. Whole numbers up to 255 are
8-bit values; larger ones, up to 65,535, are 16-bit values, unless `options.white` says what is white; where none is
above 1,022 that would leave black images, and they are refused. Colour under an alpha of 0 is black. Real numbers in
[0, 1] run from black to white, so do those in [-1, 1] when any is negative; others in [0, 255] are 8-bit values.
Everything else is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.images.decode import deep_pixels
from equipoise.data.images.resize import WHITE, on_background, resize_array, without_hidden_colour
from equipoise.data.labels import encode_labels
from equipoise.data.points.encoder import coordinate_names
from equipoise.data.points.numbers import points_from_array, refuse_non_finite
from equipoise.data.store.arrow import OnDiskArray, chunks_of
from equipoise.data.store.cache import Draft, Entry, cache_key, kept, map_above_bytes
from equipoise.data.tables.frames import from_frame
from equipoise.errors import DataError

CHANNELS = (1, 3, 4)
LEAST_DEEP = 1022
"""Whole numbers up to here, above 255, are 8-bit pixels with a mistake, or of 10 bits: nobody can tell."""
DARK = 64
"""Brightest of 8-bit pixels below which a note is worth it."""
# Rounding in float32 arithmetic may leave a pixel this far outside [0, 1] or [-1, 1]; it is clipped.
OVERSHOOT = 1e-3


def from_array(
    values: np.ndarray | OnDiskArray,
    *,
    labels: np.ndarray | None,
    options: DataOptions,
    source: str,
    key: str | None = None,
) -> Dataset:
    """Points or images from an array, as its axes say or as `options.kind` asks.

    Args:
        values: the array, in memory or on disk.
        labels: class of each sample.
        options: how to understand it.
        source: for messages.
        key: name of the cache's entry for an array on disk; what becomes of a large one is kept there.

    Raises:
        DataError: numbers that are not finite, axes or values that fit no rule above.
    """
    if values.ndim == 0 or len(values) == 0:
        raise DataError(source, f"an array of shape {values.shape} holds no rows.", "Expected one sample per row.")
    if values.dtype.kind not in "biuf":
        raise DataError(
            source,
            f"the array holds values of type {values.dtype}.",
            "Expected real numbers.",
            "Convert it to numbers, or pass a DataFrame if its columns are of different kinds.",
        )
    kind = options.kind or ("points" if values.ndim <= 2 else "images")
    if labels is not None and np.shape(labels)[:1] != (len(values),):
        count = len(labels) if np.ndim(labels) else "one value in place of"
        raise DataError(source, f"{count} labels for {len(values)} samples.", "Expected one label per sample.")
    codes, label_names, notes = (None, (), ())
    if labels is not None and options.use_labels:
        codes, label_names, notes = encode_labels(labels, source=source)
    if kind == "table":
        table = _table(values, options=options, source=source)
        return replace(table, labels=codes, label_names=label_names).with_notes(*notes)
    entry = (
        _kept_images(values, key, options, source) if kind == "images" else _kept_points(values, key, options, source)
    )
    found = entry.array("values")
    return Dataset(
        kind,
        found,
        labels=codes,
        label_names=label_names,
        names=coordinate_names(found.shape[1]) if kind == "points" else (),
        notes=(*entry.facts.get("notes", ()), *notes, *entry.notes),
        source=source,
    )


def _table(values: np.ndarray | OnDiskArray, *, options: DataOptions, source: str) -> Dataset:
    """An array of two axes as a table; its columns are called x0, x1, ..., or as those that it is compared with."""
    if values.ndim != 2:
        raise DataError(
            source,
            f"an array of shape {values.shape} is no table.",
            "Expected the shape (rows, columns).",
            "Reshape it to two axes.",
        )
    names = [kind.name for kind in options.like]
    names = names if len(names) == values.shape[1] else list(coordinate_names(values.shape[1]))
    return from_frame(pd.DataFrame(np.asarray(values), columns=names), options=options, source=source)


def _kept_points(values: np.ndarray | OnDiskArray, key: str | None, options: DataOptions, source: str) -> Entry | Draft:
    def make(draft: Draft) -> None:
        if draft.folder is None:
            draft.hold("values", points_from_array(np.asarray(values), source=source, keep_gaps=options.keep_gaps))
            return
        refuse_non_finite(values, source=source)
        shape = (len(values), values.size // len(values))
        parts = (points_from_array(part, source=source, first_row=start) for start, part in chunks_of(values))
        draft.save("values", parts, shape=shape, dtype=np.float64)

    return kept(_large(key, 8 * values.size, "points"), make, needs_bytes=8 * values.size)


def _kept_images(values: np.ndarray | OnDiskArray, key: str | None, options: DataOptions, source: str) -> Entry | Draft:
    """Uint8 images `(n, c, h, w)` of the size that is asked for, and notes on how the array was understood."""

    def make(draft: Draft) -> None:
        # Axes that fit no rule are refused before anything is read; the stand-in has the shape and takes no memory.
        axes_in_order(np.broadcast_to(np.zeros((), dtype=values.dtype), values.shape), source=source)
        refuse_non_finite(values, source=source)
        extremes = [(part.min().item(), part.max().item()) for _, part in chunks_of(values)]
        low, high = min(least for least, _ in extremes), max(most for _, most in extremes)
        convert, note = pixel_rule(low, high, values.dtype, source=source, options=options)

        def pixels(part: np.ndarray, start: int) -> tuple[np.ndarray, str]:
            found = convert(axes_in_order(part, source=source))
            sized, said = resize_array(
                found, options=options, source=source, first_row=start, images=len(values) if start == 0 else None
            )
            if options.background_colour is not None and sized.shape[1] == 4:
                return on_background(sized, options.background_colour), said
            return sized if options.as_first_version else without_hidden_colour(sized), said

        first, size_note = pixels(values[:1], 0)
        parts = (pixels(part, start)[0] for start, part in chunks_of(values))
        draft.save("values", parts, shape=(len(values), *first.shape[1:]), dtype=np.uint8)
        draft.facts["notes"] = [entry for entry in (note, size_note) if entry]

    # At most as many bytes as there are numbers, unless small images are enlarged.
    facts = ("images", options.target_size, *options.pixels)
    return kept(_large(key, values.size, *facts), make, needs_bytes=values.size)


def _large(key: str | None, size: int, *facts: object) -> str | None:
    """The name of the entry of data of so many bytes; `None` where they stay in memory."""
    return None if key is None or size < map_above_bytes() else cache_key(key, *facts)


def axes_in_order(values: np.ndarray, *, source: str) -> np.ndarray:
    """Images with the axes `(n, channels, height, width)`, by the rule in the head of this module."""
    if values.ndim == 3:
        return values[:, None]
    if values.ndim == 4:
        first, last = values.shape[1] in CHANNELS, values.shape[3] in CHANNELS
        if first and last:
            first = values.shape[2] == values.shape[3] or values.shape[1] != values.shape[2]
        if first:
            return values
        if last:
            return np.moveaxis(values, 3, 1)
    raise DataError(
        source,
        f"an array of shape {values.shape} is no list of images.",
        "Expected (n, height, width), (n, height, width, channels) or (n, channels, height, width), "
        "with 1, 3 or 4 channels.",
        "Reshape the array, or choose kind 'points' for an array of two axes.",
    )


def channels_last(images: np.ndarray) -> np.ndarray:
    """Images with the axes `(n, height, width, channels)`, or `(n, height, width)` in grey, of `(n, channels, ...)`."""
    return images[:, 0] if images.shape[1] == 1 else np.moveaxis(images, 1, 3)


def pixel_rule(
    low: float, high: float, dtype: np.dtype, *, source: str, options: DataOptions
) -> tuple[Callable[[np.ndarray], np.ndarray], str]:
    """A function from pixels between `low` and `high` to uint8, by the rule in the head of this module, and a note.

    Pixels that are all the same are refused, unless they are bytes and `options.keep_gaps` says that this is a finding.
    """
    if dtype.kind == "b":
        return (lambda part: part.astype(np.uint8) * 255), ""
    if low == high and not (options.keep_gaps and dtype == np.uint8):
        raise DataError(source, f"every pixel is {low}.", "Expected images that differ.", "Check how it was made.")
    if dtype.kind in "iu" and low >= 0:
        if options.white is not None:
            scale = 255 / options.white
            return (lambda part: _to_bytes(part * scale)), deep_pixels(int(high), options.white)
        if high <= 1 and not options.as_first_version:
            return (lambda part: part.astype(np.uint8) * 255), "Read as masks: 0 is black, 1 is white."
        if high <= 255:
            note = f"The brightest pixel is {high} of 255: the images are dark." if high < DARK else ""
            return (lambda part: part.astype(np.uint8)), note
        if high <= LEAST_DEEP and not options.as_first_version:
            raise DataError(
                source,
                f"the largest pixel is {high}, above the 255 of 8-bit pixels; read as 16-bit ones all would be black.",
                "Expected whole numbers up to 255, or up to 65,535.",
                "Clip them, array.clip(0, 255), or say what is white: data.white=1023 for 10 bits.",
            )
        if high <= WHITE:
            return (lambda part: np.rint(part / 257).astype(np.uint8)), deep_pixels(int(high), None)
    if dtype.kind == "f":
        if low >= -OVERSHOOT and high <= 1 + OVERSHOOT:
            return (lambda part: _to_bytes(part * 255.0)), "Read as pixels from 0 (black) to 1 (white)."
        if low >= -1 - OVERSHOOT and high <= 1 + OVERSHOOT:
            return (lambda part: _to_bytes((part + 1) * 127.5)), "Read as pixels from -1 (black) to 1 (white)."
        if low >= 0 and high <= 255:
            dark = f" The brightest is {high:.3g}: the images are dark." if high < DARK else ""
            return _to_bytes, f"Read as pixels from 0 (black) to 255 (white).{dark}"
    raise DataError(
        source,
        f"the pixels run from {low:g} to {high:g} ({dtype}).",
        "Expected whole numbers from 0 to 255 or to 65,535, or real numbers in [0, 1], [-1, 1] or [0, 255].",
        "Rescale the array into one of these ranges.",
    )


def _to_bytes(part: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(part), 0, 255).astype(np.uint8)
