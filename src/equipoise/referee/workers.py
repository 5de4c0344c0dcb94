"""Members are fitted side by side, one to a thread: what they call into (trees, distances, matrices) frees Python.

A library that starts threads of its own inside each of ours would have them wait for each other, so that its threads
are held to a member's share of the cores meanwhile.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

Result = TypeVar("Result")


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
    """
    workers = min(cores(), len(jobs))
    if workers < 2:
        return [job() for job in jobs]
    with _held_to(max(1, cores() // workers)) as hold, ThreadPoolExecutor(workers, initializer=hold) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            return [future.result() for future in futures]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


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
