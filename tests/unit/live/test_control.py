"""What a page may ask of a run that trains, and of which run."""

from __future__ import annotations

import json
import os
import socket

import pytest
from asked import key_in

from equipoise.errors import InputError, RunFolderError
from equipoise.live.security import HEADER, header_token
from equipoise.run_requests import (
    ANSWERS,
    FOLDER,
    MOST_WAITING,
    Listening,
    Request,
    append,
    ask,
    begin_listening,
    end_listening,
    listening_at,
    request_from,
    rows_of,
    take_requests,
)

TOKEN = "a-token-that-nobody-guesses-0123456789"
CHANGE = {HEADER: header_token(TOKEN)}
HERE = Listening(os.getpid(), socket.gethostname(), ("cat", "dog"), can_evaluate=True)


def test_a_run_that_listens_is_asked_and_its_answer_is_shown(run, client):
    begin_listening(run, HERE)
    asking = client(run.parent)
    address = f"/api/runs/{key_in(asking)}"
    control = asking.get(f"{address}/state").json()["control"]
    assert control["is_listening"]
    assert control["classes"] == ["cat", "dog"]
    content = {"what": "draw", "label": 1, "seed": 7, "truncation": 0.5}
    answer = asking.post(f"{address}/requests", json=content, headers=CHANGE)
    assert answer.status_code == 202
    (request,) = take_requests(run)
    assert request == Request("draw", 1, 7, 0.5, answer.json()["id"])
    assert take_requests(run) == []
    append(run, ANSWERS, {"id": request.id, "what": "draw", "is_done": True, "text": "Drawn.", "picture": 1})
    assert client(run.parent).get(f"{address}/state").json()["control"]["answers"][0]["text"] == "Drawn."


def test_a_change_without_the_header_token_reaches_no_run(run, client):
    begin_listening(run, HERE)
    asking = client(run.parent)
    address = f"/api/runs/{key_in(asking)}/requests"
    assert asking.post(address, json={"what": "stop"}).status_code == 403
    elsewhere = {**CHANGE, "origin": "http://evil.example"}
    assert asking.post(address, json={"what": "stop"}, headers=elsewhere).status_code == 403
    assert asking.get(address).status_code == 405
    assert take_requests(run) == []


def test_a_run_that_does_not_listen_is_read_only(run, client):
    asking = client(run.parent)
    address = f"/api/runs/{key_in(asking)}"
    assert not asking.get(f"{address}/state").json()["control"]["is_listening"]
    answer = asking.post(f"{address}/requests", json={"what": "stop"}, headers=CHANGE)
    assert answer.status_code == 409
    assert "--view" in answer.json()["error"]
    assert not (run / FOLDER).exists()


@pytest.mark.parametrize(
    "content",
    [
        "x",
        "[]",
        "null",
        "[" * 3000,
        '{"what": "delete"}',
        '{"what": ["stop"]}',
        '{"what": "draw", "label": 2}',
        '{"what": "draw", "label": -1}',
        '{"what": "draw", "label": "../x"}',
        '{"what": "draw", "label": true}',
        '{"what": "draw", "seed": 1e300}',
        '{"what": "draw", "seed": -1}',
        '{"what": "draw", "truncation": 2}',
        '{"what": "draw", "truncation": NaN}',
    ],
)
def test_a_request_that_makes_no_sense_is_refused_in_words(run, client, content):
    begin_listening(run, HERE)
    asking = client(run.parent)
    headers = {**CHANGE, "content-type": "application/json"}
    answer = asking.post(f"/api/runs/{key_in(asking)}/requests", content=content, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert take_requests(run) == []


def test_a_request_that_is_too_long_or_no_json_is_refused(run, client):
    begin_listening(run, HERE)
    asking = client(run.parent)
    address = f"/api/runs/{key_in(asking)}/requests"
    json_headers = {**CHANGE, "content-type": "application/json"}
    assert asking.post(address, content="x" * 10_000, headers=json_headers).status_code == 413
    form = {**CHANGE, "content-type": "text/plain"}
    assert asking.post(address, content='{"what": "stop"}', headers=form).status_code == 415


def test_an_evaluation_is_offered_only_where_the_run_has_some():
    with pytest.raises(InputError, match="no interim evaluations"):
        request_from({"what": "evaluate"}, listening=Listening(1, "here"))


@pytest.mark.skipif(os.name == "nt", reason="needs links and modes of POSIX")
def test_a_folder_of_requests_that_is_a_link_or_open_to_others_is_not_used(run, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (run / FOLDER).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunFolderError, match="it is a link"):
        begin_listening(run, HERE)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    (run / FOLDER).unlink()
    folder = begin_listening(run, HERE)
    assert folder.stat().st_mode & 0o077 == 0
    folder.chmod(0o777)
    assert listening_at(run) is None
    with pytest.raises(RunFolderError, match="no run that listens"):
        ask(run, Request("stop"))


def test_a_run_that_was_killed_or_trains_elsewhere_does_not_listen(run):
    begin_listening(run, Listening(2**22 + 1, socket.gethostname()))  # above the largest process number
    assert listening_at(run) is None
    begin_listening(run, Listening(os.getpid(), "another-machine"))
    assert listening_at(run) is None
    begin_listening(run, HERE)
    assert listening_at(run) == HERE
    end_listening(run)
    assert listening_at(run) is None


def test_requests_of_an_earlier_start_are_forgotten(run):
    begin_listening(run, HERE)
    ask(run, Request("stop"))
    begin_listening(run, HERE)
    assert take_requests(run) == []


def test_files_that_no_page_wrote_are_taken_away_unanswered(run):
    folder = begin_listening(run, HERE)
    name = f"ask-{0:020d}-{0:016x}.json"
    (folder / name).write_text('{"what": "draw", "label": "x"}')
    (folder / "ask-me.json").write_text('{"what": "stop"}')
    assert take_requests(run) == []
    assert not (folder / name).exists()


def test_only_so_many_requests_wait(run):
    begin_listening(run, HERE)
    for _ in range(MOST_WAITING):
        ask(run, Request("draw"))
    with pytest.raises(RunFolderError, match="wait already"):
        ask(run, Request("draw"))


def test_answers_are_read_only_from_the_runs_own_folder(run, tmp_path):
    begin_listening(run, HERE)
    append(run, ANSWERS, {"text": "one"})
    assert rows_of(run, ANSWERS)[0]["text"] == "one"
    (run / FOLDER / ANSWERS).write_text(json.dumps({"text": "<b>"}) + "\nbroken\n")
    assert [row["text"] for row in rows_of(run, ANSWERS)] == ["<b>"]
