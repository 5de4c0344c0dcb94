"""A process group on top of `torch.distributed`: collectives, devices, and errors that name the process that ended."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from equipoise.distributed.process_group import ProcessGroup
from equipoise.distributed.shared_memory import MOST_BYTES, SharedMemory, shared_memory
from equipoise.errors import EXIT_UNEXPECTED, ConfigError, EquipoiseError, FailedElsewhere, ProcessLost

STEP_TIMEOUT = timedelta(minutes=10)
"""How long a process waits for the others in the middle of a step before it gives up."""
SEARCH_SECONDS = 5.0
"""How long to search for the process that ended: its end may take a moment to show."""


class TorchProcessGroup(ProcessGroup):
    """Processes that communicate by `torch.distributed`.

    Args:
        store: a key-value store that all of them share.
        rank: number of this process.
        world_size: number of processes.
        local_rank: number of this process on its machine.
        local_world_size: number of processes on this machine.
    """

    def __init__(self, store: Any, rank: int, world_size: int, *, local_rank: int, local_world_size: int) -> None:
        super().__init__(rank, world_size, local_rank=local_rank, local_world_size=local_world_size)
        import torch.distributed as dist

        self._dist = dist
        self._store = dist.PrefixStore("equipoise", store)
        self._store.set(f"process {rank}", json.dumps([socket.gethostname(), os.getpid()]))
        self._groups: dict[str, Any] = {}
        self._memory: SharedMemory | None = None
        self._has_memory = True

    def assign_device(self, device: torch.device) -> torch.device:
        if device.type not in ("cpu", "cuda"):
            raise ConfigError(
                "runtime.device",
                f"{self.world_size} processes on {device.type}.",
                "Expected cpu or cuda: torch.distributed has no backend for other devices.",
                "Give --device cpu, or train in one process.",
            )
        if device.type == "cuda":
            mine = [self.local_rank, torch.cuda.device_count(), socket.gethostname()]
            for rank, (number, there, host) in enumerate(self.all_gather_object(mine)):
                if number >= there:
                    raise ConfigError(
                        f"process {rank}",
                        f"it is number {number} on {host}, which has {there} CUDA devices.",
                        "Expected a device for each process of a machine.",
                        f"Give torchrun --nproc-per-node {max(1, there)}, or --device cpu.",
                    )
            device = torch.device("cuda", self.local_rank)
            torch.cuda.set_device(device)
        if device.type not in self._groups:
            backend = "nccl" if device.type == "cuda" else "gloo"
            self._groups[device.type] = self._dist.new_group(backend=backend, timeout=STEP_TIMEOUT)
        return device

    def release(self) -> None:
        """Give up torch's groups; nothing can be sent afterwards."""
        self._groups.clear()
        self._memory = None

    def reports(self, error: BaseException) -> bool:
        if isinstance(error, FailedElsewhere):
            return False
        code = error.exit_code if isinstance(error, EquipoiseError) else EXIT_UNEXPECTED
        note = json.dumps([self.rank, code, f"{error}" or type(error).__name__])
        try:
            return self._store.compare_set("failure", "", note).decode() == note
        except RuntimeError:
            return True  # the process that kept the store has ended

    def _sum(self, flat: Tensor) -> None:
        group = self._groups.get(flat.device.type)
        memory = self._memory_for(flat)
        with self._explaining_losses():
            if memory is None:
                self._dist.all_reduce(flat, group=group)
            else:
                memory.all_reduce(flat, lambda: self._dist.all_reduce(torch.zeros(1), group=group))

    def _memory_for(self, flat: Tensor) -> SharedMemory | None:
        """Memory that all processes share and that has room for this vector; all of them call this alike."""
        size = flat.nbytes
        if flat.device.type != "cpu" or size > MOST_BYTES or not self._has_memory:
            return None
        if self._memory is None or self._memory.place_bytes < size:
            self._memory = shared_memory(self, size)
            self._has_memory = self._memory is not None
        return self._memory

    def _gather(self, rows: Tensor) -> Tensor:
        return self._all_gather(self._groups.get(rows.device.type), rows)

    def _gather_plain(self, values: Tensor) -> Tensor:
        return self._all_gather(None, values)

    def _all_gather(self, group: Any, rows: Tensor) -> Tensor:
        found = [torch.empty_like(rows) for _ in range(self.world_size)]
        with self._explaining_losses():
            self._dist.all_gather(found, rows, group=group)
        return torch.stack(found)

    @contextlib.contextmanager
    def _explaining_losses(self) -> Iterator[None]:
        """Name the process that ended, where torch says that a connection was closed."""
        try:
            yield
        except RuntimeError as error:
            raise self._explained(error) from error

    def _explained(self, error: RuntimeError) -> EquipoiseError:
        until = time.monotonic() + SEARCH_SECONDS
        while True:
            try:
                if self._store.check(["failure"]):
                    rank, code, text = json.loads(self._store.get("failure"))
                    return FailedElsewhere(f"process {rank} of {self.world_size}", text, exit_code=code)
                gone = [rank for rank in range(self.world_size) if rank != self.rank and self._is_gone(rank)]
            except RuntimeError:
                gone = [0]  # the store is kept by the first process, or by torchrun, which ends with it
            if gone:
                return ProcessLost(
                    f"process {', '.join(map(str, gone))} of {self.world_size}",
                    "it ended without a word: it was killed, or the machine took its memory.",
                    "",
                    "Continue with 'equipoise resume RUN', or let torchrun do it: --max-restarts and --outdir.",
                )
            if time.monotonic() > until:
                return ProcessLost(
                    f"process {self.rank} of {self.world_size}, on {socket.gethostname()}",
                    f"it lost the others ({str(error).splitlines()[0][:160]}).",
                    "",
                    "torchrun's report names the process that ended first; continue with 'equipoise resume RUN'.",
                )
            time.sleep(0.1)

    def _is_gone(self, rank: int) -> bool:
        """Whether a process of this machine has ended; those of other machines are not checked."""
        host, number = json.loads(self._store.get(f"process {rank}"))
        if host != socket.gethostname():
            return False
        try:
            os.kill(number, 0)
            # A process that torchrun has not yet noticed is a zombie: 'Z' after its name in parentheses.
            return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except ProcessLookupError:
            return True
        except OSError:
            return False  # it runs as somebody else, or this system has no /proc
