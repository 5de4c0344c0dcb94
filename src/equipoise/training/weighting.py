r"""Under which density V is given, when rows are not drawn evenly.

Training that draws row i of n with probability `w_i / sum(w)` trains against the weighted density. The importance
weight that brings V back to the data is known exactly, because the rows are finitely many:

.. math::
    \frac{1/n}{w_i / \sum_j w_j} = \frac{\bar w}{w_i}

so the estimate is unbiased, for the rows that can be drawn at all (those of weight above 0).
"""

from __future__ import annotations

import math

import torch

from equipoise.objectives.base import Objective
from equipoise.objectives.value import value_function
from equipoise.shapes import Logits, PerSample, normalised_mean

WEIGHTED = "the weighted density that training draws from"
DATA = "the data's own density, by known importance weights (unbiased)"
DATA_OF_CLASSES = (
    "the data's own density with its own shares of classes on both sides, by known importance weights (unbiased); "
    "every generated sample is taken with the real one whose class it was asked for"
)
DRAWN_ROWS = " Rows of weight 0 are never drawn and do not count."


def density_under_data(*, is_conditional: bool, has_zeros: bool) -> str:
    """What `value_under_data` is about, in words."""
    return (DATA_OF_CLASSES if is_conditional else DATA) + (DRAWN_ROWS if has_zeros else "")


def value_played(
    objective: Objective,
    real_logits: Logits,
    fake_logits: Logits,
    *,
    is_conditional: bool,
    fake_weights: PerSample | None = None,
) -> tuple[float, float | None]:
    """V of the game that is trained, from one batch, and its standard error (`None` for a batch of one).

    A conditional pairing game compares real sample i with the generated sample that was asked for its class, so the
    logits are free up to one constant per class: pairs across classes mean nothing, and the mean is over the batch's
    own pairs. Every other game is measured by `value_function`.
    """
    if is_conditional and objective.form == "pairing":
        ones = torch.ones(len(real_logits), dtype=torch.float64)
        found = value_under_data(
            objective, real_logits, fake_logits, importance=ones, is_conditional=True, fake_weights=fake_weights
        )
        assert found is not None, "only an averaging objective has no value under the data"
        return found
    estimate = value_function(objective, real_logits, fake_logits, fake_weights=fake_weights)
    return estimate.value, estimate.standard_error


def value_under_data(
    objective: Objective,
    real_logits: Logits,
    fake_logits: Logits,
    *,
    importance: PerSample,
    is_conditional: bool,
    fake_weights: PerSample | None = None,
) -> tuple[float, float | None] | None:
    r"""V under the data's density from a batch of the weighted one, and its standard error.

    In a conditional game the generated sample i was asked for the class of the real sample i, so both sides follow the
    weighted shares of classes, and both are weighted back:

    .. math::
        \hat V = \frac1m \sum_i \frac{\bar w}{w_i} \bigl(a(l_i) + b(l'_i)\bigr)

    with the one term `a(l_i - l'_i)` for a pairing game. Rows being independent, the error is that of a mean.

    Args:
        objective: whose V.
        real_logits: shape `(batch,)`.
        fake_logits: shape `(batch,)`.
        importance: the known importance weight of each real draw. Shape `(batch,)`.
        is_conditional: whether the generated samples have the real ones' classes.
        fake_weights: importance weights of the generated samples, whose terms (and pairs) count with them. Their
            constant is known: the mean over equally drawn ones is 1. Shape `(batch,)`.

    Returns:
        The value and its standard error (`None` for a batch of one), in float64; `None` altogether for an averaging
        objective in a conditional game, whose terms are no mean over rows.
    """
    if not is_conditional:
        estimate = value_function(objective, real_logits, fake_logits, weights=importance, fake_weights=fake_weights)
        return estimate.value, estimate.standard_error
    if objective.form == "averaging":
        return None
    real, fake = (side.detach().cpu().double() for side in (real_logits, fake_logits))
    margins = objective.margins(real, fake)
    terms = objective.real_term(margins[0])
    shares = None if fake_weights is None else fake_weights.detach().cpu().double()
    if objective.fake_term is None:
        terms = terms if shares is None else shares * terms
    else:
        on_fake = objective.fake_term(margins[1])
        terms = terms + (on_fake if shares is None else shares * on_fake)
    draws = importance.cpu().double() * terms
    error = float(draws.std()) / math.sqrt(len(draws)) if len(draws) > 1 else None
    return float(torch.mean(draws)), error


def mean_and_deviation(numbers: PerSample, weights: PerSample | None = None) -> tuple[float, float]:
    """Mean and standard deviation (of the numbers themselves, not of their mean), by the weights if there are any."""
    if weights is None:
        return float(numbers.mean()), float(numbers.std(correction=0))
    mean = normalised_mean(numbers, weights)
    return float(mean), math.sqrt(float(normalised_mean((numbers - mean).square(), weights)))
