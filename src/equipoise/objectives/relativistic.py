r"""Relativistic games: the discriminator says which of two samples is the real one.

Pairing (RpGAN): :math:`V = E_{x \sim p, y \sim q}[\log \sigma(l(x) - l(y))]`. Averaging (RaGAN) compares each
sample with the mean logit of the other side instead.
"""

from __future__ import annotations

import math

from torch.nn.functional import softplus

from equipoise.objectives.base import Objective

# Margins are differences of two logits and the terms grow like them; see `logistic`.
_FINITE_RANGE = 1e30


def relativistic() -> Objective:
    r"""Relativistic pairing game (RpGAN).

    .. math::
        V = \mathbb{E}_{x \sim p,\, y \sim q}[-\mathrm{softplus}(-(l(x) - l(y)))]

    Its supremum is `-log 2 + JSD(p x q, q x p)`, the divergence of the two product distributions, reached at
    `l = log(p/q) + c` for any constant `c`: the logits have no zero, so `sigmoid(l)` is no probability.
    The generator minimises the same expression with the pair reversed.

    Reference:
        Jolicoeur-Martineau 2018, arXiv:1807.00734; Huang et al. 2024, arXiv:2501.05441 (R3GAN, relativistic loss).
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
        finite_range=_FINITE_RANGE,
        is_zero_sum=False,
        source="arXiv:1807.00734; arXiv:2501.05441, relativistic loss",
    )


def relativistic_average() -> Objective:
    r"""Relativistic average game (RaGAN).

    .. math::
        V = \mathbb{E}_{x \sim p}[\log \sigma(l(x) - \mathbb{E}_q l)]
          + \mathbb{E}_{y \sim q}[\log \sigma(\mathbb{E}_p l - l(y))]

    V is `-log 4` at p = q. The best logit has no closed form and is not `log(p/q) + c`. The generator
    minimises the same expression with the sides reversed, real term included: real margins depend on
    the generator through the mean fake logit.

    Numerics:
        A batch puts its own means inside a concave function, so the batch value is a biased estimate of V,
        by an amount of order 1/batch.

    Reference:
        Jolicoeur-Martineau 2018, arXiv:1807.00734, Section 4.2.
    """
    return Objective(
        name="relativistic_average",
        form="averaging",
        real_term=lambda margin: -softplus(-margin),
        fake_term=lambda margin: -softplus(margin),
        generator_fake_term=lambda margin: softplus(-margin),
        generator_real_term=lambda margin: softplus(margin),
        best_logits=None,
        equilibrium_value=-math.log(4),
        divergence="no closed form; above -log 4 exactly when p and q differ",
        logit_meaning="other",
        finite_range=_FINITE_RANGE,
        is_zero_sum=False,
        source="arXiv:1807.00734, Section 4.2",
    )


OBJECTIVES = {"relativistic": relativistic, "relativistic_average": relativistic_average}
