"""`--view`: the page of a run that trains, by a server that is a process of its own and cannot slow it.

The server reads the run folder as anybody would. It ends with the training: it waits for the end of its own standard
input, which comes however the training ends.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.cli.terminal import note

if TYPE_CHECKING:
    from equipoise.training.progress import Progress

FEWER_THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
ENDS_WITH_STDIN = "EQUIPOISE_VIEW_ENDS_WITH_STDIN"
"""Set for a server that a training starts: it lets the training go first, and ends with it."""
GOODBYE_SECONDS = 4.0
"""How long the server stays after the training, so that open pages hear how it ended."""


@contextlib.contextmanager
def with_run_page(progress: Progress, *, is_wanted: bool, opens_browser: bool = True) -> Iterator[Progress]:
    """`progress`, whose run is shown in the browser as soon as it has a folder; or at an address that is printed.

    Raises:
        MissingExtra: the server's packages are not installed; nothing has been trained then.
    """
    if not is_wanted:
        yield progress
        return
    from equipoise.live.server import require_packages

    require_packages("--view")
    shown = _shown_run()(progress, opens_browser)
    try:
        yield shown
    finally:
        shown.end()


def _shown_run() -> Any:
    from equipoise.training.progress import Progress

    class ShownRun(Progress):
        """Passes on what it is told, and starts the server when the run has a folder."""

        def __init__(self, told: Progress, opens_browser: bool) -> None:
            self.told, self.opens_browser, self.folder = told, opens_browser, Path()
            self.server: subprocess.Popen[bytes] | None = None

        def watches(self, folder: Path) -> bool:
            self.folder, self.server = folder, start_server(folder, opens_browser=self.opens_browser)
            return True

        def start(self, total_steps: int, start_step: int, description: str) -> None:
            self.told.start(total_steps, start_step, description)

        def update(self, step: int, fields: Mapping[str, Any]) -> None:
            self.told.update(step, fields)

        def message(self, text: str) -> None:
            self.told.message(text)

        def close(self) -> None:
            self.told.close()

        def end(self) -> None:
            """Close the server's input, and let it go."""
            if self.server is not None and self.server.stdin is not None:
                with contextlib.suppress(OSError):
                    self.server.stdin.close()
                if self.server.poll() is None:
                    note(f"the page goes with this command; later: equipoise view {self.folder}")

    return ShownRun


def start_server(folder: Path, *, opens_browser: bool) -> subprocess.Popen[bytes]:
    """The server of one run as a child: its address goes to our stderr, and Ctrl-C in the terminal passes it by."""
    return subprocess.Popen(
        [sys.executable, "-m", "equipoise", "view", str(folder), *([] if opens_browser else ["--no-browser"])],
        stdin=subprocess.PIPE,
        stdout=sys.stderr.fileno() if _has_number(sys.stderr) else subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, **FEWER_THREADS, ENDS_WITH_STDIN: "1"},
    )


def _has_number(stream: Any) -> bool:
    try:
        stream.fileno()
    except (OSError, ValueError, AttributeError):
        return False
    return True
