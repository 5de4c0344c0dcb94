"""`equipoise view`: runs in the browser, as they happen."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Annotated

import typer

from equipoise.cli.options import AsJson, Host, NoBrowser, Port
from equipoise.cli.run_page import ENDS_WITH_STDIN, GOODBYE_SECONDS
from equipoise.cli.terminal import note


def view(
    runs: Annotated[Path, typer.Argument(metavar="[RUN|FOLDER]", help="A run, or a folder of runs.")] = Path("runs"),
    port: Port = None,
    host: Host = "127.0.0.1",
    no_browser: NoBrowser = False,
    as_json: AsJson = False,
) -> None:
    """Watch runs in the browser as they happen.

    Follows run folders, whoever writes them; a finished run can be looked at too. The first line is the address, with
    a token that reading needs. Ctrl-C ends the server; open pages go on by themselves when it is started again.

    \b
    Example:
      equipoise view runs/digits
      equipoise view runs --port 9000 --no-browser

    With --json the first line is an object with the address and the port, and no browser is opened.
    """
    from equipoise.live.server import require_packages

    require_packages("equipoise view")
    from equipoise.live.routes import RunPages
    from equipoise.live.runs import RunLibrary, open_root

    routes, parts = RunPages(RunLibrary(open_root(runs))).routes(), ("/",)
    if os.environ.get(ENDS_WITH_STDIN):
        end_with_stdin()
    else:
        from equipoise.playground.routes import routes as playground_routes

        routes, parts = [*routes, *playground_routes()], ("/", "/play/")
    serve_pages(routes, parts=parts, port=port, host=host, no_browser=no_browser, as_json=as_json)


def serve_pages(
    routes: list,
    *,
    parts: tuple[str, ...],
    port: int | None,
    host: str,
    no_browser: bool,
    as_json: bool = False,
    path: str = "/",
) -> None:
    """Serve routes until Ctrl-C: the address on stdout, then the browser.

    Args:
        routes: of Starlette.
        parts: which of the parts of the navigation there are.
        port: the first to try.
        host: where to listen.
        no_browser: whether only to print the address.
        as_json: whether the line with the address is a JSON object, for a program: no browser is opened then.
        path: of the page that the address leads to.
    """
    from equipoise.live.security import allowed_hosts, is_loopback
    from equipoise.live.server import DEFAULT_PORT, address_of, bind, create_app, lasting_token, serve

    listening, said = bind(host, DEFAULT_PORT if port is None else port)
    found = listening.getsockname()[1]
    token = lasting_token(found)
    app = create_app(routes, token=token, hosts=allowed_hosts(host))
    app.state.parts = parts
    address = address_of(host, found, token=token, path=path)

    def announce() -> None:
        print(json.dumps({"address": address, "port": found}) if as_json else address, flush=True)
        if said:
            note(said)
        if not is_loopback(host):
            note(
                "warning: other machines can reach this server, and what it sends travels unencrypted. Give the "
                "address with its token only to those who may see the runs."
            )
        if not no_browser and not as_json:
            open_browser(address)

    serve(app, listening, announce=announce)


def end_with_stdin() -> None:
    """End this process a little after its standard input does: with the training that started it, however that ends.

    Until then it lets the training go first.
    """
    import signal
    import sys
    import threading
    import time

    if hasattr(os, "nice"):
        os.nice(10)
    if hasattr(os, "SCHED_BATCH"):
        # Priority alone still interrupts the training whenever a page asks, and its caches are cold afterwards.
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))

    def wait() -> None:
        while sys.stdin.buffer.read(1024):
            pass
        time.sleep(GOODBYE_SECONDS)
        signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def open_browser(address: str) -> None:
    """Open the address in the person's browser; where there is none, say so."""
    import threading
    import webbrowser

    def opened() -> None:
        try:
            is_open = webbrowser.open(address)
        except (webbrowser.Error, OSError):
            is_open = False
        if not is_open:
            note("no browser was found here: open the address above in one.")

    threading.Thread(target=opened, daemon=True).start()
