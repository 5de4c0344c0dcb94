"""Images as a model asks for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equipoise.errors import DataError


def fitted_to(images: np.ndarray, channels: int | None, size: Sequence[int | None], where: str) -> np.ndarray:
    """The images with the channels and size that a model asks for."""
    if channels == 3 and images.shape[1] == 1:
        images = np.repeat(images, 3, axis=1)
    if channels not in (None, images.shape[1]):
        raise DataError(where, f"it takes images of {channels} channels.", f"These have {images.shape[1]}.")
    wanted = tuple(new or old for new, old in zip(size, images.shape[2:], strict=True))
    if wanted != images.shape[2:]:
        import torch

        resized = torch.nn.functional.interpolate(
            torch.from_numpy(np.ascontiguousarray(images)), size=wanted, mode="bilinear", antialias=True
        )
        images = resized.numpy()
    return np.ascontiguousarray(images, dtype=np.float32)
