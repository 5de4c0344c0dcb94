"""Which processes train together, by the variables that torchrun sets, and how they find each other."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import secrets
import socket
import time
from datetime import timedelta
from typing import Any

from equipoise.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from equipoise.distributed.torch_group import STEP_TIMEOUT, TorchProcessGroup
from equipoise.errors import ConfigError, ProcessLost

CONTROL_TIMEOUT = timedelta(days=7)
"""How long the others wait while the first one writes or judges. A process that ends is noticed at once."""

_started: ProcessGroup | None = None


def process_group() -> ProcessGroup:
    """The group that this process was started in, by torchrun or alone. The first call is the rendezvous.

    Raises:
        ConfigError: the environment names other processes in a way that makes no sense.
    """
    global _started
    if _started is None:
        if not is_distributed():
            return SINGLE_PROCESS
        _started = _rendezvous()
    return _started


def current_process_group() -> ProcessGroup:
    """The group of this process so far: a single process until the rendezvous."""
    return SINGLE_PROCESS if _started is None else _started


def is_distributed() -> bool:
    """Whether torchrun, or whoever sets the same variables, started more processes than this one."""
    return "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"


def is_main_process() -> bool:
    """Whether this process is the one that prints; known before the rendezvous."""
    return not is_distributed() or os.environ["RANK"] == "0"


def restart_count() -> int:
    """How often torchrun has started this process anew after a failure."""
    count = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return int(count) if count.isdecimal() else 0


def _rendezvous() -> ProcessGroup:
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

    rank, world_size = numbers["RANK"], numbers["WORLD_SIZE"]
    try:
        store, _, _ = next(dist.rendezvous("env://", rank, world_size, timeout=STEP_TIMEOUT))
        store = dist.PrefixStore(agreed_prefix(store, rank, world_size), store)
        # The default group is gloo's on every device: plain values never wait for a GPU.
        dist.init_process_group("gloo", store=store, rank=rank, world_size=world_size, timeout=CONTROL_TIMEOUT)
    except RuntimeError as error:
        raise ProcessLost(
            f"process {rank} of {world_size}, on {socket.gethostname()}",
            f"no rendezvous of the processes at {os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']} "
            f"({str(error).splitlines()[0][:160]}).",
            "Expected all of them there within ten minutes.",
            "Check that every machine can reach that address, and that its firewall lets them connect.",
        ) from error
    atexit.register(_shut_down)
    return TorchProcessGroup(
        store, rank, world_size, local_rank=numbers["LOCAL_RANK"], local_world_size=numbers["LOCAL_WORLD_SIZE"]
    )


def agreed_prefix(store: Any, rank: int, world_size: int) -> str:
    """A prefix of keys that all present processes agree on, and that no entry of an earlier start has.

    torchrun keeps one store over its restarts, and the machines may have counted them differently. So each process
    writes a random word, the first process publishes the list of words until all have confirmed it, and only then does
    any of them go on.

    Raises:
        RuntimeError: some did not come in time.
    """
    until = time.monotonic() + STEP_TIMEOUT.total_seconds()
    word = secrets.token_hex(8)
    store.set(f"hello {rank}", word)
    name, roll = "", None
    while time.monotonic() < until:
        if rank == 0:
            words = [_read(store, f"hello {other}") for other in range(world_size)]
            if None not in words and words != roll:
                name, roll = secrets.token_hex(8), words
                store.set("roll", json.dumps([name, roll]))
            if roll is not None and all(_read(store, f"here {other}") == name for other in range(1, world_size)):
                store.set("begin", name)
                return name
        else:
            called, words = json.loads(_read(store, "roll") or '["", []]')
            if called != name and word in words:
                name = called
                store.set(f"here {rank}", name)
            if name and _read(store, "begin") == name:
                return name
        time.sleep(0.02)
    raise RuntimeError("some did not come")


def _read(store: Any, key: str) -> str | None:
    """The entry of the store, or `None`."""
    return store.get(key).decode() if store.check([key]) else None


def _shut_down() -> None:
    """Destroy the groups while Python still runs.

    gloo's threads hold the tensors of the last messages. A group ends its threads when nothing refers to it any more;
    one that is still referred to when Python ends aborts the process, and torchrun takes a finished run for a failed
    one.
    """
    import torch.distributed as dist

    if isinstance(_started, TorchProcessGroup):
        _started.release()
    with contextlib.suppress(RuntimeError):
        dist.destroy_process_group()


def _unusable(found: str) -> ConfigError:
    return ConfigError(
        "many processes",
        found,
        "Expected the variables that torchrun sets: RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT.",
        "Start with: torchrun --nproc-per-node 2 -m equipoise train DATA, or unset them to train in one process.",
    )
