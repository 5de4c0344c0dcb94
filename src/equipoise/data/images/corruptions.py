"""Corruptions of images: each changes a share of them, and what is read of a whole image shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from equipoise.data.corruptions import BROKEN_DEPENDENCE, common_corruptions, contaminated_rows
from equipoise.data.images.classifier_inputs import image_preparation
from equipoise.data.judging import Corruption

_PIXEL_NOISE = 0.05
"""Deviation of the noise, as a share of the range of a pixel."""


def image_corruptions() -> Mapping[str, Corruption]:
    """The corruptions by name; the names decide random streams and are frozen."""
    return {
        **common_corruptions(image_preparation),
        "shift": _of_images(lambda rows, stream: np.roll(rows, 1, axis=3)),
        "change of spread": _of_images(lambda rows, stream: (rows.astype(np.float32) * 0.8).astype(np.uint8)),
        "noise": _of_images(_noisy),
        "blur": _of_images(
            lambda rows, stream: ((rows.astype(np.uint16) + np.roll(rows, 1, axis=3)) // 2).astype(np.uint8)
        ),
        BROKEN_DEPENDENCE: _of_images(swapped_halves),
    }


def swapped_halves(rows: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Images whose right half belongs to another one."""
    mixed, half = rows.copy(), rows.shape[3] // 2
    mixed[..., half:] = rows[stream.permutation(len(rows))][..., half:]
    return mixed


def _of_images(change: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Corruption:
    def corruption(
        values: np.ndarray, share: float, stream: np.random.Generator, target: np.random.Generator
    ) -> np.ndarray:
        del target
        contaminated = np.array(values)
        rows = contaminated_rows(len(contaminated), share, stream)
        contaminated[rows] = change(contaminated[rows], stream)
        return contaminated

    return corruption


def _noisy(rows: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    return np.clip(rows + stream.normal(0, _PIXEL_NOISE * 255, rows.shape), 0, 255).astype(np.uint8)
