"""The e-value is exact and the bound covers, checked by enumeration and by known densities."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from equipoise.metrics.divergence import jsd_of_probabilities
from equipoise.referee.bound import (
    EQUILIBRIUM_VALUE,
    _log_means_of_shares,
    clip_logits,
    is_distinguished,
    log_e_value,
    value_estimate,
)


@pytest.mark.parametrize("counts", [(2, 2), (1, 3), (3, 1), (2, 3)])
@pytest.mark.parametrize("logits", [(0.0, 0.0), (2.0, -1.0), (6.0, 5.0), (-3.0, 0.5)])
def test_the_e_value_has_expectation_at_most_one_when_both_sides_follow_one_coin(counts, logits):
    heads, expectation = 0.3, 0.0
    for outcomes in itertools.product((0, 1), repeat=sum(counts)):
        chance = math.prod(heads if face else 1 - heads for face in outcomes)
        scores = np.array([logits[face] for face in outcomes])
        expectation += chance * math.exp(log_e_value(scores[: counts[0]], scores[counts[0] :]))
    assert expectation <= 1 + 1e-12  # rounding of sums of at most 32 terms


@pytest.mark.parametrize("counts", [(2, 3), (3, 2), (2, 5), (3, 5), (4, 5)])
def test_where_the_larger_side_is_no_multiple_of_the_smaller_each_share_still_counts_as_one_draw(counts):
    # A pair is one sample of the smaller side and the mean over a share of the larger one, of one, two or three here.
    # Pairs are independent and each has expectation 4 m (1 - m), so E[E] is that to the power of their number.
    heads, logits, expectation = 0.3, (2.0, -1.0), 0.0
    for outcomes in itertools.product((0, 1), repeat=sum(counts)):
        chance = math.prod(heads if face else 1 - heads for face in outcomes)
        scores = np.array([logits[face] for face in outcomes])
        expectation += chance * math.exp(log_e_value(scores[: counts[0]], scores[counts[0] :]))
    mean = (1 - heads) / (1 + math.exp(-logits[0])) + heads / (1 + math.exp(-logits[1]))
    assert expectation == pytest.approx((4 * mean * (1 - mean)) ** min(counts), rel=1e-12)


@pytest.mark.parametrize(("many", "few"), [(3, 2), (7, 3), (10, 4), (11, 10), (12, 4)])
def test_each_sample_of_the_larger_side_is_in_one_share_and_weighs_as_the_others_there(many, few):
    terms = np.arange(1.0, many + 1)
    shares = [round(math.exp(share), 9) for share in _log_means_of_shares(np.log(terms), few)]
    # The mean of neighbouring whole numbers is that of the first and the last of them.
    first = 1
    for mean in shares:
        last = round(2 * mean) - first
        assert mean == pytest.approx((first + last) / 2) and last - first + 1 in (many // few, -(-many // few))
        first = last + 1
    assert first == many + 1


def test_the_expectation_of_one_pair_is_one_less_the_squared_lean_of_the_classifier():
    # E[4 D(x) (1 - D(y))] = 4 m (1 - m) = 1 - (2 m - 1)^2, with m = E[D].
    chances = np.array([0.2, 0.5, 0.3])
    logits = np.array([1.0, -2.0, 0.3])
    mean = float(chances @ (1 / (1 + np.exp(-logits))))
    pairs = sum(
        chances[i] * chances[j] * math.exp(log_e_value(logits[[i]], logits[[j]])) for i in range(3) for j in range(3)
    )
    assert pairs == pytest.approx(1 - (2 * mean - 1) ** 2, rel=1e-12)


def test_at_equal_counts_the_log_e_value_is_the_number_of_pairs_times_v_above_its_equilibrium():
    stream = np.random.default_rng(0)
    real, fake = stream.normal(1, 1, 50), stream.normal(-1, 1, 50)
    expected = 50 * (value_estimate(real, fake).value - EQUILIBRIUM_VALUE)
    assert log_e_value(real, fake) == pytest.approx(expected, rel=1e-12)


def test_guessing_has_the_equilibrium_value_and_no_evidence():
    nothing = np.zeros(30)
    assert value_estimate(nothing, nothing).value == pytest.approx(-math.log(4), abs=1e-15)
    assert log_e_value(nothing, nothing[:11]) == pytest.approx(0.0, abs=1e-12)


def test_false_alarms_of_a_fixed_classifier_stay_below_the_level():
    stream = np.random.default_rng(1)
    alarms = [
        is_distinguished(
            log_e_value(0.3 * stream.standard_normal(200), 0.3 * stream.standard_normal(200)), confidence=0.9
        )
        for _ in range(2000)
    ]
    # Level 0.1; the binomial deviation of 2,000 trials is 0.007, and 0.12 is three of them above.
    assert np.mean(alarms) <= 0.12


def test_the_best_classifier_of_two_discrete_distributions_proves_their_whole_jsd():
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6])
    logits = np.log(p / q)
    value = p @ -np.logaddexp(0, -logits) + q @ -np.logaddexp(0, logits)
    assert (value - EQUILIBRIUM_VALUE) / 2 == pytest.approx(jsd_of_probabilities(p, q), rel=1e-12)


def test_clipping_turns_nonsense_into_blindness_and_keeps_the_sign_of_infinities():
    assert clip_logits(np.array([np.nan, np.inf, -np.inf, 9.0, 1.0])).tolist() == [0.0, 6.0, -6.0, 6.0, 1.0]
