"""`judge --plan`: how many samples a verdict needs is the minimum detectable effect turned round."""

from __future__ import annotations

import math

import numpy as np
import pytest

from equipoise.errors import ConfigError, InputError
from equipoise.experiment.judge.plan import plan_sources
from equipoise.referee import sample_plan
from equipoise.referee.detectable_effect import Sensitivity
from equipoise.referee.sample_plan import detectable_nats, plan_samples


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
def test_the_planned_number_is_the_first_at_which_the_detectable_effect_is_no_more_than_the_margin(confidence):
    for row in plan_samples(0.007, confidence=confidence).rows:
        for count, factor in ((row.least, 1), (row.enough, 2)):
            assert factor * detectable_nats(count, confidence=confidence) <= row.margin_nats
            is_fewest_of_all = count == sample_plan.samples_needed(confidence)
            assert is_fewest_of_all or factor * detectable_nats(count - 1, confidence=confidence) > row.margin_nats


def test_a_smaller_margin_needs_more_samples_in_inverse_proportion():
    rows = {row.margin_nats: row for row in plan_samples().rows}
    assert list(rows) == sorted(rows, reverse=True)
    # In theory the evidence is n times the JSD: a tenth of the margin needs ten times the samples, but for rounding.
    assert rows[0.001].enough == pytest.approx(10 * rows[0.01].enough, rel=0.01)
    assert rows[0.001].least == pytest.approx(rows[0.001].enough / 2, rel=0.01)


def test_what_was_measured_at_one_size_is_carried_to_the_margin_like_one_over_n(monkeypatch):
    found = Sensitivity(
        "injected",
        0.001,
        by_defect_nats={"shift": 0.015, "noise": math.inf},
        intervals_nats={"shift": (0.01, 0.02), "noise": (0.3, math.inf)},
        absent=("broken dependence",),
        trials=20,
        per_side=500,
    )
    asked = {}
    monkeypatch.setattr(sample_plan, "sensitivity_of", lambda pool, counts, **options: asked.update(options) or found)
    planned = plan_sources(np.random.default_rng(0).normal(size=(1000, 2)), margin=0.005)
    assert asked["is_in_turn"] and asked["has_companion"] and asked["repeats"] == 1
    # Found at 500 a side from 0.02 nats on at the upper end, four times the margin.
    assert planned.needed == {"shift": pytest.approx(2000), "noise": math.inf}
    assert planned.to_json()["needed"] == {"shift": pytest.approx(2000), "noise": None}
    text = planned.to_text()
    assert "more than can be said from these data" in planned.sentence and "2,000" in text
    assert "Nothing to break in these data, or nothing that is seen: broken dependence." in text


def test_the_command_prints_a_table_and_one_object(equipoise):
    outcome = equipoise("judge", "--plan", "--margin", 0.01)
    assert outcome.code == 0 and "0.01 *" in outcome.out and "0.001" in outcome.out
    read = equipoise("judge", "--plan", "--margin", 0.01, "--json").json
    row = next(row for row in read["rows"] if row["margin_nats"] == 0.01)
    assert f"at least {row['enough']:,} samples on each side" in read["sentence"] and read["measured"] is None


def test_a_plan_that_makes_no_sense_is_refused_with_what_to_do(equipoise, tmp_path):
    np.save(tmp_path / "few.npy", np.random.default_rng(0).normal(size=(30, 2)))
    out = equipoise("judge", "--plan", "--margin", 0.01, "--out", tmp_path / "out")
    assert out.code == 2 and "--out" in out.err and not (tmp_path / "out").exists()
    two = equipoise("judge", "--plan", "--margin", 0.01, "a.csv", "b.csv")
    assert two.code == 2 and "2 sources" in two.err and "Name the real data alone" in two.err
    without = equipoise("judge", "--plan", tmp_path / "few.npy")
    assert without.code == 2 and "without a margin" in without.err and "--margin 0.01" in without.err
    few = equipoise("judge", "--plan", tmp_path / "few.npy", "--margin", 0.01)
    assert few.code == 2 and "there are 30 samples" in few.err
    with pytest.raises(ConfigError, match="margin"):
        plan_samples(0.7)
    with pytest.raises(ConfigError, match="confidence"):
        plan_samples(confidence=1.0)
    with pytest.raises(InputError, match="a ndarray is given without a margin"):
        plan_sources(np.zeros((50, 2)))
