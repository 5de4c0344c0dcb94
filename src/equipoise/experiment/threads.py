"""How many threads a run trains with: one or all, whichever takes steps sooner on this machine at this moment.

More threads are not always faster: on a busy machine each step waits for the thread that got its core last (seen with
two threads on two cores that other programs used: hours were forecast where one thread took minutes). So both are
timed, in turns, before a run begins, and the number is stored: the run is resumed with it, bit for bit.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from equipoise.data import PreparedData
from equipoise.distributed import process_group
from equipoise.experiment.build.python_parts import PythonParts
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.config.schema import RunConfig

ROUNDS = 7
"""Turns of each number; the median of seven stands three disturbed ones."""
TURN_SECONDS = 0.1
"""Shortest turn: as many steps as one thread takes in this time, one at least."""
MOST_SECONDS = 15.0
"""After so long no further round begins: one step of each number is known by then."""
CLEARLY_FASTER = 0.9
"""Share of one thread's time that all threads have to stay below: otherwise one leaves the others to whoever wants
them, and its time is easier to foresee. Arbitrary within 0.8 to 0.95."""


def available_threads() -> int:
    """CPU cores that this process may use, and no more than `OMP_NUM_THREADS` says; processes that train together on
    one machine share them evenly."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    told = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if told.isdecimal():
        cores = min(cores, int(told))
    return max(1, cores // process_group().local_world_size)


def are_open(asked: Mapping[str, Any], config: RunConfig) -> bool:
    """Whether the number of threads is to be timed: nobody has set it, and the preset leaves more than one."""
    is_set = asked.get("runtime", {}).get("threads") is not None
    is_alone = process_group().is_single_process  # processes share the cores already
    return config.runtime.device == "cpu" and config.runtime.threads > 1 and is_alone and not is_set


def timed_threads(config: RunConfig, data: PreparedData, *, parts: PythonParts) -> int:
    """1, or the number of threads in the configuration, if that takes steps clearly sooner.

    Throw-away steps are taken in turns, so that whatever else the machine does meets both alike.
    """
    trainer = build_trainer(config, data, parts=parts)
    before = torch.get_num_threads()
    try:
        return faster(lambda: float(trainer.train_step().generator_loss), most=config.runtime.threads)
    finally:
        torch.set_num_threads(before)


def faster(step: Callable[[], Any], *, most: int, clock: Callable[[], float] = time.perf_counter) -> int:
    """1 or `most` threads, whichever takes `step` sooner in the median over turns.

    Args:
        step: what is timed.
        most: threads to compare with one; 2 or more.
        clock: the time in seconds.
    """

    def seconds(threads: int, steps: int) -> float:
        torch.set_num_threads(threads)
        begun = clock()
        for _ in range(steps):
            step()
        return (clock() - begun) / steps

    for threads in (1, most):
        seconds(threads, 1)  # the first step allocates, and starts the threads
    steps = max(1, round(TURN_SECONDS / max(seconds(1, 1), 1e-6)))
    begun, times = clock(), {1: [], most: []}
    for _ in range(ROUNDS):
        for threads, found in times.items():
            found.append(seconds(threads, steps))
        if clock() - begun > MOST_SECONDS:
            break
    one, all_of_them = (statistics.median(found) for found in times.values())
    return most if all_of_them < CLEARLY_FASTER * one else 1
