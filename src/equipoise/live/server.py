"""The local server of the run pages and the playground: guarded routes, a free port, and its address on the first line.

Starlette and uvicorn come with the extra `view`. Nothing is asked of the network: styles and scripts are files of this
package.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from equipoise.data.store.cache import cache_folder
from equipoise.errors import ConfigError, MissingExtra

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.routing import BaseRoute

DEFAULT_PORT = 8777  # arbitrary; no service that people run is registered there
PORTS_TRIED = 50
STATIC = Path(__file__).parent / "static"
TOKEN_SECONDS = 12 * 3600.0
"""A server that starts within this time of the last one on its port takes the same token: open pages go on."""


def require_packages(where: str) -> None:
    """Make sure that the extra is installed.

    Raises:
        MissingExtra: Starlette or uvicorn is not there; the message says how to install them.
    """
    for package in ("starlette", "uvicorn"):
        if find_spec(package) is None:
            raise MissingExtra(where, package=package, extra="view")


def create_app(routes: Sequence[BaseRoute], *, token: str, hosts: Sequence[str] | frozenset[str] = ()) -> Starlette:
    """An application of `routes` and the static files, behind the guard.

    Args:
        routes: what it answers; pages are made with `page.page`.
        token: what every request needs; see `security`.
        hosts: names that it answers to besides the loopback ones, as `security.allowed_hosts` gives them.
    """
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware
    from starlette.routing import Mount, Route

    from equipoise.live.page import error_page, report_style
    from equipoise.live.security import Guard, header_token
    from equipoise.live.static_files import PackageFiles

    app = Starlette(
        routes=[
            Route("/static/report.css", report_style),
            Mount("/static", PackageFiles(STATIC)),
            *routes,
        ],
        middleware=[Middleware(Guard, token=token, hosts=hosts)],
        exception_handlers={HTTPException: error_page, 500: error_page},
    )
    app.state.header_token = header_token(token)
    return app


def bind(host: str, port: int) -> tuple[socket.socket, str]:
    """A listening socket at `port` or, where that is taken, at the next free one; and a sentence if it is another.

    Raises:
        ConfigError: this machine has no such address, or no port is free.
    """
    try:
        family = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            "--host", f"'{host}' is no address of this machine.", "Expected one such as 127.0.0.1 or 0.0.0.0."
        ) from error
    last = min(port + PORTS_TRIED, 65536)
    for candidate in [*range(port, last), 0] if port else [0]:
        listening = socket.socket(family, socket.SOCK_STREAM)
        if os.name != "nt":  # there the option would let two servers share a port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, candidate))
            listening.listen(256)
        except OSError as error:
            listening.close()
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                continue
            raise ConfigError(
                "--host",
                f"cannot listen at {host}: {error.strerror or error}.",
                "Expected an address of this machine.",
                "Leave it out for 127.0.0.1, which only this machine reaches.",
            ) from error
        found = listening.getsockname()[1]
        said = f"port {port} is in use; taking {found}." if port and found != port else ""
        return listening, said
    raise ConfigError("--port", f"no port from {port} on is free.", "Expected a free port.", "Choose another one.")


def address_of(host: str, port: int, *, token: str = "", path: str = "/") -> str:
    """The address that a person opens; a server at every address is opened at this machine's own."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}{path}" + (f"?token={token}" if token else "")


def lasting_token(port: int, *, now: float | None = None) -> str:
    """The token of the server at a port: a new one, or the last one's while it is fresh.

    A page that was open when the server ended can then go on when it is started again. The file is readable by this
    user alone; where it cannot be written, or is not this user's own, a new token serves.
    """
    now = time.time() if now is None else now
    fresh = secrets.token_urlsafe(32)
    with suppress(OSError, RuntimeError, ValueError):
        folder = cache_folder() / "view"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"token-{port}"
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        with open(os.open(path, flags, 0o600), "r+", encoding="ascii") as stream:
            found = os.fstat(stream.fileno())
            if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o077):
                return fresh
            kept = stream.read(200).strip()
            if len(kept) == len(fresh) and 0 <= now - found.st_mtime < TOKEN_SECONDS:
                os.utime(path, (now, now))
                return kept
            stream.seek(0)
            stream.truncate()
            stream.write(fresh)
    return fresh


def serve(app: Starlette, listening: socket.socket, *, announce: Callable[[], None] = lambda: None) -> None:
    """Answer until the process is told to end (Ctrl-C, SIGTERM).

    Args:
        app: as `create_app` makes it.
        listening: as `bind` gives it.
        announce: called when it answers.
    """
    make_server(app, announce=announce).run(sockets=[listening])


def make_server(app: Starlette, *, announce: Callable[[], None] = lambda: None) -> uvicorn.Server:
    """The server of an application; whoever runs it gives it a listening socket."""
    import uvicorn

    from equipoise.live.events import end_streams

    class LocalServer(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            if self.started:
                announce()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            end_streams()
            await super().shutdown(sockets=sockets)

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=3,
        ws="none",
        proxy_headers=False,
        limit_concurrency=2000,
    )
    return LocalServer(config)
