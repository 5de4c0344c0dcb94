"""Names for tensors, so that a signature says what a tensor holds and how it is laid out.

The aliases are plain `torch.Tensor` to Python; the test suite reads the `Axes` note and checks the
number of axes at run time (see `tests/conftest.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor


@dataclass(frozen=True)
class Axes:
    """How many axes a tensor has; `None` accepts one or more."""

    count: int | None


Samples = Annotated[Tensor, Axes(None)]
"""Shape `(batch, *sample_shape)`: images `(batch, channels, height, width)`, rows and points `(batch, width)`."""

Latents = Annotated[Tensor, Axes(2)]
"""Generator input. Shape `(batch, latent_dimensions)`, standard normal."""

Logits = Annotated[Tensor, Axes(1)]
"""What a discriminator returns, one number per sample. Shape `(batch,)`."""

Labels = Annotated[Tensor, Axes(1)]
"""Class of each sample, int64. Shape `(batch,)`."""

PerSample = Annotated[Tensor, Axes(1)]
"""A quantity kept per sample until the caller takes the mean. Shape `(batch,)`."""

Scalar = Annotated[Tensor, Axes(0)]
"""A tensor without axes."""


def precise(numbers: Tensor) -> Tensor:
    """The same numbers in float32 at least: sums of bf16 numbers lose digits that gradients need."""
    return numbers if numbers.dtype == torch.float64 else numbers.float()
