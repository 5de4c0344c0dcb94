r"""Consistency regularisation (bCR): an augmentation that means nothing must not change a logit.

.. math::
    \lambda_R E_{x \sim p}(l(x) - l(T(x)))^2 + \lambda_F E_{y \sim q}(l(y) - l(T(y)))^2
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from equipoise.errors import ConfigError
from equipoise.penalties.base import ForwardPass, Penalty, reject_negative_weight
from equipoise.shapes import PerSample, Samples, precise

Transform = Callable[[Samples, torch.Generator | None], Samples]


def consistency(
    weight: float = 10.0,
    *,
    fake_share: float = 1.0,
    augmentation: Transform | None = None,
    noise_scale: float = 0.1,
) -> Penalty:
    """Squared difference of the logits of a sample and of the augmented sample, on both sides.

    Args:
        weight: lambda_R.
        fake_share: lambda_F / lambda_R; 0 is consistency on real samples only (CR-GAN).
        augmentation: T, a function of samples and a random stream, such as an `equipoise.augmentation.Augmentation`;
            for images shifts and flips. Without one, normal noise of `noise_scale` is added, which suits points and
            rows.
        noise_scale: standard deviation of that noise per coordinate, in units of the samples.

    Reference:
        Zhao et al. 2021, arXiv:2002.04724, Algorithm 1 (bCR); Zhang et al. 2020, arXiv:1910.12027, Eq. 3 (CR).
    """
    reject_negative_weight("consistency", weight)
    for option, number in (("fake_share", fake_share), ("noise_scale", noise_scale)):
        if not 0 <= number < math.inf:
            raise ConfigError(
                f"penalties.consistency.{option}",
                f"{number} is out of range.",
                "Expected a finite number of 0 or more.",
            )

    def add_noise(samples: Samples, randomness: torch.Generator | None) -> Samples:
        noise = torch.randn(samples.shape, generator=randomness, device=samples.device, dtype=samples.dtype)
        return samples + noise_scale * noise

    transform = augmentation or add_noise

    def per_sample(forward: ForwardPass) -> PerSample:
        def squared_difference(samples: Samples, logits: Tensor) -> PerSample:
            augmented = forward.group.apply_to_shard(
                lambda batch: transform(batch, forward.randomness), samples.detach()
            )
            return precise(logits - forward.discriminator(augmented)).square()

        on_real = squared_difference(forward.real, forward.real_logits)
        if fake_share == 0:
            return on_real
        return on_real + fake_share * forward.weigh(squared_difference(forward.fake, forward.fake_logits))

    return Penalty(
        name="consistency",
        weight=weight,
        per_sample=per_sample,
        differentiates=frozenset(),
        is_per_sample=False,
        gives_lipschitz_control=False,
        source="arXiv:2002.04724, Algorithm 1",
        heeds_fake_weights=True,
        draws=True,
        draws_whole_batch=True,
    )


PENALTIES = {"consistency": consistency}
