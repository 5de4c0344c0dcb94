"""Runs of a sweep beside each other, each in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from equipoise.errors import EXIT_UNEXPECTED, RunFolderError
from equipoise.experiment.config.schema import RunConfig
from equipoise.experiment.sweep.grid import SweepRun
from equipoise.experiment.sweep.one_run import EXIT_EXPLAINED
from equipoise.runfolder import RunFolder
from equipoise.training.progress import Progress

SECONDS_BETWEEN_CHECKS = 1.0
"""At the processes; short against any run worth a process of its own."""


class TotalProgress(Progress):
    """Progress of all runs as one: a run's steps are added to those of the runs before it.

    A single run that starts or ends leaves the whole as it is.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress, self._before = progress, 0

    def add(self, steps: int) -> None:
        """A run of so many steps has ended."""
        self._before += steps

    def update(self, step: int, fields: Mapping[str, Any]) -> None:
        """The runs that train now have taken `step` steps."""
        self._progress.update(self._before + step, fields)

    def message(self, text: str) -> None:
        """Pass a sentence on."""
        self._progress.message(text)


def train_in_processes(folder: Path, runs: Sequence[SweepRun], *, jobs: int, total: TotalProgress) -> dict[str, str]:
    """Train each run in a process of its own, `jobs` at once; what ended those that failed."""
    waiting = list(enumerate(runs, 1))
    training: dict[SweepRun, RunProcess] = {}
    failed: dict[str, str] = {}
    with _stopped_on_the_way_out(training):
        while waiting or training:
            while waiting and len(training) < jobs:
                number, run = waiting.pop(0)
                total.message(f"{number} of {len(runs)}: {run.name}")
                training[run] = RunProcess(run.config, folder / run.name)
            time.sleep(SECONDS_BETWEEN_CHECKS)
            for run in [run for run, process in training.items() if process.is_over]:
                process = training.pop(run)
                trouble = process.trouble
                if trouble:
                    failed[run.name] = trouble
                    total.message(f"{run.name} failed: {trouble}")
                process.wait()
                total.add(run.config.training.steps)
            total.update(sum(process.step for process in training.values()), {"runs at once": str(len(training))})
    return failed


class RunProcess:
    """A process that trains one run.

    Args:
        config: the complete configuration of the run.
        folder: its run folder.
    """

    def __init__(self, config: RunConfig, folder: Path) -> None:
        self.folder = folder
        # A file and no pipe: a pipe that nobody empties would stop a talkative process.
        self._said: IO[bytes] = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "equipoise.experiment.sweep.one_run"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            env={**os.environ, "OMP_NUM_THREADS": str(config.runtime.threads)},
            # A group of its own: Ctrl-C reaches it once, through `stop`. A second signal would end it at once.
            start_new_session=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"config": config.to_dict(), "folder": str(folder)}).encode())
        self._process.stdin.close()

    @property
    def is_over(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    @property
    def trouble(self) -> str:
        """What ended it, in its own words; empty when all went well. Ask when it is over.

        Raises:
            RuntimeError: an error of ours, with its traceback; the other runs would meet it too.
        """
        code = self._process.returncode
        if code == 0:
            return ""
        self._said.seek(0)
        said = self._said.read().decode(errors="replace").strip()
        if code == EXIT_EXPLAINED:
            return said
        if code == EXIT_UNEXPECTED:
            raise RuntimeError(f"the process that trained {self.folder} failed:\n{said}")
        return f"its process was ended from outside ({code})."

    @property
    def step(self) -> int:
        """The last step that its status tells of; 0 before there is one."""
        try:
            return int(RunFolder(self.folder).read_status().get("step") or 0)
        except (OSError, RunFolderError):
            return 0

    def stop(self) -> None:
        """Ask it to write a checkpoint and end."""
        if not self.is_over:
            self._process.terminate()

    def wait(self) -> None:
        """Until it has ended."""
        self._process.wait()
        self._said.close()


@contextmanager
def _stopped_on_the_way_out(training: Mapping[SweepRun, RunProcess]) -> Iterator[None]:
    """On the way out, for whatever reason, ask every process to stop, once, and wait for its checkpoint."""

    def stop(number: int, frame: Any) -> None:
        del number, frame
        raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, stop) if is_main else None
    try:
        yield
    finally:
        for process in training.values():
            process.stop()
        for process in training.values():
            process.wait()
        if is_main:
            signal.signal(signal.SIGTERM, before)
