r"""Consistency regularisation (bCR): a change of a sample that means nothing must not change its logit.

.. math::
    \lambda_R E_{x \sim p}(l(x) - l(T(x)))^2 + \lambda_F E_{y \sim q}(l(y) - l(T(y)))^2
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from equipoise.errors import ConfigError
from equipoise.penalties.base import Penalty, Position, reject_negative_weight
from equipoise.shapes import PerSample, Samples

Change = Callable[[Samples, torch.Generator | None], Samples]


def consistency(
    weight: float = 10.0,
    *,
    fake_share: float = 1.0,
    change: Change | None = None,
    noise_scale: float = 0.1,
) -> Penalty:
    """Squared change of the logit when a sample is changed in a way that should not matter, on both sides.

    Args:
        weight: lambda_R.
        fake_share: lambda_F / lambda_R; 0 is consistency on real samples only (CR-GAN).
        change: T, given samples and a random stream; for images an augmentation such as flips and shifts.
            Without one, normal noise of `noise_scale` is added, which suits points and rows.
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

    chosen = change or add_noise

    def per_sample(position: Position) -> PerSample:
        def moved(samples: Samples, logits: Tensor) -> PerSample:
            changed = position.discriminator(
                position.group.applied(lambda joined: chosen(joined, position.randomness), samples.detach())
            )
            difference = logits - changed
            return (difference if difference.dtype == torch.float64 else difference.float()).square()

        on_real = moved(position.real, position.real_logits)
        return on_real if fake_share == 0 else on_real + fake_share * moved(position.fake, position.fake_logits)

    return Penalty(
        name="consistency",
        weight=weight,
        per_sample=per_sample,
        differentiates=frozenset(),
        is_per_sample=False,
        controls_slope=False,
        source="arXiv:2002.04724, Algorithm 1",
        draws=True,
        draws_jointly=True,
    )


PENALTIES = {"consistency": consistency}
