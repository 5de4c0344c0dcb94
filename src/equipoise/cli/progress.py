"""A run's progress on stderr: a live bar on a terminal, plain lines elsewhere (a log, a pipe), nothing when asked."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from equipoise.cli.terminal import readable_seconds
from equipoise.errors import visible

if TYPE_CHECKING:
    from rich.progress import Progress as RichBar
    from rich.progress import TaskID

    from equipoise.training.progress import Progress

Fields = Mapping[str, float | str | None]

SECONDS_BETWEEN_LINES = 10.0  # arbitrary: a log of an hour's run stays readable
SECONDS_BETWEEN_DRAWINGS = 0.1  # ten times a second seems live; more would cost training time
STEPS_REMEMBERED = 50  # updates over which the rate is measured: recent speed, not that of the start


def terminal_progress(*, quiet: bool = False, stream: TextIO | None = None) -> Progress:
    """The progress display that suits where stderr goes."""
    target = sys.stderr if stream is None else stream
    if quiet:
        from equipoise.training.progress import Progress

        return Progress()
    return Bar() if target.isatty() else Lines(target)


@contextmanager
def injection_progress(*, quiet: bool = False, stream: TextIO | None = None) -> Iterator[Callable[[str, int], None]]:
    """Who is told of what the referee measures at length, such as each defect that it injects: one line that changes
    on a terminal, one for each kind of defect elsewhere."""
    target, kinds, started = sys.stderr if stream is None else stream, list[str](), time.monotonic()

    def tell(what: str, before: int) -> None:
        if quiet or (not target.isatty() and what in kinds[-1:]):
            return
        kinds.append(what)
        text = f"measuring {what} ({before} so far, {readable_seconds(time.monotonic() - started)})"
        target.write(f"\r\x1b[2K{text}" if target.isatty() else f"{text}\n")
        target.flush()

    try:
        yield tell
    finally:
        if kinds and target.isatty():
            target.write("\r\x1b[2K")
            target.flush()


class Pace:
    """Steps per second over the recent updates, and the seconds that the rest takes at that pace."""

    def __init__(self, total_steps: int, start_step: int) -> None:
        self._total = total_steps
        self._marks: deque[tuple[float, int]] = deque([(time.monotonic(), start_step)], maxlen=STEPS_REMEMBERED)

    def mark(self, step: int) -> None:
        """`step` is done now."""
        self._marks.append((time.monotonic(), step))

    @property
    def steps_per_second(self) -> float | None:
        (first_time, first_step), (last_time, last_step) = self._marks[0], self._marks[-1]
        passed = last_time - first_time
        return (last_step - first_step) / passed if passed > 0 and last_step > first_step else None

    @property
    def remaining_seconds(self) -> float | None:
        rate = self.steps_per_second
        return None if rate is None else max(self._total - self._marks[-1][1], 0) / rate


def live_text(fields: Fields, pace: Pace) -> str:
    """'412 step/s  value -0.6931 +- 0.0004  3 min 20 s left'."""
    pieces = []
    rate = pace.steps_per_second or fields.get("steps_per_second")  # the pace that the time left is told by
    if isinstance(rate, (int, float)):
        pieces.append(rate_text(rate))
    for name, content in fields.items():
        if name in ("steps_per_second", "value_standard_error") or content is None:
            continue
        text = f"{name.replace('_', ' ')} {content:.4f}" if isinstance(content, float) else f"{name} {content}"
        spread = fields.get("value_standard_error") if name == "value" else None
        pieces.append(f"{text} +- {spread:.4f}" if isinstance(spread, float) else text)
    remaining = pace.remaining_seconds
    if remaining:
        pieces.append(f"{readable_seconds(remaining)} left")
    return "  ".join(pieces)


def rate_text(steps_per_second: float) -> str:
    """'412 step/s', '3.5 step/s' or, when one takes longer, '2.0 s/step'."""
    if steps_per_second >= 1:
        return f"{steps_per_second:,.0f} step/s" if steps_per_second >= 10 else f"{steps_per_second:.1f} step/s"
    return f"{1 / steps_per_second:.1f} s/step"


class Lines:
    """Plain lines, one every few seconds, for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._total = 0
        self._description = ""
        self._next_line = 0.0
        self._pace = Pace(0, 0)

    def watches(self, folder: Path) -> bool:
        del folder
        return False

    def start(self, total_steps: int, start_step: int, description: str) -> None:
        self._total, self._description = total_steps, description
        self._pace = Pace(total_steps, start_step)
        self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES
        self.message(f"{description}: steps {start_step} to {total_steps}")

    def update(self, step: int, fields: Fields) -> None:
        self._pace.mark(step)
        if time.monotonic() < self._next_line and step < self._total:
            return
        self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES
        self.message(f"{self._description}: step {step} of {self._total}  {live_text(fields, self._pace)}")

    def message(self, text: str) -> None:
        print(visible(text), file=self._stream, flush=True)

    def close(self) -> None:
        return None


class Bar:
    """A live bar on a terminal."""

    def __init__(self) -> None:
        self._bar: RichBar | None = None
        self._task: TaskID | None = None
        self._pace = Pace(0, 0)
        self._next_drawing = 0.0
        self._total = 0

    def watches(self, folder: Path) -> bool:
        del folder
        return False

    def start(self, total_steps: int, start_step: int, description: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as RichBar

        self.close()
        self._total = total_steps
        self._pace = Pace(total_steps, start_step)
        self._bar = RichBar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[live]}", markup=False),
            console=Console(stderr=True, highlight=False),
        )
        self._task = self._bar.add_task(description, total=total_steps, completed=start_step, live="")
        self._bar.start()

    def update(self, step: int, fields: Fields) -> None:
        now = time.monotonic()
        if self._bar is None or self._task is None or (now < self._next_drawing and step < self._total):
            return
        self._next_drawing = now + SECONDS_BETWEEN_DRAWINGS
        self._pace.mark(step)
        self._bar.update(self._task, completed=step, live=live_text(fields, self._pace))

    def message(self, text: str) -> None:
        if self._bar is None:
            print(visible(text), file=sys.stderr, flush=True)
        else:
            self._bar.console.print(visible(text), markup=False, soft_wrap=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
