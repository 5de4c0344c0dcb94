r"""Zero-centred gradient penalties: the discriminator's slope is pulled to zero at real and fake samples.

R1 is :math:`\frac{\gamma}{2} E_{x \sim p} |\nabla l(x)|^2`; R2 is the same at generated samples.
"""

from __future__ import annotations

from equipoise.penalties.base import Penalty, Side, squared_norm

_SOURCE = "Mescheder, Geiger, Nowozin 2018, arXiv:1801.04406, Eq. 9"


def r1(weight: float = 1.0) -> Penalty:
    """(gamma/2) E|grad l|^2 on real samples, with gamma = `weight`."""
    return _zero_centred("r1", weight, "real")


def r2(weight: float = 1.0) -> Penalty:
    """(gamma/2) E|grad l|^2 on generated samples, with gamma = `weight`."""
    return _zero_centred("r2", weight, "fake")


def _zero_centred(name: str, weight: float, side: Side) -> Penalty:
    return Penalty(
        name=name,
        weight=weight,
        per_sample=lambda position: squared_norm(position.input_gradient(side)) / 2,
        differentiates=frozenset({side}),
        is_per_sample=True,
        controls_slope=True,
        source=_SOURCE,
    )


PENALTIES = {"r1": r1, "r2": r2}
