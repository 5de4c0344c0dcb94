"""Sums over the processes of one machine, through memory that all of them see.

Sockets, by which gloo talks even to a neighbour, cost a step of a small game several per cent of its time. Here each
process leaves its vector in a place of its own, waits until all have done so, and adds them up by itself, in the order
of the processes: all get the same bits. The waiting is left to the caller, who notices there when a process has ended.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from equipoise.distributed.process_group import ProcessGroup

FOLDER = Path("/dev/shm")
"""Where Linux keeps files in memory; elsewhere there is none, and gloo does the sums."""
MOST_BYTES = 16 * 2**20
"""Of a vector. Larger ones take so long to compute that sockets cost little, and would need this twice per process."""
_PAGE = 4096


class SharedMemory:
    """Two places for each process, used in turn.

    So one waiting a sum is enough: who fills a place for the sum after next has waited for the next one, which nobody
    has come to who still reads from that place.
    """

    def __init__(self, memory: mmap.mmap, *, rank: int, processes: int, place_bytes: int) -> None:
        self._memory, self._rank, self._processes, self.place_bytes = memory, rank, processes, place_bytes
        self._turn = 0

    def all_reduce(self, flat: Tensor, wait: Callable[[], None]) -> None:
        """Replace a vector on the CPU, of `place_bytes` at most, by its sum over the processes.

        Args:
            flat: shape `(n,)`, the same in all processes, contiguous.
            wait: returns when all processes have called it.
        """
        first = self._turn * self._processes
        places = [
            torch.frombuffer(self._memory, dtype=flat.dtype, count=len(flat), offset=(first + rank) * self.place_bytes)
            for rank in range(self._processes)
        ]
        places[self._rank].copy_(flat)
        wait()
        torch.add(places[0], places[1], out=flat)
        for place in places[2:]:
            flat.add_(place)
        self._turn = 1 - self._turn


def shared_memory(group: ProcessGroup, size: int) -> SharedMemory | None:
    """Memory for vectors of `size` bytes that all processes of the group see, or `None` in all of them.

    All call it at the same place. There is none where they are on several machines, or in containers that share no
    memory, or where the system keeps too little of it.
    """
    place_bytes = -(-size // _PAGE) * _PAGE
    whole = 2 * group.processes * place_bytes
    name = f"equipoise-{secrets.token_hex(16)}"  # nobody else's file is called so, on whatever machine
    memory = _mapped(FOLDER / name, whole, is_new=True) if group.is_main else None
    try:
        path = FOLDER / group.broadcast_object(name)
        if not group.is_main:
            memory = _mapped(path, whole, is_new=False)
        is_seen_by_all = all(group.all_gather_object(memory is not None))
    finally:
        if group.is_main:
            # It lives on as long as a process holds it, and no kill can leave it behind.
            with contextlib.suppress(OSError):
                (FOLDER / name).unlink()
    if memory is None or not is_seen_by_all:
        return None
    return SharedMemory(memory, rank=group.rank, processes=group.processes, place_bytes=place_bytes)


def _mapped(path: Path, size: int, *, is_new: bool) -> mmap.mmap | None:
    """The file as memory; `None` where there is none, or no room for it."""
    try:
        handle = os.open(path, os.O_RDWR | (os.O_CREAT | os.O_EXCL if is_new else 0), 0o600)
        try:
            if is_new:
                os.posix_fallocate(handle, 0, size)  # else a full system would end the process at its first touch
            return mmap.mmap(handle, size)
        finally:
            os.close(handle)
    except (OSError, AttributeError, ValueError):
        return None
