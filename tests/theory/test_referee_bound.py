"""The lower bound on the JSD keeps its confidence where it is hardest: with the best classifier, from few samples,
near and far apart, and where the worst values are rare."""

from __future__ import annotations

import math

import numpy as np
import pytest

from equipoise.metrics.known import gaussian
from equipoise.referee.bound import EQUILIBRIUM_VALUE, LOGIT_LIMIT, clip_logits, jsd_lower_bound_nats

TRIALS = 1000
MOST = 0.071
"""Level 0.05; its deviation in 1,000 trials is 0.007, and this is three of them above."""


def best_logits(x: np.ndarray, shift: float) -> np.ndarray:
    """log p/q of N(0, 1) and N(shift, 1), clipped."""
    return clip_logits(-shift * x + shift**2 / 2)


def proved_nats(shift: float) -> float:
    """What the clipped best classifier proves: a little less than the JSD, and so the harder line to stay below."""
    x = np.linspace(-12, 12 + shift, 200_001)
    near, far = (np.exp(gaussian(1, mean=mean).log_density(x[:, None])) for mean in (0.0, shift))
    logits = best_logits(x, shift)
    value = np.trapezoid(-near * np.logaddexp(0, -logits) - far * np.logaddexp(0, logits), x)
    return float(value - EQUILIBRIUM_VALUE) / 2


@pytest.mark.parametrize("shift", [0.35, 0.6, 2.5, 3.5, 4.5, 6.0])
@pytest.mark.parametrize("count", [8, 40, 100, 400])
def test_the_bound_lies_above_what_is_proved_in_at_most_one_trial_of_twenty(shift, count):
    truth, stream, above = proved_nats(shift), np.random.default_rng(count), 0
    for _ in range(TRIALS):
        real, fake = stream.normal(size=count), stream.normal(size=count) + shift
        choice = np.concatenate([stream.normal(size=count // 3), stream.normal(size=count // 3) + shift])
        seen = best_logits(choice, shift)
        limits = float(seen.min()), float(seen.max())
        logits = [np.clip(best_logits(side, shift), *limits) for side in (real, fake)]
        above += jsd_lower_bound_nats(*logits, confidence=0.95, limits=limits) > truth
    assert above / TRIALS <= MOST


@pytest.mark.parametrize("confidence", [0.95, 0.999])
@pytest.mark.parametrize("wrong", [0.5, 1.0, 2.0, 3.0, 5.0, 10.0])
def test_rare_samples_of_the_other_kind_are_allowed_for_before_they_are_met(wrong, confidence):
    # In 100 samples of each side, `wrong` on average look as if they came from the other, with certainty.
    count, share = 100, wrong / 100
    value = -2 * ((1 - share) * np.logaddexp(0, -LOGIT_LIMIT) + share * np.logaddexp(0, LOGIT_LIMIT))
    truth, stream = (value - EQUILIBRIUM_VALUE) / 2, np.random.default_rng(0)
    above = 0
    for _ in range(TRIALS):
        real, fake = (sign * np.where(stream.random(count) < share, -LOGIT_LIMIT, LOGIT_LIMIT) for sign in (1, -1))
        above += jsd_lower_bound_nats(real, fake, confidence=confidence) > truth
    assert above / TRIALS <= (MOST if confidence == 0.95 else 0.004)  # three deviations above 0.001


def test_with_many_samples_it_is_the_bound_of_the_central_limit_theorem():
    stream = np.random.default_rng(0)
    real, fake = best_logits(stream.normal(size=40_000), 0.5), best_logits(stream.normal(size=40_000) + 0.5, 0.5)
    terms = -np.logaddexp(0, -real), -np.logaddexp(0, fake)
    error = math.hypot(*(side.std(ddof=1) / math.sqrt(len(side)) for side in terms))
    plain = (terms[0].mean() + terms[1].mean() - EQUILIBRIUM_VALUE - 1.6449 * error) / 2
    limits = float(min(real.min(), fake.min())), float(max(real.max(), fake.max()))
    assert jsd_lower_bound_nats(real, fake, confidence=0.95, limits=limits) == pytest.approx(plain, rel=0.005)


def test_one_sample_alone_proves_nothing():
    assert jsd_lower_bound_nats(np.array([6.0]), np.array([-6.0]), confidence=0.95) == 0.0
    assert jsd_lower_bound_nats(np.zeros(500), np.zeros(500), confidence=0.95, limits=(0.0, 0.0)) == 0.0
