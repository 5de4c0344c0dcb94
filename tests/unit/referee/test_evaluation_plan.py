"""The plan of evaluations spends the level once, refuses unplanned evaluations, and survives storage."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from equipoise.errors import ConfigError
from equipoise.randomness import numpy_stream
from equipoise.referee import (
    EvaluationPlan,
    Sensitivity,
    classifiers_for,
    evaluate,
    evaluation_plan,
    judge,
    plan_evaluations,
    quick_sensitivity,
)
from equipoise.referee.detectable_effect import theoretical_nats
from equipoise.referee.evaluation_plan import classifiers_of


@pytest.mark.parametrize("evaluations", [1, 7, 50])
def test_the_levels_of_all_evaluations_sum_to_the_level_of_the_run(evaluations):
    plan = plan_evaluations(10_000, evaluations=evaluations)
    assert len(plan.steps) == evaluations and plan.steps[-1] == 10_000
    assert sum(plan.levels) == pytest.approx(0.05, rel=1e-12)
    assert list(plan.levels) == sorted(plan.levels)


def test_a_run_shorter_than_its_evaluations_has_one_evaluation_a_step():
    assert plan_evaluations(3, evaluations=10).steps == (1, 2, 3)


def test_equal_spending_is_bonferroni():
    assert plan_evaluations([30, 10, 20], power=1.0).levels == pytest.approx((0.05 / 3,) * 3)


def test_an_unplanned_evaluation_is_refused_with_the_planned_ones_named():
    plan = plan_evaluations(100, evaluations=2)
    assert plan.confidence_at(50) == pytest.approx(1 - 0.05 / 4)
    with pytest.raises(ConfigError, match=r"step 51.*\n.*50, 100"):
        plan.confidence_at(51)
    assert plan.next_after(50) == 100 and plan.next_after(100) is None


def test_a_stored_plan_comes_back_equal():
    plan = plan_evaluations(1000, evaluations=9, confidence=0.9)
    assert EvaluationPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_impossible_plans_are_refused():
    for arguments in ({"steps": 0}, {"steps": []}, {"steps": 10, "confidence": 1.0}):
        with pytest.raises(ConfigError):
            plan_evaluations(**arguments)


def test_however_long_a_run_is_made_its_evaluations_stay_within_the_level():
    plan = plan_evaluations(1000, evaluations=10, reserve=0.2)
    assert sum(plan.levels) == pytest.approx(0.05 * 0.8, rel=1e-12)
    for steps in (1001, 1100, 5000, 10_000_000):
        longer = plan.extended_to(steps)
        # 1 / (j (j + 1)) sums to 1 - 1 / (J + 1).
        added = len(longer.steps) - 10
        assert sum(longer.levels) == pytest.approx(0.05 * (1 - 0.2 / (added + 1)), rel=1e-9)
        assert longer.steps[:10] == plan.steps and longer.levels[:10] == plan.levels


def test_added_evaluations_stand_on_the_grid_whatever_the_length_and_the_number_of_extensions():
    plan = plan_evaluations(1000, evaluations=10, reserve=0.2)
    at_once, in_turns = plan.extended_to(1750), plan.extended_to(1250).extended_to(1750)
    assert at_once == in_turns == EvaluationPlan.from_json(json.loads(json.dumps(at_once.to_json())))
    assert at_once.steps[10:] == (1100, 1200, 1300, 1400, 1500, 1600, 1700)


def test_a_plan_without_a_reserve_has_nothing_to_spend_on_a_longer_run():
    plan = plan_evaluations(100, evaluations=4)
    assert plan.extended_to(1000).steps == plan.steps


@pytest.mark.parametrize("kind", ["points", "table", "images"])
def test_the_quick_classifiers_are_classifiers_of_their_kind(kind):
    names = {classifier.name for classifier in classifiers_for(kind)}
    assert {classifier.name for classifier in classifiers_of(kind, "quick")} < names
    assert {classifier.name for classifier in classifiers_of(kind, "all")} == names


def test_a_evaluation_is_made_at_its_planned_level_and_is_the_same_each_time():
    stream = numpy_stream(0, "test of an evaluation")
    real, train, fake = (stream.normal(size=(count, 2)) for count in (200, 300, 500))
    plan = plan_evaluations(100, evaluations=2)
    first, again, other = (
        evaluate(plan, step, real=real, fake=fake + 2.0, real_train=train, kind="points", seed=1)
        for step in (50, 50, 100)
    )
    assert first.conclusion == "distinguished" and first.confidence == plan.confidence_at(50)
    assert (first.log_e_value, first.jsd_estimate_nats) == (again.log_e_value, again.jsd_estimate_nats)
    assert first.seed != other.seed
    with pytest.raises(ConfigError, match="none is planned"):
        evaluate(plan, 51, real=real, fake=fake, real_train=train, kind="points", seed=1)


@pytest.mark.parametrize(("log_e", "is_found"), [(3.7, False), (4.2, True), (9.0, True)])
def test_an_evaluation_finds_what_the_level_of_earlier_ones_leaves_it(log_e, is_found, monkeypatch):
    stream = numpy_stream(0, "test of an evaluation")
    sides = {name: stream.normal(size=(200, 2)) for name in ("real", "fake", "real_train")}
    plan = plan_evaluations(1000, evaluations=10, reserve=0.2)
    judged = judge(**sides, kind="points", confidence=plan.confidence_at(1000), companion=False, checks=[])
    monkeypatch.setattr(evaluation_plan, "judge", lambda *_, **__: replace(judged, log_e_value=log_e))
    # With every earlier one distinguished the last of ten needs 3.84; alone it would need 4.88.
    earlier = dict.fromkeys(plan.steps[:-1], 100.0)
    last = evaluate(plan, 1000, **sides, kind="points", seed=0, earlier=earlier)
    assert (last.conclusion == "distinguished") is is_found is (last.speaks == "classifier")
    assert last.e_level == pytest.approx(math.exp(-plan.log_e_needed(1000, earlier)))
    assert last.confidence == plan.confidence_at(1000)  # of its bound: all bounds of a run hold together
    alone = evaluate(plan, 1000, **sides, kind="points", seed=0)
    assert (alone.conclusion == "distinguished") is (log_e > 4.88)


def test_the_quick_measurement_of_a_run_holds_at_its_strictest_level_and_survives_storage():
    stream = numpy_stream(0, "test of the screen")
    real, train = stream.normal(size=(300, 2)), stream.normal(size=(600, 2))
    plan = plan_evaluations(100, evaluations=3, reserve=0.2)
    found = quick_sensitivity(plan, real=real, real_train=train, kind="points", fake_count=750, classifiers="quick")
    assert found.method == "injected" and found.per_side <= 450  # half of the 900 real rows there are
    # No more is scored than at an evaluation: 300 real rows, and 40 % of the generated ones.
    assert found.theoretical_nats >= theoretical_nats(300, 300, confidence=1 - min(plan.levels)) - 1e-12
    assert Sensitivity.from_json(json.loads(json.dumps(found.to_json()))) == found
