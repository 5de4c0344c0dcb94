"""One run, followed: whoever writes its folder, every change is seen within a second, and every page is told once.

The folder is looked at twice a second while somebody watches, in a thread of its own; what was read serves all pages.
Small files are read again when their size or time changes, `metrics.jsonl` from where the last reading ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool

from equipoise.errors import EquipoiseError, RunFolderError
from equipoise.live.events import Mailbox, ServerEvent
from equipoise.live.metrics_log import MetricsLog
from equipoise.live.run_text import progress_json, run_json, with_measured_steps
from equipoise.reports.reading import RunRecord, read_run
from equipoise.runfolder import RunFolder

EVERY_SECONDS = 0.5
IDLE_SECONDS = 30.0
"""How long a run is followed after the last page has gone: a page that is loaded again finds everything there."""
FRESH_SECONDS = 0.4
WATCHED = (
    "status.json",
    "run.json",
    "data.json",
    "config.yaml",
    "verdicts.jsonl",
    "evaluations.json",
    "looks.json",
    "event_log.jsonl",
    "journal.jsonl",
    "scores.json",
    "samples",
    "most_discriminative.png",
    "requests",
    "requests/listening.json",
    "requests/answers.jsonl",
)
STATE_SECONDS = 60.0
"""Sentences that speak of time, such as a run without a sign of life, are made anew this often."""


class FollowedRun:
    """A run folder as pages see it.

    Args:
        path: of the folder.
        key: of the run in addresses.

    Attributes:
        version: grows with every change that pages are told of.
        record: what the small files say; `None` while the run cannot be opened.
        log: the measured steps.
        trouble: why it cannot be opened.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key
        self.version = 0
        self.record: RunRecord | None = None
        self.log = MetricsLog(RunFolder(path).metrics)
        self.trouble = ""
        self._stamp: tuple[Any, ...] | None = None
        self._state: dict[str, Any] = {}
        self._columns_shown = -1
        self._state_made = float("-inf")
        self._looked = float("-inf")
        self._lock = threading.Lock()
        self._mailboxes: set[Mailbox] = set()
        self._task: asyncio.Task[None] | None = None
        self._events: dict[str, ServerEvent] = {}

    def look(self, *, force: bool = True) -> bool:
        """Read what has changed; whether anything has. Safe to call from any thread."""
        with self._lock:
            if not force and time.monotonic() - self._looked < FRESH_SECONDS:
                return False
            self._looked = time.monotonic()
            stamp = self._present_stamp()
            is_new = stamp != self._stamp or time.monotonic() - self._state_made > STATE_SECONDS
            has_rows = self.log.read_on() if stamp is not None else False
            if is_new:
                self._stamp = stamp
                self._read_record()
            if is_new or self._needs_new_state():
                self._make_state()
            if is_new or has_rows:
                self.version += 1
                self._events["progress"] = ServerEvent(
                    {"version": self.version, **progress_json(self.record, self.log, self.trouble)}, "progress"
                )
            return is_new or has_rows

    def state(self) -> dict[str, Any]:
        """All words and tables of the page, as plain values."""
        self.look(force=False)
        with self._lock:
            return self._state

    def reading(self) -> tuple[RunRecord | None, MetricsLog, threading.Lock]:
        """The record and the log, with the lock that is to be held while they are read."""
        self.look(force=False)
        return self.record, self.log, self._lock

    async def events(self) -> AsyncIterator[ServerEvent]:
        """What happens to the run: `state` where words or files change, `progress` with every new row.

        The first ones tell where it stands, so that a page which lost its connection has missed nothing.
        """
        mailbox = Mailbox()
        self._mailboxes.add(mailbox)
        try:
            await run_in_threadpool(self.look, force=False)
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._follow())
            for event in self._events.values():
                mailbox.put(event)
            while events := await mailbox.take():
                for event in events:
                    yield event
        finally:
            self._mailboxes.discard(mailbox)

    async def _follow(self) -> None:
        last_watched = time.monotonic()
        told: dict[str, ServerEvent] = {}  # a request may have seen a change first: what counts is what was told
        while time.monotonic() - last_watched < IDLE_SECONDS:
            if self._mailboxes:
                last_watched = time.monotonic()
            with contextlib.suppress(EquipoiseError, OSError):
                await run_in_threadpool(self.look)
            for name, event in self._events.items():
                if told.get(name) is not event:
                    told[name] = event
                    for mailbox in self._mailboxes:
                        mailbox.put(event)
            await asyncio.sleep(EVERY_SECONDS)

    def _present_stamp(self) -> tuple[Any, ...] | None:
        """Sizes and times of what is watched; `None` where the folder is gone."""
        if not self.path.is_dir():
            return None
        return tuple(_stamp_of(self.path / name) for name in WATCHED)

    def _read_record(self) -> None:
        try:
            if self._stamp is None:
                raise RunFolderError(
                    str(self.path),
                    "the run folder is gone.",
                    "Expected it to stay while it is watched.",
                    "If it was moved, start 'equipoise view' where it is now.",
                )
            self.record, self.trouble = read_run(self.path, reads_metrics=False), ""
        except (RunFolderError, OSError) as error:
            # The last good state stays on the page, with a sentence on top.
            self.trouble = " ".join(str(error).split())

    def _needs_new_state(self) -> bool:
        """Whether rows brought what words are made from: new kinds of numbers, flags, histograms, broken lines."""
        return self._columns_shown != self._row_facts()

    def _row_facts(self) -> int:
        log = self.log
        return hash(
            (
                log.generation,
                tuple(log.columns.columns),
                len(log.monitored),
                len(log.histograms),
                len(log.broken_lines),
                log.trouble,
            )
        )

    def _make_state(self) -> None:
        self._columns_shown, self._state_made = self._row_facts(), time.monotonic()
        record = self.record
        if record is not None:
            record = with_measured_steps(record, self.log)
        self._state = run_json(record, self.log, self.trouble, name=self.path.name)
        self._events["state"] = ServerEvent(self._state, "state")


class FollowedRuns:
    """The runs that are followed, by their keys; those that nobody asks for are forgotten.

    Args:
        most: kept at once.
    """

    def __init__(self, *, most: int = 32) -> None:
        self.most = most
        self._runs: dict[str, FollowedRun] = {}
        self._lock = threading.Lock()

    def get(self, key: str, path: Path) -> FollowedRun:
        """The run with a key, from now on followed."""
        with self._lock:
            run = self._runs.pop(key, None) or FollowedRun(path, key)
            self._runs[key] = run
            while len(self._runs) > self.most:
                unwatched = [name for name, other in self._runs.items() if other is not run and not other._mailboxes]
                if not unwatched:
                    break
                del self._runs[unwatched[0]]
            return run


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
