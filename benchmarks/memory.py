"""What a process holds while it runs, read from the outside: resident memory and open file handles, over time.

Resident memory is the sum of two kinds. *Anonymous* pages are the process's own and have to be kept. *File* pages show
parts of files (libraries, memory maps); the kernel drops them when it needs the room. Read from /proc: Linux only.
"""

from __future__ import annotations

import os
import platform
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy
import torch

KIB = 1024


@dataclass(frozen=True)
class Reading:
    """One reading of a process; bytes, and seconds since the probe began."""

    seconds: float
    total: int
    anonymous: int
    handles: int


class Probe:
    """Reads a process every few moments until it ends or `stop` is called."""

    def __init__(self, pid: int, *, every_seconds: float) -> None:
        self.readings: list[Reading] = []
        self._pid, self._every = pid, every_seconds
        self._begun = time.perf_counter()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> list[Reading]:
        """End it; everything that was read."""
        self._done.set()
        self._thread.join()
        return self.readings

    def _run(self) -> None:
        while not self._done.is_set():
            found = read(self._pid, time.perf_counter() - self._begun)
            if found is None:
                return
            self.readings.append(found)
            self._done.wait(self._every)


def read(pid: int, seconds: float) -> Reading | None:
    """One reading, or `None` when the process is gone."""
    folder = Path("/proc") / str(pid)
    try:
        lines = (folder / "status").read_text().splitlines()
        handles = len(list((folder / "fd").iterdir()))
    except OSError:
        return None
    sizes = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith(("VmRSS", "RssAnon"))}
    if len(sizes) < 2:  # a process that has ended and waits to be collected
        return None
    return Reading(seconds, int(sizes["VmRSS"]) * KIB, int(sizes["RssAnon"]) * KIB, handles)


def processor_seconds(pid: int) -> float | None:
    """Time that a process and its threads have spent on a core; on a busy machine it says more than the clock."""
    try:
        fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def environment(note: str) -> dict[str, object]:
    """Where a row was measured."""
    words = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(words, capture_output=True, text=True, check=False)
    return {
        "device": f"cpu ({platform.machine()}), {os.cpu_count()} cores",
        "load": [round(entry, 1) for entry in os.getloadavg()],
        "note": note,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "commit": commit.stdout.strip() or "unknown",
    }
