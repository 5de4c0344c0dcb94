"""How many evaluations a run has: decided once, from what a step and an evaluation take, and within their share of the
time."""

import numpy as np
import pandas as pd
import pytest
import yaml

from equipoise.errors import ConfigError
from equipoise.experiment import run_length
from equipoise.experiment.config.schema import EvaluationsConfig, RunConfig
from equipoise.experiment.judge import during_training
from equipoise.experiment.judge.during_training import (
    LADDER,
    LEAST_SECONDS,
    MOST,
    EvaluationState,
    evaluation_data,
    plan_interim_evaluations,
    settled,
    times_the_final,
)
from equipoise.experiment.prepare import plan_run
from equipoise.experiment.run_length import EVALUATIONS_SHARE
from equipoise.referee import plan_evaluations
from equipoise.runfolder import RunFolder

SMALL = ("networks.generator.width=8", "networks.discriminator.width=8", "data.points=30000")


@pytest.fixture
def clock(monkeypatch):
    """Steps and evaluations that take a stated time; nothing is trained or judged."""

    def set_to(step, *evaluations):
        severities = dict(zip(LADDER, evaluations, strict=False))
        monkeypatch.setattr(during_training, "median_seconds", lambda trainer, **_: step)
        monkeypatch.setattr(
            during_training,
            "_timed_evaluation",
            lambda planned, section, trainer: severities.get((section.classifiers, section.samples), evaluations[-1]),
        )

    return set_to


def planned(steps, *settings):
    return plan_run("grid25", steps=steps, settings=[*SMALL, *settings])


def test_evaluations_fit_in_their_share_of_the_time(clock):
    clock(0.01, 0.5)
    section, timing = settled(planned(6000))  # 60 s of training: 4.5 s for evaluations
    assert section.count == int(60 * EVALUATIONS_SHARE / (1 - EVALUATIONS_SHARE) / 0.5) == 9
    assert timing["planned_share"] <= EVALUATIONS_SHARE
    assert ((section.classifiers, section.samples), section.sensitivity) == (LADDER[0], "theoretical")


@pytest.mark.parametrize(("fits", "count"), [(1.5, 1), (2.1, 3), (3.1, 3), (4.1, 4)])
def test_a_run_where_two_fit_has_three_so_that_weights_can_be_kept_from_a_third_of_it(clock, fits, count):
    clock(0.01, 60 * EVALUATIONS_SHARE / (1 - EVALUATIONS_SHARE) / fits)
    section, timing = settled(planned(6000, "evaluations.duality_gap_steps=0"))
    assert section.count == count and timing["planned_share"] <= 1.5 * EVALUATIONS_SHARE
    assert plan_evaluations(6000, evaluations=3).steps == (2000, 4000, 6000)


def test_a_run_too_short_for_an_evaluation_has_none_and_times_none(clock, monkeypatch):
    clock(0.01, 0.5)
    monkeypatch.setattr(during_training, "_timed_evaluation", lambda *_: pytest.fail("an evaluation was timed"))
    steps = int(LEAST_SECONDS * (1 - EVALUATIONS_SHARE) / EVALUATIONS_SHARE / 0.01) - 1
    assert settled(planned(steps))[0].count == 0


def test_an_evaluation_that_does_not_fit_is_not_planned(clock):
    clock(0.01, 100.0)
    assert settled(planned(6000))[0].count == 0


def test_a_long_run_has_finer_evaluations_a_quick_sensitivity_and_a_gap_but_no_more_than_twenty(clock):
    clock(0.01, 0.5, 1.0, 2.0, 4.0, 24.0)
    section, timing = settled(planned(600_000))
    assert (section.classifiers, section.samples) == LADDER[3]  # 3,000 rows are held out: 20,000 would be the same
    assert (section.count, section.sensitivity, section.duality_gap_steps) == (MOST, "quick", 50)
    assert timing["planned_share"] <= EVALUATIONS_SHARE


def test_finer_evaluations_are_not_made_where_fewer_than_ten_would_fit(clock):
    clock(0.01, 0.1, 2.0)
    section, _ = settled(planned(12_000))  # 9 s for evaluations
    assert (section.classifiers, section.samples) == LADDER[0]


def test_of_a_table_they_see_from_twice_what_the_final_verdict_does_where_four_of_them_fit(clock, tmp_path):
    rows = np.random.default_rng(0).integers(0, 3, size=(20_000, 3))
    pd.DataFrame(rows.astype(str), columns=["a", "b", "c"]).to_csv(tmp_path / "rows.csv", index=False)
    run = plan_run(tmp_path / "rows.csv", steps=12_000, settings=["runtime.threads=1", "warm_start=null"])
    clock(0.01, 1.0, 1.0)  # 9 s for evaluations; twice the rows are taken to cost twice as much, and are not timed
    section, _ = settled(run)
    assert (section.classifiers, section.samples, section.count) == (*LADDER[1], 4)  # 2,000 rows are held out
    assert times_the_final(run, section) < 2 < times_the_final(run, section.model_copy(update={"samples": 1_000}))
    clock(0.01, 1.25, 1.25)
    assert settled(run)[0].samples == LADDER[0][1]


def test_of_rows_on_a_cpu_one_evaluation_is_timed_and_none_is_made_to_warm_up(clock, monkeypatch):
    clock(0.01, 0.5)
    timed, seconds = [], during_training._timed_evaluation
    monkeypatch.setattr(
        during_training,
        "_timed_evaluation",
        lambda planned, section, trainer: timed.append(section.samples) or seconds(planned, section, trainer),
    )
    settled(planned(6000))
    assert timed == [LADDER[0][1]]


@pytest.mark.parametrize(("steps", "rows"), [(0, None), (5, 2_000)])
def test_rows_for_the_duality_gap_are_encoded_only_where_it_is_measured(steps, rows):
    wishes = ("evaluations.count=2", "evaluations.samples=3000", f"evaluations.duality_gap_steps={steps}")
    run = planned(6000, *wishes)
    material = evaluation_data(run, EvaluationState(plan=plan_evaluations(6000, evaluations=2)))
    assert (None if material.gap_rows is None else len(material.gap_rows)) == rows


def test_a_person_who_asks_for_a_goal_has_evaluations_at_any_price(clock):
    clock(0.001, 1.0)
    section, timing = settled(planned(100, "evaluations.until=not-distinguished", "evaluations.margin=0.05"))
    assert section.count == 3 and section.sensitivity == "quick"
    assert timing["planned_share"] > EVALUATIONS_SHARE


def test_what_was_given_is_kept(clock):
    clock(0.01, 0.5)
    section, _ = settled(
        planned(6000, "evaluations.count=2", "evaluations.samples=300", "evaluations.duality_gap_steps=0")
    )
    assert (section.count, section.samples, section.duality_gap_steps) == (2, 300, 0)


def test_minutes_leave_room_for_evaluations(monkeypatch):
    monkeypatch.setattr(run_length, "seconds_per_step", lambda planned: 0.01)
    with_evaluations, without = (
        plan_run("grid25", minutes=1, settings=[*SMALL, *more]).config.training.steps
        for more in ((), ("evaluations.count=0",))
    )
    assert with_evaluations == pytest.approx(without * (1 - EVALUATIONS_SHARE), abs=1)


def test_too_few_rows_have_no_evaluations_and_refuse_a_goal(tmp_path):
    np.save(tmp_path / "few.npy", np.random.default_rng(0).normal(size=(40, 2)))
    assert settled(plan_run(tmp_path / "few.npy", steps=10**7, settings=SMALL[:2]))[0].count == 0
    with pytest.raises(ConfigError, match="held out for interim evaluations"):
        settled(plan_run(tmp_path / "few.npy", steps=10, settings=[*SMALL[:2], "evaluations.keep_best=true"]))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["evaluations.margin=0.1"], "evaluations.until"),
        (["evaluations.count=0", "evaluations.keep_best=true"], "without evaluations"),
        (["evaluations.until=equal"], "evaluations.until"),
        (["evaluations.margin=0.9", "evaluations.until=not-distinguished"], "evaluations.margin"),
        (["looks=5"], "evaluations: 5 is no section"),
    ],
)
def test_wishes_that_contradict_each_other_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        planned(10, *settings)


def test_another_length_chooses_anew_and_keeps_the_wishes(tmp_path):
    stored = planned(50, "evaluations.count=7", "evaluations.samples=99", "evaluations.keep_best=true").config
    path = tmp_path / "config.yaml"
    path.write_text(stored.to_yaml())
    assert plan_run(None, config_file=path).config.evaluations == stored.evaluations
    longer = plan_run(None, config_file=path, steps=100).config.evaluations
    assert longer == EvaluationsConfig(keep_best=True)


def test_a_configuration_of_before_evaluations_still_loads_and_its_run_has_none(tmp_path):
    content = yaml.safe_load(planned(50).config.to_yaml())
    del content["evaluations"]
    assert RunConfig.model_validate(content).evaluations == EvaluationsConfig()
    assert EvaluationState.read(RunFolder(tmp_path)) == EvaluationState()


def test_the_plan_is_stored_and_comes_back(tmp_path):
    settings = (
        "evaluations.count=3",
        "evaluations.samples=100",
        "evaluations.classifiers=quick",
        "evaluations.sensitivity=quick",
        "evaluations.duality_gap_steps=0",
    )
    _, state = plan_interim_evaluations(planned(50, *settings))
    state.write(RunFolder(tmp_path))
    assert EvaluationState.read(RunFolder(tmp_path)) == state
    assert state.sensitivity is not None and state.quick_seconds > 0
