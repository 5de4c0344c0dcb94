"""Who may ask the local server: the person who was given its address, from pages that it served itself.

Other users of a machine reach its loopback addresses, and so does every web page that a browser has open. Each request
therefore has to pass:

1. **Host**: a name of this machine. A page elsewhere whose name was pointed at 127.0.0.1 (DNS rebinding) is refused.
2. **Origin** and `Sec-Fetch-Site`: a request that another site's page sends is refused, whatever cookies go with it.
3. **Token**: 256 random bits in the printed address, then in a cookie that no script can read. Reading needs it too.
4. **Header token**: whatever changes something carries a second one in `X-Equipoise-Token`, which only our own pages
   know. Another site can neither read it nor send that header.

Answers forbid scripts, styles and connections of any other origin and everything inline (Content-Security-Policy):
names and texts of a run folder from a stranger are shown, and never run.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import ipaddress
import socket
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Equipoise-Token"
SAFE_METHODS = ("GET", "HEAD")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
ANSWER_HEADERS = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}
LOOPBACK_NAMES = ("localhost",)
LONGEST_TOKEN = 200


def header_token(token: str) -> str:
    """The token of requests that change something; who knows it does not know the one in the address."""
    return hashlib.sha256(f"equipoise, changes: {token}".encode()).hexdigest()


def cookie_name(port: int | None) -> str:
    """Cookies know no ports: each server of this machine needs a name of its own."""
    return f"equipoise-{port or 0}"


def is_loopback(host: str) -> bool:
    """Whether a name or address, without a port, is this machine's own loopback."""
    if host.lower().rstrip(".") in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def allowed_hosts(host: str) -> frozenset[str]:
    """Names besides loopback ones and, for a server that others reach, addresses in digits, which may be asked for.

    Addresses in digits cannot be rebound: nobody looks them up.
    """
    if is_loopback(host):
        return frozenset()
    names = {socket.gethostname(), socket.getfqdn(), *([] if _is_address(host) else [host])}
    return frozenset({"*digits*", *(name.lower().rstrip(".") for name in names if name)})


class Guard:
    """ASGI middleware that answers what may not pass, and puts the headers on everything else.

    Args:
        app: what is guarded.
        token: needed for everything; the printed address has it.
        hosts: as `allowed_hosts` gives them.
    """

    def __init__(self, app: ASGIApp, *, token: str, hosts: Iterable[str] = ()) -> None:
        if len(token) < 16:
            raise ValueError("a token of fewer than 16 characters can be guessed")
        self.app, self.token, self.hosts = app, token, frozenset(hosts)
        self.header_token = header_token(token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an HTTP request on, or refuse it; web sockets are not spoken here."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in ANSWER_HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self.app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = _host_of(headers)
        if host is None or not self._is_ours(host):
            return _refused("This server does not answer to that name.", "Open the address that it printed.", 421)
        if not _is_own_origin(headers, is_read=scope["method"] in SAFE_METHODS):
            return _refused("A page of another site asked for this.", "Open the address that the server printed.", 403)
        port = (scope.get("server") or (None, None))[1]
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [])
        if scope["method"] == "GET" and given and _same(given[-1], self.token):
            return _entrance(scope, headers, self.token, port)
        if not _same(_cookie(headers, cookie_name(port)), self.token):
            return _entry_refused(headers)
        if scope["method"] not in SAFE_METHODS and not _same(headers.get(HEADER, ""), self.header_token):
            return _refused(f"A change needs the header {HEADER}.", "Use the buttons of the page, or reload it.", 403)
        return None

    def _is_ours(self, host: str) -> bool:
        return (
            is_loopback(host)
            or host.lower().rstrip(".") in self.hosts
            or ("*digits*" in self.hosts and _is_address(host))
        )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given[:LONGEST_TOKEN].encode(), wanted.encode())


def _host_of(headers: Headers) -> str | None:
    """The one name that was asked for, without the port; `None` for none, several or one that is no name."""
    found = headers.getlist("host")
    if len(found) != 1:
        return None
    try:
        parts = urlsplit(f"//{found[0]}")
        has_port = parts.port is None or 0 < parts.port  # reading a port that is no number raises ValueError
    except ValueError:
        return None
    has_more = parts.path or parts.query or parts.fragment or parts.username is not None
    return parts.hostname if has_port and not has_more else None


def _is_own_origin(headers: Headers, *, is_read: bool) -> bool:
    """Whether a request comes from a page of ours or from the person: typed, or a link that was followed."""
    origin = headers.get("origin")
    if origin is not None and origin.lower() != f"http://{headers['host']}".lower():
        return False
    site = headers.get("sec-fetch-site", "none")
    if site in ("same-origin", "none"):
        return True
    # A link on another site may lead to a page: its cookie is not sent along (SameSite=Strict), so nothing is read.
    return is_read and headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"


def _cookie(headers: Headers, name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _entrance(scope: Scope, headers: Headers, token: str, port: int | None) -> Response:
    """Put the token into a cookie, and go on to the same address without it.

    Whoever typed the address is redirected, which keeps what stands behind its `#`. Otherwise the page itself goes on:
    whoever came by a link on another site then comes from ours, and browsers send the cookie.
    """
    query: dict[str, Any] = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    query.pop("token", None)
    # One slash: an address that begins with two would lead to another machine.
    target = "/" + (scope.get("raw_path") or b"/").decode("latin-1").lstrip("/\\")
    target += f"?{urlencode(query, doseq=True)}" if query else ""
    answer = RedirectResponse(target, 303) if headers.get("sec-fetch-site") == "none" else _going_on(target)
    answer.set_cookie(cookie_name(port), token, httponly=True, samesite="strict", path="/")
    return answer


def _going_on(target: str) -> Response:
    safe = html.escape(target, quote=True)
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>equipoise</title>'
        f'<meta http-equiv="refresh" content="0;url={safe}"><p><a href="{safe}">Go on</a></p></html>'
    )


def _entry_refused(headers: Headers) -> Response:
    found, advice = "The token is missing or wrong.", "Open the address that the server printed; it has the token."
    if "text/html" not in headers.get("accept", ""):
        return _refused(found, advice, 401)
    return HTMLResponse(
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>equipoise</title>'
        f'<h1>This page needs its token</h1><p>{found} {advice}</p><p><a href="">Try again</a></p></html>',
        status_code=401,
    )


def _refused(found: str, advice: str, status: int) -> Response:
    return PlainTextResponse(f"{found}\n{advice}\n", status_code=status)
