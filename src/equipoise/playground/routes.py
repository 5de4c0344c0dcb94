"""The addresses of the playground: its page, its files, and what its scripts ask for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from equipoise.errors import EquipoiseError
from equipoise.files import plain
from equipoise.live.events import ServerEvent, event_stream
from equipoise.live.page import page
from equipoise.live.static_files import PackageFiles
from equipoise.playground.games import FREE, Games, free_game
from equipoise.playground.plane_data import BUILT_IN, LEAST_BRUSH, MOST_BRUSH
from equipoise.playground.session import SPEEDS, Session
from equipoise.playground.settings import LIMITS, NETWORK_SETTINGS, Settings, choices
from equipoise.playground.situations import situations

STATIC = Path(__file__).parent / "static"
COMMANDS = frozenset({"play", "pause", "step", "speed", "layers", "settings", "data", "reset"})
MOST_BYTES = 6_000_000


def routes(games: Games | None = None, *, is_home: bool = False) -> list[BaseRoute]:
    """The routes of the playground, below `/play`.

    Args:
        games: those that pages open; whoever gives them closes them.
        is_home: whether `/` leads there, too, for a server that has nothing else.
    """
    games = Games() if games is None else games

    async def moved(request: Request) -> Response:
        del request
        return RedirectResponse("/play/", status_code=303)

    async def shown(request: Request) -> Response:
        name = request.path_params.get("name", "")
        prepared = [free_game(), *situations()]
        found = next((each for each in prepared if each.name == (name or FREE)), None)
        if found is None:
            known = ", ".join(each.name for each in prepared[1:])
            raise HTTPException(404, detail=f"No situation is called '{name[:60]}'. Available: {known}.")
        return page(
            request,
            "Play" if not name else found.title,
            scripts=("/play/static/play.js",),
            styles=("/play/static/play.css",),
            data=page_values(found.name),
        )

    async def begun(request: Request) -> Response:
        content = await sent(request)
        key, session = await run_in_threadpool(
            answered, games.open, str(content.get("situation", "")), content.get("settings")
        )
        return JSONResponse(plain({"key": key, "situation": session.situation.to_json(), **session.state()}))

    async def commanded(request: Request) -> Response:
        session, command = found_session(games, request), request.path_params["command"]
        if command not in COMMANDS:
            raise HTTPException(404, detail=f"There is no command '{command[:40]}'.")
        content = await sent(request)
        return JSONResponse(plain(await run_in_threadpool(answered, session.ask, command, content.get("value"))))

    async def followed(request: Request) -> Response:
        return event_stream(frames(found_session(games, request)))

    return [
        *([Route("/", moved)] if is_home else []),
        Route("/play", moved),
        Route("/play/", shown),
        Mount("/play/static", PackageFiles(STATIC)),
        Route("/play/api/games", begun, methods=["POST"]),
        Route("/play/api/games/{key}/frames", followed),
        Route("/play/api/games/{key}/{command}", commanded, methods=["POST"]),
        Route("/play/{name}", shown),
    ]


def page_values(name: str) -> dict[str, Any]:
    """What the page's scripts know from the start."""
    defaults = vars(Settings())
    return {
        "situation": name,
        "situations": [each.to_json() for each in (free_game(), *situations())],
        "choices": choices(),
        "data": {name: make().note for name, make in BUILT_IN.items()},
        "limits": {
            key: {"low": low, "high": high, "whole": isinstance(defaults[key], int)}
            for key, (low, high) in LIMITS.items()
        },
        "networks": NETWORK_SETTINGS,
        "speeds": SPEEDS,
        "brush": [LEAST_BRUSH, MOST_BRUSH],
    }


async def frames(session: Session) -> AsyncIterator[ServerEvent]:
    """Each new frame as an event; a reader of its own that sleeps between them."""
    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(changed.set)

    ticket, seen, walked = session.watch(wake), -1, None
    try:
        while not session.is_over:
            if session.version != seen:
                seen, frame = session.version, session.frame
                # Frames are skipped by whoever reads slowly; a walk is made once, and kept until the next one.
                if session.walk is not walked:
                    walked = session.walk
                    yield ServerEvent(walked, name="walk")
                yield ServerEvent(frame, name="frame")
            changed.clear()
            if session.version == seen:
                await changed.wait()
        yield ServerEvent({"reason": "closed"}, name="over")
    finally:
        session.leave(ticket)


def found_session(games: Games, request: Request) -> Session:
    """The game that an address names.

    Raises:
        HTTPException: 404; it was closed, or the server was started again.
    """
    session = games.find(request.path_params["key"])
    if session is None:
        raise HTTPException(404, detail="This game is closed: reload the page to begin another one.")
    return session


async def sent(request: Request) -> dict[str, Any]:
    """The JSON object of a request, bounded.

    Raises:
        HTTPException: 413 or 400.
    """
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > MOST_BYTES:
            raise HTTPException(
                413, detail=f"That is more than {MOST_BYTES // 1_000_000} MB; train on large files instead."
            )
    try:
        read = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise HTTPException(400, detail="Expected a JSON object.")
    return read


def answered(ask: Any, *arguments: Any) -> Any:
    """What `ask` returns; an error of ours becomes an answer that says what to do.

    Raises:
        HTTPException: 400, with the four parts of the message.
    """
    try:
        return ask(*arguments)
    except EquipoiseError as error:
        raise HTTPException(400, detail=" ".join(str(error).split())) from error
