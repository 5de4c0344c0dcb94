"""The weighted sum of e-values of evaluations on the same rows keeps the level of the run: all by enumeration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from equipoise.referee.bound import log_e_value
from equipoise.referee.evaluation_plan import EvaluationPlan, plan_evaluations

LEVEL, WEIGHTS = 0.2, (0.2, 0.3, 0.5)
PLAN = EvaluationPlan((1, 2, 3), tuple(LEVEL * weight for weight in WEIGHTS), 1 - LEVEL)
PAIRS = 6
"""Six real samples serve three evaluations, each with six samples of its own generator; a sample is 0 or 1."""
HALF, FAR = 0.5, (0.1, 0.9, 0.1)
"""Chance of 1 in the data, and in generators that are mostly where the classifier of their evaluation says so."""
LOGITS = (np.array([-1.6, 1.6]), np.array([1.1, -1.1]), np.array([-0.8, 0.8]))
"""What the classifier of each evaluation says of 0 and 1. They lean to neither side: every e-value has expectation 1
against a perfect generator, the hardest case."""


def outcomes(chances, real=HALF):
    """Probability and log e-value by step of everything that can happen, for generators with these chances of 1.

    With as many real as generated samples the e-value depends on the numbers of ones alone.
    """
    ones = range(PAIRS + 1)
    sides = [[0] * (PAIRS - one) + [1] * one for one in ones]
    laws = [[math.comb(PAIRS, one) * law**one * (1 - law) ** (PAIRS - one) for one in ones] for law in (real, *chances)]
    table = {
        (step, seen, made): log_e_value(logits[sides[seen]], logits[sides[made]])
        for step, logits in enumerate(LOGITS, start=1)
        for seen, made in itertools.product(ones, ones)
    }
    for seen, *made in itertools.product(ones, repeat=4):
        probability = math.prod(law[one] for law, one in zip(laws, (seen, *made), strict=True))
        yield probability, {step: table[step, seen, one] for step, one in enumerate(made, start=1)}


def distinguished(log_e):
    """The steps at which it is said."""
    return [
        step
        for step in log_e
        if log_e[step] >= PLAN.log_e_needed(step, {other: log_e[other] for other in log_e if other < step})
    ]


@pytest.mark.parametrize("real", [0.5, 0.3, 0.9])
def test_the_weighted_sum_of_evaluations_that_share_their_real_rows_has_expectation_at_most_one(real):
    total = sum(
        probability * sum(weight * math.exp(log_e[step]) for step, weight in enumerate(WEIGHTS, start=1))
        for probability, log_e in outcomes((real,) * 3, real=real)
    )
    assert total <= 1 + 1e-12
    if real == HALF:  # classifiers that lean to neither side
        assert total == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize(
    "perfect", [(1, 2, 3), (2, 3), (1, 3), (1, 2), (3,), (2,), (1,)], ids=lambda perfect: f"perfect at {perfect}"
)
def test_a_perfect_generator_is_distinguished_with_a_chance_of_at_most_the_level_whatever_the_others_are(
    perfect,
):
    chances = [HALF if step in perfect else FAR[step - 1] for step in (1, 2, 3)]
    alarm = sum(p for p, log_e in outcomes(chances) if any(step in perfect for step in distinguished(log_e)))
    assert 0 < alarm <= LEVEL


def test_whatever_the_bonferroni_rule_finds_is_found_and_more():
    rule, bonferroni = 0.0, 0.0
    for probability, log_e in outcomes(FAR):
        found = distinguished(log_e)
        for step, level in zip(PLAN.steps, PLAN.levels, strict=True):
            is_found = log_e[step] >= -math.log(level)
            assert step in found or not is_found
            bonferroni += probability * is_found
            rule += probability * (step in found)
    assert rule > bonferroni > 0


def test_an_evaluation_needs_what_the_level_that_is_left_asks_for():
    plan, alpha = plan_evaluations(1000, evaluations=10, reserve=0.2), 0.05
    weights = [level / alpha for level in plan.levels]
    assert sum(weights) == pytest.approx(0.8)
    last = plan.steps[-1]
    assert plan.log_e_needed(last, {}) == pytest.approx(-math.log(alpha * weights[-1]))
    far = dict.fromkeys(plan.steps[:-1], 5000.0)
    assert plan.log_e_needed(last, far) == pytest.approx(math.log((1 + 0.2 / weights[-1]) / alpha))
    # An e-value of 2 has used 2 alpha of its level: so much of its weight comes back, and no more.
    partly = {plan.steps[0]: math.log(2)}
    assert plan.log_e_needed(last, partly) == pytest.approx(
        math.log((1 - 2 * alpha * weights[0]) / (alpha * weights[-1]))
    )
    # Evaluations to come, and those of other steps, count for nothing.
    assert plan.log_e_needed(plan.steps[3], {last: 5000.0, 7: 5000.0}) == plan.log_e_needed(plan.steps[3], {})


def test_evaluations_past_the_planned_end_keep_the_weights_set_aside_and_never_need_less_than_the_level():
    plan = plan_evaluations(100, evaluations=4, reserve=0.2).extended_to(1_000_000)
    far = dict.fromkeys(plan.steps, 5000.0)
    needed = [plan.log_e_needed(step, far) for step in (*plan.steps[:8], *plan.steps[-3:])]
    assert min(needed) >= -math.log(0.05)
    # Of the reserve r, r / (j (j + 1)) is for the j-th, and r / j is left when it comes: it needs (j + 1) / alpha.
    assert needed[4:8] == pytest.approx([math.log((j + 1) / 0.05) for j in (1, 2, 3, 4)], rel=1e-6)
