"""Signals that ask a run to end: during training after the present step, otherwise at once, each time with a message.

What is done outside training (data, plans, verdict, report) may take minutes and leaves nothing half-written: it is
given up where it stands, and what is missing is made when the same command, or `equipoise resume`, is given again.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from equipoise.distributed import is_distributed
from equipoise.errors import EquipoiseError, Interrupted
from equipoise.runfolder import RunFolder
from equipoise.training import Trainer

SAME_SIGNAL_SECONDS = 2.0
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """A signal outside training. No `Exception`: nobody takes it for a failure of what was being done."""

    def __init__(self, by: str) -> None:
        super().__init__(by)
        self.by = by


@contextlib.contextmanager
def stopping_at_once(explain: Callable[[str], Interrupted], *, talks: bool = True) -> Iterator[None]:
    """SIGINT and SIGTERM give up what is being done; a second one ends the program at once.

    Args:
        explain: makes the message from the name of the signal.
        talks: whether what is being done waits for other processes, if there are some. Signals then do what they do
            without us: where they hit a process that waits, it would go on waiting.

    Raises:
        Interrupted: a signal came.
    """

    def stop(by: str) -> None:
        raise Stopped(by)

    try:
        with contextlib.nullcontext() if talks and is_distributed() else _handling(stop):
            yield
    except Stopped as stopped:
        raise explain(stopped.by) from None


@contextlib.contextmanager
def stopping_after_the_step(trainer: Trainer) -> Iterator[list[str]]:
    """SIGINT and SIGTERM end training after the present step; a second one ends the program at once.

    Yields:
        The names of the signals that came, none or one.
    """
    stopped_by: list[str] = []

    def stop(by: str) -> None:
        stopped_by.append(by)
        trainer.stop_asked = True

    with _handling(stop):
        yield stopped_by


def before_the_run(by: str) -> Interrupted:
    """The message about a run that has no folder yet."""
    return Interrupted(
        "before the first step",
        f"stopped by {by} while data and plans were made.",
        "",
        "No run has begun. Give the same command again.",
    )


def in_folder(run: RunFolder, by: str) -> Interrupted:
    """The message about a run outside training, as its folder tells how far it has come; the folder then says it,
    too."""
    if not run.config.is_file():
        return before_the_run(by)
    status = run.read_status()
    if status.get("state") == "finished":
        found = whole_without_verdict(run, f"step {status.get('step')}", by)
        _say(run, message=f"{found.found} {found.advice}")
        return found
    if status.get("state") == "training":
        _say(run, state="stopped")
    return Interrupted(
        f"step {status.get('step')} of {status.get('steps')}",
        f"stopped by {by}; what was stored is whole.",
        "",
        f"Continue with: equipoise resume {run.path}",
    )


def whole_without_verdict(run: RunFolder, where: str, by: str) -> Interrupted:
    """The message about a run that has trained to its end."""
    return Interrupted(
        where,
        f"stopped by {by}; all steps are taken, and the last checkpoint is whole.",
        "",
        f"Its verdict and its report are made by: equipoise resume {run.path}",
    )


def name_of(number: int) -> str:
    """What a person calls a signal."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


@contextlib.contextmanager
def _handling(stop: Callable[[str], None]) -> Iterator[None]:
    """Call `stop` with the name of the first signal; a second one ends the program at once.

    Of many processes each may get the same signal twice, from the terminal and from torchrun: what comes within
    `SAME_SIGNAL_SECONDS` of the one before counts as that one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals go to the main thread
        return
    last: float | None = None

    def receive(number: int, frame: Any) -> None:
        nonlocal last
        del frame
        now, before_this = time.monotonic(), last
        if before_this is not None and is_distributed() and now - before_this < SAME_SIGNAL_SECONDS:
            return
        last = now
        if before_this is not None:
            _end_at_once(number)
        stop(name_of(number))

    former = {number: signal.signal(number, receive) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _say(run: RunFolder, **fields: Any) -> None:
    with contextlib.suppress(EquipoiseError):  # the message reaches the person all the same
        run.write_status(**fields)


def _end_at_once(number: int) -> None:
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
