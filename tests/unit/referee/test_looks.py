"""The plan of looks spends the level once, refuses unplanned looks, and survives storage."""

from __future__ import annotations

import json

import pytest

from equipoise.errors import ConfigError
from equipoise.referee import LookPlan, plan_looks


@pytest.mark.parametrize("looks", [1, 7, 50])
def test_the_levels_of_all_looks_sum_to_the_level_of_the_run(looks):
    plan = plan_looks(10_000, looks=looks)
    assert len(plan.steps) == looks and plan.steps[-1] == 10_000
    assert sum(plan.levels) == pytest.approx(0.05, rel=1e-12)
    assert list(plan.levels) == sorted(plan.levels)


def test_a_run_shorter_than_its_looks_has_one_look_a_step():
    assert plan_looks(3, looks=10).steps == (1, 2, 3)


def test_equal_spending_is_bonferroni():
    assert plan_looks([30, 10, 20], power=1.0).levels == pytest.approx((0.05 / 3,) * 3)


def test_an_unplanned_look_is_refused_with_the_planned_ones_named():
    plan = plan_looks(100, looks=2)
    assert plan.confidence_at(50) == pytest.approx(1 - 0.05 / 4)
    with pytest.raises(ConfigError, match=r"step 51.*\n.*50, 100"):
        plan.confidence_at(51)
    assert plan.next_after(50) == 100 and plan.next_after(100) is None


def test_a_stored_plan_comes_back_equal():
    plan = plan_looks(1000, looks=9, confidence=0.9)
    assert LookPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_impossible_plans_are_refused():
    for arguments in ({"steps": 0}, {"steps": []}, {"steps": 10, "confidence": 1.0}):
        with pytest.raises(ConfigError):
            plan_looks(**arguments)
