"""Files of this package for the browser: scripts, styles and pictures, each listed when the server starts.

An address is looked up in that list and never becomes a path, so that no form of `..` leads anywhere.
"""

from __future__ import annotations

from pathlib import Path

from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


class PackageFiles:
    """ASGI application that serves the files below a folder of the package, under `/` of where it is mounted."""

    def __init__(self, folder: Path) -> None:
        self.files = {
            path.relative_to(folder).as_posix(): path
            for path in sorted(folder.rglob("*"))
            if path.suffix in TYPES and path.is_file()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a GET or HEAD request."""
        root = scope.get("root_path", "")
        path = self.files.get(scope["path"].removeprefix(root).lstrip("/"))
        answer: Response
        if path is None or scope["method"] not in ("GET", "HEAD"):
            answer = PlainTextResponse("There is no such file.\n", status_code=404)
        else:
            answer = Response(path.read_bytes(), media_type=TYPES[path.suffix])
        await answer(scope, receive, send)
