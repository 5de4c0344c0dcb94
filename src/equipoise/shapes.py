"""Names for tensors, so that a signature says what a tensor holds and how it is laid out.

The aliases are plain `torch.Tensor` to Python; the test suite reads the `Axes` note and checks the
number of axes at run time (see `tests/conftest.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

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


class WeightedSamples(NamedTuple):
    """Generated samples that were not drawn as often as the generator's density says, with what makes up for it.

    Attributes:
        samples: shape `(batch, *sample_shape)`.
        weights: importance weight of each: its density over the one that it was drawn by, so that their expectation
            is 1. Differentiable where the density depends on weights of the network. Shape `(batch,)`.
    """

    samples: Samples
    weights: PerSample


Generated = Tensor | WeightedSamples
"""What a generator gives: samples of equal weight, or of weights of their own."""


def samples_and_weights(generated: Generated) -> tuple[Samples, PerSample | None]:
    """Samples, and their importance weights in float32 at least; `None` where all count the same."""
    if isinstance(generated, WeightedSamples):
        return generated.samples, precise(generated.weights)
    return generated, None


def precise(numbers: Tensor) -> Tensor:
    """The same numbers in float32 at least: sums of bf16 numbers lose digits that gradients need."""
    return numbers if numbers.dtype == torch.float64 else numbers.float()


def weighted_mean(terms: PerSample, weights: PerSample | None) -> Scalar:
    """The mean of `w t`, for importance weights of known constant; unbiased."""
    return terms.mean() if weights is None else (weights * terms).mean()


def normalised_mean(terms: PerSample, weights: PerSample | None) -> Scalar:
    """The sum of `w t` over that of `w`: of a constant it is that constant."""
    return terms.mean() if weights is None else (weights * terms).mean() / weights.mean()
