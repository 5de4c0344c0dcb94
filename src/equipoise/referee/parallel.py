"""Members are fitted side by side, one to a thread: what they call into (trees, distances, matrices) frees Python.

A library that starts threads of its own inside each of ours would have them wait for each other, so that its threads
are held to a member's share of the cores meanwhile.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

Result = TypeVar("Result")
_HEARS_SECONDS = 0.2
"""A signal that reached another thread is heard when the caller wakes up, after so long at most."""
_PATIENCE_SECONDS = 10.0
"""How long an interrupted caller waits for a job that is inside a library and can't hear that it is to end."""


def cores() -> int:
    """Cores that may be used: those this process may run on, and no more than torch or `OMP_NUM_THREADS` was told."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    told = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    torch = sys.modules.get("torch")
    limits = [int(told)] if told.isdecimal() else []
    return max(1, min([found, *limits, *([torch.get_num_threads()] if torch is not None else [])]))


def side_by_side(jobs: Sequence[Callable[[], Result]]) -> list[Result]:
    """The results of all jobs, in their order; on one core one after the other.

    Raises:
        Exception: that of a job that failed, the earliest of them if there are several; jobs that have not begun by
            then are left out.
        KeyboardInterrupt: the caller was interrupted; it is raised in the jobs, too.
    """
    workers = min(cores(), len(jobs))
    if workers < 2:
        return [job() for job in jobs]
    with _held_to(max(1, cores() // workers)) as hold_openmp:
        return _Work(jobs, hold_openmp).done_by(workers)


class _Work:
    """Jobs that several threads take one by one."""

    def __init__(self, jobs: Sequence[Callable[[], Any]], prepare: Callable[[], None]) -> None:
        self._prepare = prepare
        self._waiting = list(enumerate(jobs))[::-1]
        self._results: list[Any] = [None] * len(jobs)
        self._errors: dict[int, BaseException] = {}
        self._running: set[int] = set()
        self._lock, self._all_ended = threading.Lock(), threading.Event()

    def done_by(self, workers: int) -> list[Any]:
        """The results, after `workers` threads, or as many as there is room for, have done the jobs."""
        try:
            with self._lock:  # no thread ends before all are counted
                for _ in range(workers):
                    thread = threading.Thread(target=self._work, daemon=True)
                    try:
                        thread.start()
                    except RuntimeError:  # no room for another thread
                        break
                    self._running.add(thread.ident or 0)
            if not self._running:
                return [job() for _, job in self._waiting[::-1]]
            while not self._all_ended.wait(_HEARS_SECONDS):
                pass
        except BaseException:
            self._interrupt()
            raise
        if self._errors:
            raise self._errors[min(self._errors)]
        return self._results

    def _work(self) -> None:
        place = len(self._results)
        try:
            self._prepare()
            while (taken := self._next()) is not None:
                place, job = taken
                self._results[place] = job()
        except BaseException as error:
            self._errors[place] = error
        finally:
            with self._lock:
                self._running.discard(threading.get_ident())
                if not self._running:
                    self._all_ended.set()

    def _next(self) -> tuple[int, Callable[[], Any]] | None:
        with self._lock:
            return self._waiting.pop() if self._waiting and not self._errors else None

    def _interrupt(self) -> None:
        """Raise KeyboardInterrupt in the threads, as soon as they are back in Python, and wait for their end.

        Not by `is_alive`: Python 3.11 takes a thread for ended whose `join` was interrupted (bpo-45274).
        """
        with self._lock:
            self._waiting.clear()
            running = list(self._running)
        for identity in running:
            raised = ctypes.py_object(KeyboardInterrupt)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(identity), raised)
        if running:
            self._all_ended.wait(_PATIENCE_SECONDS)


class _Held:
    """How many callers hold the libraries' threads at present; the last one lets go of them."""

    lock = threading.Lock()
    count = 0
    limiter: Any = None


@contextmanager
def _held_to(threads: int) -> Iterator[Callable[[], None]]:
    """Hold matrix libraries, which share one number of threads, to `threads`; yields what each worker has to call for
    OpenMP, where every thread has a number of its own."""
    # Only libraries that are loaded by now can be held.
    for name in ("scipy.linalg", "scipy.optimize", "scipy.spatial", "sklearn.ensemble"):
        importlib.import_module(name)
    from threadpoolctl import ThreadpoolController

    controller = ThreadpoolController()
    with _Held.lock:
        if _Held.count == 0:
            _Held.limiter = controller.limit(limits=threads, user_api="blas")
        _Held.count += 1
    try:
        yield lambda: _hold_openmp(controller, threads)
    finally:
        with _Held.lock:
            _Held.count -= 1
            if _Held.count == 0:
                _Held.limiter.restore_original_limits()
                _Held.limiter = None


def _hold_openmp(controller: Any, threads: int) -> None:
    controller.limit(limits=threads, user_api="openmp")
