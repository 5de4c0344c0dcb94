"""An embedding: a frozen function from images to numbers, asked in batches and held to what it promises."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from equipoise.errors import ConfigError, DataError, unknown_name
from equipoise.features.onnx import onnx_extractor
from equipoise.features.pretrained import WELL_KNOWN, pretrained_extractor
from equipoise.features.random_features import NAME as RANDOM_NAME
from equipoise.features.random_features import random_features
from equipoise.spaces import SpaceKind

Extractor = Callable[[np.ndarray], np.ndarray] | Path | str
"""A function from images, float32 in [0, 1], `(n, channels, height, width)`, to numbers `(n, features)`; the path of an
`.onnx` file; or a name: `random`, or one in `WELL_KNOWN`."""
KINDS: frozenset[SpaceKind] = frozenset({"images"})
"""Kinds of data that embeddings are for."""
RANDOM = "random"
_BATCH = 256


@dataclass(frozen=True)
class Embedding:
    """Features of images.

    Attributes:
        name: what a person calls it.
        extractor: from images, float32 in [0, 1], `(n, channels, height, width)`, to numbers `(n, ...)`.
        identity: a hash of its weights; `None` where they are not known.
    """

    name: str
    extractor: Callable[[np.ndarray], np.ndarray]
    identity: str | None = None

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The features, float64. Shape `(n, features)`.

        Args:
            images: bytes, or float32 in [0, 1]. Shape `(n, channels, height, width)`.

        Raises:
            DataError: the extractor gives another number of rows, or numbers that are not finite.
        """
        batches = (images[start : start + _BATCH] for start in range(0, len(images), _BATCH))
        parts = [np.asarray(self.extractor(_in_unit_range(batch)), dtype=np.float64) for batch in batches]
        found = np.concatenate([part.reshape(len(part), -1) for part in parts])
        if len(found) != len(images) or not np.isfinite(found).all():
            raise DataError(
                f"feature extractor '{self.name}'",
                f"it returned {len(found)} rows for {len(images)} images"
                if len(found) != len(images)
                else "it returned NaN",
                "Expected one row of finite numbers for each image.",
            )
        return found


def embedding_of(extractor: Extractor, kind: SpaceKind, *, where: str) -> Embedding:
    """The embedding that a function, an ONNX file or a name in `WELL_KNOWN` gives.

    Args:
        extractor: one of the three.
        kind: of the data.
        where: what a message names as its place, such as an option.

    Raises:
        ConfigError: the data are no images, or a name is not known.
        DataError: an ONNX file cannot be used.
        MissingExtra: what would run it is not installed.
    """
    if kind not in KINDS:
        raise ConfigError(
            where,
            f"the data are {kind}.",
            "Expected images: extractors turn images into numbers.",
            "Leave the extractor out.",
        )
    if callable(extractor):
        return Embedding(getattr(extractor, "__name__", "extractor"), extractor)
    if str(extractor) in WELL_KNOWN:
        # The weights are whatever timm downloads: there is no hash of them. Scores by another implementation of the
        # network of that name are other numbers, so the implementation is part of the name.
        name = f"{extractor} as timm's {WELL_KNOWN[str(extractor)]}"
        return Embedding(name, pretrained_extractor(str(extractor)))
    if str(extractor) == RANDOM:
        return Embedding(RANDOM_NAME, random_features, RANDOM_NAME)
    path = Path(extractor).expanduser()
    if path.suffix.lower() != ".onnx":
        raise unknown_name(where, "extractor", str(extractor), (RANDOM, *WELL_KNOWN), "Or give an .onnx file.")
    made = onnx_extractor(path)
    return Embedding(path.name, made, hashlib.blake2b(path.read_bytes(), digest_size=12).hexdigest())


def _in_unit_range(images: np.ndarray) -> np.ndarray:
    return images.astype(np.float32) / 255.0 if images.dtype == np.uint8 else images
