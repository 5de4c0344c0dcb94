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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.cli.terminal import note
from equipoise.errors import ConfigError

if TYPE_CHECKING:
    from equipoise.training.progress import Progress

FEWER_THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
ENDS_WITH_STDIN = "EQUIPOISE_VIEW_ENDS_WITH_STDIN"
"""Set for a server that a training starts: it lets the training go first, and ends with it."""
GOODBYE_SECONDS = 4.0
"""How long the server stays after the training, so that open pages hear how it ended."""


@dataclass(frozen=True)
class PageWanted:
    """The page that a person asked for.

    Attributes:
        port: the first that is tried; `None` is the usual one.
        host: where it listens; `None` is this machine alone.
        opens_browser: whether the address is opened, too.
    """

    port: int | None = None
    host: str | None = None
    opens_browser: bool = True

    def options(self) -> list[str]:
        """The same for `equipoise view`."""
        return [
            *(["--port", str(self.port)] if self.port is not None else []),
            *([f"--host={self.host}"] if self.host is not None else []),
            *([] if self.opens_browser else ["--no-browser"]),
        ]


def wanted_page(view: bool, *, port: int | None, host: str | None, no_browser: bool) -> PageWanted | None:
    """What the options of a training ask for; `None` without `--view`, and in all processes of a run but the first.

    Raises:
        ConfigError: a port or an address without `--view`, or an address that this machine does not have.
        MissingExtra: the server's packages are not installed. Nothing has been trained then.
    """
    if not view:
        for name, value in (("--port", port), ("--host", host)):
            if value is not None:
                raise ConfigError(
                    name,
                    f"{value} for a page that is not asked for.",
                    "It goes with --view.",
                    f"Add --view, or leave {name} out.",
                )
        return None
    from equipoise.distributed import process_group

    if not process_group().is_main:
        return None
    from equipoise.live.server import bind, require_packages

    require_packages("--view")
    if host is not None:
        bind(host, 0)[0].close()
    return PageWanted(port, host, opens_browser=not no_browser)


@contextlib.contextmanager
def with_run_page(progress: Progress, page: PageWanted | None) -> Iterator[Progress]:
    """`progress`, whose run is shown in the browser as soon as it has a folder; or at an address that is printed."""
    if page is None:
        yield progress
        return
    shown = _shown_run()(progress, page)
    try:
        yield shown
    finally:
        shown.end()


def _shown_run() -> Any:
    from equipoise.training.progress import Progress

    class ShownRun(Progress):
        """Passes on what it is told, and starts the server when the run has a folder."""

        def __init__(self, told: Progress, page: PageWanted) -> None:
            self.told, self.page, self.folder = told, page, Path()
            self.server: subprocess.Popen[bytes] | None = None

        def watches(self, folder: Path) -> bool:
            self.folder, self.server = folder, start_server(folder, self.page)
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


def start_server(folder: Path, page: PageWanted) -> subprocess.Popen[bytes]:
    """The server of one run as a child: its address goes to our stderr, and Ctrl-C in the terminal passes it by."""
    return subprocess.Popen(
        [sys.executable, "-m", "equipoise", "view", str(folder), *page.options()],
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
