"""Who is answered by the local server, and with which headers."""

from __future__ import annotations

import os

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from equipoise.live.security import HEADER, POLICY, Guard, allowed_hosts, cookie_name, header_token, is_loopback
from equipoise.live.server import address_of, bind, create_app, lasting_token

TOKEN = "a-token-that-nobody-guesses-0123456789"
BASE = "http://127.0.0.1:8777"


def changed(request):
    return PlainTextResponse("changed")


def shown(request):
    return PlainTextResponse("shown")


def client(*, hosts=(), base=BASE, signed_in=True) -> TestClient:
    routes = [Route("/", shown), Route("/change", changed, methods=["POST", "DELETE"])]
    made = TestClient(create_app(routes, token=TOKEN, hosts=hosts), base_url=base, follow_redirects=False)
    if signed_in:
        made.cookies.set(cookie_name(8777), TOKEN)
    return made


def test_reading_needs_the_token():
    assert client(signed_in=False).get("/").status_code == 401
    assert client(signed_in=False).get("/static/base.css").status_code == 401
    assert client().get("/").text == "shown"


@pytest.mark.parametrize("wrong", ["", "x", TOKEN[:-1], TOKEN + "x", "é" * 40, "x" * 40_000])
def test_a_wrong_token_opens_nothing(wrong):
    made = client(signed_in=False)
    assert made.get("/", params={"token": wrong}).status_code == 401
    made.cookies.set(cookie_name(8777), wrong.encode("ascii", "replace").decode()[:4000])
    assert made.get("/").status_code == 401


def test_the_printed_address_turns_into_a_cookie_that_no_script_reads():
    made = client(signed_in=False)
    answer = made.get("/", params={"token": TOKEN, "step": "3"})
    assert answer.status_code == 200
    assert 'url=/?step=3"' in answer.text  # the token leaves the address
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{cookie_name(8777)}={TOKEN}")
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert made.get("/").text == "shown"


def test_a_typed_address_is_redirected_so_that_browsers_keep_what_stands_behind_its_hash():
    made = client(signed_in=False)
    answer = made.get(
        "/", params={"token": TOKEN, "step": "3"}, headers={"sec-fetch-site": "none"}, follow_redirects=False
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/?step=3")
    assert answer.headers["set-cookie"].startswith(f"{cookie_name(8777)}={TOKEN}; HttpOnly")
    assert made.get("/").text == "shown"


@pytest.mark.parametrize("path", ["//elsewhere.example/", "/\\elsewhere.example", "/%22%3E%3Cscript%3E"])
def test_the_entrance_leads_nowhere_else_and_writes_no_markup(path):
    typed = client(signed_in=False).get(
        BASE + path, params={"token": TOKEN}, headers={"sec-fetch-site": "none"}, follow_redirects=False
    )
    assert typed.headers["location"][0] == "/" and typed.headers["location"][1] not in "/\\"
    answer = client(signed_in=False).get(BASE + path, params={"token": TOKEN})
    assert "url=//" not in answer.text
    assert "url=/\\" not in answer.text
    assert "<script" not in answer.text


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8777",
        "127.0.0.1.evil.example",
        "localhost.evil",
        "",
        "a@localhost",
        "localhost/x",
        "169.254.1.1",
        "localhost:port",
    ],
)
def test_other_names_are_refused_whoever_they_were_pointed_at(host):
    assert client().get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:8777", "127.0.0.1:9000", "[::1]:8777", "LOCALHOST"])
def test_names_of_this_machine_are_answered_on_any_port_since_ports_are_forwarded(host):
    assert client().get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "https://127.0.0.1:8777", ""]
)
def test_a_request_from_a_page_of_another_origin_is_refused(origin):
    headers = {"origin": origin, HEADER: header_token(TOKEN)}
    assert client().post("/change", headers=headers).status_code == 403
    assert client().get("/", headers={"origin": origin}).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "whatever"])
def test_another_site_may_link_to_a_page_and_load_nothing(site):
    loaded = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
    assert client().get("/", headers=loaded).status_code == 403
    followed = {"sec-fetch-site": site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert client().get("/", headers=followed).status_code == 200
    assert client().post("/change", headers={**followed, HEADER: header_token(TOKEN)}).status_code == 403


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_change_needs_the_header_token(method):
    made = client()
    assert made.request(method, "/change").status_code == 403
    assert made.request(method, "/change", headers={HEADER: TOKEN}).status_code == 403
    assert made.request(method, "/change", headers={HEADER: header_token(TOKEN)}).text == "changed"
    alone = client(signed_in=False)
    assert alone.request(method, "/change", headers={HEADER: header_token(TOKEN)}).status_code == 401


def test_every_answer_forbids_what_is_not_ours_and_everything_inline():
    made = client()
    answers = [
        made.get("/"),
        made.get("/nowhere"),
        made.get("/", headers={"host": "evil.example"}),
        client(signed_in=False).get("/"),
    ]
    for answer in answers:
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "server" not in answer.headers
    assert "unsafe" not in POLICY
    assert "default-src 'none'" in POLICY


@pytest.mark.parametrize(
    "path",
    [
        "/static/../security.py",
        "/static/%2e%2e/security.py",
        "/static/..%2fsecurity.py",
        "/static/%2e%2e%2fsecurity.py",
        "/static/..%5csecurity.py",
        "/static/%252e%252e%252fsecurity.py",
        "/static/....//security.py",
        "/static//etc/passwd",
        "/static/%00",
        "/static/base.css%00.js",
        "/static/",
        "/static/%c0%ae%c0%ae/security.py",
    ],
)
def test_no_form_of_a_path_leads_out_of_the_static_files(path):
    answer = client().get(BASE + path)
    assert answer.status_code == 404
    assert "token" not in answer.text


def test_web_sockets_are_closed():
    with pytest.raises(WebSocketDisconnect) as closed, client().websocket_connect("/"):
        pass
    assert closed.value.code == 1008


def test_a_server_for_others_answers_to_addresses_and_its_own_name_alone():
    hosts = allowed_hosts("0.0.0.0")
    made = client(hosts=hosts)
    assert made.get("/", headers={"host": "192.0.2.7:8777"}).status_code == 200
    assert made.get("/", headers={"host": "evil.example"}).status_code == 421
    assert allowed_hosts("127.0.0.1") == allowed_hosts("localhost") == frozenset()
    assert (
        client(hosts=allowed_hosts("workstation.example"))
        .get("/", headers={"host": "Workstation.example:1"})
        .status_code
        == 200
    )


def test_loopback_is_told_from_everything_else():
    assert all(map(is_loopback, ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"]))
    assert not any(map(is_loopback, ["0.0.0.0", "192.0.2.1", "localhost.example", "", "::"]))


def test_a_short_token_is_refused():
    with pytest.raises(ValueError, match="guessed"):
        Guard(shown, token="1234")


def test_a_port_in_use_gives_the_next_free_one_and_says_so():
    first, said = bind("127.0.0.1", 0)
    with first:
        assert said == ""
        port = first.getsockname()[1]
        second, said = bind("127.0.0.1", port)
        with second:
            assert second.getsockname()[1] != port
            assert said == f"port {port} is in use; taking {second.getsockname()[1]}."


def test_a_server_started_again_on_its_port_keeps_its_token_for_a_while(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path))
    token = lasting_token(8777)
    assert len(token) >= 43  # 256 bits in base64
    assert lasting_token(8777) == token
    assert lasting_token(8778) != token
    kept = tmp_path / "view" / "token-8777"
    assert kept.stat().st_mode & 0o077 == 0
    assert lasting_token(8777, now=kept.stat().st_mtime + 13 * 3600) != token


@pytest.mark.skipif(not hasattr(os, "symlink") or os.name == "nt", reason="needs links and modes of POSIX")
def test_a_token_file_that_others_read_or_that_is_a_link_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path))
    token = lasting_token(8777)
    kept = tmp_path / "view" / "token-8777"
    kept.chmod(0o644)
    assert lasting_token(8777) != token
    kept.unlink()
    (tmp_path / "elsewhere").write_text(token)
    (tmp_path / "elsewhere").chmod(0o600)
    kept.symlink_to(tmp_path / "elsewhere")
    assert lasting_token(8777) != token


def test_the_address_to_open_is_one_that_a_browser_reaches():
    assert address_of("127.0.0.1", 8777, token="t") == "http://127.0.0.1:8777/?token=t"
    assert address_of("0.0.0.0", 1) == "http://127.0.0.1:1/"
    assert address_of("::1", 1, path="/play/") == "http://[::1]:1/play/"
