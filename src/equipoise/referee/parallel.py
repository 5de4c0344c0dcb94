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
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any, TypeVar

Result = TypeVar("Result")
_HEARS_SECONDS = 0.2
"""A signal that reached another thread is heard when the caller wakes up, after so long at most."""
_ONE_CALLER = threading.Lock()
"""Matrix libraries share one number of threads: callers that hold it come one after the other."""


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
        KeyboardInterrupt: the caller was interrupted; it is raised in the jobs, too, as soon as they are back in
            Python.
    """
    workers = min(cores(), len(jobs))
    if workers < 2:
        return [job() for job in jobs]
    threads, controller = max(1, cores() // workers), _controller()
    running, futures = _Running(controller, threads), []
    with _ONE_CALLER, controller.limit(limits=threads, user_api="blas"), ThreadPoolExecutor(workers) as executor:
        try:
            for job in jobs:
                futures.append(executor.submit(running.result_of, job))
            is_over = False
            while not is_over:
                done, waiting = wait(futures, _HEARS_SECONDS, FIRST_EXCEPTION)
                is_over = not waiting or any(future.exception() for future in done)
        except RuntimeError:  # no room for another thread: what has not begun is done below
            pass
        except BaseException:
            running.interrupt()
            executor.shutdown(wait=False, cancel_futures=True)
            # Not left to the executor: it doesn't know a thread whose start was interrupted, so it can't wait for it.
            running.join()
            raise
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
    begun = [future if not future.cancelled() else None for future in futures]
    begun += [None] * (len(jobs) - len(begun))
    return [job() if future is None else future.result() for job, future in zip(jobs, begun, strict=True)]


class _Running:
    """The threads that are inside a job, so that an interrupt can be raised there and nowhere else."""

    def __init__(self, controller: Any, threads: int) -> None:
        self._controller, self._openmp_threads = controller, threads
        self._identities: set[int] = set()
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._is_interrupted = False

    def result_of(self, job: Callable[[], Result]) -> Result:
        with self._lock:
            if self._is_interrupted:
                raise KeyboardInterrupt
            self._identities.add(threading.get_ident())
            self._threads.add(threading.current_thread())
        try:
            # Of OpenMP's threads every thread has a number of its own.
            self._controller.limit(limits=self._openmp_threads, user_api="openmp")
            return job()
        finally:
            with self._lock:
                self._identities.discard(threading.get_ident())

    def interrupt(self) -> None:
        with self._lock:
            self._is_interrupted = True
            for identity in self._identities:
                raised = ctypes.py_object(KeyboardInterrupt)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(identity), raised)

    def join(self) -> None:
        """Waits for every thread that has begun a job, once it is told to begin no other."""
        for thread in self._threads:
            thread.join()


def _controller() -> Any:
    """What holds the libraries' threads; only libraries that are loaded by now can be held."""
    for name in ("scipy.linalg", "scipy.optimize", "scipy.spatial", "sklearn.ensemble"):
        importlib.import_module(name)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
