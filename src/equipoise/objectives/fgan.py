r"""f-GANs: a divergence :math:`D_f(p \| q) = E_q[f(p/q)]` as the supremum of a variational bound.

.. math::
    V = E_p[g(v)] - E_q[f^*(g(v))], \qquad \sup_v V = D_f(p \| q) \;\text{ at }\; g(v) = f'(p/q)

`v` is the discriminator's logit, `g` an output activation that keeps it in the domain of the conjugate `f*`.
The fake terms below are `-f*(g(v))` simplified by hand: the composition loses digits, or overflows,
where the simplified form does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from equipoise.errors import InputError, unknown_name
from equipoise.objectives.base import LogitMeaning, Objective, Term

GeneratorLoss = Literal["literal", "trick"]

# exp(70) = 2.5e30: values, and sums of them over any batch, stay below float32's 3.4e38. exp(100) would not.
_EXPONENTIAL_RANGE = 70.0
_QUADRATIC_RANGE = 1e18
_LINEAR_RANGE = 1e30
# tanh(20) rounds to 1 in float64 too: the supremum at infinity, reached.
_SATURATED = 20.0


@dataclass(frozen=True)
class FDivergence:
    """One row of the family.

    Attributes:
        name: as in the objective's name, without the prefix.
        f: the convex function, of the density ratio u = p/q.
        activation: g, of the logit.
        conjugate: f*, of the activated output.
        fake_term: -f*(g(v)), simplified.
        best_logits: v with g(v) = f'(r), as a function of log r.
        upper_end: f* is finite for outputs below this.
        at_equilibrium: f(1), the divergence of a density from itself.
        words: the formula of the supremum.
        logit_meaning: whether sigmoid(v) is a probability of being real.
        finite_range: see `Objective`.
    """

    name: str
    f: Term
    activation: Term
    conjugate: Term
    fake_term: Term
    best_logits: Term
    upper_end: float
    at_equilibrium: float
    words: str
    logit_meaning: LogitMeaning
    finite_range: float


DIVERGENCES: dict[str, FDivergence] = {
    row.name: row
    for row in (
        FDivergence(
            name="kl",
            f=lambda u: torch.xlogy(u, u),
            activation=lambda v: v,
            conjugate=lambda t: torch.exp(t - 1),
            fake_term=lambda v: -torch.exp(v - 1),
            best_logits=lambda log_ratio: log_ratio + 1,
            upper_end=math.inf,
            at_equilibrium=0.0,
            words="KL(p||q) = E_p[log(p/q)]",
            logit_meaning="log_odds_up_to_a_constant",
            finite_range=_EXPONENTIAL_RANGE,
        ),
        FDivergence(
            name="reverse_kl",
            f=lambda u: -torch.log(u),
            activation=lambda v: -torch.exp(-v),
            conjugate=lambda t: -1 - torch.log(-t),
            fake_term=lambda v: 1 - v,
            best_logits=lambda log_ratio: log_ratio,
            upper_end=0.0,
            at_equilibrium=0.0,
            words="KL(q||p) = E_q[log(q/p)]",
            logit_meaning="log_odds",
            finite_range=_EXPONENTIAL_RANGE,
        ),
        FDivergence(
            name="pearson",
            f=lambda u: (u - 1).square(),
            activation=lambda v: v,
            conjugate=lambda t: t.square() / 4 + t,
            fake_term=lambda v: -v.square() / 4 - v,
            best_logits=lambda log_ratio: 2 * torch.expm1(log_ratio),
            upper_end=math.inf,
            at_equilibrium=0.0,
            words="Pearson chi-square = integral (p - q)^2/q",
            logit_meaning="other",
            finite_range=_QUADRATIC_RANGE,
        ),
        FDivergence(
            name="hellinger",
            f=lambda u: (torch.sqrt(u) - 1).square(),
            # Not expm1: its derivative is computed from its value, which has lost exp(-30) beside 1.
            activation=lambda v: 1 - torch.exp(-v),
            conjugate=lambda t: t / (1 - t),
            fake_term=lambda v: 1 - torch.exp(v),
            best_logits=lambda log_ratio: log_ratio / 2,
            upper_end=1.0,
            at_equilibrium=0.0,
            words="squared Hellinger distance = integral (sqrt p - sqrt q)^2",
            logit_meaning="other",
            finite_range=_EXPONENTIAL_RANGE,
        ),
        FDivergence(
            name="js",
            f=lambda u: torch.xlogy(u, u) - (u + 1) * torch.log((u + 1) / 2),
            activation=lambda v: math.log(2) - softplus(-v),
            conjugate=lambda t: -torch.log(2 - torch.exp(t)),
            fake_term=lambda v: math.log(2) - softplus(v),
            best_logits=lambda log_ratio: log_ratio,
            upper_end=math.log(2),
            at_equilibrium=0.0,
            words="2 JSD(p, q)",
            logit_meaning="log_odds",
            finite_range=_LINEAR_RANGE,
        ),
        FDivergence(
            name="gan",
            f=lambda u: torch.xlogy(u, u) - (u + 1) * torch.log(u + 1),
            activation=lambda v: -softplus(-v),
            conjugate=lambda t: -torch.log(-torch.expm1(t)),
            fake_term=lambda v: -softplus(v),
            best_logits=lambda log_ratio: log_ratio,
            upper_end=0.0,
            at_equilibrium=-math.log(4),
            words="-log 4 + 2 JSD(p, q)",
            logit_meaning="log_odds",
            finite_range=_LINEAR_RANGE,
        ),
        FDivergence(
            name="tv",
            f=lambda u: (u - 1).abs() / 2,
            activation=lambda v: torch.tanh(v) / 2,
            conjugate=lambda t: t,
            fake_term=lambda v: -torch.tanh(v) / 2,
            best_logits=lambda log_ratio: _SATURATED * torch.sign(log_ratio),
            upper_end=0.5,
            at_equilibrium=0.0,
            words="TV(p, q) = integral |p - q| / 2",
            logit_meaning="other",
            finite_range=_LINEAR_RANGE,
        ),
    )
}


def fgan(divergence: str, generator: GeneratorLoss = "literal") -> Objective:
    r"""The game whose value is a chosen f-divergence.

    .. math::
        V = \mathbb{E}_p[g(v)] - \mathbb{E}_q[f^*(g(v))], \qquad
        L_G = -\mathbb{E}_q[f^*(g(v))] \;\text{ or }\; -\mathbb{E}_q[g(v)]

    Args:
        divergence: `kl`, `reverse_kl`, `pearson`, `hellinger`, `js`, `gan` or `tv`.
        generator: `literal` keeps the game zero-sum: the generator minimises V's fake term. `trick` is
            the paper's replacement, which keeps the gradient alive where the discriminator is sure
            (for `gan` it is the non-saturating loss) and is another game.

    Numerics:
        The best logit of the Pearson divergence is never below -2. Where a discriminator answers less, the literal
        generator term changes its sign and lowers the logit further; the trick's does not.
        Kullback-Leibler (both directions) and Hellinger hold exponentials of the logit: finite in float32
        up to |v| = 70 and not beyond, which `finite_range` states.

    Reference:
        Nowozin, Cseke, Tomioka 2016, arXiv:1606.00709, Eq. 6, Table 1, Table 2; the trick: Section 3.2.
    """
    if divergence not in DIVERGENCES:
        raise unknown_name("objective.divergence", "f-divergence", divergence, DIVERGENCES)
    if generator not in ("literal", "trick"):
        raise unknown_name("objective.generator", "generator loss", generator, ("literal", "trick"))
    row = DIVERGENCES[divergence]
    return Objective(
        name=f"fgan_{row.name}",
        form="separable",
        real_term=row.activation,
        fake_term=row.fake_term,
        generator_fake_term=row.fake_term if generator == "literal" else lambda v: -row.activation(v),
        generator_real_term=None,
        best_logits=row.best_logits,
        equilibrium_value=row.at_equilibrium,
        divergence=row.words,
        logit_meaning=row.logit_meaning,
        finite_range=row.finite_range,
        is_zero_sum=generator == "literal",
        source="arXiv:1606.00709, Eq. 6, Tables 1 and 2",
    )


def conjugate_value(divergence: str, outputs: Tensor) -> Tensor:
    """f*(t) of outputs that did not come from our activations; refuses those outside the domain of f*.

    Args:
        divergence: as for `fgan`.
        outputs: t, any shape.

    Returns:
        f*(t), the same shape.
    """
    if divergence not in DIVERGENCES:
        raise unknown_name("f-GAN conjugate", "f-divergence", divergence, DIVERGENCES)
    row = DIVERGENCES[divergence]
    lowest, highest = (float(end) for end in torch.aminmax(outputs))
    # Total variation is the one conjugate whose domain is closed, and bounded on both sides.
    is_inside = -0.5 <= lowest and highest <= 0.5 if divergence == "tv" else highest < row.upper_end
    if not is_inside:
        domain = "from -1/2 to 1/2" if divergence == "tv" else f"below {row.upper_end:.4g}"
        raise InputError(
            f"f-GAN '{divergence}'",
            f"outputs from {lowest:.4g} to {highest:.4g} leave the domain of the conjugate f*.",
            f"Expected numbers {domain}.",
            f"Pass the discriminator's logits through the activation g, as the objective 'fgan_{divergence}' does.",
        )
    return row.conjugate(outputs)


OBJECTIVES: dict[str, Callable[..., Objective]] = {f"fgan_{name}": partial(fgan, name) for name in DIVERGENCES}
