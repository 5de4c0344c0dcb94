r"""How much V changes when a player changes, on the same samples: a paired difference with its standard error.

Two estimates of V from the same samples vary together, so their difference is known far better than either.
By the delta method an estimate is a mean of influences, one per draw, and the variance of the difference is that of
the difference of influences,

.. math::
    SE^2 = \frac{\widehat{var}(r'_i - r_i)}{m} + \frac{\widehat{var}(f'_j - f_j)}{n}
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from equipoise.objectives.base import Objective
from equipoise.shapes import Logits, PerSample


@dataclass(frozen=True)
class Influences:
    """V of one discriminator, and what each draw contributes to it.

    Attributes:
        value: the estimate of V, as `value_function` gives it (for a conditional pairing game, over own pairs).
        real: influence of each real draw, up to a constant. Shape `(m,)`, float64.
        fake: influence of each generated draw, up to a constant. Shape `(n,)`, float64.
    """

    value: float
    real: PerSample
    fake: PerSample


def influences(objective: Objective, real_logits: Logits, fake_logits: Logits, *, in_pairs: bool = False) -> Influences:
    """V and its influences from logits on real and generated samples.

    For a pairing game over all pairs these are the row and column means of the table `a(l_i - l'_j)`, Hoeffding's
    first-order terms; the second order, of size 1 / (m n), is left out.

    Args:
        objective: whose V.
        real_logits: shape `(m,)`.
        fake_logits: shape `(n,)`.
        in_pairs: fake sample i belongs to real sample i alone (a conditional pairing game, m = n).
    """
    real, fake = (side.detach().cpu().double() for side in (real_logits, fake_logits))
    if objective.form == "pairing":
        if in_pairs:
            terms = objective.real_term(real - fake)
            return Influences(float(terms.mean()), terms, torch.zeros_like(fake))
        table = objective.real_term(real[:, None] - fake[None, :])
        return Influences(float(table.mean()), table.mean(dim=1), table.mean(dim=0))
    assert objective.fake_term is not None, "only a pairing game has a single term"
    if objective.form == "averaging":
        real_part, real_influence, pull_on_fake = _against_mean(objective.real_term, real, fake)
        fake_part, fake_influence, pull_on_real = _against_mean(objective.fake_term, fake, real)
        return Influences(real_part + fake_part, real_influence + pull_on_real, fake_influence + pull_on_fake)
    terms, others = objective.real_term(real), objective.fake_term(fake)
    return Influences(float(terms.mean() + others.mean()), terms, others)


def change_of_value(before: Influences, after: Influences) -> tuple[float, float | None]:
    """V after less V before, on the same draws in the same order, and its standard error (`None` for one draw)."""
    error = standard_error([(after.real - before.real), (after.fake - before.fake)])
    return after.value - before.value, error


def standard_error(sides: Sequence[Tensor]) -> float | None:
    """Of a sum of means of independent draws; `None` when a side has one draw only."""
    if any(len(side) < 2 for side in sides):
        return None
    return math.sqrt(sum(float(side.var()) / len(side) for side in sides))


def _against_mean(term, own: Tensor, other: Tensor) -> tuple[float, Tensor, Tensor]:
    """The mean of `term(own - mean(other))`, the influence of each own draw, and that of each other one."""
    margins = (own - other.mean()).requires_grad_(True)
    with torch.enable_grad():
        terms = term(margins)
        (derivatives,) = torch.autograd.grad(terms.sum(), margins)
    terms = terms.detach()
    return float(terms.mean()), terms, -derivatives.mean() * other
