"""The playground's addresses: what they answer, and what they refuse."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("starlette")
pytest.importorskip("httpx2")

from starlette.testclient import TestClient

from equipoise.live.server import create_app
from equipoise.playground.games import free_game
from equipoise.playground.routes import MOST_BYTES, frames, routes
from equipoise.playground.session import Session

TOKEN = "t" * 32


@pytest.fixture
def client():
    app = create_app(routes(is_home=True), token=TOKEN)
    app.state.parts = ("/play/",)
    with TestClient(app, base_url="http://127.0.0.1", follow_redirects=True) as made:
        made.get(f"/?token={TOKEN}")
        made.headers["x-equipoise-token"] = app.state.header_token
        yield made


def opened(client, **content):
    return client.post("/play/api/games", json=content).json()


def test_the_home_page_of_a_playground_is_the_playground(client):
    answer = client.get("/")
    assert answer.url.path == "/play/"
    assert 'src="/play/static/play.js"' in answer.text and "free" in answer.text


def test_every_situation_has_an_address_of_its_own(client):
    assert "saturation" in client.get("/play/saturation").text
    answer = client.get("/play/<script>", headers={"accept": "text/html"})
    assert answer.status_code == 404 and "<script>alert" not in answer.text
    assert "Available: saturation" in client.get("/play/nothing").json()["error"]


def test_a_game_is_begun_stepped_and_changed(client):
    game = opened(client, situation="squared-error")
    assert game["situation"]["title"] == "Squared error gives the mean" and game["step"] == 0
    base = f"/play/api/games/{game['key']}"
    assert client.post(f"{base}/step", json={}).json()["step"] == 1
    state = client.post(f"{base}/settings", json={"value": {"objective": "nonsaturating", "batch_size": 1}}).json()
    assert state["settings"]["batch_size"] == 1
    refused = client.post(f"{base}/settings", json={"value": {"batch_size": -4}})
    assert refused.status_code == 400 and "Expected a number from 1 to 512" in refused.text


def test_a_page_that_reads_late_is_still_shown_the_step_that_was_walked():
    session = Session(free_game(), {"generator_width": 8, "discriminator_width": 8, "batch_size": 16})

    async def after_a_step():
        events = frames(session)
        assert [(await anext(events)).name for _ in range(2)] == ["walk", "frame"]
        session.ask("step")
        session.ask("layers", [])  # a newer frame, before the one of the step was read
        read = [await anext(events) for _ in range(2)]
        await events.aclose()
        return read

    try:
        walk, frame = asyncio.run(after_a_step())
    finally:
        session.close()
    assert walk.name == "walk" and walk.data["step"] == 1 and walk.data["is_made"]
    assert frame.data["step"] == 1 and "walk" not in frame.data


def test_a_game_without_the_header_token_cannot_be_changed(client):
    game = opened(client)
    client.headers.pop("x-equipoise-token")
    assert client.post(f"/play/api/games/{game['key']}/step", json={}).status_code in (401, 403)


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/play/api/games", b"{", 400),
        ("/play/api/games", b"[1]", 400),
        ("/play/api/games", b'{"situation": "none"}', 400),
        ("/play/api/games", b'{"settings": 3}', 400),
        ("/play/api/games", b" " * (MOST_BYTES + 1), 413),
        ("/play/api/games/guessed/step", b"{}", 404),
    ],
)
def test_requests_that_are_none_are_refused_in_words(client, path, content, status):
    answer = client.post(path, content=content)
    assert answer.status_code == status and len(answer.text) > 20


def test_a_command_that_is_none_is_refused(client):
    game = opened(client)
    for command in ("nothing", "show", "_run", "__init__"):
        assert client.post(f"/play/api/games/{game['key']}/{command}", json={}).status_code == 404


@pytest.mark.parametrize("path", ["/play/static/../routes.py", "/play/static/%2e%2e/routes.py", "/play/static/none.js"])
def test_no_file_outside_its_own_is_served(client, path):
    assert "frames" not in client.get(path).text
