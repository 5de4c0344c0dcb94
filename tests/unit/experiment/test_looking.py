"""How many looks a run has: decided once, from what a step and a look take, and within their share of the time."""

import pytest
import yaml

from equipoise.errors import ConfigError
from equipoise.experiment import looking
from equipoise.experiment.config import LooksConfig, RunConfig
from equipoise.experiment.looking import LADDER, LEAST_SECONDS, MOST, LookState, plan_the_looks, settled
from equipoise.experiment.preparing import LOOKS_SHARE, plan_run
from equipoise.runfolder import RunFolder

SMALL = ("networks.generator.width=8", "networks.discriminator.width=8", "data.points=30000")


@pytest.fixture
def clock(monkeypatch):
    """Steps and looks that take a stated time; nothing is played or judged."""

    def set_to(step, *looks):
        rungs = dict(zip(LADDER, looks, strict=False))
        monkeypatch.setattr(looking, "_seconds_per_step", lambda trainer: step)
        monkeypatch.setattr(
            looking,
            "_timed_look",
            lambda planned, section, trainer: rungs.get((section.members, section.samples), looks[-1]),
        )

    return set_to


def planned(steps, *settings):
    return plan_run("grid25", steps=steps, settings=[*SMALL, *settings])


def test_looks_fit_in_their_share_of_the_time(clock):
    clock(0.01, 0.5)
    section, timing = settled(planned(6000))  # 60 s of play: 4.5 s for looks
    assert section.count == int(60 * LOOKS_SHARE / (1 - LOOKS_SHARE) / 0.5) == 9
    assert timing["planned_share"] <= LOOKS_SHARE
    assert ((section.members, section.samples), section.resolution) == (LADDER[0], "floor")


def test_a_run_too_short_for_a_look_has_none_and_times_none(clock, monkeypatch):
    clock(0.01, 0.5)
    monkeypatch.setattr(looking, "_timed_look", lambda *_: pytest.fail("a look was timed"))
    steps = int(LEAST_SECONDS * (1 - LOOKS_SHARE) / LOOKS_SHARE / 0.01) - 1
    assert settled(planned(steps))[0].count == 0


def test_a_look_that_does_not_fit_is_not_planned(clock):
    clock(0.01, 100.0)
    assert settled(planned(6000))[0].count == 0


def test_a_long_run_has_finer_looks_a_screen_and_a_gap_but_no_more_than_twenty(clock):
    clock(0.01, 0.5, 1.0, 2.0, 4.0, 24.0)
    section, timing = settled(planned(600_000))
    assert (section.members, section.samples) == LADDER[3]  # 3,000 rows are held out: 20,000 would be the same
    assert (section.count, section.resolution, section.gap_steps) == (MOST, "screen", 50)
    assert timing["planned_share"] <= LOOKS_SHARE


def test_finer_looks_are_not_made_where_fewer_than_ten_would_fit(clock):
    clock(0.01, 0.1, 2.0)
    section, _ = settled(planned(12_000))  # 9 s for looks
    assert (section.members, section.samples) == LADDER[0]


def test_a_person_who_asks_for_a_goal_has_looks_at_any_price(clock):
    clock(0.001, 1.0)
    section, timing = settled(planned(100, "looks.until=not-distinguished", "looks.margin=0.05"))
    assert section.count == 3 and section.resolution == "screen"
    assert timing["planned_share"] > LOOKS_SHARE


def test_what_was_given_is_kept(clock):
    clock(0.01, 0.5)
    section, _ = settled(planned(6000, "looks.count=2", "looks.samples=300", "looks.gap_steps=0"))
    assert (section.count, section.samples, section.gap_steps) == (2, 300, 0)


def test_minutes_leave_room_for_looks(monkeypatch):
    import equipoise.experiment.preparing as preparing

    monkeypatch.setattr(preparing, "seconds_per_step", lambda config, data: 0.01)
    with_looks, without = (
        plan_run("grid25", minutes=1, settings=[*SMALL, *more]).config.play.steps for more in ((), ("looks.count=0",))
    )
    assert with_looks == pytest.approx(without * (1 - LOOKS_SHARE), abs=1)


def test_too_few_rows_have_no_looks_and_refuse_a_goal(tmp_path):
    import numpy as np

    np.save(tmp_path / "few.npy", np.random.default_rng(0).normal(size=(40, 2)))
    assert settled(plan_run(tmp_path / "few.npy", steps=10**7, settings=SMALL[:2]))[0].count == 0
    with pytest.raises(ConfigError, match="held out for looks"):
        settled(plan_run(tmp_path / "few.npy", steps=10, settings=[*SMALL[:2], "looks.keep_best=true"]))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["looks.margin=0.1"], "looks.until"),
        (["looks.count=0", "looks.keep_best=true"], "without looks"),
        (["looks.until=equal"], "looks.until"),
        (["looks.margin=0.9", "looks.until=not-distinguished"], "looks.margin"),
        (["looks=5"], "looks"),
    ],
)
def test_wishes_that_contradict_each_other_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        planned(10, *settings)


def test_another_length_chooses_anew_and_keeps_the_wishes(tmp_path):
    stored = planned(50, "looks.count=7", "looks.samples=99", "looks.keep_best=true").config
    path = tmp_path / "config.yaml"
    path.write_text(stored.to_yaml())
    assert plan_run(None, config_file=path).config.looks == stored.looks
    longer = plan_run(None, config_file=path, steps=100).config.looks
    assert longer == LooksConfig(keep_best=True)


def test_a_configuration_of_before_looks_still_loads_and_its_run_has_none(tmp_path):
    content = yaml.safe_load(planned(50).config.to_yaml())
    del content["looks"]
    assert RunConfig.model_validate(content).looks == LooksConfig()
    assert LookState.read(RunFolder(tmp_path)) == LookState()


def test_the_plan_is_stored_and_comes_back(tmp_path):
    settings = (
        "looks.count=3",
        "looks.samples=100",
        "looks.members=quick",
        "looks.resolution=screen",
        "looks.gap_steps=0",
    )
    _, state = plan_the_looks(planned(50, *settings))
    state.write(RunFolder(tmp_path))
    assert LookState.read(RunFolder(tmp_path)) == state
    assert state.resolution is not None and state.screen_seconds > 0
