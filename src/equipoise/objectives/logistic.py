r"""Logistic games: the discriminator is the cross-entropy classifier of real against generated.

What `minimax`, `nonsaturating` and `logistic_reverse_kl` share: the value
:math:`V = E_p[\log \sigma(l)] + E_q[\log(1 - \sigma(l))]`. They differ in what the generator minimises.
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


def logistic_objective(
    name: str, real_label: float, generator_term: Term, *, is_zero_sum: bool, generator_minimises: str
) -> Objective:
    """A game whose discriminator minimises the cross-entropy of telling real from generated.

    Args:
        name: as written in a configuration.
        real_label: s, what the discriminator is told about real samples; below 1 it is one-sided label smoothing.
        generator_term: what the generator minimises, elementwise in the logit.
        is_zero_sum: whether that is V's own term.
        generator_minimises: the divergence that this is at the best discriminator, without smoothing.
    """
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
        divergence=_divergence(real_label, generator_minimises),
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


def _divergence(real_label: float, generator_minimises: str) -> str:
    if real_label == 1.0:
        return f"-log 4 + 2 JSD(p, q); the generator minimises {generator_minimises}"
    return (
        "s log(s/2) + (2 - s) log(1 - s/2) + 2 JSD of p and ((1 - s) p + q)/(2 - s) with weights s/2 and 1 - s/2, "
        f"where s = {real_label}"
    )
