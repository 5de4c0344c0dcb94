"""Processes acted by threads of one test: the same arithmetic as between real ones, without starting them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from equipoise.distributed import ProcessGroup


class Exchange:
    """Where the threads leave tensors for each other."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.barrier = threading.Barrier(count, timeout=60)
        self.left: list[Any] = [None] * count


class ThreadGroup(ProcessGroup):
    """One thread's view of the group."""

    def __init__(self, exchange: Exchange, rank: int) -> None:
        super().__init__(rank, exchange.count)
        self.exchange = exchange
        self.messages = 0

    def _exchanged(self, tensor: Tensor) -> list[Tensor]:
        self.messages += 1
        self.exchange.left[self.rank] = tensor.detach().clone()
        self.exchange.barrier.wait()
        found = list(self.exchange.left)
        self.exchange.barrier.wait()
        return found

    def _sum(self, flat: Tensor) -> None:
        flat.copy_(sum(self._exchanged(flat)))

    def _gather(self, rows: Tensor) -> Tensor:
        return torch.stack(self._exchanged(rows))

    def _gather_plain(self, values: Tensor) -> Tensor:
        return self._gather(values)


def in_threads(count: int, work: Callable[[ProcessGroup], Any]) -> list[Any]:
    """What `work` gives in each of `count` processes; the first error of one is raised here."""
    exchange = Exchange(count)
    results: list[Any] = [None] * count
    errors: list[BaseException] = []

    def run(rank: int) -> None:
        try:
            results[rank] = work(ThreadGroup(exchange, rank))
        except threading.BrokenBarrierError as error:
            errors.append(error)
        except BaseException as error:
            errors.insert(0, error)
            exchange.barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results
