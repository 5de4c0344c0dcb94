"""Which view of each image is trained with: where it is cropped, and whether it is mirrored.

Views are drawn from the number of an image in its source, so that every reading takes the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from equipoise.data.dataset import DataOptions
from equipoise.randomness import Stream, numpy_stream

CENTRE = (0.5, 0.5)
DRAWN_WITH = 0
"""Seed of the views, whatever the seed of a run: the data set is always the same one."""
ROWS_OF_A_DRAW = 1024


@dataclass(frozen=True)
class View:
    """One image's view.

    Attributes:
        place: of the crop, along the width and along the height, from 0 to 1.
        is_whole: whether all of the image is taken, and nothing is cropped.
        is_mirrored: whether left and right change places.
    """

    place: tuple[float, float] = CENTRE
    is_whole: bool = False
    is_mirrored: bool = False


def views_of(options: DataOptions, rows: Sequence[int]) -> list[View]:
    """The views of the images with these numbers."""
    is_whole, is_random = options.crop == "none", options.crop == "random"
    if not (options.mirror or is_random):
        return [View(is_whole=is_whole)] * len(rows)
    found = []
    for row in rows:
        across, down, coin = _draws(row // ROWS_OF_A_DRAW)[row % ROWS_OF_A_DRAW]
        place = (float(across), float(down)) if is_random else CENTRE
        found.append(View(place, is_whole, options.mirror and bool(coin < 0.5)))
    return found


@lru_cache(maxsize=4)
def _draws(chunk: int) -> np.ndarray:
    """Three numbers in [0, 1) for each image of a chunk."""
    return numpy_stream(DRAWN_WITH, Stream.VIEWS, chunk).random((ROWS_OF_A_DRAW, 3))
