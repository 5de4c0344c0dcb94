r"""Least-squares games: the discriminator regresses a code for real and a code for generated samples.

.. math::
    V = -\tfrac12 E_p[(l - b)^2] - \tfrac12 E_q[(l - a)^2], \qquad L_G = \tfrac12 E_q[(l - c)^2]
"""

from __future__ import annotations

import torch

from equipoise.objectives.base import Objective

# Squares reach 1e36 here; float32 ends at 3.4e38, which leaves room to sum a batch of a hundred.
_FINITE_RANGE = 1e18


def least_squares() -> Objective:
    r"""Least squares with codes 0 for generated, 1 for real, 1 for what the generator wants.

    .. math::
        V = -\tfrac12 \mathbb{E}_p[(l - 1)^2] - \tfrac12 \mathbb{E}_q[l^2], \qquad
        L_G = \tfrac12 \mathbb{E}_q[(l - 1)^2]

    The best output is `p/(p + q)`; V is then `-(2 - Delta)/8` with `Delta = integral (p - q)^2/(p + q)`,
    and `-1/4` at p = q. The output is a probability itself, so `sigmoid` of it means nothing.

    Reference:
        Mao et al. 2017, arXiv:1611.04076: the least squares objective, with labels 0 and 1.
    """
    return Objective(
        name="least_squares",
        form="separable",
        real_term=lambda output: -(output - 1).square() / 2,
        fake_term=lambda output: -output.square() / 2,
        generator_fake_term=lambda output: (output - 1).square() / 2,
        generator_real_term=None,
        best_logits=torch.sigmoid,
        equilibrium_value=-0.25,
        divergence="-(2 - Delta)/8 with Delta = integral (p - q)^2/(p + q)",
        logit_meaning="other",
        finite_range=_FINITE_RANGE,
        is_zero_sum=False,
        source="arXiv:1611.04076, least squares objective",
    )


def least_squares_pearson() -> Objective:
    r"""Least squares with codes -1 for generated, 1 for real, 0 for what the generator wants.

    .. math::
        V = -\tfrac12 \mathbb{E}_p[(l - 1)^2] - \tfrac12 \mathbb{E}_q[(l + 1)^2], \qquad
        L_G = \tfrac12 \mathbb{E}_q[l^2]

    The best output is `(p - q)/(p + q)`; V is then `-(2 - Delta)/2` with `Delta = integral (p - q)^2/(p + q)`,
    the Pearson chi-square between `p + q` and `2 q`, and `-1` at p = q. Half of it is also the value of
    `E_p[l^2]/2 + E_q[l^2]/2`; the generator sees only the second part, whose derivative at a fixed
    discriminator can have the opposite sign.

    Reference:
        Mao et al. 2017, arXiv:1611.04076: the labels -1, 1 and 0, and the Pearson divergence.
    """
    return Objective(
        name="least_squares_pearson",
        form="separable",
        real_term=lambda output: -(output - 1).square() / 2,
        fake_term=lambda output: -(output + 1).square() / 2,
        generator_fake_term=lambda output: output.square() / 2,
        generator_real_term=None,
        best_logits=lambda log_ratio: torch.tanh(log_ratio / 2),
        equilibrium_value=-1.0,
        divergence="-(2 - Delta)/2 with Delta = integral (p - q)^2/(p + q), the Pearson chi-square of p + q and 2 q",
        logit_meaning="other",
        finite_range=_FINITE_RANGE,
        is_zero_sum=False,
        source="arXiv:1611.04076, Pearson divergence",
    )


OBJECTIVES = {"least_squares": least_squares, "least_squares_pearson": least_squares_pearson}
