"""A game that is played in a thread of its own while pages look at it and change it.

The thread makes steps at the speed that was asked for; between two steps it does what pages ask, so an answer never
waits for longer than one step. What is shown is the newest frame: whoever reads slowly misses some.
"""

from __future__ import annotations

import copy
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import torch

from equipoise.errors import ConfigError, EquipoiseError, PlayDiverged
from equipoise.playground.frames import frame_of
from equipoise.playground.measure import Proved, prepare, prove
from equipoise.playground.plane_data import csv_data, drawn_data, find_data
from equipoise.playground.situations import Situation
from equipoise.playground.walk_boxes import walk_json

FRAMES_PER_SECOND = 40.0
"""At most so many frames are made; at full speed several steps lie between two."""
SLOW = 2.0
"""Steps per second up to which each step is walked."""
BEST_EVERY = 6
"""Frames between two best discriminators, which take as long as a few steps."""
REFEREE_SECONDS = 4.0
"""At least so long between two readings of the referee."""
REFEREE_PAUSE = 6.0
"""And so many times as long as the last one took: where the machine is busy, the game goes before its readings."""
REST_SECONDS = 2.0
"""A game that plays while nobody looks rests after so long, and goes on when somebody does."""
SPEEDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
ANSWER_SECONDS = 20.0


class Session:
    """A game in play.

    Args:
        situation: what it begins with.
        changes: settings that replace some of the situation's.

    Attributes:
        frame: the newest frame, as plain values.
        walk: the newest step that was walked, or the one that comes next; it stays when later frames have none.
        version: counts frames.
    """

    def __init__(self, situation: Situation, changes: dict[str, Any] | None = None) -> None:
        self.situation, self.changes = situation, changes or {}
        self.game = self._fresh_game()
        self.is_playing, self.is_over = False, False
        self.speed: float | None = situation.speed
        self.wants_best = "best" in situation.layers
        self.trouble = ""
        self.version, self.frame = 0, {}
        self.walk: dict[str, Any] | None = None
        self.last_used = time.monotonic()
        self._wakers: dict[int, Callable[[], None]] = {}
        self._commands: queue.Queue[tuple[str, Any, Future]] = queue.Queue()
        self._proved: Proved | None = None
        self._referee: threading.Thread | None = None
        self._referee_due = 0.0
        self._frames, self._shown_at, self._best_at = 0, 0.0, -BEST_EVERY
        self._steps_timed: list[float] = []
        self._show(walk=self._next_walk())
        self._thread = threading.Thread(target=self._run, name="playground", daemon=True)
        self._thread.start()
        # While the person still reads what to look for.
        self._preparing = threading.Thread(target=prepare, name="playground referee's start", daemon=True)
        self._preparing.start()

    # What pages call.

    def ask(self, command: str, value: Any = None) -> dict[str, Any]:
        """Have something done between two steps; the state after it.

        Raises:
            EquipoiseError: what was asked cannot be; the game goes on as it was.
        """
        if self.is_over:
            raise ConfigError("play", "this game is over.", "Expected one that is open.", "Reload the page.")
        answer: Future = Future()
        self.last_used = time.monotonic()
        self._commands.put((command, value, answer))
        return answer.result(timeout=ANSWER_SECONDS)

    def state(self) -> dict[str, Any]:
        """What controls show."""
        return {
            "settings": vars(self.game.settings),
            "data": {
                "name": self.game.data.name,
                "note": self.game.data.note,
                "has_density": self.game.data.density is not None,
            },
            "playing": self.is_playing,
            "speed": self.speed,
            "trouble": self.trouble,
            "step": self.game.steps,
        }

    def watch(self, wake: Callable[[], None]) -> int:
        """Have `wake` called, from the game's thread, whenever there is a new frame; a ticket for `leave`."""
        ticket = id(wake)
        self._wakers[ticket] = wake
        self.last_used = time.monotonic()
        self._commands.put(("nothing", None, Future()))  # a resting game goes on
        return ticket

    def leave(self, ticket: int) -> None:
        """Stop watching."""
        self._wakers.pop(ticket, None)
        self.last_used = time.monotonic()

    @property
    def has_readers(self) -> bool:
        """Whether a page looks at it."""
        return bool(self._wakers)

    def close(self) -> None:
        """End the thread; pages are told by their streams."""
        self.is_over = True
        self._commands.put(("nothing", None, Future()))
        self._wake()

    def join(self, seconds: float) -> None:
        """Wait for the threads of a closed game: one that still computes while Python ends would abort it."""
        for thread in (self._thread, self._preparing, self._referee):
            if thread is not None:
                thread.join(seconds)

    # The game's thread.

    def _run(self) -> None:
        torch.set_num_threads(1)
        due = time.monotonic()
        while not self.is_over:
            if not self.is_playing or self._rests():
                self._do(self._commands.get())
                due = time.monotonic()
                continue
            wait = due - time.monotonic()
            try:
                self._do(self._commands.get(timeout=wait) if wait > 0 else self._commands.get_nowait())
                if self.speed is not None:
                    due = min(due, time.monotonic() + 1 / self.speed)
                continue
            except queue.Empty:
                pass
            is_slow = self.speed is not None and self.speed <= SLOW
            self._step(walk=is_slow)
            now = time.monotonic()
            due = max(now, due + 1 / self.speed) if self.speed is not None else now
            if self.speed is None:
                time.sleep(0)  # let the server answer

    def _rests(self) -> bool:
        """Whether it would play for nobody, and take its share of the machine from the games that are looked at."""
        return not self.has_readers and time.monotonic() - self.last_used > REST_SECONDS

    def _step(self, *, walk: bool) -> None:
        try:
            events = self.game.step(walk=walk)
        except (PlayDiverged, EquipoiseError) as error:
            self.trouble, self.is_playing = str(error), False
            self._show()
            return
        self._time_step()
        self._referee_reading()
        now = time.monotonic()
        if walk:
            made = walk_json(events, self.game.settings, step=self.game.steps)
            self._show(walk={**made, "is_made": True})
        elif now - self._shown_at >= 1 / FRAMES_PER_SECOND or not self.is_playing:
            self._show()

    def _time_step(self) -> None:
        now = time.monotonic()
        self._steps_timed = [*(t for t in self._steps_timed if now - t < 1.0), now]

    def _show(self, *, walk: dict[str, Any] | None = None) -> None:
        with_best = self.wants_best and (self._frames - self._best_at >= BEST_EVERY or not self.is_playing)
        if with_best:
            self._best_at = self._frames
        try:
            frame = frame_of(self.game, with_best=with_best, proved=self._proved)
        except (EquipoiseError, ValueError, FloatingPointError) as error:
            self.trouble = self.trouble or f"the game cannot be drawn: {error}"
            self.is_playing = False
            frame = {**self.frame, "step": self.game.steps}
        frame["rate"] = len(self._steps_timed) if self.is_playing else 0
        frame["playing"], frame["trouble"] = self.is_playing, self.trouble
        self.walk = walk or self.walk
        self._frames += 1
        self._shown_at = time.monotonic()
        self.frame, self.version = frame, self.version + 1
        self._wake()

    def _wake(self) -> None:
        for wake in list(self._wakers.values()):
            wake()

    def _next_walk(self) -> dict[str, Any] | None:
        """The step that comes next, made by a copy: batches depend on the step's number alone, so it will be this."""
        twin = copy.deepcopy(self.game)
        try:
            events = twin.step(walk=True)
        except EquipoiseError:
            return None
        return {**walk_json(events, twin.settings, step=twin.steps), "is_made": False}

    def _referee_reading(self, *, at_once: bool = False) -> None:
        """Let the referee read in a thread of its own, so that the picture does not stop meanwhile."""
        now = time.monotonic()
        is_busy = self._referee is not None and self._referee.is_alive()
        if is_busy or (now < self._referee_due and not at_once):
            return
        if self._proved is not None and self._proved.step == self.game.steps:
            return
        self._referee_due = now + REFEREE_SECONDS
        (real, fake), step, game = self.game.referee_samples(), self.game.steps, self.game

        def read() -> None:
            torch.set_num_threads(1)
            found = prove(real, fake, step=step, seed=game.settings.seed)
            ended = time.monotonic()
            self._referee_due = max(self._referee_due, ended + REFEREE_PAUSE * (ended - now))
            if found is not None and game is self.game and game.steps >= step:
                self._proved = found
                if not self.is_playing:
                    self._commands.put(("show", None, Future()))

        self._referee = threading.Thread(target=read, name="playground referee", daemon=True)
        self._referee.start()

    def _do(self, command: tuple[str, Any, Future]) -> None:
        name, value, answer = command
        try:
            getattr(self, f"_do_{name}")(value)
        except Exception as error:  # the page that asked is told; the game goes on
            answer.set_exception(error)
            return
        answer.set_result(self.state())

    def _do_nothing(self, value: Any) -> None:
        del value

    def _do_show(self, value: Any) -> None:
        del value
        self._show()

    def _do_play(self, value: Any) -> None:
        del value
        self.is_playing, self.trouble = True, ""

    def _do_pause(self, value: Any) -> None:
        del value
        self.is_playing = False
        self._referee_reading(at_once=True)
        self._show(walk=self._next_walk())

    def _do_step(self, value: Any) -> None:
        del value
        self.is_playing, self.trouble = False, ""
        self._step(walk=True)
        self._referee_reading(at_once=self.game.steps > 0 and self._proved is None)

    def _do_speed(self, value: Any) -> None:
        if value is not None and value not in SPEEDS:
            raise ConfigError("play.speed", f"{str(value)[:40]} steps a second.", f"Expected one of {SPEEDS}, or null.")
        self.speed = value

    def _do_layers(self, value: Any) -> None:
        self.wants_best = isinstance(value, list) and "best" in value
        self._best_at = -BEST_EVERY
        self._show()

    def _do_settings(self, value: Any) -> None:
        if not isinstance(value, dict):
            raise ConfigError(
                "play.settings", "not an object of settings.", "Expected {name: value}.", "Reload the page."
            )
        if self.game.change(self.game.settings.changed(value)):
            self._forget()
        self.changes |= value
        self._changed()

    def _do_data(self, value: Any) -> None:
        value = value if isinstance(value, dict) else {}
        if "points" in value:
            data = drawn_data(value["points"], value.get("brush", 0.1))
        elif "csv" in value:
            data = csv_data(str(value["csv"]).encode("utf-8", "replace"), str(value.get("name", "data.csv")))
        else:
            data = find_data(str(value.get("name")))
        self.game.give_data(data)
        self._changed()

    def _do_reset(self, value: Any) -> None:
        """Begin again; `{"situation": true}` goes back to the situation's own settings and data too."""
        if isinstance(value, dict) and value.get("situation"):
            self.changes = {}
            self.game = self._fresh_game()
        else:
            self.game = type(self.game)(self.game.settings, self.game.data, start=self.game.start)
        self.is_playing = False
        self._forget()
        self._changed()

    def _changed(self) -> None:
        self.trouble, self._best_at = "", -BEST_EVERY
        self._proved = None if self._proved and self._proved.step > self.game.steps else self._proved
        self._show(walk=None if self.is_playing else self._next_walk())

    def _forget(self) -> None:
        self._proved, self._referee_due = None, 0.0

    def _fresh_game(self) -> Any:
        game = self.situation.game()
        if self.changes:
            game.change(game.settings.changed(self.changes))
        return game
