r"""Logistic games: the discriminator is the cross-entropy classifier of real against generated.

All three play for the same value, :math:`V = E_p[\log \sigma(l)] + E_q[\log(1 - \sigma(l))]`, and differ in
what the generator minimises.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import softplus

from equipoise.errors import ConfigError
from equipoise.objectives.base import LogitMeaning, Objective, Term

# The terms grow like |l|, so float32 holds them almost to its end; the margin below 3.4e38 lets a batch be summed.
_FINITE_RANGE = 1e30


def minimax(real_label: float = 1.0) -> Objective:
    r"""The original zero-sum game, with the saturating generator loss.

    .. math::
        V = \mathbb{E}_{x \sim p}[\log \sigma(l(x))] + \mathbb{E}_{y \sim q}[\log(1 - \sigma(l(y)))],
        \qquad L_G = \mathbb{E}_{y \sim q}[\log(1 - \sigma(l(y)))]

    At the best discriminator, `l = log(p/q)`, V is `-log 4 + 2 JSD(p, q)`, and so is what the generator
    descends. Its gradient on one fake logit is `-sigmoid(l)`: nothing, when the discriminator is sure.

    Args:
        real_label: what the discriminator is told about real samples; below 1 it is one-sided label
            smoothing, after which `sigmoid(l)` is no longer the probability of being real.

    Reference:
        Goodfellow et al. 2014, arXiv:1406.2661, Eq. 1 and Theorem 1; smoothing: Salimans et al. 2016,
        arXiv:1606.03498, Section 3.4.
    """
    return _logistic("minimax", real_label, lambda logits: -softplus(logits), is_zero_sum=True, descends="2 JSD(p, q)")


def nonsaturating(real_label: float = 1.0) -> Objective:
    r"""The logistic game with the generator loss that keeps its gradient when the discriminator wins.

    .. math::
        L_G = \mathbb{E}_{y \sim q}[-\log \sigma(l(y))]

    The value and the fixed point are those of `minimax`; it is another game, not zero-sum. At the best
    discriminator the generator descends `KL(q||p) - 2 JSD(p, q)`. Its gradient on one fake logit is
    `-sigmoid(-l)`: -1, when the discriminator is sure.

    Args:
        real_label: as for `minimax`.

    Numerics:
        Written as `-log(sigmoid(l) + 1e-8)` it would saturate: -1e-5 instead of -1 at `l = -30`.

    Reference:
        Goodfellow et al. 2014, arXiv:1406.2661, Section 3; Arjovsky & Bottou 2017, arXiv:1701.04862, Theorem 2.5.
    """
    return _logistic(
        "nonsaturating",
        real_label,
        lambda logits: softplus(-logits),
        is_zero_sum=False,
        descends="KL(q||p) - 2 JSD(p, q)",
    )


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
    return _logistic("logistic_reverse_kl", real_label, lambda logits: -logits, is_zero_sum=False, descends="KL(q||p)")


def _logistic(name: str, real_label: float, generator_term: Term, *, is_zero_sum: bool, descends: str) -> Objective:
    if not 0.5 <= real_label <= 1.0:
        raise ConfigError(
            "objective.real_label",
            f"{real_label} is not a label for real samples.",
            "Expected a number from 0.5 to 1; 1 is no smoothing, 0.9 is the usual amount.",
            "Below 0.5 the discriminator would be told that real samples are generated.",
        )
    meaning: LogitMeaning = "log_odds" if real_label == 1.0 else "other"
    return Objective(
        name=name,
        form="separable",
        real_term=_smoothed(real_label),
        fake_term=lambda logits: -softplus(logits),
        generator_fake_term=generator_term,
        generator_real_term=None,
        best_logits=_best_logits(real_label),
        # D* = s/2 at p = q: V = s log(s/2) + (1 - s) log(1 - s/2) + log(1 - s/2), with s = real_label.
        equilibrium_value=real_label * math.log(real_label / 2) + (2 - real_label) * math.log(1 - real_label / 2),
        divergence=_divergence(real_label, descends),
        logit_meaning=meaning,
        finite_range=_FINITE_RANGE,
        is_zero_sum=is_zero_sum,
        source="arXiv:1406.2661, Eq. 1; arXiv:1701.04862, Theorem 2.5",
    )


def _smoothed(real_label: float) -> Callable[[Tensor], Tensor]:
    """s log D + (1 - s) log(1 - D) on a real sample."""
    if real_label == 1.0:
        return lambda logits: -softplus(-logits)
    return lambda logits: -real_label * softplus(-logits) - (1 - real_label) * softplus(logits)


def _best_logits(real_label: float) -> Callable[[Tensor], Tensor]:
    """log(s p / ((1 - s) p + q)): with probability s p / (p + q), the smoothed classifier's best answer."""
    if real_label == 1.0:
        return lambda log_ratio: log_ratio
    # Divided by p: log s - log((1 - s) + q/p).
    log_label, log_rest = math.log(real_label), math.log(1 - real_label)
    return lambda log_ratio: log_label - log_rest - softplus(-log_ratio - log_rest)


def _divergence(real_label: float, descends: str) -> str:
    if real_label == 1.0:
        return f"-log 4 + 2 JSD(p, q); the generator descends {descends}"
    return (
        "s log(s/2) + (2 - s) log(1 - s/2) + 2 JSD of p and ((1 - s) p + q)/(2 - s) with weights s/2 and 1 - s/2, "
        f"where s = {real_label}"
    )


OBJECTIVES = {"minimax": minimax, "nonsaturating": nonsaturating, "logistic_reverse_kl": logistic_reverse_kl}
