"""How many threads a run gets: one or all, by timing, once; what a person says is not timed."""

import numpy as np
import pytest
import torch

import equipoise.experiment.prepare as preparing
from equipoise.experiment.prepare import plan_run
from equipoise.experiment.threads import available_threads, faster

STEP_SECONDS = 0.01


class Machine:
    """A clock that moves by what a step takes at the present number of threads."""

    def __init__(self, seconds_of):
        self.now, self.seconds_of, self.steps = 0.0, seconds_of, 0

    def clock(self):
        return self.now

    def step(self):
        self.steps += 1
        self.now += self.seconds_of(torch.get_num_threads(), self.steps)


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("speedup", "expected"), [(2.0, 4), (1.2, 4), (1.05, 1), (0.01, 1)])
def test_all_threads_are_taken_where_they_are_clearly_faster_and_one_otherwise(speedup, expected):
    machine = Machine(lambda threads, step: STEP_SECONDS / (speedup if threads > 1 else 1))
    assert faster(machine.step, most=4, clock=machine.clock) == expected


def test_a_burst_of_other_work_during_the_turns_of_one_number_does_not_decide():
    machine = Machine(lambda threads, step: STEP_SECONDS / (2 if threads > 1 else 1) * (100 if 30 < step < 45 else 1))
    assert faster(machine.step, most=2, clock=machine.clock) == 2


def test_steps_of_minutes_are_timed_three_times_each_and_no_more():
    machine = Machine(lambda threads, step: 100.0)
    faster(machine.step, most=2, clock=machine.clock)
    assert machine.steps == 2 + 1 + 2  # a first step each, the length of a turn, one round


def test_no_more_threads_are_counted_than_the_environment_allows(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert available_threads() == 1


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, size=(60, 28, 28), dtype=np.uint8)


SMALL = ("training.batch_size=4", "networks.generator.channels=2", "networks.generator.widest=4")


@pytest.fixture
def timings(monkeypatch):
    """How often threads were timed, on a machine of four cores where three are the fastest number."""
    made = []
    monkeypatch.setattr(preparing, "available_threads", lambda: 4)
    monkeypatch.setattr(preparing, "timed_threads", lambda config, data, parts: made.append(config) or 3)
    return made


def test_the_number_that_was_timed_is_stored(pictures, timings):
    assert plan_run(pictures, steps=3, settings=SMALL).config.runtime.threads == 3
    assert len(timings) == 1


def test_a_number_that_a_person_sets_is_not_timed(pictures, timings):
    assert plan_run(pictures, steps=3, settings=(*SMALL, "runtime.threads=2")).config.runtime.threads == 2
    assert not timings


def test_one_source_is_timed_once_in_a_sweep(pictures, timings):
    first = plan_run(pictures, steps=3, settings=SMALL)
    again = plan_run(pictures, steps=3, settings=(*SMALL, "objective.name=hinge"), like=first)
    assert again.config.runtime.threads == 3 and len(timings) == 1


def test_points_train_with_one_thread_and_time_nothing(timings):
    assert plan_run(np.random.default_rng(0).normal(size=(60, 2)), steps=3).config.runtime.threads == 1
    assert not timings


def test_timing_leaves_the_number_of_threads_as_it_was(pictures, monkeypatch):
    monkeypatch.setattr(preparing, "available_threads", lambda: 2)
    before = torch.get_num_threads()
    assert plan_run(pictures, steps=3, settings=SMALL).config.runtime.threads in (1, 2)
    assert torch.get_num_threads() == before
