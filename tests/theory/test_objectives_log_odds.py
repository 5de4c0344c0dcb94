"""One fitted constant turns relativistic logits into log-odds."""

from __future__ import annotations

import math

import pytest
import torch
from densities import DISCRETE

from equipoise import objectives
from equipoise.errors import DataError
from equipoise.objectives import as_log_odds, log_odds_offset

MINIMAX = objectives.find("minimax")()


def drawn(count: int, *, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """log r between N(1,1) and N(0,1), plus 3, on draws of both."""
    noise = torch.randn(2, count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return noise[0] + 1 - 0.5 + 3.0, noise[1] - 0.5 + 3.0


def test_the_constant_of_a_log_ratio_is_found_again():
    pair = DISCRETE[0]
    # Counts in proportion to the masses, all of which are multiples of 0.05: expectations without noise.
    real, fake = (pair.log_ratio.repeat_interleave((20 * mass).round().long()) + 3.0 for mass in (pair.p, pair.q))
    assert log_odds_offset(real, fake) == pytest.approx(3.0, abs=1e-12)


def test_from_samples_it_is_found_up_to_their_noise():
    # Curvature of the value in c: E_p[s(1-s)] + E_q[s(1-s)] = 0.42 here; derivative variance below 1/2 / 20,000.
    assert log_odds_offset(*drawn(20_000, seed=0)) == pytest.approx(3.0, abs=5 * math.sqrt(0.5 / 20_000) / 0.42)


def test_no_other_offset_gives_a_larger_minimax_value():
    real, fake = drawn(50, seed=1)
    best = log_odds_offset(real, fake)
    highest = float(MINIMAX.value(real - best, fake - best))
    for shift in (-1.0, -1e-3, 1e-3, 1.0):
        assert float(MINIMAX.value(real - best - shift, fake - best - shift)) < highest


def test_with_an_offset_from_other_data_the_minimax_value_bounds_the_divergence_and_without_it_does_not_reach_it():
    offset = log_odds_offset(*drawn(20_000, seed=2))
    real, fake = drawn(20_000, seed=3)
    found = objectives.value_function(MINIMAX, real - offset, fake - offset)
    # JSD of N(0,1) and N(1,1) in nats is 0.1114 by quadrature; five standard errors of half the value.
    assert (found.value + math.log(4)) / 2 == pytest.approx(0.1114, abs=2.5 * found.standard_error + 1e-4)
    assert (objectives.value_function(MINIMAX, real, fake).value + math.log(4)) / 2 < 0


@pytest.mark.parametrize("sides", [(1000.0, -1000.0), (-1000.0, 1000.0), (0.0, 0.0), (1e12, 1e12)])
def test_sides_far_apart_or_alike_have_an_offset_between_them(sides):
    real, fake = (torch.full((3,), side) for side in sides)
    low, high = sorted(float(side[0]) for side in (real, fake))
    assert low - 45 <= log_odds_offset(real, fake) <= high + 45


def test_logits_that_are_no_log_odds_stay_without_a_probability():
    logits = torch.tensor([1.0, 2.0])
    assert torch.equal(as_log_odds(MINIMAX, logits, offset=5.0), logits)
    assert torch.equal(as_log_odds(objectives.find("relativistic")(), logits, offset=5.0), logits - 5)
    assert as_log_odds(objectives.find("hinge")(), logits, offset=5.0) is None


@pytest.mark.parametrize("real", [torch.zeros(0), torch.tensor([math.nan])])
def test_an_empty_side_or_a_logit_that_is_not_finite_is_refused(real):
    with pytest.raises(DataError, match="offset"):
        log_odds_offset(real, torch.zeros(2))
