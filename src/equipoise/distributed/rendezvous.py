"""Processes that talk through `torch.distributed`, and how they meet: torchrun's variables say who is who."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from equipoise.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from equipoise.distributed.shared_memory import MOST_BYTES, SharedMemory, shared_memory
from equipoise.errors import EXIT_UNEXPECTED, ConfigError, EquipoiseError, FailedElsewhere, ProcessLost

ANSWER_WITHIN = timedelta(minutes=10)
"""How long a process waits for the others in the middle of a step before it gives up."""
PATIENCE = timedelta(days=7)
"""How long the others wait while the first one writes, looks or judges. A process that ends is noticed at once."""
SEARCH_SECONDS = 5.0
"""How long to look for the process that ended: its end may take a moment to show."""


class TorchProcessGroup(ProcessGroup):
    """Processes that talk through `torch.distributed`.

    Args:
        store: where they leave notes for each other.
        rank: number of this process.
        processes: how many there are.
        local_rank: number of this process on its machine.
        local_processes: how many there are on its machine.
    """

    def __init__(self, store: Any, rank: int, processes: int, *, local_rank: int, local_processes: int) -> None:
        super().__init__(rank, processes, local_rank=local_rank, local_processes=local_processes)
        import torch.distributed as dist

        self._dist = dist
        self._store = dist.PrefixStore("equipoise", store)
        self._store.set(f"process {rank}", json.dumps([socket.gethostname(), os.getpid()]))
        self._playing: dict[str, Any] = {}
        self._memory: SharedMemory | None = None
        self._has_memory = True

    def place(self, device: torch.device) -> torch.device:
        if device.type not in ("cpu", "cuda"):
            raise ConfigError(
                "runtime.device",
                f"{self.processes} processes on {device.type}.",
                "Expected cpu or cuda: torch has no way for processes on other devices to talk.",
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
        if device.type not in self._playing:
            backend = "nccl" if device.type == "cuda" else "gloo"
            self._playing[device.type] = self._dist.new_group(backend=backend, timeout=ANSWER_WITHIN)
        return device

    def let_go(self) -> None:
        """Hold no group of torch's any more; nothing can be said after it."""
        self._playing.clear()
        self._memory = None

    def tells(self, error: BaseException) -> bool:
        if isinstance(error, FailedElsewhere):
            return False
        code = error.exit_code if isinstance(error, EquipoiseError) else EXIT_UNEXPECTED
        note = json.dumps([self.rank, code, f"{error}" or type(error).__name__])
        try:
            return self._store.compare_set("failure", "", note).decode() == note
        except RuntimeError:
            return True  # the process that kept the notes has ended

    def _sum(self, flat: Tensor) -> None:
        group = self._playing.get(flat.device.type)
        memory = self._memory_for(flat)
        with self._noticing_ends():
            if memory is None:
                self._dist.all_reduce(flat, group=group)
            else:
                memory.all_reduce(flat, lambda: self._dist.all_reduce(torch.zeros(1), group=group))

    def _memory_for(self, flat: Tensor) -> SharedMemory | None:
        """Memory that all processes share and that has room for this vector; they come here together."""
        size = flat.nbytes
        if flat.device.type != "cpu" or size > MOST_BYTES or not self._has_memory:
            return None
        if self._memory is None or self._memory.place_bytes < size:
            self._memory = shared_memory(self, size)
            self._has_memory = self._memory is not None
        return self._memory

    def _gather(self, rows: Tensor) -> Tensor:
        return self._gathered_by(self._playing.get(rows.device.type), rows)

    def _gather_plain(self, values: Tensor) -> Tensor:
        return self._gathered_by(None, values)

    def _gathered_by(self, group: Any, rows: Tensor) -> Tensor:
        found = [torch.empty_like(rows) for _ in range(self.processes)]
        with self._noticing_ends():
            self._dist.all_gather(found, rows, group=group)
        return torch.stack(found)

    @contextlib.contextmanager
    def _noticing_ends(self) -> Iterator[None]:
        """Say which process ended, where torch says that a connection was closed."""
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
                    return FailedElsewhere(f"process {rank} of {self.processes}", text, exit_code=code)
                gone = [rank for rank in range(self.processes) if rank != self.rank and self._is_gone(rank)]
            except RuntimeError:
                gone = [0]  # the notes are kept by the first process, or by torchrun, which ends with it
            if gone:
                return ProcessLost(
                    f"process {', '.join(map(str, gone))} of {self.processes}",
                    "it ended without a word: it was killed, or the machine took its memory.",
                    "",
                    "Continue with 'equipoise resume RUN', or let torchrun do it: --max-restarts and --outdir.",
                )
            if time.monotonic() > until:
                return ProcessLost(
                    f"process {self.rank} of {self.processes}, on {socket.gethostname()}",
                    f"it lost the others ({str(error).splitlines()[0][:160]}).",
                    "",
                    "torchrun's report names the process that ended first; continue with 'equipoise resume RUN'.",
                )
            time.sleep(0.1)

    def _is_gone(self, rank: int) -> bool:
        """Whether a process of this machine is no more; those of other machines look after themselves."""
        host, number = json.loads(self._store.get(f"process {rank}"))
        if host != socket.gethostname():
            return False
        try:
            os.kill(number, 0)
            # A process that torchrun has not yet taken note of is a zombie: 'Z' after its name in parentheses.
            return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except ProcessLookupError:
            return True
        except OSError:
            return False  # it runs as somebody else, or this system has no /proc


_started: ProcessGroup | None = None


def process_group() -> ProcessGroup:
    """The group that this process was started in: by torchrun, or alone. The processes meet at the first call.

    Raises:
        ConfigError: the environment names other processes in a way that makes no sense.
    """
    global _started
    if _started is None:
        if not is_one_of_many():
            return SINGLE_PROCESS
        _started = _meet()
    return _started


def existing_process_group() -> ProcessGroup:
    """The group that this process has met by now; alone until then."""
    return SINGLE_PROCESS if _started is None else _started


def is_one_of_many() -> bool:
    """Whether torchrun, or whoever sets the same variables, started more processes than this one."""
    return "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"


def is_main_process() -> bool:
    """Whether this process is the one that prints; known before the processes meet."""
    return not is_one_of_many() or os.environ["RANK"] == "0"


def restarts() -> int:
    """How often torchrun has started this process anew after a failure."""
    count = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return int(count) if count.isdecimal() else 0


def _meet() -> ProcessGroup:
    numbers = {}
    for name, default in (("RANK", None), ("WORLD_SIZE", None), ("LOCAL_RANK", "RANK"), ("LOCAL_WORLD_SIZE", None)):
        text = os.environ.get(name) or os.environ.get(default or "WORLD_SIZE", "")
        if not text.isdecimal():
            raise _unusable(f"{name}={text!r} is not a number.")
        numbers[name] = int(text)
    if numbers["RANK"] >= numbers["WORLD_SIZE"]:
        raise _unusable(f"RANK={numbers['RANK']} of WORLD_SIZE={numbers['WORLD_SIZE']}.")
    missing = [name for name in ("MASTER_ADDR", "MASTER_PORT") if not os.environ.get(name)]
    if missing:
        raise _unusable(f"WORLD_SIZE={numbers['WORLD_SIZE']} without {' and '.join(missing)}.")
    import torch.distributed as dist

    rank, processes = numbers["RANK"], numbers["WORLD_SIZE"]
    try:
        store, _, _ = next(dist.rendezvous("env://", rank, processes, timeout=ANSWER_WITHIN))
        store = dist.PrefixStore(name_of_meeting(store, rank, processes), store)
        # Conversation is by gloo whatever the game is played on: plain values never wait for a GPU.
        dist.init_process_group("gloo", store=store, rank=rank, world_size=processes, timeout=PATIENCE)
    except RuntimeError as error:
        raise ProcessLost(
            f"process {rank} of {processes}, on {socket.gethostname()}",
            f"the processes could not meet at {os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']} "
            f"({str(error).splitlines()[0][:160]}).",
            "Expected all of them there within ten minutes.",
            "Check that every machine can reach that address, and that its firewall lets them talk.",
        ) from error
    atexit.register(_part)
    return TorchProcessGroup(
        store, rank, processes, local_rank=numbers["LOCAL_RANK"], local_processes=numbers["LOCAL_WORLD_SIZE"]
    )


def name_of_meeting(store: Any, rank: int, processes: int) -> str:
    """A name that the processes that are here now agree on, and that nothing which was left in the store bears.

    torchrun keeps one store over its restarts, and the machines may have counted them differently. So each process
    says hello with a word of its own, the first one calls the roll of words until all have answered to it, and only
    then does anybody go on.

    Raises:
        RuntimeError: some did not come in time.
    """
    until = time.monotonic() + ANSWER_WITHIN.total_seconds()
    word = secrets.token_hex(8)
    store.set(f"hello {rank}", word)
    name, roll = "", None
    while time.monotonic() < until:
        if rank == 0:
            words = [_left(store, f"hello {other}") for other in range(processes)]
            if None not in words and words != roll:
                name, roll = secrets.token_hex(8), words
                store.set("roll", json.dumps([name, roll]))
            if roll is not None and all(_left(store, f"here {other}") == name for other in range(1, processes)):
                store.set("begin", name)
                return name
        else:
            called, words = json.loads(_left(store, "roll") or '["", []]')
            if called != name and word in words:
                name = called
                store.set(f"here {rank}", name)
            if name and _left(store, "begin") == name:
                return name
        time.sleep(0.02)
    raise RuntimeError("some did not come")


def _left(store: Any, key: str) -> str | None:
    """What somebody left in the store, or nothing."""
    return store.get(key).decode() if store.check([key]) else None


def _part() -> None:
    """End the talk while Python still runs.

    gloo's threads hold the tensors of what was said last. A group ends its threads when nobody holds it any more; one
    that is still held when Python ends aborts the process as it lets go of them, and torchrun takes a finished run for
    a failed one.
    """
    import torch.distributed as dist

    if isinstance(_started, TorchProcessGroup):
        _started.let_go()
    with contextlib.suppress(RuntimeError):
        dist.destroy_process_group()


def _unusable(found: str) -> ConfigError:
    return ConfigError(
        "many processes",
        found,
        "Expected the variables that torchrun sets: RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT.",
        "Start with: torchrun --nproc-per-node 2 -m equipoise train DATA, or unset them to train in one process.",
    )
