"""The games that pages have open: a few at a time, each closed when nobody has looked at it for a while."""

from __future__ import annotations

import atexit
import secrets
import threading
import time
from typing import Any

from equipoise.errors import ConfigError
from equipoise.playground.session import Session
from equipoise.playground.situations import Situation, find_situation

MOST_GAMES = 6
FORGOTTEN_SECONDS = 60.0
LAST_SECONDS = 10.0
"""For which the end of the program waits for a thread."""
FREE = "free"
"""The situation that /play/ itself begins with: nothing prepared."""


def free_game() -> Situation:
    """Default settings on four modes."""
    return Situation(
        name=FREE,
        order=0,
        title="Free play",
        sentence="Orange points are made by the generator, blue ones are data; press Start, change anything.",
        question="index",
        settings={},
        data={"name": "four-modes"},
        layers=("surface", "grid"),
        speed=20.0,
    )


class Games:
    """Open games by a key that cannot be guessed."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()
        atexit.register(self.close)  # threads that compute while Python ends would abort it

    def open(self, situation: str, changes: Any = None) -> tuple[str, Session]:
        """A new game.

        Raises:
            ConfigError: no such situation or setting, or too many games are open.
        """
        found = free_game() if situation in ("", FREE) else find_situation(situation)
        if changes is not None and not isinstance(changes, dict):
            raise ConfigError(
                "play.settings", "not an object of settings.", "Expected {name: value}.", "Reload the page."
            )
        with self._lock:
            self._drop_forgotten()
            if len(self._sessions) >= MOST_GAMES:
                raise ConfigError(
                    "play",
                    f"{MOST_GAMES} games are open.",
                    "Expected fewer: each takes a share of this machine.",
                    "Close another page of the playground and reload this one.",
                )
            key = secrets.token_urlsafe(12)
            session = self._sessions[key] = Session(found, changes)
        return key, session

    def find(self, key: str) -> Session | None:
        """The game of this key, if it is open."""
        return self._sessions.get(key)

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            open_ones = list(self._sessions.values())
            self._sessions.clear()
        for session in open_ones:
            session.close()
        for session in open_ones:
            session.join(LAST_SECONDS)

    def _drop_forgotten(self) -> None:
        now = time.monotonic()
        unread = {key: session for key, session in self._sessions.items() if not session.has_readers}
        forgotten = [key for key, session in unread.items() if now - session.last_used > FORGOTTEN_SECONDS]
        if len(self._sessions) - len(forgotten) >= MOST_GAMES:  # the one that was left longest makes room
            rest = [key for key in unread if key not in forgotten and now - unread[key].last_used > 5]
            forgotten += sorted(rest, key=lambda key: unread[key].last_used)[:1]
        for key in forgotten:
            self._sessions.pop(key).close()
