"""Classifiers side by side: the same numbers as one after the other, errors as they are, threads given back."""

from __future__ import annotations

import signal
import threading
import time

import numpy as np
import pytest
import threadpoolctl

from equipoise.metrics.known import grid25
from equipoise.referee import judge, parallel
from equipoise.referee.base import Classifier
from equipoise.referee.parallel import cores, side_by_side


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(parallel, "cores", lambda: 2)


def blas_threads():
    return [each["num_threads"] for each in threadpoolctl.threadpool_info() if each["user_api"] == "blas"]


def test_results_come_in_the_order_of_the_jobs(two_cores):
    def job(number):
        time.sleep(0.02 * (3 - number))
        return number, threading.current_thread()

    found = side_by_side([lambda number=number: job(number) for number in range(4)])
    assert [number for number, _ in found] == [0, 1, 2, 3]
    assert len({thread for _, thread in found}) == 2


def test_on_one_core_nothing_leaves_the_calling_thread(monkeypatch):
    monkeypatch.setattr(parallel, "cores", lambda: 1)
    assert side_by_side([threading.current_thread] * 3) == [threading.current_thread()] * 3


def test_the_first_error_is_raised_and_what_has_not_begun_is_left_out(two_cores):
    begun = []

    def fails():
        raise ValueError("no room")

    jobs = [fails, *(lambda number=number: (begun.append(number), time.sleep(0.05)) for number in range(40))]
    with pytest.raises(ValueError, match="no room"):
        side_by_side(jobs)
    assert len(begun) < 40


@pytest.fixture
def ctrl_c_is_heard():
    """In a shell's background jobs SIGINT is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupted_caller_interrupts_the_jobs(two_cores, ctrl_c_is_heard):
    ended, looping = [], []

    def endless():
        try:
            looping.append(1)
            time_is_up = time.monotonic() + 90
            while time.monotonic() < time_is_up:
                time.sleep(0.01)
        except KeyboardInterrupt:
            ended.append(threading.current_thread())
            raise

    def interrupt():
        # Not by a barrier: an interrupt that reaches a thread inside of it leaves with the barrier's own error.
        while len(looping) < 2 and time.monotonic() - started < 60:
            time.sleep(0.001)
        signal.raise_signal(signal.SIGINT)

    started, never = time.monotonic(), []
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        side_by_side([endless, endless, lambda: never.append(1)])
    # A job that nobody interrupts ends by itself, and is not among them.
    assert len(ended) == 2 and never == []
    assert not any(thread.is_alive() for thread in ended)


def test_an_interrupt_while_a_thread_starts_leaves_no_job_behind(two_cores, monkeypatch):
    """The executor has then not yet noted the thread, so that it waits for none of its jobs."""
    start, ended, looping = threading.Thread.start, [], []

    def endless():
        try:
            looping.append(1)
            time_is_up = time.monotonic() + 90
            while time.monotonic() < time_is_up:
                time.sleep(0.01)
        except KeyboardInterrupt:
            time.sleep(0.3)
            ended.append(1)
            raise

    def interrupted(self):
        start(self)
        begun = time.monotonic()
        while not looping and time.monotonic() - begun < 60:
            time.sleep(0.001)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        side_by_side([endless, endless])
    assert ended == [1]


def test_a_thread_that_fails_before_its_job_is_heard_of(two_cores, monkeypatch):
    def full(controller, *, limits, user_api):
        if user_api == "openmp":
            raise MemoryError
        return limit(controller, limits=limits, user_api=user_api)

    limit = threadpoolctl.ThreadpoolController.limit
    monkeypatch.setattr(threadpoolctl.ThreadpoolController, "limit", full)
    with pytest.raises(MemoryError):
        side_by_side([lambda: 1] * 4)


@pytest.mark.parametrize("room", [0, 1])
def test_threads_that_there_is_no_room_for_are_done_without(two_cores, monkeypatch, room):
    start, started = threading.Thread.start, []

    def limited(self):
        if len(started) == room:
            raise RuntimeError("can't start new thread")
        started.append(self)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", limited)
    assert side_by_side([lambda number=number: number for number in range(5)]) == [0, 1, 2, 3, 4]
    assert len(started) == room


def test_matrix_libraries_get_their_threads_back_also_after_an_error_and_from_two_callers(two_cores):
    before = blas_threads()

    def fails():
        raise ValueError

    with pytest.raises(ValueError):
        side_by_side([fails, fails])
    waits = [[lambda pause=pause: time.sleep(pause)] * 2 for pause in (0.1, 0.2)]
    callers = [threading.Thread(target=side_by_side, args=(jobs,)) for jobs in waits]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert blas_threads() == before


def test_a_verdict_is_the_same_side_by_side_and_one_after_the_other(monkeypatch):
    stream, found = np.random.default_rng(0), []
    real, fake = grid25().sample(600, stream), grid25().widened(0.5).sample(600, stream)
    for count in (1, 2):
        monkeypatch.setattr(parallel, "cores", lambda count=count: count)
        verdict = judge(real, fake, kind="points").to_json()
        found.append({key: value for key, value in verdict.items() if key != "seconds"})
    assert found[0] == found[1]


def test_a_callers_own_classifier_stays_in_the_calling_thread(two_cores):
    threads = set()

    def fit(real, fake, seed):
        del real, fake, seed
        threads.add(threading.current_thread())
        return lambda rows: np.zeros((len(rows), 1))

    mine = [Classifier(f"mine {place}", frozenset({"points"}), fit, sees="nothing") for place in range(3)]
    judge(np.arange(60.0)[:, None], np.arange(60.0)[:, None] + 0.5, kind="points", classifiers=mine)
    assert threads == {threading.current_thread()}


@pytest.mark.parametrize(("told", "most"), [("1", 1), ("2,4", 2), ("", 1000), ("many", 1000)])
def test_cores_are_no_more_than_was_told(monkeypatch, told, most):
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert 1 <= cores() <= most
