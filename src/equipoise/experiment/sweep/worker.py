"""One run of a sweep in a process of its own: what the sweep keeps of it, and what the process does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from equipoise.errors import EXIT_UNEXPECTED, EquipoiseError, RunFolderError
from equipoise.experiment.config.schema import RunConfig
from equipoise.runfolder import RunFolder

EXIT_EXPLAINED = 3
"""The run ended with an error that says what happened; with 1, as Python does it, it was an error of ours."""


class Worker:
    """A process that plays one run.

    Args:
        config: the complete configuration of the run.
        folder: its run folder.
    """

    def __init__(self, config: RunConfig, folder: Path) -> None:
        self.folder = folder
        # A file and no pipe: a pipe that nobody empties would stop a talkative process.
        self._said: IO[bytes] = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "equipoise.experiment.sweep.worker"],
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
            raise RuntimeError(f"the process that played {self.folder} failed:\n{said}")
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


def main() -> int:
    """Play the run that stdin describes; the exit code."""
    from equipoise.experiment.sweep.run import train_one

    asked = json.load(sys.stdin)
    try:
        train_one(RunConfig.model_validate(asked["config"]), Path(asked["folder"]))
    except EquipoiseError as error:
        print(error, file=sys.stderr)
        return EXIT_EXPLAINED
    return 0


if __name__ == "__main__":
    sys.exit(main())
