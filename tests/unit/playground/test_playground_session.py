"""A game in its thread does what a page asks, says what it refuses, and draws what it plays."""

from __future__ import annotations

import base64
import json
import threading
import time

import numpy as np
import pytest
import torch

from equipoise.errors import ConfigError, DataError
from equipoise.playground import session as session_module
from equipoise.playground.frames import CODE, frame_of
from equipoise.playground.games import Games, free_game
from equipoise.playground.session import Session

QUICK = {"generator_width": 8, "discriminator_width": 8, "batch_size": 16}


@pytest.fixture
def session():
    opened = Session(free_game(), QUICK)
    yield opened
    opened.close()


def numbers(text, kind):
    return np.frombuffer(base64.b64decode(text), dtype=kind)


def test_a_step_is_one_step_and_comes_with_its_walk(session):
    state = session.ask("step")
    assert state["step"] == 1 and not state["playing"]
    assert session.frame["step"] == 1 and session.walk["is_made"]


def test_the_next_step_that_is_shown_is_the_one_that_is_made(session):
    foreseen = session.walk
    assert not foreseen["is_made"] and foreseen["step"] == 1
    session.ask("step")
    assert session.walk["stages"] == foreseen["stages"]


def test_a_playing_game_goes_on_by_itself_until_it_is_paused(session):
    moved = threading.Event()
    session.ask("speed", None)
    ticket = session.watch(lambda: moved.set() if session.frame["step"] >= 3 else None)
    session.ask("play")
    assert moved.wait(20)
    state = session.ask("pause")
    assert session.ask("layers", [])["step"] == state["step"]
    session.leave(ticket)
    assert not session.has_readers


def test_a_game_that_nobody_looks_at_rests_and_goes_on_when_somebody_does(session, monkeypatch):
    monkeypatch.setattr(session_module, "REST_SECONDS", 0.0)
    moved = threading.Event()
    session.ask("speed", None)
    ticket = session.watch(lambda: moved.set() if session.frame["step"] >= 2 else None)
    session.ask("play")
    assert moved.wait(20)
    session.leave(ticket)
    rested = session.ask("layers", [])["step"]  # at most the step that was being made is still counted
    assert session.ask("layers", [])["step"] == rested and session.is_playing

    moved.clear()
    session.watch(lambda: moved.set() if session.frame["step"] > rested else None)
    assert moved.wait(20)


def test_settings_change_while_it_plays_and_networks_begin_again(session):
    session.ask("step")
    before = session.game.generator.network
    assert session.ask("settings", {"gamma": 1.5})["settings"]["gamma"] == 1.5
    assert session.game.generator.network is before
    session.ask("settings", {"optimizer": "sgd"})
    assert isinstance(session.game.generator.optimizer, torch.optim.SGD)
    state = session.ask("settings", {"generator_depth": 1})
    assert state["step"] == 0 and session.game.generator.network is not before


def test_what_is_refused_leaves_the_game_as_it_was(session):
    before = session.ask("step")
    for command, value, error in (
        ("settings", {"objective": "hing"}, ConfigError),
        ("settings", [1], ConfigError),
        ("data", {"points": []}, DataError),
        ("data", {"name": "nowhere"}, ConfigError),
        ("data", {"csv": "a,b,c\n1,2,3\n2,3,4\n", "name": "x.csv"}, DataError),
        ("speed", 17, ConfigError),
    ):
        with pytest.raises(error):
            session.ask(command, value)
    assert session.ask("layers", ["surface"]) == before


def test_drawn_data_are_played_with_at_once(session):
    session.ask("step")
    state = session.ask("data", {"points": [[1, 1], [1.2, 1]], "brush": 0.1})
    assert state["data"]["name"] == "drawn" and state["step"] == 1
    real = numbers(session.frame["real"], "<i2").reshape(-1, 2) / CODE
    assert np.abs(real.mean(axis=0) - [1.1, 1]).max() < 0.05


def test_a_game_that_diverges_stops_and_says_what_to_do(session):
    session.ask("settings", {"optimizer": "sgd", "penalty": "none", "generator_rate": 2.0, "discriminator_rate": 2.0})
    session.ask("speed", None)
    stopped = threading.Event()
    session.watch(lambda: stopped.set() if session.frame["trouble"] else None)
    with torch.no_grad():
        session.game.discriminator.network.output.weight.fill_(float("nan"))
    session.ask("play")
    assert stopped.wait(20)
    assert "nan" in session.frame["trouble"] and "Lower the learning rate" in session.frame["trouble"]
    assert not session.frame["playing"]
    json.dumps(session.frame, allow_nan=False)
    assert session.ask("reset")["trouble"] == ""
    session.ask("step")
    assert session.frame["trouble"] == ""


def test_a_closed_game_answers_no_more(session):
    session.close()
    with pytest.raises(ConfigError, match="Reload"):
        session.ask("step")


def test_a_frame_holds_what_the_game_has():
    game = free_game().game()
    game.step()
    frame = frame_of(game, with_best=True)
    fake = numbers(frame["fake"], "<i2").reshape(-1, 2) / CODE
    assert np.abs(fake - game.shown_fake().numpy()).max() <= 0.51 / CODE
    surface = numbers(frame["surface"], np.uint8).reshape(48, 48)
    logits = numbers(frame["logits"], "<f4")
    with torch.no_grad():
        points = game.shown_fake()
        assert np.allclose(logits, game.discriminator.network(points).numpy())
    # The first cell is the one at the lower left.
    corner = torch.tensor([[-3 + 1 / 16, -3 + 1 / 16]])
    with torch.no_grad():
        assert abs(int(surface[0, 0]) - 255 * torch.sigmoid(game.discriminator.network(corner)).item()) <= 0.51
    assert len(json.dumps(frame)) < 20_000


def test_only_a_few_games_are_open_at_once():
    games = Games()
    try:
        kept = [games.open("", QUICK) for _ in range(6)]
        tickets = [session.watch(lambda: None) for _, session in kept]
        with pytest.raises(ConfigError, match="Close another page"):
            games.open("")
        assert len(tickets) == 6 and games.find(kept[0][0]) is kept[0][1] and games.find("guessed") is None
    finally:
        games.close()


def test_what_the_referee_needs_is_loaded_before_the_first_step(monkeypatch):
    loaded = threading.Event()
    monkeypatch.setattr(session_module, "prepare", loaded.set)
    opened = Session(free_game(), QUICK)
    try:
        assert loaded.wait(20) and opened.game.steps == 0
    finally:
        opened.close()


def test_where_a_reading_takes_long_the_next_one_is_due_later(session, monkeypatch):
    monkeypatch.setattr(session_module, "REFEREE_SECONDS", 0.0)
    monkeypatch.setattr(session_module, "prove", lambda *_, **__: time.sleep(0.2))
    begun = time.monotonic()
    session.ask("step")
    session._referee.join(20)
    assert session._referee_due - begun > 0.2 * session_module.REFEREE_PAUSE
