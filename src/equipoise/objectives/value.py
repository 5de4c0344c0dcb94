r"""The value function as a measurement: an estimate of V from logits, its standard error, and of which density.

1/m is not the probability of a sample: it is the weight of each of m independent draws. The mean over draws is
unbiased for the expectation at every m, m = 1 included; how sure it is follows from the spread of the draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from equipoise.errors import DataError, unknown_name
from equipoise.objectives.base import Objective
from equipoise.objectives.finite_range import check_finite, largest_logit
from equipoise.shapes import Logits, PerSample, Scalar, weighted_mean

Weighting = Literal["known", "self_normalised"]

AS_DRAWN = "the density that the real samples were drawn from"
BY_KNOWN_WEIGHTS = "the data density, by importance weights with a known constant (unbiased)"
BY_SELF_NORMALISED_WEIGHTS = "the data density, by self-normalised importance weights (bias of order 1 / real samples)"

# Pairs evaluated at once; all are visited whatever this is. Half a megabyte stays in the cache: 512 x 512 pairs take
# 1.9 ms in place of 4.6 in one piece.
_PAIRS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class ValueEstimate:
    """What was measured of V.

    Attributes:
        value: the estimate, in nats or the objective's own unit.
        standard_error: of `value`; `None` when a side has one draw only, which has no spread.
        real_count: draws on the real side.
        fake_count: draws on the generated side.
        density: under which density of real samples V is given.
    """

    value: float
    standard_error: float | None
    real_count: int
    fake_count: int
    density: str = AS_DRAWN

    def interval(self, deviations: float = 1.959964) -> tuple[float, float] | None:
        """`value` plus and minus so many standard errors (95 % by default, for large counts); `None` without one."""
        if self.standard_error is None:
            return None
        return self.value - deviations * self.standard_error, self.value + deviations * self.standard_error

    def __str__(self) -> str:
        counts = f"{self.real_count} real, {self.fake_count} generated"
        if self.standard_error is None:
            return f"V = {self.value:.6g} ({counts}; a single draw has no standard error)"
        return f"V = {self.value:.6g} +- {self.standard_error:.2g} ({counts})"


def value_function(
    objective: Objective,
    real_logits: Logits,
    fake_logits: Logits,
    *,
    weights: PerSample | None = None,
    weighting: Weighting = "known",
    fake_weights: PerSample | None = None,
    where: str = "measuring the value",
) -> ValueEstimate:
    r"""V of one discriminator from its logits on independent real and generated samples.

    .. math::
        \hat V = \frac1m \sum_i w_i\, a(l_i) + \frac1n \sum_j b(l_j), \qquad
        SE^2 = \frac{\widehat{var}(w a)}{m} + \frac{\widehat{var}(b)}{n}

    Generated samples with importance weights v count by their share of the sum of weights: with `v_j` divided by the
    mean weight, the second mean is one of `v_j b(l_j)`, and its error, to first order, that of a mean of
    `v_j (b(l_j) - B)` with B the mean itself. Draws that are spread evenly on purpose (over the components of a
    mixture, say) vary less than independent ones, and the error is then stated too large.

    For a pairing objective the mean is over all m n pairs; see `two_sample_variance` for its error. For an
    averaging objective the estimate has a bias of order 1/m + 1/n, and its error is the delta method's.

    Args:
        objective: whose V.
        real_logits: shape `(m,)`.
        fake_logits: shape `(n,)`; n may differ from m.
        weights: w, importance weights of the real draws: density wanted over density drawn from (1/w_i for rows that
            were drawn with probability proportional to w_i). Shape `(m,)`. `None` when rows were drawn as they come.
        weighting: `known` when the weights' constant is known, so that their expectation is 1: unbiased.
            `self_normalised` divides by their sum: any constant will do, at the price of a bias of order 1/m.
        fake_weights: v, importance weights of the generated draws, up to any factor. Shape `(n,)`.
        where: what an error message calls the activity; a trainer adds its step.

    Returns:
        The estimate with its standard error and the density that it is about, computed in float64.

    Raises:
        DataError: an empty side, or weights that are negative, not finite, all zero, or of another length.
        PlayDiverged: logits outside the objective's finite range.

    Reference:
        Goodfellow et al. 2014, arXiv:1406.2661, Eq. 1; variance of two-sample U-statistics: Hoeffding 1948,
        Annals of Mathematical Statistics 19(3), and Lehmann 1951, Annals of Mathematical Statistics 22(2).
    """
    if weighting not in ("known", "self_normalised"):
        raise unknown_name("value function, weighting", "weighting", weighting, ("known", "self_normalised"))
    real, fake = _statistics_copy(real_logits), _statistics_copy(fake_logits)
    if len(real) == 0 or len(fake) == 0:
        raise DataError(
            "value function",
            f"there are {len(real)} real and {len(fake)} generated logits.",
            "Expected at least one of each.",
            "One draw of each gives a value; two of each give its standard error.",
        )
    shares = torch.ones_like(real) if weights is None else _checked_weights(weights, len(real))
    fake_shares = None if fake_weights is None else _checked_weights(fake_weights, len(fake), side="generated")
    if fake_shares is not None:
        fake_shares = fake_shares / fake_shares.mean()
    if weights is not None and weighting == "self_normalised":
        shares = shares / shares.mean()
    # A self-normalised mean is a ratio: to first order its error is that of the mean of w (h - V).
    is_ratio = weights is not None and weighting == "self_normalised"
    if objective.form == "pairing":
        value, variance = _pairing(objective, real, fake, shares, fake_shares, is_ratio=is_ratio)
    elif objective.form == "averaging":
        value, variance = _averaging(objective, real, fake, shares, fake_shares, is_ratio=is_ratio)
    else:
        value, variance = _separable(objective, real, fake, shares, fake_shares, is_ratio=is_ratio)
    check_finite(objective, value=float(value), largest_logit=float(largest_logit(real, fake)), where=where)
    has_error = min(len(real), len(fake)) > 1
    return ValueEstimate(
        value=float(value),
        standard_error=math.sqrt(max(0.0, float(variance))) if has_error else None,
        real_count=len(real),
        fake_count=len(fake),
        density=_density(weights, weighting),
    )


def two_sample_variance(row_sums: PerSample, column_sums: PerSample, square_sum: Scalar) -> Scalar:
    r"""Unbiased estimate of the variance of a mean over all pairs of m rows and n columns, second order included.

    .. math::
        \widehat{Var}(U) = \frac{\sum_i \tilde R_i^2 + \sum_j \tilde C_j^2 - \tilde T}{m (m-1)\, n (n-1)}

    with the row sums R, column sums C and sum of squares T of the centred table `h(x_i, y_j) - U`. Derivation:
    `Var U = E[U^2] - theta^2`; `U^2` is its own unbiased estimate, and `theta^2` has the mean of
    `h(x_i, y_j) h(x_k, y_l)` over `i != k`, `j != l`, which by inclusion and exclusion is
    `(S^2 - sum R^2 - sum C^2 + T) / (m (m-1) n (n-1))`. Subtracting a constant from h changes neither side of
    the difference, so h is centred by U, which makes the total S zero and spares the cancellation.
    It estimates `((n-1) zeta_10 + (m-1) zeta_01 + zeta_11) / (m n)`, all of Hoeffding's terms.

    Args:
        row_sums: of the centred table. Shape `(m,)`, m at least 2.
        column_sums: of the centred table. Shape `(n,)`, n at least 2.
        square_sum: the sum of the squared entries of the centred table.

    Returns:
        The estimate, as a scalar. It can be negative for a general h, but not for an h that never decreases in
        `l(x) - l(y)`, as in every relativistic game: in each 2 x 2 sub-table monotony bounds the squared
        interaction by half the squared effects of row and column, and so it does for the whole table.
    """
    m, n = len(row_sums), len(column_sums)
    return (row_sums.square().sum() + column_sums.square().sum() - square_sum) / (m * (m - 1) * n * (n - 1))


def _separable(
    objective: Objective, real: Tensor, fake: Tensor, shares: Tensor, fake_shares: Tensor | None, *, is_ratio: bool
) -> tuple[Tensor, Tensor]:
    assert objective.fake_term is not None
    real_terms, fake_terms = objective.real_term(real), objective.fake_term(fake)
    real_mean = (shares * real_terms).mean()
    deviations = shares * (real_terms - real_mean) if is_ratio else shares * real_terms
    fake_mean = weighted_mean(fake_terms, fake_shares)
    fake_deviations = fake_terms if fake_shares is None else fake_shares * (fake_terms - fake_mean)
    return real_mean + fake_mean, _variance_of_mean(deviations) + _variance_of_mean(fake_deviations)


def _pairing(
    objective: Objective, real: Tensor, fake: Tensor, shares: Tensor, fake_shares: Tensor | None, *, is_ratio: bool
) -> tuple[Tensor, Tensor]:
    """Mean over all pairs in one pass over blocks of rows, with the sums that its error needs.

    The table is centred by the mean over some pairs while it is made, and by the rest once the mean over all is
    known: that rest is small, so nothing cancels.
    """
    few = min(len(real), len(fake))
    guess = (shares[:few] * objective.real_term(real[:few] - fake[:few])).mean()
    # What one unit of centring takes from a row of the table: 1, or the row's weight where the mean is a ratio.
    units = shares if is_ratio else torch.ones_like(shares)
    # Of a column likewise; a mean over generated samples with weights is always a ratio.
    columns = torch.ones_like(fake) if fake_shares is None else fake_shares
    along_columns = torch.zeros_like(guess)
    row_sums, column_sums, square_sum = torch.empty_like(real), torch.zeros_like(fake), torch.zeros_like(guess)
    rows = max(1, _PAIRS_AT_ONCE // len(fake))
    for start in range(0, len(real), rows):
        block = slice(start, start + rows)
        pairs = objective.real_term(real[block, None] - fake[None, :])
        centred = shares[block, None] * pairs - units[block, None] * guess
        if fake_shares is not None:
            centred = centred * fake_shares
            along_columns += units[block] @ (centred @ fake_shares)
        row_sums[block] = centred.sum(dim=1)
        column_sums += centred.sum(dim=0)
        square_sum += centred.square().sum()
    rest = row_sums.mean() / len(fake)
    if few < 2:
        return guess + rest, torch.full_like(guess, math.nan)
    along = units @ row_sums if fake_shares is None else along_columns
    square_sum = square_sum - 2 * rest * along + (columns @ columns) * rest**2 * (units @ units)
    return guess + rest, two_sample_variance(
        row_sums - len(fake) * rest * units, column_sums - rest * units.sum() * columns, square_sum
    )


def _averaging(
    objective: Objective, real: Tensor, fake: Tensor, shares: Tensor, fake_shares: Tensor | None, *, is_ratio: bool
) -> tuple[Tensor, Tensor]:
    """Each side against the other's mean; the error counts each draw's part in both means."""
    assert objective.fake_term is not None
    real_mean, fake_mean = (shares * real).mean(), weighted_mean(fake, fake_shares)
    real_margins = (real - fake_mean).requires_grad_(True)
    fake_margins = (fake - real_mean).requires_grad_(True)
    with torch.enable_grad():
        real_terms, fake_terms = objective.real_term(real_margins), objective.fake_term(fake_margins)
        (real_derivatives,) = torch.autograd.grad(real_terms.sum(), real_margins)
        (fake_derivatives,) = torch.autograd.grad(fake_terms.sum(), fake_margins)
    real_terms, fake_terms = real_terms.detach(), fake_terms.detach()
    real_part, fake_part = (shares * real_terms).mean(), weighted_mean(fake_terms, fake_shares)
    centre, place = (real_part, real_mean) if is_ratio else (0.0, 0.0)
    pull = weighted_mean(fake_derivatives, fake_shares)
    real_influence = shares * (real_terms - centre) - pull * shares * (real - place)
    push = (shares * real_derivatives).mean()
    if fake_shares is None:
        fake_influence = fake_terms - push * fake
    else:
        fake_influence = fake_shares * (fake_terms - fake_part - push * (fake - fake_mean))
    return real_part + fake_part, _variance_of_mean(real_influence) + _variance_of_mean(fake_influence)


def _variance_of_mean(draws: Tensor) -> Tensor:
    """Unbiased estimate of the variance of the mean; NaN for one draw, which has no spread."""
    return draws.var() / len(draws) if len(draws) > 1 else draws.new_full((), math.nan)


def _statistics_copy(logits: Tensor) -> Tensor:
    """Statistics are in float64 on the CPU, whatever the training was in."""
    return logits.detach().cpu().double()


def _checked_weights(weights: Tensor, count: int, *, side: str = "real") -> Tensor:
    numbers = _statistics_copy(weights)
    if numbers.shape != (count,):
        found = f"weights of shape {tuple(numbers.shape)} for {count} {side} logits."
    elif not bool(torch.isfinite(numbers).all()):
        found = "a weight is not a finite number."
    elif bool((numbers < 0).any()):
        found = f"weight {int((numbers < 0).nonzero()[0, 0])} is negative ({float(numbers.min()):.4g} is the least)."
    elif float(numbers.sum()) == 0:
        found = "all weights are zero."
    else:
        return numbers
    raise DataError(
        "value function, weights",
        found,
        f"Expected one finite number of 0 or more per {side} logit, and at least one above 0.",
        "A row drawn with probability proportional to w has the importance weight 1/w.",
    )


def _density(weights: Tensor | None, weighting: Weighting) -> str:
    if weights is None:
        return AS_DRAWN
    return BY_KNOWN_WEIGHTS if weighting == "known" else BY_SELF_NORMALISED_WEIGHTS
