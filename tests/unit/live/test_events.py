"""Server-sent events: the newest of each kind, however slowly they are read."""

from __future__ import annotations

import asyncio
import json
import math

import pytest

from equipoise.live.events import Mailbox, ServerEvent, event_stream


def test_an_event_is_one_line_of_json_without_markup_of_the_stream():
    text = ServerEvent({"a": "two\nlines\r\n\n", "b": math.nan}, "state", "7").encoded.decode()
    assert text.startswith("id: 7\nevent: state\ndata: {")
    assert text.endswith("}\n\n")
    assert text.count("\n\n") == 1
    assert json.loads(text.split("data: ")[1]) == {"a": "two\nlines\r\n\n", "b": None}


def test_an_event_is_written_down_once_however_many_read_it():
    event = ServerEvent({"step": 1}, "progress")
    assert event.encoded is event.encoded


def test_a_slow_reader_gets_the_newest_event_of_each_kind_and_never_a_queue():
    async def reading():
        mailbox = Mailbox()
        for step in range(10_000):
            mailbox.put(ServerEvent(step, "progress"))
        mailbox.put(ServerEvent("words", "state"))
        return [(event.name, event.data) for event in await mailbox.take()]

    assert asyncio.run(reading()) == [("progress", 9_999), ("state", "words")]


def test_a_stream_begins_with_the_time_to_wait_and_ends_with_its_source():
    async def source():
        yield ServerEvent(1)
        await asyncio.sleep(0.01)
        yield ServerEvent(2)

    async def reading():
        return b"".join([part async for part in event_stream(source()).body_iterator]).decode()

    text = asyncio.run(reading())
    assert text.startswith("retry: 1000\n\n")
    assert [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")][-1] == 2


def test_a_reader_who_hears_nothing_is_sent_a_sign_of_life():
    async def source():
        await asyncio.sleep(60)
        yield ServerEvent(1)

    async def reading():
        stream = event_stream(source(), heartbeat_seconds=0.01).body_iterator
        found = [await anext(stream), await anext(stream)]
        await stream.aclose()
        return found

    assert asyncio.run(reading())[1].startswith(b":")


def test_the_source_is_closed_when_the_reader_leaves():
    closed = []

    async def source():
        try:
            while True:
                yield ServerEvent(1)
                await asyncio.sleep(0.001)
        finally:
            closed.append(True)

    async def reading():
        stream = event_stream(source()).body_iterator
        await anext(stream)
        await anext(stream)
        await stream.aclose()

    asyncio.run(reading())
    assert closed == [True]


def test_a_source_that_fails_ends_the_stream_without_a_message_to_strangers():
    async def source():
        yield ServerEvent(1)
        raise RuntimeError("secret")

    async def reading():
        return b"".join([part async for part in event_stream(source()).body_iterator])

    assert b"secret" not in asyncio.run(reading())


@pytest.mark.parametrize("kind", [float("inf"), float("-inf")])
def test_infinities_become_null(kind):
    assert b"null" in ServerEvent({"x": kind}).encoded
