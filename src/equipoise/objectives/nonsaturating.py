"""The non-saturating generator loss of the first GAN, which keeps its gradient when the discriminator wins."""

from __future__ import annotations

from torch.nn.functional import softplus

from equipoise.objectives.base import Objective
from equipoise.objectives.logistic import logistic_objective


def nonsaturating(real_label: float = 1.0) -> Objective:
    r"""The logistic game with the generator loss `-log D`.

    .. math::
        L_G = \mathbb{E}_{y \sim q}[-\log \sigma(l(y))]

    The value and the fixed point are those of `minimax`; it is another game, not zero-sum. At the best
    discriminator the generator minimises `KL(q||p) - 2 JSD(p, q)`. Its gradient on one fake logit is
    `-sigmoid(-l)`: -1, when the discriminator is sure.

    Args:
        real_label: as for `minimax`.

    Numerics:
        Written as `-log(sigmoid(l) + 1e-8)` it would saturate: -1e-5 instead of -1 at `l = -30`.

    Reference:
        Goodfellow et al. 2014, arXiv:1406.2661, Section 3; Arjovsky & Bottou 2017, arXiv:1701.04862, Theorem 2.5.
    """
    return logistic_objective(
        "nonsaturating",
        real_label,
        lambda logits: softplus(-logits),
        is_zero_sum=False,
        generator_minimises="KL(q||p) - 2 JSD(p, q)",
    )


OBJECTIVES = {"nonsaturating": nonsaturating}
