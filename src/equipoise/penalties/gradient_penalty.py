r"""One-centred gradient penalties: the norm of the discriminator's input gradient is pulled to 1 between or near
samples.

WGAN-GP is :math:`\lambda E_{\hat x}(|\nabla l(\hat x)| - 1)^2` on segments from real to fake; DRAGAN takes
points around the real samples instead. WGAN-GP does not make the game converge locally (arXiv:1801.04406).
"""

from __future__ import annotations

import math

import torch
from torch.nn.functional import relu

from equipoise.distributed import SINGLE_PROCESS, ProcessGroup
from equipoise.errors import ConfigError
from equipoise.penalties.base import ForwardPass, Penalty, input_gradient_at, norm, reject_negative_weight
from equipoise.shapes import PerSample, Samples


def wgan_gp(weight: float = 10.0, *, is_one_sided: bool = False) -> Penalty:
    r"""lambda E (|grad l(x_hat)| - 1)^2 at points drawn uniformly on segments between a real and a fake sample.

    .. math::
        \hat x = t x + (1 - t) y, \qquad t \sim U(0, 1) \text{, one per sample}

    It is exactly 0 for a discriminator with gradients of norm 1, at every batch size: the norm is one sample's.

    Args:
        weight: lambda.
        is_one_sided: penalise only norms above 1, by `max(0, |grad l| - 1)^2`, as 1-Lipschitz asks.

    Numerics:
        At an input gradient of exactly 0 the gradient of the norm is taken as 0; see `equipoise.penalties.base.norm`.

    Reference:
        Gulrajani et al. 2017, arXiv:1704.00028, Eq. 3; one-sided: Petzka et al. 2018, arXiv:1709.08894 (WGAN-LP).
    """
    reject_negative_weight("wgan_gp", weight)

    def per_sample(forward: ForwardPass) -> PerSample:
        points = between(
            forward.real.detach(), forward.fake.detach(), randomness=forward.randomness, group=forward.group
        )
        excess = norm(input_gradient_at(forward.discriminator, points)) - 1
        return forward.weigh(relu(excess).square() if is_one_sided else excess.square())

    return Penalty(
        name="wgan_gp",
        weight=weight,
        per_sample=per_sample,
        differentiates=frozenset(),
        is_per_sample=True,
        gives_lipschitz_control=True,
        source="arXiv:1709.08894, WGAN-LP" if is_one_sided else "arXiv:1704.00028, Eq. 3",
        heeds_fake_weights=True,
        draws=True,
        draws_whole_batch=True,
    )


def dragan(weight: float = 10.0, *, noise_scale: float = 0.5) -> Penalty:
    r"""lambda E (|grad l(x + noise)| - 1)^2 around real samples.

    .. math::
        \lambda\, \mathbb{E}_{x \sim p,\; \delta \sim N(0, s^2 I)} (|\nabla l(x + \delta)| - 1)^2

    Args:
        weight: lambda.
        noise_scale: s, the standard deviation of the noise per coordinate, in units of the samples: 0.5
            suits data of unit scale. The authors' program draws uniform noise of half the batch's deviation instead.

    Reference:
        Kodali et al. 2017, arXiv:1705.07215: DRAGAN's gradient penalty.
    """
    reject_negative_weight("dragan", weight)
    if not 0 < noise_scale < math.inf:
        raise ConfigError(
            "penalties.dragan.noise_scale",
            f"{noise_scale} is not a distance.",
            "Expected a finite number above 0, in units of the samples.",
            "0.5 suits data of unit scale.",
        )

    def per_sample(forward: ForwardPass) -> PerSample:
        real = forward.real.detach()
        noise = forward.draw(
            lambda shape: torch.randn(shape, generator=forward.randomness, device=real.device, dtype=real.dtype),
            real.shape,
        )
        return (norm(input_gradient_at(forward.discriminator, real + noise_scale * noise)) - 1).square()

    return Penalty(
        name="dragan",
        weight=weight,
        per_sample=per_sample,
        differentiates=frozenset(),
        is_per_sample=True,
        gives_lipschitz_control=True,
        source="arXiv:1705.07215, DRAGAN",
        heeds_fake_weights=True,
        draws=True,
        draws_whole_batch=True,
    )


def between(
    real: Samples, fake: Samples, *, randomness: torch.Generator | None, group: ProcessGroup = SINGLE_PROCESS
) -> Samples:
    """A point drawn uniformly on the segment from each fake sample to the real one beside it.

    A point counts with the importance weight of its fake sample.

    When one batch is longer, its rest has no partner and is left out.
    """
    count = min(len(real), len(fake))
    fraction = group.shard(
        lambda shape: torch.rand(shape, generator=randomness, device=real.device, dtype=real.dtype),
        (count, *[1] * (real.ndim - 1)),
    )
    return torch.lerp(fake[:count], real[:count], fraction)


PENALTIES = {"wgan_gp": wgan_gp, "dragan": dragan}
