"""Server-sent events: what happens, as it happens, to any number of readers, none of whom slows the source.

Each reader has a mailbox with one place for each kind of event. A newer event takes the place of an older one that was
not read yet: whoever reads slowly misses states in between, and is never behind the newest one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import weakref
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from starlette.responses import StreamingResponse

from equipoise.files import plain

RETRY_MILLISECONDS = 1000
HEARTBEAT_SECONDS = 10.0


@dataclass(frozen=True)
class ServerEvent:
    """One event of a stream.

    Attributes:
        data: plain values; NaN and infinities become null.
        name: its kind, which the page listens for; of one kind only the newest unread event is kept.
        id: what a browser sends back as `Last-Event-ID` when it reconnects.
    """

    data: Any
    name: str = "message"
    id: str = ""

    @cached_property
    def encoded(self) -> bytes:
        """The event as it travels, made once for all readers; JSON has no line breaks, and names and ids are ours."""
        text = json.dumps(plain(self.data), allow_nan=False, separators=(",", ":"))
        named = f"id: {self.id}\n" if self.id else ""
        return f"{named}event: {self.name}\ndata: {text}\n\n".encode()


class Mailbox:
    """The newest unread event of each kind."""

    open: ClassVar[weakref.WeakSet[Mailbox]] = weakref.WeakSet()

    def __init__(self) -> None:
        self.open.add(self)
        self._events: dict[str, ServerEvent] = {}
        self._changed = asyncio.Event()
        self.is_closed = False

    def put(self, event: ServerEvent) -> None:
        """Keep an event; an unread one of its kind is dropped."""
        self._events.pop(event.name, None)  # the new one goes to the end
        self._events[event.name] = event
        self._changed.set()

    def close(self) -> None:
        """Nothing more will come."""
        self.is_closed = True
        self._changed.set()

    async def take(self) -> list[ServerEvent]:
        """All unread events, as soon as there is one; an empty list once the source has ended."""
        while not self._events and not self.is_closed:
            self._changed.clear()
            await self._changed.wait()
        found, self._events = list(self._events.values()), {}
        return found


def end_streams() -> None:
    """End every stream: a server that is told to end would wait for them, and then cut them off."""
    for mailbox in list(Mailbox.open):
        mailbox.close()


def event_stream(
    source: AsyncIterator[ServerEvent],
    *,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
    retry_milliseconds: int = RETRY_MILLISECONDS,
) -> StreamingResponse:
    """An answer that sends what `source` yields until the reader leaves or the source ends.

    A comment is sent in between, so that a reader who has gone is noticed, and a browser reconnects by itself after
    `retry_milliseconds`. The source is closed either way.
    """
    return StreamingResponse(
        _lines(source, heartbeat_seconds, retry_milliseconds),
        media_type="text/event-stream",
        headers={"x-accel-buffering": "no"},
    )


async def _lines(source: AsyncIterator[ServerEvent], heartbeat: float, retry: int) -> AsyncIterator[bytes]:
    mailbox = Mailbox()
    pump = asyncio.create_task(_fill(mailbox, source))
    try:
        yield f"retry: {retry}\n\n".encode()
        while True:
            try:
                events = await asyncio.wait_for(mailbox.take(), heartbeat)
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if not events:
                return
            yield b"".join(event.encoded for event in events)
    finally:
        pump.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await pump


async def _fill(mailbox: Mailbox, source: AsyncIterator[ServerEvent]) -> None:
    try:
        async for event in source:
            mailbox.put(event)
    finally:
        mailbox.close()
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()
