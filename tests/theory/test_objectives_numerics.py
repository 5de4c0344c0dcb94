"""Gradients at large logits against analytic values, in float32 and under bfloat16; nothing infinite in silence."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.special import expit

from equipoise import objectives
from equipoise.errors import PlayDiverged
from equipoise.objectives import check_finite
from equipoise.objectives.finite_range import largest_logit

LOGITS = (-100.0, -30.0, 0.0, 30.0, 100.0)
Slope = Callable[[float], float]

# Derivatives by hand of a(l), b(l) and of the generator's term, in terms of functions that lose no digits.
LOGISTIC: tuple[Slope, Slope] = (lambda t: expit(-t), lambda t: -expit(t))
DERIVATIVES: dict[str, tuple[Slope, Slope, Slope]] = {
    "minimax": (*LOGISTIC, lambda t: -expit(t)),
    "nonsaturating": (*LOGISTIC, lambda t: -expit(-t)),
    "logistic_reverse_kl": (*LOGISTIC, lambda t: -1.0),
    "least_squares": (lambda t: 1 - t, lambda t: -t, lambda t: t - 1),
    "least_squares_pearson": (lambda t: 1 - t, lambda t: -1 - t, lambda t: t),
    "hinge": (lambda t: float(t < 1), lambda t: -float(t > -1), lambda t: -1.0),
    "wasserstein": (lambda t: 1.0, lambda t: -1.0, lambda t: -1.0),
    "relativistic": (lambda t: expit(-t), lambda t: 0.0, lambda t: -expit(-t)),
    "relativistic_average": (*LOGISTIC, lambda t: -expit(-t)),
    "fgan_kl": (lambda t: 1.0, lambda t: -math.exp(t - 1), lambda t: -math.exp(t - 1)),
    "fgan_reverse_kl": (lambda t: math.exp(-t), lambda t: -1.0, lambda t: -1.0),
    "fgan_pearson": (lambda t: 1.0, lambda t: -t / 2 - 1, lambda t: -t / 2 - 1),
    "fgan_hellinger": (lambda t: math.exp(-t), lambda t: -math.exp(t), lambda t: -math.exp(t)),
    "fgan_js": (*LOGISTIC, lambda t: -expit(t)),
    "fgan_gan": (*LOGISTIC, lambda t: -expit(t)),
    "fgan_tv": (
        lambda t: 0.5 / math.cosh(t) ** 2,
        lambda t: -0.5 / math.cosh(t) ** 2,
        lambda t: -0.5 / math.cosh(t) ** 2,
    ),
}

# Four roundings of float32. Below 1e-37 it has no normal numbers, and results may be flushed to zero.
RELATIVE, ABSOLUTE = 4 * 1.2e-7, 1e-37
# sech^2 is computed as 1 - tanh^2, which float32 resolves to one rounding of 1.
TANH_ABSOLUTE = 1.2e-7


def derivatives_of(objective, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    """a', b' and the generator term's derivative at every logit in range, through the objective's own losses.

    Each logit is a batch of one against a zero on the other side, so margins are the logits themselves.
    """
    inside = [number for number in LOGITS if abs(number) <= objective.finite_range]
    rows = []
    for number in inside:
        logit, zero = torch.tensor([number], dtype=dtype, requires_grad=True), torch.zeros(1, dtype=dtype)
        (real,) = torch.autograd.grad(-objective.discriminator_loss(logit, zero), logit)
        if objective.form == "pairing":
            fake = torch.zeros(1)
        elif objective.form == "averaging":
            # The real margin moves too: d/dl [a(0 - l) + b(l)], of which b' is what is left.
            (both,) = torch.autograd.grad(-objective.discriminator_loss(zero, logit), logit)
            fake = both.double() + expit(number)
            (real,) = torch.autograd.grad(-objective.discriminator_loss(logit, zero), logit)
            real = real.double() - expit(-number)
        else:
            (fake,) = torch.autograd.grad(-objective.discriminator_loss(zero, logit), logit)
        (generator,) = torch.autograd.grad(objective.generator_loss(zero, logit), logit)
        if objective.form == "averaging":
            generator = generator.double() + expit(-number)
        rows.append((number, float(real), float(fake), float(generator)))
    return tuple(torch.tensor(column, dtype=torch.float64) for column in zip(*rows, strict=True))


@pytest.mark.parametrize("name", sorted(DERIVATIVES))
@pytest.mark.parametrize("under_autocast", [False, True], ids=["float32", "bfloat16 autocast"])
def test_gradients_at_large_logits_are_the_analytic_ones(name, under_autocast):
    objective = objectives.find(name)()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=under_autocast):
        numbers, *found = derivatives_of(objective, torch.float32)
    expected = [[derivative(number) for number in numbers.tolist()] for derivative in DERIVATIVES[name]]
    absolute = TANH_ABSOLUTE if name == "fgan_tv" else ABSOLUTE
    if objective.form == "averaging":
        absolute = RELATIVE  # the test itself subtracts numbers of order 1
    np.testing.assert_allclose(np.stack([f.numpy() for f in found]), expected, rtol=RELATIVE, atol=absolute)


@pytest.mark.parametrize("name", sorted(DERIVATIVES))
def test_logits_that_arrive_in_bfloat16_are_used_to_their_last_digit(name):
    objective = objectives.find(name)()
    real, fake = torch.tensor([1.5, -30.0]).bfloat16(), torch.tensor([0.25, 30.0]).bfloat16()
    coarse = [logits.clone().requires_grad_(True) for logits in (real, fake)]
    fine = [logits.float().requires_grad_(True) for logits in (real, fake)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = objective.discriminator_loss(*coarse)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, objective.discriminator_loss(*fine))
    # The gradient is rounded once, on its way back into bfloat16.
    for found, expected in zip(
        torch.autograd.grad(loss, coarse), torch.autograd.grad(objective.discriminator_loss(*fine), fine), strict=True
    ):
        assert torch.equal(found, expected.bfloat16())


@pytest.mark.parametrize("name", objectives.available())
def test_losses_and_gradients_are_finite_at_ten_thousand_and_at_the_end_of_the_stated_range(name):
    objective = objectives.find(name)()
    end = 0.999 * objective.finite_range  # 1e30 itself is rounded upwards in float32
    for size in {min(1e4, end), end}:
        for real_sign, fake_sign in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            real = torch.full((64,), real_sign * size, requires_grad=True)
            fake = torch.full((64,), fake_sign * size, requires_grad=True)
            for loss in (objective.discriminator_loss(real, fake), objective.generator_loss(real, fake)):
                gradients = torch.autograd.grad(loss, (real, fake), allow_unused=True)
                assert all(torch.isfinite(part).all() for part in (loss, *gradients) if part is not None)
                check_finite(objective, value=float(loss.detach()), largest_logit=float(largest_logit(real, fake)))


@pytest.mark.parametrize("name", ["fgan_kl", "fgan_reverse_kl", "fgan_hellinger"])
def test_exponential_objectives_do_overflow_outside_their_range_which_is_why_it_is_stated(name):
    objective = objectives.find(name)()
    assert objective.finite_range < 1e4
    far = torch.tensor([100.0])
    assert not torch.isfinite(objective.value(-far, far))


@pytest.mark.parametrize("name", objectives.available())
def test_leaving_the_range_raises_an_error_that_names_the_objective(name):
    objective = objectives.find(name)()
    outside = 1.01 * objective.finite_range
    for value, largest in ((0.0, outside), (0.0, math.nan), (0.0, math.inf), (math.inf, 1.0), (math.nan, 1.0)):
        with pytest.raises(PlayDiverged, match=f"objective '{name}'") as caught:
            check_finite(objective, value=value, largest_logit=largest, where="step 12, discriminator")
        assert str(caught.value).startswith("step 12, discriminator: ")
        assert caught.value.advice


def test_the_largest_logit_reports_nan_rather_than_hiding_it():
    assert float(largest_logit(torch.tensor([1.0, -7.0]), torch.tensor([3.0]))) == 7.0
    assert math.isnan(float(largest_logit(torch.tensor([1.0]), torch.tensor([math.nan]))))


@pytest.mark.parametrize("name", objectives.available())
def test_measuring_a_value_of_infinite_logits_raises_rather_than_returning_infinity(name):
    with pytest.raises(PlayDiverged, match=f"^step 7: .*'{name}'"):
        objectives.value_function(
            objectives.find(name)(), torch.tensor([math.inf, 1.0]), torch.zeros(2), where="step 7"
        )
