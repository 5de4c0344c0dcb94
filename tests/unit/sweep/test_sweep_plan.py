"""What a sweep consists of: axes from text, names of folders, and combinations that are checked before any run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from equipoise.errors import ConfigError
from equipoise.experiment.sweep.grid import Axis, combination_name, first_difference, plan_sweep, read_axes


@pytest.fixture(scope="module")
def points(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("data") / "points.npy"
    np.save(path, np.random.default_rng(0).normal(size=(200, 2)))
    return str(path)


def plan(points: str, *over: str, **options) -> list:
    return plan_sweep(points, axes=read_axes(over), **{"seeds": 1, "jobs": 1, "steps": 5, **options})


def test_values_with_commas_inside_are_written_as_lists():
    (axis,) = read_axes(["penalties=[r1, r2],[{name: r1, options: {weight: 3}}],[]"])
    assert axis == Axis("penalties", (["r1", "r2"], [{"name": "r1", "options": {"weight": 3}}], []))


def test_a_single_penalty_needs_no_brackets():
    assert read_axes(["penalties=r1,r2"]) == (Axis("penalties", (["r1"], ["r2"])),)


@pytest.mark.parametrize(
    ("over", "said"),
    [
        (["objective"], "no 'key=value,value'"),
        (["objective="], "no list of values"),
        (["penalties=[r1"], "not readable as a YAML list"),
        (["objective=hinge,hinge"], "more than once"),
        (["objective=hinge", "objective=minimax"], "more than once"),
        (["seed=1,2"], "Use --seeds"),
        (["objective=hinge", "objective.options=[{}]"], "a part of the first"),
    ],
)
def test_an_axis_that_makes_no_sense_is_refused_in_full_sentences(over, said):
    with pytest.raises(ConfigError, match="Expected") as refused:
        read_axes(over)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("chosen", "name"),
    [
        ({}, "run"),
        ({"objective": "hinge"}, "hinge"),
        ({"objective.name": "hinge", "penalties": ["r1", "r2"]}, "hinge-r1+r2"),
        ({"penalties": []}, "no_penalties"),
        ({"penalties": [{"name": "r1", "options": {"weight": 0.5}}]}, "r1_weight0.5"),
        ({"training.batch_size": 64, "networks.conditional": False}, "batch_size64-conditionalfalse"),
    ],
)
def test_a_folder_is_named_after_what_sets_its_run_apart(chosen, name):
    assert combination_name(chosen) == name


def test_names_that_lose_letters_stay_apart():
    first, second = (combination_name({"objective": path}) for path in ("mine:hinge", "mine/hinge"))
    assert first != second
    assert Path(first).name == first and Path(second).name == second
    assert len(combination_name({"objective": "x" * 300})) < 100


def test_a_sweep_is_every_combination_with_every_seed(points):
    runs = plan(points, "objective=hinge,minimax", "penalties=[r1, r2],[]", seeds=2)
    assert [run.name for run in runs] == [
        f"{name}-seed{seed}"
        for seed in (0, 1)
        for name in ("hinge-r1+r2", "hinge-no_penalties", "minimax-r1+r2", "minimax-no_penalties")
    ]
    assert [run.config.seed for run in runs] == [0] * 4 + [1] * 4
    assert [part.name for part in runs[0].config.penalties] == ["r1", "r2"]
    assert runs[1].config.penalties == ()
    assert {run.config.training.steps for run in runs} == {5}


def test_numbers_mean_what_people_mean_by_them(points):
    (run,) = plan(points, "optimizers.generator.learning_rate=1e-3")
    assert run.config.optimizers.generator.learning_rate == 1e-3


@pytest.mark.parametrize(
    ("over", "said"),
    [
        (["objective=hinge,hing"], ("objective=hing", "Did you mean 'hinge'?")),
        (["penalty=r1"], ("no setting is called 'penalty'", "Did you mean 'penalties'?")),
        (["penalties=[r1],[{name: r1, options: {wait: 2}}]"], ("wait", "Did you mean 'weight'?")),
        # Theory forbids the last combination: without any control of the input gradient its value is unbounded.
        (
            ["objective=hinge,wasserstein", "penalties=[r1],[]"],
            ("objective=wasserstein, penalties=[]", "input gradient"),
        ),
    ],
)
def test_a_wrong_value_in_any_combination_is_found_before_a_run_starts(points, over, said):
    with pytest.raises(ConfigError) as refused:
        plan(points, *over)
    for words in said:
        assert words in str(refused.value)


def test_a_setting_cannot_be_fixed_and_varied_at_once(points):
    with pytest.raises(ConfigError, match="both decide the same setting"):
        plan(points, "objective=hinge,minimax", settings=["objective.name=hinge"])


def test_jobs_share_the_threads_and_do_not_change_the_run(points, monkeypatch):
    monkeypatch.setattr("equipoise.experiment.sweep.grid.available_threads", lambda: 4)
    asked = ["runtime.threads=4"]
    (alone,), (shared,) = (plan(points, "objective=hinge", jobs=jobs, settings=asked) for jobs in (1, 2))
    assert (alone.config.runtime.threads, shared.config.runtime.threads) == (4, 2)
    assert first_difference(alone.config.to_dict(), shared.config.to_dict()) is None


def test_the_first_difference_is_named_with_both_values():
    stored, asked = {"training": {"steps": 5, "order": "a"}, "old": 1}, {"training": {"steps": 6, "order": "a"}}
    assert first_difference(stored, asked) == ("training.steps", 5, 6)
    assert first_difference({"a": 1, "old": 2}, {"a": 1}) == ("old", 2, None)
    assert first_difference(asked, asked) is None


def test_choices_that_a_run_made_about_looks_are_the_ones_that_were_left_open(points):
    (run,) = plan(points, "objective=hinge", settings=["evaluations.samples=500"])
    asked = run.config.evaluations
    made = asked.model_copy(update={"count": 4, "samples": 500, "classifiers": "quick", "sensitivity": "theoretical"})
    assert asked.settled_like(made) == made
    other = made.model_copy(update={"samples": 600, "keep_best": True})
    # What was asked for by name stays as asked.
    assert (asked.settled_like(other).samples, asked.settled_like(other).keep_best) == (500, True)
    asked = asked.model_copy(update={"keep_best": False})
    assert not asked.settled_like(other).keep_best
