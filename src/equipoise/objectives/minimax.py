"""The game of the first GAN, in which the generator minimises the value that the discriminator maximises."""

from __future__ import annotations

from torch.nn.functional import softplus

from equipoise.objectives.base import Objective
from equipoise.objectives.logistic import logistic_objective


def minimax(real_label: float = 1.0) -> Objective:
    r"""The original zero-sum game, with the saturating generator loss.

    .. math::
        V = \mathbb{E}_{x \sim p}[\log \sigma(l(x))] + \mathbb{E}_{y \sim q}[\log(1 - \sigma(l(y)))],
        \qquad L_G = \mathbb{E}_{y \sim q}[\log(1 - \sigma(l(y)))]

    At the best discriminator, `l = log(p/q)`, V is `-log 4 + 2 JSD(p, q)`, and so is what the generator
    minimises. Its gradient on one fake logit is `-sigmoid(l)`: nothing, when the discriminator is sure: the loss
    saturates.

    Args:
        real_label: what the discriminator is told about real samples; below 1 it is one-sided label
            smoothing, after which `sigmoid(l)` is no longer the probability of being real.

    Reference:
        Goodfellow et al. 2014, arXiv:1406.2661, Eq. 1 and Theorem 1; smoothing: Salimans et al. 2016,
        arXiv:1606.03498, Section 3.4.
    """
    return logistic_objective(
        "minimax", real_label, lambda logits: -softplus(logits), is_zero_sum=True, generator_minimises="2 JSD(p, q)"
    )


OBJECTIVES = {"minimax": minimax}
