"""The logistic game whose generator minimises the reverse Kullback-Leibler divergence."""

from __future__ import annotations

from equipoise.objectives.base import Objective
from equipoise.objectives.logistic import logistic_objective


def logistic_reverse_kl(real_label: float = 1.0) -> Objective:
    r"""The logistic game whose generator minimises the sum of the saturating and the non-saturating loss.

    .. math::
        L_G = \mathbb{E}_{y \sim q}[\log(1 - \sigma(l(y))) - \log \sigma(l(y))] = \mathbb{E}_{y \sim q}[-l(y)]

    At the best discriminator it is `E_q[log(q/p)]`, the reverse Kullback-Leibler divergence `KL(q||p)`.

    Args:
        real_label: as for `minimax`.

    Reference:
        Arjovsky & Bottou 2017, arXiv:1701.04862, Theorem 2.5 with `2 JSD` added to both sides; as a generator
        loss: Sonderby et al. 2017, arXiv:1610.04490.
    """
    return logistic_objective(
        "logistic_reverse_kl", real_label, lambda logits: -logits, is_zero_sum=False, generator_minimises="KL(q||p)"
    )


OBJECTIVES = {"logistic_reverse_kl": logistic_reverse_kl}
