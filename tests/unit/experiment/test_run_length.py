"""A run whose length nobody has said has its preset's steps, and on a CPU no more than somebody waits for."""

import json

import numpy as np
import pytest

import equipoise as eq
from equipoise.errors import ConfigError
from equipoise.experiment import forecast, run_length
from equipoise.experiment.config.presets import DEFAULT_STEPS
from equipoise.experiment.prepare import plan_run
from equipoise.experiment.run_length import EVALUATIONS_SHARE, MOST_MINUTES, PLAY_SHARE, require_one_budget

WANTED = DEFAULT_STEPS["points"]
SMALL = ("networks.generator.width=4", "networks.discriminator.width=4")
SHARE = PLAY_SHARE * (1 - EVALUATIONS_SHARE)


@pytest.fixture
def step_takes(monkeypatch):
    """Let steps be timed as so many seconds; returns what was asked of each timing."""
    asked = []

    def set_to(*seconds):
        times = iter(seconds)

        def timed(planned, **wishes):
            asked.append(wishes)
            return next(times)

        monkeypatch.setattr(run_length, "seconds_per_step", timed)
        return asked

    return set_to


@pytest.fixture
def points(tmp_path):
    np.save(tmp_path / "points.npy", np.random.default_rng(0).normal(size=(200, 2)))
    return tmp_path / "points.npy"


def planned(points, *settings, **wishes):
    return plan_run(points, settings=[*SMALL, *settings], device="cpu", most_minutes=MOST_MINUTES, **wishes)


def test_a_preset_that_would_take_hours_gets_half_an_hour_and_says_so(points, step_takes):
    step_takes(0.9, 1.0)  # a quick timing, and the one that counts
    plan = planned(points)
    steps = int(60 * MOST_MINUTES * SHARE / 1.0)
    assert plan.config.training.steps == steps
    assert plan.config.outputs.checkpoint_every == steps // 20  # what follows the length follows this one
    hours_worth = round(MOST_MINUTES * WANTED / steps)
    assert f"{WANTED:,} steps" in plan.remark and f"{hours_worth:,} minutes" in plan.remark
    assert f"{steps:,} steps" in plan.remark and "--minutes or --steps" in plan.remark


def test_a_preset_that_fits_is_left_alone_after_a_few_steps(points, step_takes):
    asked = step_takes(60 * MOST_MINUTES / WANTED / 2.1)
    plan = planned(points)
    assert (plan.config.training.steps, plan.remark) == (WANTED, "")
    assert [wishes["fewest"] for wishes in asked] == [run_length.QUICK_STEPS]


def test_a_quick_timing_that_was_wrong_decides_nothing(points, step_takes):
    step_takes(1.0, 60 * MOST_MINUTES * SHARE / WANTED / 1.01)
    plan = planned(points)
    assert (plan.config.training.steps, plan.remark) == (WANTED, "")


@pytest.mark.parametrize("length", [{"steps": 7}, {"settings": ["training.steps=7"]}])
def test_whoever_says_a_length_has_it_however_long_it_takes(points, step_takes, length):
    asked = step_takes()
    settings = length.pop("settings", [])
    assert planned(points, *settings, **length).config.training.steps == 7 and not asked


def test_a_stored_configuration_has_its_length(points, step_takes, tmp_path):
    step_takes(1.0, 1.0)
    first = planned(points)
    file = tmp_path / "config.yaml"
    file.write_text(first.config.to_yaml())
    again = plan_run(None, config_file=file, device="cpu", most_minutes=MOST_MINUTES)
    assert (again.config.training.steps, again.remark) == (first.config.training.steps, "")


def test_fit_says_what_it_does_before_the_run(points, step_takes, tmp_path, monkeypatch):
    monkeypatch.setattr("equipoise.experiment.train.MOST_MINUTES", 0.05)
    step_takes(0.5, 0.2)
    said = []

    class Listener:
        def message(self, text):
            said.append(text)

        def __getattr__(self, name):
            return lambda *_, **__: None

    gan = eq.fit(points, settings=[*SMALL, "evaluations.count=0"], outdir=tmp_path / "run", progress=Listener())
    assert gan.step == int(60 * 0.05 * PLAY_SHARE / 0.2)
    assert any("No length was given" in text for text in said)


def test_the_dry_run_tells_it_too(points, step_takes, capsys, monkeypatch):
    from equipoise.cli.main import main

    step_takes(1.0, 1.0)
    monkeypatch.setattr(forecast, "seconds_per_step", lambda planned: 1.0)
    with pytest.raises(SystemExit):
        main(["train", str(points), "--dry-run", "--device", "cpu", "--json", *(f"--set={each}" for each in SMALL)])
    told = json.loads(capsys.readouterr().out)
    assert told["config"]["training"]["steps"] == told["forecast"]["steps"] < WANTED
    assert told["remark"].startswith("No length was given")


@pytest.mark.parametrize(
    ("steps", "minutes", "found"), [(3, 1.0, "both"), (0, None, "0 is not"), (None, -1.0, "-1 is not a time")]
)
def test_two_lengths_and_none_at_all_are_refused(steps, minutes, found):
    with pytest.raises(ConfigError, match=found):
        require_one_budget(steps, minutes)
