"""Prepared situations: a state to begin in, and one sentence of what to look for; each is a JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from equipoise.errors import unknown_name
from equipoise.playground.plane_data import PlaneData, drawn_data, find_data
from equipoise.playground.players import IN_THE_MIDDLE, Start
from equipoise.playground.settings import Settings
from equipoise.playground.toy_game import ToyGame


@dataclass(frozen=True)
class Situation:
    """A game to look at.

    Attributes:
        name: as in its link, `/play/NAME`.
        order: place in the list.
        title: what it shows, in a few words.
        sentence: what to look for.
        question: the documentation's page that it belongs to, such as `saturation`.
        settings: those that differ from the defaults.
        data: `{"name": ...}`, or `{"points": [[x, y], ...], "brush": ...}`.
        start: where a linear generator begins: its mean, and the standard deviation of its cloud.
        prelude: steps that are made before anybody looks, with settings of their own.
        layers: what is drawn at first: `surface`, `best`, `grid`, `arrows`, `both_losses`, `trail`.
        speed: steps per second to begin with; `None` is as fast as it goes.
        recorded: steps of the recorded run, and how many of them lie between two frames.
    """

    name: str
    order: int
    title: str
    sentence: str
    question: str
    settings: Mapping[str, Any]
    data: Mapping[str, Any]
    start: Start = IN_THE_MIDDLE
    prelude: Mapping[str, Any] = field(default_factory=dict)
    layers: tuple[str, ...] = ("surface",)
    speed: float | None = None
    recorded: Mapping[str, int] = field(default_factory=lambda: {"steps": 300, "every": 5})

    def plane_data(self) -> PlaneData:
        """The data that it begins with."""
        if "points" in self.data:
            return drawn_data(self.data["points"], self.data["brush"])
        return find_data(self.data["name"])

    def game(self) -> ToyGame:
        """A game in its first state, after the prelude."""
        settings = Settings().changed(self.settings)
        game = ToyGame(settings, self.plane_data(), start=self.start)
        if self.prelude:
            game.change(settings.changed(self.prelude.get("settings", {})))
            for _ in range(self.prelude["steps"]):
                game.step()
            game.change(settings)
            game.steps, game.trail = 0, []
        return game

    def to_json(self) -> dict[str, Any]:
        """What a page needs of it."""
        return {
            "name": self.name,
            "title": self.title,
            "sentence": self.sentence,
            "question": self.question,
            "layers": list(self.layers),
            "speed": self.speed,
        }


@cache
def situations() -> tuple[Situation, ...]:
    """All of them, in their order."""
    folder = files("equipoise.playground") / "situations"
    read = [json.loads(entry.read_text(encoding="utf-8")) for entry in folder.iterdir() if entry.name.endswith(".json")]
    made = [
        Situation(**{**entry, "start": tuple(entry.get("start", IN_THE_MIDDLE)), "layers": tuple(entry["layers"])})
        for entry in read
    ]
    return tuple(sorted(made, key=lambda each: each.order))


def find_situation(name: str) -> Situation:
    """The situation of this name.

    Raises:
        ConfigError: there is none.
    """
    known = {each.name: each for each in situations()}
    if name not in known:
        raise unknown_name("play", "situation", name[:60], known, "Open /play and choose one from the list.")
    return known[name]
