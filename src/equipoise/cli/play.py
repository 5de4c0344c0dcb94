"""`equipoise play`: the playground, a game on the plane in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from equipoise.cli.options import AsJson, Host, NoBrowser, Port
from equipoise.cli.terminal import print_json
from equipoise.cli.view import serve_pages


def play(
    situation: Annotated[
        str | None, typer.Argument(metavar="[SITUATION]", help="A prepared situation, such as 'saturation'.")
    ] = None,
    port: Port = None,
    host: Host = "127.0.0.1",
    no_browser: NoBrowser = False,
    record: Annotated[
        Path | None,
        typer.Option("--record", metavar="DIR", help="Serve nothing; write recorded runs there, of one or all."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Play a game by hand, on the plane, in the browser.

    Two players on data of your own: drawn with the mouse, from a CSV of two columns, or built in. One iteration can be
    walked box by box. The first line is the address, with a token that it needs. Ctrl-C ends the server.

    \b
    Example: free play; then the prepared situation that shows saturation.
      equipoise play
      equipoise play saturation

    \b
    Recorded runs, which the documentation plays without a server:
      equipoise play --record docs/recordings

    With --json the first line is an object with the address and the port, and no browser is opened; with --record it
    lists the files.
    """
    if record is not None:
        from equipoise.playground.recording import write_recordings
        from equipoise.playground.situations import find_situation, situations

        chosen = list(situations()) if situation is None else [find_situation(situation)]
        paths = [str(path) for path in write_recordings(chosen, record)]
        if as_json:
            print_json({"recordings": paths})
        else:
            print(*paths, sep="\n")
        return
    from equipoise.live.server import require_packages

    require_packages("equipoise play")
    from equipoise.playground.games import Games
    from equipoise.playground.routes import routes
    from equipoise.playground.situations import find_situation

    start = "/play/" if situation is None else f"/play/{find_situation(situation).name}"
    games = Games()
    try:
        serve_pages(
            routes(games, is_home=True),
            parts=("/play/",),
            port=port,
            host=host,
            no_browser=no_browser,
            as_json=as_json,
            path=start,
        )
    finally:
        games.close()
