"""Classifiers are trained side by side, one to a thread: what they call into (trees, distances, matrices) frees Python.

A library that starts threads of its own inside each of ours would have them wait for each other, so that its threads
are held to a classifier's share of the cores meanwhile.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
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
        running, futures = _Running(hold_openmp), []
        executor = ThreadPoolExecutor(workers)
        try:
            for job in jobs:
                futures.append(executor.submit(running.result_of, job))
        except RuntimeError:  # no room for another thread: what has not begun is done here
            executor.shutdown(wait=False, cancel_futures=True)
        try:
            while any(not future.done() for future in futures) and not _failed(futures):
                wait(futures, _HEARS_SECONDS, FIRST_EXCEPTION)
            if failed := _failed(futures):
                executor.shutdown(cancel_futures=True)
                raise failed[0].exception()
            begun = [None if future.cancelled() else future for future in futures]
            begun += [None] * (len(jobs) - len(begun))
            return [job() if future is None else future.result() for job, future in zip(jobs, begun, strict=True)]
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            running.interrupt()
            begun = [future for future in futures if not future.cancelled()]
            if not wait(begun, _PATIENCE_SECONDS).not_done:
                executor.shutdown()
            raise
        finally:
            executor.shutdown(wait=False)


def _failed(futures: Sequence[Future[Any]]) -> list[Future[Any]]:
    return [each for each in futures if each.done() and not each.cancelled() and each.exception() is not None]


class _Running:
    """The threads that are inside a job, so that an interrupt can be raised there and nowhere else."""

    def __init__(self, prepare: Callable[[], None]) -> None:
        self._prepare = prepare
        self._threads: set[int] = set()
        self._lock = threading.Lock()
        self._is_interrupted = False

    def result_of(self, job: Callable[[], Result]) -> Result:
        with self._lock:
            if self._is_interrupted:
                raise KeyboardInterrupt
            self._threads.add(threading.get_ident())
        try:
            self._prepare()
            return job()
        finally:
            with self._lock:
                self._threads.discard(threading.get_ident())

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the threads, as soon as they are back in Python."""
        with self._lock:
            self._is_interrupted = True
            for identity in self._threads:
                raised = ctypes.py_object(KeyboardInterrupt)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(identity), raised)


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
