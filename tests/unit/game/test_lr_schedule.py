"""Schedules against their definitions."""

import pytest
import torch

from equipoise.game import Player, Schedule


@pytest.mark.parametrize("shape", ["linear", "cosine", "geometric"])
def test_a_schedule_starts_at_one_and_ends_at_its_final_factor(shape):
    schedule = Schedule(shape, final=0.01)
    assert schedule.at(0, 101) == pytest.approx(1.0)
    assert schedule.at(100, 101) == pytest.approx(0.01)


@pytest.mark.parametrize(("shape", "middle"), [("linear", 0.505), ("cosine", 0.505), ("geometric", 0.1)])
def test_half_way_a_schedule_is_at_the_mean_of_its_kind(shape, middle):
    assert Schedule(shape, final=0.01).at(50, 101) == pytest.approx(middle)


def test_after_the_planned_end_a_schedule_keeps_its_final_factor():
    assert Schedule("geometric", final=0.01).at(5000, 101) == pytest.approx(0.01)


def test_warm_up_rises_linearly_from_the_first_step():
    schedule = Schedule("constant", warmup_steps=4)
    assert [schedule.at(step, 100) for step in range(6)] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0, 1.0])


def test_a_geometric_schedule_to_zero_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        Schedule("geometric", final=0.0)


@pytest.mark.parametrize("shape", ["linear", "cosine", "geometric"])
def test_a_final_factor_that_is_reached_early_stays(shape):
    schedule = Schedule(shape, final=0.01, reached_at=0.9)
    # Steps are counted from 0: of 101 the last is number 100, and 90 % of the way is number 90.
    assert schedule.at(90, 101) == pytest.approx(0.01) == schedule.at(100, 101)
    assert schedule.at(45, 101) == pytest.approx(Schedule(shape, final=0.01).at(50, 101))
    assert schedule.at(89, 101) > 0.01


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5, float("nan")])
def test_an_end_outside_of_the_run_is_refused(share):
    with pytest.raises(ValueError, match="share of the steps"):
        Schedule("linear", final=0.1, reached_at=share)


def test_decay_and_warm_up_multiply():
    schedule = Schedule("geometric", final=0.01, warmup_steps=10)
    assert (
        schedule.at(4, 101) == schedule.decay_at(4, 101) * schedule.scale_at(4, 101) == pytest.approx(0.01**0.04 * 0.5)
    )


@pytest.mark.parametrize("shape", ["linear", "cosine", "geometric", "constant"])
def test_beyond_the_full_steps_a_random_walk_of_the_weights_gets_no_longer(shape):
    schedule = Schedule(shape, final=0.01, full_steps=1000)

    def total(steps, power=2):
        return sum(schedule.at(step, steps) ** power for step in range(steps))

    unbounded = Schedule(shape, final=0.01)
    assert all(schedule.at(step, 1000) == unbounded.at(step, 1000) for step in range(1000))
    assert total(500) == pytest.approx(total(1000) / 2, rel=0.01)
    assert total(4000) == pytest.approx(total(1000), rel=0.01)
    assert total(4000, power=1) == pytest.approx(2 * total(1000, power=1), rel=0.01)
    assert schedule.at(0, 4000) == 0.5


def test_a_floor_is_lowered_with_the_start_of_a_long_run():
    """Both players' rates are scaled as a whole: a group's floor stays the same share of where the run begins."""
    schedule = Schedule("geometric", final=0.01, full_steps=100)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([{"params": [weight], "lr": 2.0, "floor": 0.5}], lr=1.0)
    player = Player(torch.nn.Identity(), optimizer)
    player.scale_learning_rate(schedule.decay_at(399, 400), scale=schedule.scale_at(399, 400))
    assert optimizer.param_groups[0]["lr"] == pytest.approx(2.0 * 0.5 * 0.5)


def test_no_full_steps_are_refused():
    with pytest.raises(ValueError, match="full_steps=0"):
        Schedule("geometric", final=0.1, full_steps=0)
