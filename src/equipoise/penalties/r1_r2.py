r"""Zero-centred gradient penalties: the discriminator's input gradient is pulled to zero at real and fake samples.

R1 is :math:`\frac{\gamma}{2} E_{x \sim p} |\nabla l(x)|^2`; R2 is the same at generated samples. Lengths are those of
samples, unless the discriminator reads samples in units of its own (`networks.folding`).
"""

from __future__ import annotations

import math
from typing import Literal

import torch

from equipoise.distributed import SINGLE_PROCESS, ProcessGroup
from equipoise.errors import ConfigError, unknown_name
from equipoise.penalties.base import Discriminator, ForwardPass, Penalty, Side, reject_negative_weight
from equipoise.shapes import PerSample, Samples, precise

Form = Literal["exact", "finite_difference"]

_SOURCE = "Mescheder, Geiger, Nowozin 2018, arXiv:1801.04406, Eq. 9"


def r1(weight: float = 1.0, *, form: Form = "exact", step_size: float = 1e-2) -> Penalty:
    """(gamma/2) E|grad l|^2 on real samples, with gamma = `weight`.

    Args:
        weight: gamma, in squared units of the samples; see `equipoise.penalties.automatic_gamma`.
        form: `exact` differentiates twice; `finite_difference` calls the discriminator twice more and
            differentiates once, with the bias and variance that `squared_directional_derivative` states.
        step_size: how far the finite difference reaches along each coordinate, in units of the samples.
    """
    return _zero_centred("r1", weight, "real", form=form, step_size=step_size)


def r2(weight: float = 1.0, *, form: Form = "exact", step_size: float = 1e-2) -> Penalty:
    """(gamma/2) E|grad l|^2 on generated samples, with gamma = `weight`; options as for `r1`."""
    return _zero_centred("r2", weight, "fake", form=form, step_size=step_size)


def is_exact(penalty: Penalty) -> bool:
    """Whether a penalty is one of these in its exact form."""
    return penalty.source == _SOURCE and penalty.name in PENALTIES and bool(penalty.differentiates)


def squared_directional_derivative(
    discriminator: Discriminator,
    samples: Samples,
    *,
    step_size: float,
    randomness: torch.Generator | None = None,
    group: ProcessGroup = SINGLE_PROCESS,
) -> PerSample:
    r"""Squared derivative along one random direction per sample: an estimate of the squared gradient from differences.

    .. math::
        \left(\frac{l(x + \epsilon v) - l(x - \epsilon v)}{2 \epsilon}\right)^2,
        \qquad v \in \{-1, +1\}^d \text{ uniform}, \qquad E_v[(v \cdot \nabla l)^2] = |\nabla l|^2

    Bias: none where `l` is quadratic along `v`; otherwise, by Taylor, `eps^2/3 E_v[(v . grad l) D^3 l(v, v, v)]`
    and smaller terms. Variance over `v` (for small eps): `2 (|g|^4 - sum_i g_i^4)` with `g = grad l`, which is 0 in
    one dimension, and which normal directions would raise by `2 sum_i g_i^4`.

    Args:
        discriminator: maps samples to logits, each sample independently.
        samples: where to differentiate. Shape `(batch, *sample_shape)`.
        step_size: eps, in units of the samples.
        randomness: the stream for the directions.
        group: the processes that share the batch.

    Returns:
        Shape `(batch,)`, in squared logits per squared unit of the samples.

    Numerics:
        The difference of two logits is divided by 2 eps: an error of 1e-7 |l| (float32) becomes 1e-7 |l| / (2 eps)
        in the derivative; in bfloat16 (4e-3 |l|) the result is noise. Run this in float32.

    Reference:
        Hutchinson 1990, doi:10.1080/03610919008812866, for the signs; a one-sided form with normal directions
        is in Lin et al. 2025, arXiv:2501.08316.
    """
    coins = group.shard(
        lambda shape: torch.randint(0, 2, shape, generator=randomness, device=samples.device), samples.shape
    )
    reach = step_size * (2 * coins - 1).to(samples.dtype)
    points = samples.detach()
    ahead, behind = discriminator(points + reach), discriminator(points - reach)
    difference = precise(ahead) - precise(behind)
    return (difference / (2 * step_size)).square()


def _zero_centred(name: str, weight: float, side: Side, *, form: Form, step_size: float) -> Penalty:
    reject_negative_weight(name, weight)
    if form not in ("exact", "finite_difference"):
        raise unknown_name(f"penalties.{name}.form", "form", form, ("exact", "finite_difference"))
    if not 0 < step_size < math.inf:
        raise ConfigError(
            f"penalties.{name}.step_size",
            f"{step_size} is not a distance.",
            "Expected a finite number above 0, in units of the samples.",
            "0.01 suits data of unit scale.",
        )

    def exact(forward: ForwardPass) -> PerSample:
        return weighed(forward, forward.squared_gradient(side) / 2)

    def finite_difference(forward: ForwardPass) -> PerSample:
        samples = forward.real if side == "real" else forward.fake
        squared = squared_directional_derivative(
            forward.discriminator,
            samples,
            step_size=step_size,
            randomness=forward.randomness,
            group=forward.group,
        )
        return weighed(forward, squared / 2)

    def weighed(forward: ForwardPass, penalty: PerSample) -> PerSample:
        return penalty if side == "real" else forward.weigh(penalty)

    return Penalty(
        name=name,
        weight=weight,
        per_sample=exact if form == "exact" else finite_difference,
        differentiates=frozenset({side}) if form == "exact" else frozenset(),
        is_per_sample=True,
        gives_lipschitz_control=True,
        source=_SOURCE,
        heeds_fake_weights=True,
        asks_for_gradient=True,
        decays=True,
        draws=form == "finite_difference",
        draws_whole_batch=True,
    )


PENALTIES = {"r1": r1, "r2": r2}
