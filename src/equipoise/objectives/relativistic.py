r"""Relativistic games: the discriminator says which of two samples is the real one.

Pairing (RpGAN): :math:`V = E_{x \sim p, y \sim q}[\log \sigma(l(x) - l(y))]`.
"""

from __future__ import annotations

import math

from torch.nn.functional import softplus

from equipoise.objectives.base import Objective


def relativistic() -> Objective:
    r"""Relativistic pairing game (RpGAN).

    .. math::
        V = \mathbb{E}_{x \sim p,\, y \sim q}[-\mathrm{softplus}(-(l(x) - l(y)))]

    Its supremum is `-log 2 + JSD(p x q, q x p)`, the divergence of the two product laws, reached at
    `l = log(p/q) + c` for any constant `c`: the logits have no zero, so `sigmoid(l)` is no probability.
    The generator minimises the same expression with the pair reversed.

    Reference:
        Jolicoeur-Martineau 2018, arXiv:1807.00734; Huang et al. 2024, arXiv:2501.05441, Eq. 3.
    """
    return Objective(
        name="relativistic",
        form="pairing",
        real_term=lambda margin: -softplus(-margin),
        fake_term=None,
        generator_fake_term=lambda margin: softplus(-margin),
        generator_real_term=None,
        best_logits=lambda log_ratio: log_ratio,
        equilibrium_value=-math.log(2),
        divergence="-log 2 + JSD(p x q, q x p)",
        logit_meaning="log_odds_up_to_a_constant",
        finite_range=1e30,
        is_zero_sum=False,
        source="arXiv:1807.00734; arXiv:2501.05441, Eq. 3",
    )


OBJECTIVES = {"relativistic": relativistic}
