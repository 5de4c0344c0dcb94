"""Members are fitted side by side, one to a thread: what they call into (trees, distances, matrices) frees Python.

A library that starts threads of its own inside each of ours would have them wait for each other, so that its threads
are held to a member's share of the cores meanwhile.
"""

from __future__ import annotations

import ctypes
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
    limits = [int(told)] if told.isdigit() else []
    return max(1, min([found, *limits, *([torch.get_num_threads()] if torch is not None else [])]))


def side_by_side(jobs: Sequence[Callable[[], Result]]) -> list[Result]:
    """The results of all jobs, in their order; on one core one after the other.

    Raises:
        Exception: that of the first job that failed; jobs that have not begun by then are left out.
        KeyboardInterrupt: the caller was interrupted; it is raised in the jobs, too.
    """
    workers = min(cores(), len(jobs))
    if workers < 2:
        return [job() for job in jobs]
    results: list[Any] = [None] * len(jobs)
    errors: dict[int, BaseException] = {}
    waiting, running, lock, done = list(enumerate(jobs))[::-1], set[int](), threading.Lock(), threading.Event()

    def work(hold_openmp: Callable[[], None]) -> None:
        hold_openmp()
        while True:
            with lock:
                if errors or not waiting:
                    break
                place, job = waiting.pop()
            try:
                results[place] = job()
            except BaseException as error:
                errors[place] = error
        with lock:
            running.discard(threading.get_ident())
            if not running:
                done.set()

    with _held_to(max(1, cores() // workers)) as hold_openmp:
        threads = [threading.Thread(target=work, args=(hold_openmp,), daemon=True) for _ in range(workers)]
        try:
            with lock:  # no thread leaves before all are counted
                for thread in threads:
                    thread.start()
                    running.add(thread.ident or 0)
            while not done.wait(_HEARS_SECONDS):
                pass
        except BaseException:
            waiting.clear()
            # Not by `is_alive`: Python 3.11 takes a thread for ended whose `join` was interrupted (bpo-45274).
            for identity in list(running):
                raised = ctypes.py_object(KeyboardInterrupt)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(identity), raised)
            done.wait(_PATIENCE_SECONDS)
            raise
    if errors:
        raise errors[min(errors)]
    return results


class _Held:
    """How many callers hold the libraries' threads at present; the last one lets go of them."""

    lock = threading.Lock()
    count = 0
    limiter: Any = None


@contextmanager
def _held_to(threads: int) -> Iterator[Callable[[], None]]:
    """Hold matrix libraries, which share one number of threads, to `threads`; yields what each worker has to call for
    OpenMP, where every thread has a number of its own."""
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
