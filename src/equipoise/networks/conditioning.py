r"""Conditional networks: how class labels enter the generator and the discriminator.

The generator gets an embedding of the label beside its latents. The discriminator's logit gets a projection:

.. math::
    l(x, y) = w \cdot h(x) + b + \frac{e_y \cdot h(x)}{\sqrt{d}}

with the hidden features h of width d, and one vector e per class.

Reference:
    Miyato & Koyama 2018, arXiv:1802.05637, Eq. 3.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from equipoise.shapes import Labels, Latents, Logits


def label_embedding(classes: int, width: int) -> nn.Embedding | None:
    """A generator's vector for each class; `None` in an unconditional game."""
    return nn.Embedding(classes, width) if classes else None


def with_labels(latents: Latents, embedding: nn.Embedding | None, labels: Labels | None) -> Tensor:
    """Latents with the embeddings of the labels beside them; unchanged in an unconditional game."""
    return latents if embedding is None else torch.cat([latents, embedding(labels)], dim=1)


def label_projection(classes: int, width: int) -> nn.Embedding | None:
    """A discriminator's vector for each class, starting at zero: at first the label is ignored."""
    if not classes:
        return None
    projection = nn.Embedding(classes, width)
    nn.init.zeros_(projection.weight)
    return projection


def projected(projection: nn.Embedding, hidden: Tensor, labels: Labels | None) -> Logits:
    """The label's part of the logit, e_y . h / sqrt(d), per sample."""
    return (projection(labels) * hidden).sum(dim=1) / math.sqrt(hidden.shape[1])
