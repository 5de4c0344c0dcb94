r"""Instance noise: normal noise on real and on generated samples alike, which decays during the run.

.. math::
    x' = x + \sigma \epsilon, \qquad \epsilon \sim N(0, I)

It gives two densities that need not overlap a common support, and damps a game that circles the
equilibrium without it (THEORY, section 4).
"""

from __future__ import annotations

import math

import torch

from equipoise.augmentation.base import Augmentation
from equipoise.errors import ConfigError
from equipoise.shapes import Samples


def instance_noise(level: float = 0.1, *, final: float = 0.0, decay_fraction: float = 1.0) -> Augmentation:
    """Noise whose standard deviation falls linearly from `level` to `final` over the first part of a run.

    Args:
        level: standard deviation at the first step, in units of the samples.
        final: standard deviation after the decay.
        decay_fraction: part of the run over which it decays; 1 decays until the last step.

    Reference:
        Sonderby et al. 2017, arXiv:1610.04490, Section 3.1; Arjovsky & Bottou 2017, arXiv:1701.04862, Section 3.
    """
    if not (0 <= level < math.inf and 0 <= final < math.inf and 0 < decay_fraction <= 1):
        raise ConfigError(
            "instance noise",
            f"level {level}, final {final}, decay_fraction {decay_fraction}.",
            "Expected standard deviations of 0 or more, and a decay_fraction above 0 and up to 1.",
            "A level of 0.1 suits data of unit scale; 'final: 0' ends the run without noise.",
        )

    def level_at(step: int, total: int) -> float:
        progress = min(1.0, step / max(1.0, decay_fraction * (total - 1)))
        return level + (final - level) * progress

    return Augmentation(
        name="instance_noise",
        apply=add_noise,
        source="arXiv:1610.04490, Section 3.1; arXiv:1701.04862, Section 3",
        strength=level_at,
    )


def add_noise(samples: Samples, level: float, randomness: torch.Generator | None) -> Samples:
    """Samples plus independent normal noise of standard deviation `level`; a level of 0 still draws.

    Args:
        samples: shape `(batch, *sample_shape)`; a gradient flows through unchanged.
        level: sigma, in units of the samples.
        randomness: the stream to draw from.

    Returns:
        The same shape.
    """
    noise = torch.randn(samples.shape, generator=randomness, device=samples.device, dtype=samples.dtype)
    return samples + level * noise


AUGMENTATIONS = {"instance_noise": instance_noise}
