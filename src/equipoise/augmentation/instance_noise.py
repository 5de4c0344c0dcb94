r"""Instance noise: both players see samples through the same fog, which lifts during the run.

.. math::
    x' = x + \sigma \epsilon, \qquad \epsilon \sim N(0, I)

Added to real and to generated samples alike, it gives two densities that need not overlap a common support, and it
bends the discriminator's best answer where the game without it only turns (THEORY, section 4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from equipoise.distributed import SINGLE_PROCESS, ProcessGroup
from equipoise.errors import ConfigError
from equipoise.shapes import Samples


@dataclass(frozen=True)
class InstanceNoise:
    """How much noise, and how it decays: linearly from `level` to `final` over the first `share` of a run.

    Attributes:
        level: standard deviation at the first step, in units of the samples.
        final: standard deviation after the decay.
        share: part of the run over which it decays; 1 decays until the last step.
    """

    level: float = 0.1
    final: float = 0.0
    share: float = 1.0

    def __post_init__(self) -> None:
        if not (0 <= self.level < math.inf and 0 <= self.final < math.inf and 0 < self.share <= 1):
            raise ConfigError(
                "instance noise",
                f"level {self.level}, final {self.final}, share {self.share}.",
                "Expected standard deviations of 0 or more, and a share above 0 and up to 1.",
                "A level of 0.1 suits data of unit scale; 'final: 0' ends the run without noise.",
            )

    def level_at(self, step: int, total: int) -> float:
        """Standard deviation during step `step` (counted from 0) of `total`."""
        progress = min(1.0, step / max(1.0, self.share * (total - 1)))
        return self.level + (self.final - self.level) * progress


def add_instance_noise(
    samples: Samples,
    level: float | torch.Tensor,
    *,
    randomness: torch.Generator | None = None,
    group: ProcessGroup = SINGLE_PROCESS,
) -> Samples:
    """Samples plus independent normal noise of standard deviation `level`; a level of 0 still draws.

    Args:
        samples: real or generated. Shape `(batch, *sample_shape)`; a gradient flows through unchanged.
        level: sigma, in units of the samples.
        randomness: the stream to draw from. Real and generated batches need draws of their own.
        group: the processes that share the batch; the noise is drawn for the joined one.

    Returns:
        The same shape.

    Reference:
        Sonderby et al. 2017, arXiv:1610.04490, Section 3.1; Arjovsky & Bottou 2017, arXiv:1701.04862, Section 3.
    """
    noise = group.shard(
        lambda shape: torch.randn(shape, generator=randomness, device=samples.device, dtype=samples.dtype),
        samples.shape,
    )
    return samples + level * noise
