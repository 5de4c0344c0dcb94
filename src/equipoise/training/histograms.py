"""Histograms of what the discriminator says, small enough to store with a measured step."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

BINS = 30


def logit_histogram(
    real_logits: Tensor, fake_logits: Tensor, *, as_probability: bool, fake_weights: Tensor | None = None
) -> dict[str, Any]:
    """Counts of both sides in common bins.

    Args:
        real_logits: shape `(batch,)`.
        fake_logits: shape `(batch,)`.
        fake_weights: importance weights of the generated samples, which are then added up in place of counting. Shape
            `(batch,)`.
        as_probability: bin sigmoid(logit) over [0, 1]; otherwise the logits over the range they span.

    Returns:
        `what`, `edges` (`BINS + 1` numbers), `real` and `fake` (`BINS` counts each).
    """
    real, fake = (side.detach().double().cpu().numpy() for side in (real_logits, fake_logits))
    if as_probability:
        real, fake = (1 / (1 + np.exp(-np.clip(side, -700, 700))) for side in (real, fake))
        edges = np.linspace(0.0, 1.0, BINS + 1)
    else:
        both = np.concatenate([real, fake])
        low, high = float(both.min()), float(both.max())
        edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    shares = None if fake_weights is None else fake_weights.detach().double().cpu().numpy()
    return {
        "what": "probability" if as_probability else "logit",
        "edges": edges.tolist(),
        "real": np.histogram(real, edges)[0].tolist(),
        "fake": np.histogram(fake, edges, weights=shares)[0].tolist(),
    }
