"""The memory that this process may still take: the least of what the system, a container and a limit leave."""

from __future__ import annotations

import os
import re
from pathlib import Path

from equipoise.limits import LIMITS, VARIABLE, limit

NAME = "memory_bytes"
STATED = VARIABLE + NAME.upper()
"""Says how many bytes there are, where a person knows better."""
CGROUP = Path("/sys/fs/cgroup")


def available_memory() -> int | None:
    """Bytes that this process could still use, or None where the system does not say it in a way we know.

    What `EQUIPOISE_MOST_MEMORY_BYTES` says takes the place of all that is measured.
    """
    if STATED in os.environ:
        return limit(NAME)
    found = [
        bytes_left for bytes_left in (free_memory(), left_in_container(), left_by_limit()) if bytes_left is not None
    ]
    return max(0, min(found)) if found else None


def free_memory() -> int | None:
    """Bytes that a new process could use, or None where the system does not say it in a way we know."""
    try:
        table = Path("/proc/meminfo").read_text()
    except OSError:
        return free_memory_by_psutil()
    kilobytes = re.search(r"^MemAvailable:\s+(\d+) kB", table, flags=re.MULTILINE)
    return int(kilobytes.group(1)) * 1024 if kilobytes else None


def free_memory_by_psutil() -> int | None:
    """The same on systems without /proc, where psutil happens to be installed."""
    try:
        import psutil
    except ImportError:
        return None
    return int(psutil.virtual_memory().available)


def left_in_container() -> int | None:
    """What a control group leaves beside what its processes hold, caches apart; None where there is no limit."""
    try:
        most = int((CGROUP / "memory.max").read_text())
        held = re.search(r"^anon (\d+)$", (CGROUP / "memory.stat").read_text(), flags=re.MULTILINE)
    except (OSError, ValueError):  # 'max' is no limit
        return None
    return most - int(held.group(1)) if held else None


def left_by_limit() -> int | None:
    """What a limit on the address space (`ulimit -v`) leaves; None where there is none."""
    try:
        import resource

        most = resource.getrlimit(resource.RLIMIT_AS)[0]
        if most == resource.RLIM_INFINITY:
            return None
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError, ValueError):
        return None
    return most - taken


def how_to_state_it() -> str:
    """What a person does who knows of more memory."""
    return f"If there is more, say how much: {STATED}=N ({LIMITS[NAME].meaning})."
