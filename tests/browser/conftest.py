"""A real Chromium for the pages of the local server; where none can be had, these tests are skipped and say so."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    # It asks nobody for anything, and waits for no answer.
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_MS = 30_000
"""How long a browser may take to start; one that does not counts as none, so that no test waits for ever."""
NO_BROWSER = "no Chromium is installed here: the pages were not tried in a browser"


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """One browser for all tests of a process."""
    playwright_api = pytest.importorskip("playwright.sync_api", reason=f"Playwright is not installed. {NO_BROWSER}")
    with playwright_api.sync_playwright() as playwright:
        opened = None
        for path in (None, *(found for name in NAMES if (found := shutil.which(name)))):
            try:
                opened = playwright.chromium.launch(executable_path=path, args=FLAGS, timeout=START_MS)
                break
            except playwright_api.Error:  # Playwright's own is not downloaded, or this one does not start
                continue
        if opened is None:
            pytest.skip(NO_BROWSER)
        yield opened
        opened.close()


@pytest.fixture
def tab(browser) -> Iterator:
    """A page of its own; a script that fails, or a refusal by the Content-Security-Policy, fails the test."""
    yield from page_in(browser, viewport={"width": 1100, "height": 900})


@pytest.fixture
def phone(browser) -> Iterator:
    """The same on a narrow screen that is touched."""
    yield from page_in(browser, viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)


def page_in(browser, **options: Any) -> Iterator:
    context = browser.new_context(reduced_motion="reduce", **options)
    context.set_default_timeout(60_000)  # a bound for a busy machine
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "console",
        lambda message: problems.append(message.text) if "Content Security Policy" in message.text else None,
    )
    yield page
    context.close()
    assert problems == []


@pytest.fixture
def serving() -> Iterator[Callable]:
    """`serving(app)` answers at an address of this machine from a thread, until `serving.stop()` or the test's end."""
    from equipoise.live.server import make_server

    running: list[tuple[Any, threading.Thread]] = []

    def start(app, port: int = 0) -> str:
        listening = socket.create_server(("127.0.0.1", port))
        server = make_server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        running.append((server, thread))
        while not server.started:
            time.sleep(0.01)
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    def stop() -> None:
        while running:
            server, thread = running.pop()
            server.should_exit = True
            thread.join(timeout=20)

    start.stop = stop
    yield start
    stop()
