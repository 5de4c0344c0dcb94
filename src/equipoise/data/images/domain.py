"""Images: what is done differently with bytes of shape `(channels, height, width)`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equipoise.data.arrays import channels_last
from equipoise.data.base import Domain, Encoder
from equipoise.data.dataset import LARGEST_SIDE, Aligned, Dataset, unlike
from equipoise.data.duplicates import Groups, image_groups
from equipoise.data.images.encoder import ImageEncoder, levels_of
from equipoise.data.images.judging import ImageJudging
from equipoise.data.images.nearest import nearest_pictures
from equipoise.data.splits import small_share
from equipoise.data.store.cache import Entry
from equipoise.data.training_rows import TrainingRows
from equipoise.plotting.samples import image_grid, surest_grid
from equipoise.plotting.style import save_figure
from equipoise.spaces import ImageSpace, sample_size, space_from_json

GREY, RGB, RGBA = 1, 3, 4
GRID_CLASSES, GRID_COLUMNS = 10, 12
CHUNK = 1024
PAIRS = 30
"""Generated images that are shown beside the nearest training picture."""
SMALL_IMAGE = 256
"""Numbers of an image up to which it gets the preset of small ones."""


class ImageDomain(ImageJudging, Domain):
    """See `Domain`."""

    kind = "images"
    phrase = "images"
    bytes_per_number = 1
    consistency_augmentation = "shift"

    def preset_name(self, space: ImageSpace) -> str:
        return "small-images" if sample_size(space) <= SMALL_IMAGE else "images"

    def held_out_share(self, rows: int) -> float:
        return small_share(rows)

    def fit(self, raw: Dataset, rows: np.ndarray) -> ImageEncoder:
        _, channels, height, width = raw.values.shape
        parts = (raw.values[rows[start : start + CHUNK]] for start in range(0, len(rows), CHUNK))
        space = ImageSpace(channels, height, width)
        return ImageEncoder(space, levels_of(parts), premultiplied=channels == RGBA)

    def encoder_from_state(self, state: dict[str, Any]) -> ImageEncoder:
        return ImageEncoder(
            space_from_json(state["space"]), tuple(state.get("levels", ())), bool(state.get("premultiplied", False))
        )

    def check_encoder(self, encoder: ImageEncoder) -> None:
        space, levels = encoder.space, encoder.levels
        sides = (space.height, space.width)
        if encoder.premultiplied and space.channels != RGBA:
            raise ValueError("alpha in images without any")
        if space.channels not in (GREY, RGB, RGBA) or any(
            type(side) is not int or not 1 <= side <= LARGEST_SIDE for side in sides
        ):
            raise ValueError(f"images of {space.channels} channels and {space.height}x{space.width} pixels")
        if any(type(level) is not int or not 0 <= level <= 255 for level in levels) or len(levels) > 256:
            raise ValueError(f"brightness levels {levels!s:.80}")

    def stored(self, encoder: Encoder, values: np.ndarray) -> torch.Tensor:
        del encoder
        return torch.from_numpy(values)

    def groups(self, values: Any) -> Groups:
        return image_groups(values)

    def training_rows(self, raw: Dataset, rows: np.ndarray, encoder: ImageEncoder, entry: Entry) -> TrainingRows:
        del encoder, entry
        shape = (len(rows), *raw.values.shape[1:])
        return TrainingRows(lambda index: raw.values[rows[index]], shape=shape, dtype=torch.uint8)

    def aligned(self, real: Dataset, fake: Dataset) -> Aligned:
        channels = (real.values.shape[1], fake.values.shape[1])
        if channels in ((GREY, RGB), (RGB, GREY)):
            # Grey as red = green = blue: no information is lost, and colour that should not be there is seen.
            grey = "real" if channels[0] == GREY else "generated"
            note = f"The {grey} images are grey; they were read as colour, like the others."
            return Aligned(_in_colour(real.values), _in_colour(fake.values), (note,))
        if channels[0] != channels[1]:
            raise unlike(real, fake, f"has images of {channels[1]} channels, {real.source} of {channels[0]}")
        return Aligned(real.values, fake.values)

    def size_of(self, values: Any) -> tuple[int, int]:
        height, width = values.shape[2:]
        return int(height), int(width)

    def presented(self, values: np.ndarray) -> np.ndarray:
        """Uint8 `(n, height, width)`, or `(n, height, width, channels)`."""
        return channels_last(values)

    def shown(self, part: Dataset, *, by_class: bool) -> np.ndarray:
        if not by_class:
            return part.values[: GRID_COLUMNS * GRID_CLASSES]
        shown = range(min(GRID_CLASSES, len(part.label_names)))
        return part.values[np.concatenate([np.flatnonzero(part.labels == c)[:GRID_COLUMNS] for c in shown])]

    def shown_draws(self, classes: int, *, by_class: bool) -> Sequence[tuple[int, int | None]]:
        if not by_class:
            return ((GRID_COLUMNS * GRID_CLASSES, None),)
        return tuple((GRID_COLUMNS, label) for label in range(min(GRID_CLASSES, classes)))

    def save_shown(
        self,
        values: np.ndarray,
        path: Path,
        *,
        read_real: Callable[[], np.ndarray] | None = None,
        values_are_real: bool = False,
    ) -> None:
        del read_real, values_are_real
        save_figure(image_grid(values, columns=GRID_COLUMNS), path)

    def save_nearest(self, values: np.ndarray, batches: Iterable[np.ndarray], path: Path) -> None:
        """Pairs, six to a row: a generated image, and the training picture nearest to it."""
        # Of a grid with a row for each class, as many of each.
        per_row = max(1, PAIRS // -(-len(values) // GRID_COLUMNS))
        chosen = values[np.arange(len(values)) % GRID_COLUMNS < per_row][:PAIRS]
        pairs = np.stack([chosen, nearest_pictures(chosen, batches)], axis=1)
        save_figure(image_grid(pairs.reshape(-1, *chosen.shape[1:]), columns=GRID_COLUMNS), path)

    def save_most_discriminative(
        self, scored: tuple[np.ndarray, np.ndarray], scores: tuple[np.ndarray, np.ndarray], path: Path
    ) -> None:
        """Two rows: the real images that looked most real, and the generated ones that looked most generated."""
        if len(scored[0]):
            save_figure(surest_grid(scored, scores, columns=GRID_COLUMNS), path)


def _in_colour(images: np.ndarray) -> np.ndarray:
    return np.repeat(images, RGB, axis=1) if images.shape[1] == GREY else images


IMAGES = ImageDomain()
