"""Which samples are the same thing twice, so that no split puts one copy into training and another into the test.

Points and rows of a table: exact duplicates. Images: equal pixels, or, from 16 pixels a side on, an equal 64-bit
difference hash (the signs of the brightness steps in a 9 x 8 thumbnail).

Where repetition belongs to the distribution itself (a table of few categories: more than 10 % of the rows have an
equal one, or one row is there more than five times and makes up more than 1 %), grouping would change what the parts
contain; such rows stay single.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from equipoise.data.store.arrow import chunks_of

MOST_REPEATED_SHARE = 0.10
LARGEST_GROUP_SHARE = 0.01
# In small data a few copies are more than 1 % already.
LARGEST_GROUP_ALLOWED = 5
SMALLEST_HASHED_SIDE = 16
HASH_ROWS, HASH_COLUMNS = 8, 9
# Brightness steps below this many grey levels count as none, so that compression noise in flat areas is no detail.
FLAT_STEP = 1.0
# An image with fewer steps than this is nearly flat; its hash says too little to call it a duplicate of another.
FEWEST_STEPS = 16
CHUNK = 2048


@dataclass(frozen=True)
class Groups:
    """A group number for each sample, numbered by first appearance.

    Attributes:
        of_row: int64 `(n,)`.
        rule: what made two samples one group, as a sentence.
    """

    of_row: np.ndarray
    rule: str

    @property
    def count(self) -> int:
        return int(self.of_row.max()) + 1

    @property
    def sizes(self) -> np.ndarray:
        return np.bincount(self.of_row)


def row_groups(parts: Iterable[pd.DataFrame]) -> Groups:
    """Groups of equal rows of a table, given part by part."""
    keys = row_keys(parts)
    of_row = _numbered(keys)
    sizes = np.bincount(of_row)
    repeated = int(sizes[sizes > 1].sum())
    if repeated > MOST_REPEATED_SHARE * len(keys) or sizes.max() > max(
        LARGEST_GROUP_ALLOWED, LARGEST_GROUP_SHARE * len(keys)
    ):
        rule = f"row by row: {repeated} of {len(keys)} rows have an equal one, which belongs to the distribution"
        return Groups(np.arange(len(keys)), rule)
    return Groups(of_row, "equal rows fall on one side")


def row_keys(parts: Iterable[pd.DataFrame]) -> np.ndarray:
    """A 64-bit hash of each row; equal rows have equal hashes."""
    return np.concatenate([pd.util.hash_pandas_object(part, index=False).to_numpy() for part in parts])


def image_groups(images: np.ndarray) -> Groups:
    """Groups of equal or nearly equal images."""
    exact = _numbered(_pixel_keys(images))
    if min(images.shape[2:]) < SMALLEST_HASHED_SIDE:
        return Groups(exact, "equal images fall on one side")
    hashes, steps = difference_hashes(images)
    # Images that are nearly flat take part with their pixels only: a hash that no other image has.
    telling = steps >= FEWEST_STEPS
    near = np.where(telling, _numbered(hashes), len(images) + exact)
    return Groups(
        joined_groups(exact, near), "equal images, and images with an equal difference hash, fall on one side"
    )


def difference_hashes(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Difference hash of each image, uint64 `(n,)`, and how many of its 64 brightness steps are not flat.

    The thumbnail's areas are computed in whole numbers, exactly, so that a hash is the same on every machine.
    """
    height, width = images.shape[2:]
    rows, columns = _area_weights(height, HASH_ROWS), _area_weights(width, HASH_COLUMNS)
    unit = height * width * images.shape[1]
    hashes, steps = np.empty(len(images), dtype=np.uint64), np.empty(len(images), dtype=np.int64)
    for start, part in chunks_of(images, CHUNK):
        grey = part.astype(np.float64).sum(axis=1)
        thumbnails = rows @ grey @ columns.T
        slopes = np.diff(thumbnails, axis=2).reshape(len(grey), -1) / unit
        bits = np.packbits(slopes > FLAT_STEP, axis=1)
        hashes[start : start + CHUNK] = np.ascontiguousarray(bits).view(">u8").reshape(-1)
        steps[start : start + CHUNK] = (np.abs(slopes) > FLAT_STEP).sum(axis=1)
    return hashes, steps


def _area_weights(pixels: int, cells: int) -> np.ndarray:
    """Overlap of each cell with each pixel, in units of 1/cells of a pixel: whole numbers, `(cells, pixels)`."""
    edges_of_pixels = np.arange(pixels + 1) * cells
    edges_of_cells = np.arange(cells + 1) * pixels
    low = np.maximum(edges_of_cells[:-1, None], edges_of_pixels[None, :-1])
    high = np.minimum(edges_of_cells[1:, None], edges_of_pixels[None, 1:])
    return np.clip(high - low, 0, None).astype(np.float64)


def _pixel_keys(images: np.ndarray) -> np.ndarray:
    import hashlib

    digests = (
        hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=8).digest()
        for _, part in chunks_of(images, CHUNK)
        for image in part
    )
    return np.frombuffer(b"".join(digests), dtype=">u8")


def _numbered(keys: np.ndarray) -> np.ndarray:
    """Group numbers 0, 1, 2, ... by first appearance of each key."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.empty(len(first), dtype=np.int64)
    order[np.argsort(first, kind="stable")] = np.arange(len(first))
    return order[inverse.reshape(-1)]


def joined_groups(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The finest groups that keep together what either numbering keeps together."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows = len(one)
    _, other = np.unique(other, return_inverse=True)
    links = coo_array((np.ones(rows, dtype=np.int8), (one, int(one.max()) + 1 + other.reshape(-1))))
    size = int(one.max()) + int(other.max()) + 2
    links.resize((size, size))
    _, component = connected_components(links, directed=False)
    return _numbered(component[one])
