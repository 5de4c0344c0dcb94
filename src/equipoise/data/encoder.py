"""What every encoder does: natural values become the numbers that the players see, and numbers become values again."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch

from equipoise.errors import DataError
from equipoise.spaces import Space


class Encoder(Protocol):
    """Turns natural values into samples for the players, and back.

    Attributes:
        space: what one encoded sample is.
    """

    space: Space

    def encode(self, values: Any) -> np.ndarray:
        """Float32 `(n, *space.shape)` from values in their natural form."""

    def decode(self, samples: np.ndarray | torch.Tensor) -> Any:
        """Natural values from `(n, *space.shape)`."""

    def to_float(self, batch: torch.Tensor) -> torch.Tensor:
        """A batch as it is stored, on any device, as float32 for the players."""

    def state(self) -> dict[str, Any]:
        """Plain values from which `domain.encoder_from_state` makes an equal encoder."""


def checked_samples(samples: np.ndarray | torch.Tensor, space: Space) -> np.ndarray:
    """Samples as a numpy array.

    Raises:
        DataError: their shape is not that of the space, or some are not finite.
    """
    found = samples.detach().float().cpu().numpy() if isinstance(samples, torch.Tensor) else np.asarray(samples)
    if found.shape[1:] != space.shape:
        raise DataError(
            "decoding samples",
            f"they have the shape {found.shape}.",
            f"Expected (n, {', '.join(str(size) for size in space.shape)}).",
        )
    if not np.isfinite(found).all():
        bad = int((~np.isfinite(found).reshape(len(found), -1).all(axis=1)).sum())
        raise DataError(
            "decoding samples",
            f"{bad} of {len(found)} samples hold NaN or infinity.",
            "Expected finite numbers.",
            "The generator has diverged; use an earlier checkpoint.",
        )
    return found


def nothing_varies(source: str) -> DataError:
    """The refusal of rows that are all the same."""
    return DataError(
        source,
        "every row is the same.",
        "Expected rows that differ.",
        "There is nothing to learn; check that the right file was read.",
    )
