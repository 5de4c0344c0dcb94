r"""Hinge game: the discriminator stops caring about samples that it classifies with a margin of 1.

.. math::
    V = E_p[\min(0, l - 1)] + E_q[\min(0, -l - 1)], \qquad L_G = -E_q[l]
"""

from __future__ import annotations

import torch
from torch.nn.functional import relu

from equipoise.objectives.base import Objective


def hinge() -> Objective:
    r"""Hinge loss for the discriminator, the plain logit for the generator.

    .. math::
        V = \mathbb{E}_p[\min(0, l - 1)] + \mathbb{E}_q[\min(0, -l - 1)], \qquad L_G = -\mathbb{E}_q[l]

    The best logit is `sign(p - q)`; V is then `-2 + 2 TV(p, q)`, and `-2` at p = q. The logit forgets the
    ratio, so it is no log-odds.

    Numerics:
        `min(0, t)` is `-relu(-t)`, whose gradient is 0 at the corner.

    Reference:
        Lim & Ye 2017, arXiv:1705.02894; Miyato et al. 2018, arXiv:1802.05957, Eq. 16 and 17.
    """
    return Objective(
        name="hinge",
        form="separable",
        real_term=lambda logits: -relu(1 - logits),
        fake_term=lambda logits: -relu(1 + logits),
        generator_fake_term=lambda logits: -logits,
        generator_real_term=None,
        best_logits=torch.sign,
        equilibrium_value=-2.0,
        divergence="-2 + 2 TV(p, q) with TV = integral |p - q| / 2",
        logit_meaning="other",
        finite_range=1e30,
        is_zero_sum=False,
        source="arXiv:1705.02894; arXiv:1802.05957, Eq. 16 and 17",
    )


OBJECTIVES = {"hinge": hinge}
