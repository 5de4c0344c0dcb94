"""The training picture that is nearest to a generated one, for whoever wants to see whether it is a copy."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from equipoise.data.images.classifier_inputs import flat_pixels


def nearest_pictures(images: np.ndarray, batches: Iterable[np.ndarray]) -> np.ndarray:
    r"""For each image the one among the batches that is nearest, by the mean squared difference of pixels.

    Compared as metrics compare them, averaged down to 32 pixels a side at most, so that a copy is found whose noise is
    new; one that is shifted may be missed. Of equally near ones the first is taken.

    Args:
        images: uint8 `(n, channels, height, width)`.
        batches: pictures to choose from, of the same axes; one batch or more.

    Returns:
        Uint8 `(n, channels, height, width)`, of the batches' own pictures.
    """
    wanted = flat_pixels(images).astype(np.float32)
    least = np.full(len(images), np.inf, dtype=np.float32)
    found = np.zeros_like(images)
    for batch in batches:
        given = flat_pixels(batch).astype(np.float32)
        # Differences themselves, a picture at a time: a product of matrices would round away that of a copy.
        distances = np.stack([((given - one) ** 2).mean(axis=1) for one in wanted])
        place = distances.argmin(axis=1)
        best = distances[np.arange(len(images)), place]
        is_nearer = best < least
        found[is_nearer], least[is_nearer] = batch[place[is_nearer]], best[is_nearer]
    return found
