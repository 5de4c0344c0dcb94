"""How both sides of `tables_speed.py` are told to take steps: a line of JSON in, one out; standard library only.

A worker says that it is ready, with facts; is then told a number of steps at a time, and answers with the CPU-seconds
that these steps took. Between a request and its answer the other workers wait, so that rounds interleave.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TextIO


def own_channel() -> Callable[[dict[str, Any]], None]:
    """A function that writes an answer; whatever else is printed in this process goes to standard error from now on."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(content: dict[str, Any]) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    return answer


def rounds(
    answer: Callable[[dict[str, Any]], None],
    facts: dict[str, Any],
    *,
    requests: TextIO = sys.stdin,
    clock: Callable[[], float] = time.process_time,
) -> Iterator[int]:
    """Steps to take, a request after the other; that the next one is asked for says that they were taken.

    `facts` go into the first answer.
    """
    answer({"ready": True, **facts})
    for line in iter(requests.readline, ""):
        steps = int(json.loads(line)["steps"])
        before = clock()
        yield steps
        answer({"steps": steps, "cpu_seconds": clock() - before})


class Worker:
    """The other end: a process that takes steps when it is told to.

    Args:
        name: for messages.
        command: what starts it.
        environment: its variables.
    """

    def __init__(self, name: str, command: Sequence[str], *, environment: dict[str, str]) -> None:
        self.name = name
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self.facts = self._answer()

    def cpu_seconds(self, steps: int) -> float:
        """CPU-seconds of so many more steps."""
        self._process.stdin.write(json.dumps({"steps": steps}) + "\n")
        self._process.stdin.flush()
        return float(self._answer()["cpu_seconds"])

    def end(self) -> None:
        """End the process, which is in the middle of training."""
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name}: its process ended with status {self._process.wait()} before it answered.")
        return json.loads(line)
