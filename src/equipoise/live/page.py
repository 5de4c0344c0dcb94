"""The shell of every page of the local server: the report's colours and words, in light and dark, on any width."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from equipoise.files import plain
from equipoise.live.rendering import templates
from equipoise.plotting.number_text import encodable
from equipoise.reports.page import style_sheet

if TYPE_CHECKING:
    from markupsafe import Markup

NAVIGATION = (("/", "Runs"), ("/play/", "Play"))


def page(
    request: Request,
    title: str,
    body: str | Markup = "",
    *,
    scripts: Sequence[str] = (),
    styles: Sequence[str] = (),
    data: Any = None,
    status: int = 200,
) -> Response:
    """A whole page.

    Args:
        request: that it answers; its application knows the header token and which parts there are.
        title: of the window.
        body: markup of ours (`markupsafe.Markup`), or text, which is escaped.
        scripts: addresses of modules, such as `/static/run.js`.
        styles: addresses of style sheets besides the common ones.
        data: plain values that the scripts find as `pageData()` of `dom.js`.
        status: of the answer.
    """
    parts = getattr(request.app.state, "parts", ("/",))
    text = (
        templates()
        .get_template("page.html.jinja")
        .render(
            title=title,
            body=body,
            scripts=scripts,
            styles=styles,
            data=json.dumps(plain(data), allow_nan=False),
            token=request.app.state.header_token,
            navigation=[(address, name) for address, name in NAVIGATION if address in parts],
            here=request.url.path,
        )
    )
    return HTMLResponse(encodable(text), status_code=status)


async def report_style(request: Request) -> Response:
    """The style sheet of the report, which pages of the server have too."""
    del request
    return Response(style_sheet(), media_type="text/css")


async def error_page(request: Request, error: Exception) -> Response:
    """A page, or JSON for scripts, that says what went wrong."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    words = {404: "There is nothing at this address.", 405: "This address does not take that kind of request."}
    found = words.get(status, "Something went wrong in the server; its terminal shows what.")
    detail = error.detail if isinstance(error, HTTPException) and error.detail else ""
    message = detail if detail and detail not in ("Not Found", "Method Not Allowed") else found
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"error": message}, status_code=status)
    body = templates().get_template("message.html.jinja").render(heading=found, text=message)
    return page(request, "Not found" if status == 404 else "Error", _markup(body), status=status)


def _markup(text: str) -> Markup:
    from markupsafe import Markup

    return Markup(text)
