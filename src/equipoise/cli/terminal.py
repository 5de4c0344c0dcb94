"""How commands speak: results to stdout (text or one JSON object), the rest to stderr, and an exit code."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import typer

from equipoise.errors import EXIT_INTERRUPTED, EXIT_UNEXPECTED, EquipoiseError, ProcessLost, visible


def reporting_errors(command: Callable[..., None]) -> Callable[..., None]:
    """The same command, which explains expected errors in a few lines and leaves with their exit code.

    Errors of ours pass through: Python prints their traceback and exits with 1, because a bug that hides is not fixed.
    """

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            with ending_on_sigterm():
                command(*arguments, **options)
            sys.stdout.flush()
        except EquipoiseError as error:
            process = process_that_tells(error)
            if process is not None:
                if options.get("as_json"):
                    print_json({"error": error_to_json(error)})
                print(f"{process}{error}", file=sys.stderr, flush=True)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
            print("interrupted.", file=sys.stderr)
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except BrokenPipeError:
            leave_stdout()
            raise typer.Exit(0) from None
        except Exception as error:
            # Of many processes that meet the same bug, one shows the traceback.
            if isinstance(error, (typer.Exit, typer.Abort)) or process_that_tells(error) is not None:
                raise
            raise typer.Exit(EXIT_UNEXPECTED) from error

    return run


@contextlib.contextmanager
def ending_on_sigterm() -> Iterator[None]:
    """Take SIGTERM for Ctrl-C, with its cleaning up, its message and its exit code; a second one ends at once.

    Commands that know more about what is being done handle both themselves. One of many processes is left alone: it
    may be waiting for the others, and would go on waiting.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or "WORLD_SIZE" in os.environ or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def stop(number: int, frame: object) -> None:
        del frame
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def process_that_tells(error: BaseException) -> str | None:
    """What to begin a message with: which of many processes says it, nothing in one; `None` if another says it."""
    if "WORLD_SIZE" not in os.environ:
        return ""
    from equipoise.distributed import current_process_group

    group = current_process_group()
    if not group.reports(error):
        return None
    # A process that was lost names itself, and who says so does not matter.
    is_named = group.is_single_process or isinstance(error, ProcessLost)
    return "" if is_named else f"process {group.rank} of {group.world_size}: "


def error_to_json(error: EquipoiseError) -> dict[str, Any]:
    """The four parts of a message, and the exit code, for programs that read stdout."""
    return {
        "kind": type(error).__name__,
        "where": error.where,
        "found": error.found,
        "expected": error.expected,
        "advice": error.advice,
        "exit_code": error.exit_code,
    }


def leave_stdout() -> None:
    """The reader left (`equipoise runs | head -1`), which is no failure: point stdout elsewhere, so that Python's own
    flush at exit does not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_result(text: str) -> None:
    """Print what was asked for, where the exit code says something too and is to be the same if the reader leaves."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        leave_stdout()


def print_json(content: dict[str, Any]) -> None:
    """One JSON object on stdout; NaN and infinities become null."""
    from equipoise.files import plain

    print_result(json.dumps(plain(content), indent=2, allow_nan=False))


def note(text: str, *, quiet: bool = False) -> None:
    """A line about what is going on: to stderr, so that stdout holds results only."""
    if not quiet:
        print(visible(text), file=sys.stderr, flush=True)


def readable_bytes(count: float) -> str:
    """'3.2 GB' for 3.2e9: decimal units, as disks are sold and clouds are billed."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def readable_seconds(seconds: float) -> str:
    """'2 h 05 min', '3 min 20 s' or '12 s'."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    if whole >= 60:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
