"""Sums over the processes of one machine, through memory that all of them see.

gloo uses sockets even on one machine, which cost a step of a small game several per cent of its time. Here each process
writes its vector to a place of its own, waits until all have done so, and adds them up in the order of the processes:
all get the same bits. The caller does the waiting, and notices there when a process has ended.
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

    So one wait a sum is enough: a process that writes for the sum after next has waited for the next one, and by then
    no process reads from that place any more.
    """

    def __init__(self, memory: mmap.mmap, *, rank: int, world_size: int, place_bytes: int) -> None:
        self._memory, self._rank, self._world_size, self.place_bytes = memory, rank, world_size, place_bytes
        self._half = 0

    def all_reduce(self, flat: Tensor, wait: Callable[[], None]) -> None:
        """Replace a vector on the CPU, of `place_bytes` at most, by its sum over the processes.

        Args:
            flat: shape `(n,)`, the same in all processes, contiguous.
            wait: returns when all processes have called it.
        """
        first = self._half * self._world_size
        places = [
            torch.frombuffer(self._memory, dtype=flat.dtype, count=len(flat), offset=(first + rank) * self.place_bytes)
            for rank in range(self._world_size)
        ]
        places[self._rank].copy_(flat)
        wait()
        torch.add(places[0], places[1], out=flat)
        for place in places[2:]:
            flat.add_(place)
        self._half = 1 - self._half


def shared_memory(group: ProcessGroup, size: int) -> SharedMemory | None:
    """Memory for vectors of `size` bytes that all processes of the group see, or `None` in all of them.

    All call it alike. There is none on several machines, in containers that share no memory, or where the system has
    too little of it.
    """
    place_bytes = -(-size // _PAGE) * _PAGE
    whole = 2 * group.world_size * place_bytes
    name = f"equipoise-{secrets.token_hex(16)}"  # unique on every machine
    memory = _mapped(FOLDER / name, whole, is_new=True) if group.is_main else None
    try:
        path = FOLDER / group.broadcast_object(name)
        if not group.is_main:
            memory = _mapped(path, whole, is_new=False)
        is_seen_by_all = all(group.all_gather_object(memory is not None))
    finally:
        if group.is_main:
            # The memory lives as long as a process holds it, and no kill can leave the file behind.
            with contextlib.suppress(OSError):
                (FOLDER / name).unlink()
    if memory is None or not is_seen_by_all:
        return None
    return SharedMemory(memory, rank=group.rank, world_size=group.world_size, place_bytes=place_bytes)


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
