"""The runs that a server shows: each found below one folder, and known to the browser by a key, never by a path."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from equipoise.errors import RunFolderError
from equipoise.plotting.number_text import encodable
from equipoise.reports.listing import RunSummary, list_runs
from equipoise.runfolder import open_run_folder

REFRESH_SECONDS = 2.0
"""A list is looked at anew when it is older, however many pages ask for it."""
KEY = re.compile(r"[a-z0-9-]{1,40}-[0-9a-f]{12}")


@dataclass(frozen=True)
class ShownRun:
    """One run of the list.

    Attributes:
        key: what stands for it in addresses.
        name: where it is, as seen from the folder that is shown.
        summary: what the list of runs says of it.
    """

    key: str
    name: str
    summary: RunSummary


class RunLibrary:
    """The run folders at or below `root`, looked for again now and then.

    Args:
        root: a run folder, or a folder with runs below it.
        refresh_seconds: how old the list may be.
    """

    def __init__(self, root: Path, *, refresh_seconds: float = REFRESH_SECONDS) -> None:
        self.root, self.refresh_seconds = root, refresh_seconds
        self.is_single = (root / "config.yaml").is_file()
        self._paths: dict[str, Path] = {}
        self._runs: list[ShownRun] = []
        self._looked = float("-inf")
        self._lock = threading.Lock()

    def runs(self) -> list[ShownRun]:
        """All runs, the one last alive first.

        Raises:
            RunFolderError: the folder is gone.
        """
        with self._lock:
            if time.monotonic() - self._looked > self.refresh_seconds:
                found = [self._shown(summary) for summary in list_runs(self.root, reads_metrics=False)]
                self._runs, self._looked = found, time.monotonic()
                # A run that was deleted stays known: its page says that it is gone.
                self._paths |= {run.key: run.summary.folder for run in found}
            return list(self._runs)

    def path_of(self, key: str) -> Path:
        """The folder that a key stands for.

        Raises:
            RunFolderError: no run has that key.
        """
        if KEY.fullmatch(key) and key not in self._paths:
            self.runs()
        try:
            return self._paths[key]
        except KeyError:
            raise RunFolderError(
                "the address", "no run has it.", "Expected one of the list of runs.", "Go back to the list of runs."
            ) from None

    def _shown(self, summary: RunSummary) -> ShownRun:
        relative = summary.folder.relative_to(self.root).as_posix()
        name = summary.folder.resolve().name if relative == "." else relative
        return ShownRun(key_of(relative, name), encodable(name), summary)


def key_of(relative: str, name: str) -> str:
    """The key of a run: its name as far as an address can hold it, and a digest of where it lies below the root.

    It is the same whenever the server is started for the same folder.
    """
    readable = re.sub(r"[^a-z0-9]+", "-", name.rpartition("/")[2].lower()).strip("-")[:40].strip("-") or "run"
    digest = hashlib.blake2b(relative.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return f"{readable}-{digest}"


def open_root(path: Path) -> Path:
    """The folder that is to be shown: a run, or a folder of runs, which may still be empty.

    Raises:
        RunFolderError: there is no such folder, or a run in it that may not be opened.
    """
    if not path.is_dir():
        raise RunFolderError(
            str(path),
            "no such folder.",
            "Expected a run folder, or a folder with runs below it.",
            "Name the folder that you gave to 'equipoise train --outdir'.",
        )
    if (path / "config.yaml").is_file():
        open_run_folder(path)
    return path
