"""The run pages: what they serve of a run folder, and what they do with one that is hostile, broken or gone."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from asked import key_in, row

from equipoise.live import follow
from equipoise.live.follow import FollowedRun
from equipoise.live.run_files import picture, read_inside
from equipoise.live.run_text import weights_in_words
from equipoise.live.runs import RunLibrary, key_of
from equipoise.reports.reading import read_run
from equipoise.reports.wording import state_sentence
from equipoise.runfolder import RunFolder

needs_links = pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")


def state_of(asking, key) -> dict:
    return asking.get(f"/api/runs/{key}/state").json()


def test_a_run_is_listed_shown_and_told_in_the_words_of_its_report(run, client):
    asking = client(run.parent)
    key = key_in(asking)
    page = asking.get(f"/runs/{key}")
    assert page.status_code == 200
    assert "<h1>first</h1>" in page.text
    state = state_of(asking, key)
    assert state["sentence"] == state_sentence(read_run(run))
    assert state["verdict_sentence"]
    assert {chart["name"] for chart in state["charts"]} >= {"value", "losses", "gradients", "rates", "speed"}
    assert all(line["key"] in state["keys"] for c in state["charts"] for p in c["panels"] for line in p["lines"])


def test_a_server_of_one_run_goes_to_it(run, client):
    answer = client(run).get("/")
    assert answer.status_code == 303
    assert client(run).get(answer.headers["location"]).status_code == 200


def test_pictures_of_a_run_are_served_as_pictures(run, client):
    asking = client(run.parent)
    key = key_in(asking)
    steps = state_of(asking, key)["samples"]["steps"]
    answer = asking.get(f"/api/runs/{key}/picture/samples", params={"step": steps[-1]})
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == RunFolder(run).sample_file(steps[-1], ".png").read_bytes()
    assert asking.get(f"/api/runs/{key}/picture/real").status_code == 200
    assert asking.get(f"/api/runs/{key}/picture/samples", params={"step": 10**9}).status_code == 404


def test_curves_are_asked_for_once_and_then_only_what_is_new(run, client, monkeypatch):
    asking = client(run.parent)
    with open(run / "metrics.jsonl", "a") as stream:
        stream.writelines(row(step) for step in range(100, 3000))
    key = key_in(asking)
    address = f"/api/runs/{key}/series"
    whole = asking.get(address).json()
    while whole["rows"] < 2900:
        whole = asking.get(address).json()
    assert not whole["is_part"]
    had = {name: whole[name] for name in ("generation", "per_bin")}
    had["first_bin"] = whole["first_bin"] + len(whole["steps"]) - 1
    with open(run / "metrics.jsonl", "a") as stream:
        stream.writelines(row(step) for step in range(3000, 3004))
    monkeypatch.setattr(follow, "FRESH_SECONDS", 0.0)
    part = asking.get(address, params=had).json()
    assert part["is_part"]
    assert part["first_bin"] == had["first_bin"]
    assert len(part["steps"]) <= 3
    exact = asking.get(address, params={"low": 500, "high": 600}).json()
    assert exact["per_bin"] == 1
    assert exact["steps"] == list(range(499, 602))


@pytest.mark.parametrize(
    "query",
    [
        "low=nan",
        "low=inf&high=-inf",
        "bins=-5",
        "bins=1e300",
        "low=x",
        "low=" + "9" * 400,
        "generation=%00",
        "low=5&high=1",
        "first_bin=-9&generation=0&per_bin=1",
    ],
)
def test_senseless_queries_get_an_answer(run, client, query):
    asking = client(run.parent)
    answer = asking.get(f"/api/runs/{key_in(asking)}/series?{query}")
    assert answer.status_code == 200
    assert json.loads(answer.text)["columns"]


@pytest.mark.parametrize(
    "path",
    [
        "/runs/../../etc/passwd",
        "/runs/..%2f..%2fetc%2fpasswd",
        "/runs/%2e%2e",
        "/runs/first",
        "/runs/first-000000000000",
        "/runs/%00-000000000000",
        "/api/runs/..%2f..-000000000000/state",
        "/api/runs/{key}/picture/..%2f..%2fstatus.json",
        "/api/runs/{key}/picture/%2e%2e",
        "/api/runs/{key}/picture/status.json",
        "/api/runs/{key}/picture/samples?step=../../status",
        "/api/runs/{key}/picture/samples?step=-1",
        "/api/runs/{key}/picture/samples?step=1.5",
        "/api/runs/{key}/picture/samples?step=1e999",
        "/api/runs/{key}/picture/real%00",
        "/api/runs/{key}/histogram?step=../x",
    ],
)
def test_no_form_of_an_address_leads_out_of_the_run_folder(run, client, path):
    asking = client(run.parent)
    answer = asking.get("http://127.0.0.1:8777" + path.replace("{key}", key_in(asking)))
    assert answer.status_code == 404
    assert "root:" not in answer.text


@needs_links
def test_links_out_of_the_folder_are_not_followed(run, client, tmp_path):
    secret = tmp_path / "secret.png"
    shutil.copy(run / "samples" / "real.png", secret)
    (run / "samples" / "real.png").unlink()
    (run / "samples" / "real.png").symlink_to(secret)
    asking = client(run.parent)
    assert asking.get(f"/api/runs/{key_in(asking)}/picture/real").status_code == 404
    (run / "samples").rename(tmp_path / "elsewhere")
    (run / "samples").symlink_to(tmp_path / "elsewhere")
    steps = RunFolder(run).sample_steps()
    assert steps
    assert picture(RunFolder(run), "samples", steps[0]) is None
    # The run as a whole is refused too, in words.
    assert "it is a link" in state_of(asking, key_in(asking))["trouble"]


@needs_links
def test_a_run_reached_by_a_link_is_not_listed(run, client, tmp_path):
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "linked").symlink_to(run)
    assert client(tmp_path / "others").get("/api/runs").json()["runs"] == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_in_the_place_of_a_picture_is_not_waited_for(run):
    (run / "samples" / "real.png").unlink()
    os.mkfifo(run / "samples" / "real.png")
    assert read_inside(run, "samples", "real.png") is None


def test_something_that_is_no_picture_is_not_served(run):
    (run / "samples" / "real.png").write_text("<script>alert(1)</script>")
    assert picture(RunFolder(run), "real") is None


HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">'


def test_hostile_texts_are_text_on_the_page_and_plain_values_in_answers(run, client):
    name = "<img src=x onerror=alert(1)>"
    hostile = run.parent / name
    run.rename(hostile)
    status = json.loads((hostile / "status.json").read_text())
    (hostile / "status.json").write_text(
        json.dumps({**status, "state": "failed", "message": HOSTILE, "trend": HOSTILE})
    )
    (hostile / "event_log.jsonl").write_text(json.dumps({"event": HOSTILE, "step": 1e308, "time": 1e300}) + "\n")
    with open(hostile / "metrics.jsonl", "a") as stream:
        stream.write(row(10, value=1e308, **{HOSTILE: 1e308}))
        stream.write('{"step": 11, "value": 1e999}\n{"step": 12, "val')
    asking = client(run.parent)
    key = key_in(asking, name)
    page = asking.get(f"/runs/{key}")
    assert name not in page.text
    assert "&lt;img src=x" in page.text
    answer = asking.get(f"/api/runs/{key}/state")
    assert answer.headers["content-type"] == "application/json"
    assert HOSTILE in answer.json()["sentence"]
    assert HOSTILE in answer.json()["events"][0]["text"]
    series = asking.get(f"/api/runs/{key}/series")
    assert "NaN" not in series.text
    assert "Infinity" not in series.text


def test_a_run_that_is_deleted_while_it_is_watched_keeps_its_page_and_says_so(run, client):
    asking = client(run.parent)
    key = key_in(asking)
    assert state_of(asking, key)["trouble"] == ""
    shutil.rmtree(run)
    followed = FollowedRun(run, key)
    followed.look()
    assert "the run folder is gone" in followed.state()["trouble"]
    assert "'equipoise view'" in followed.state()["trouble"]
    assert asking.get(f"/runs/{key}").status_code == 200


def test_a_followed_run_that_goes_keeps_its_last_words(run):
    followed = FollowedRun(run, "first")
    followed.look()
    before = followed.state()["verdict_sentence"]
    shutil.rmtree(run)
    assert followed.look()
    assert "gone" in followed.state()["trouble"]
    assert followed.state()["verdict_sentence"] == before


def test_a_run_of_a_newer_format_says_what_to_do(run, client):
    asking = client(run.parent)
    status = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps({**status, "format": 99}))
    key = key_in(asking)
    assert asking.get(f"/runs/{key}").status_code == 200
    trouble = state_of(asking, key)["trouble"]
    assert "format" in trouble
    assert "99" in trouble


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b'{"a": NaN}', b"[" * 100_000])
def test_a_broken_file_costs_its_part_of_the_page_alone(run, client, content):
    (run / "run.json").write_bytes(content)
    asking = client(run.parent)
    state = state_of(asking, key_in(asking))
    assert any("run.json" in text for text in state["troubles"])
    assert state["charts"]


def test_a_folder_without_runs_and_one_that_is_gone_are_said(tmp_path, client):
    assert client(tmp_path).get("/api/runs").json() == {"runs": []}
    assert "no such folder" in client(tmp_path / "gone").get("/api/runs").json()["error"]


def test_what_happens_is_told_to_everybody_who_listens(run):
    async def listening() -> list[str]:
        followed = FollowedRun(run, "first")
        heard, streams = [], [followed.events() for _ in range(3)]
        for stream in streams:
            names = {(await anext(stream)).name, (await anext(stream)).name}
            assert names == {"state", "progress"}
        with open(run / "metrics.jsonl", "a") as file:
            file.write(row(1000))
        for stream in streams:
            event = await asyncio.wait_for(anext(stream), 5)
            heard.append(event.data.get("step", event.name))
            await stream.aclose()
        assert followed._task is not None
        followed._task.cancel()
        return heard

    assert len(asyncio.run(listening())) == 3


def test_keys_are_the_same_again_and_no_two_runs_share_one():
    assert key_of("a/b", "a/b") == key_of("a/b", "a/b")
    assert key_of("a/b", "a/b") != key_of("c/b", "c/b")
    assert key_of("日本", "日本").startswith("run-")


def test_one_key_is_never_taken_for_another_runs(run):
    library = RunLibrary(run.parent, refresh_seconds=0)
    (shown,) = library.runs()
    assert library.path_of(shown.key) == run


def test_a_change_that_a_request_saw_first_is_told_to_those_who_listen(run, monkeypatch):
    monkeypatch.setattr(follow, "EVERY_SECONDS", 0.01)

    async def listening() -> int:
        followed = FollowedRun(run, "first")
        stream = followed.events()
        await anext(stream), await anext(stream)
        with open(run / "metrics.jsonl", "a") as file:
            file.write(row(1000))
        followed.look()  # as a request for the curves does
        while True:
            event = await asyncio.wait_for(anext(stream), 5)
            if event.name == "progress" and event.data["rows"] == 3:
                break
        more = asyncio.create_task(anext(stream))
        await asyncio.sleep(0.1)
        assert not more.done()  # what was told is not told again
        more.cancel()
        followed._task.cancel()
        return event.data["rows"]

    assert asyncio.run(listening()) == 3


@pytest.mark.parametrize(
    ("relative", "words"),
    [
        # Half of the weights k^(1/s - 1) of 400 steps lies after step 400 * 2^-s: 386.4 for 0.05, 282.8 for 0.5.
        (0.05, "the last 3.4 % of the steps, which now are 14."),
        (0.5, "the last 29.3 % of the steps, which now are 117."),
        (0, "from the last weights; this run averages none"),
        ("x", ""),
    ],
)
def test_the_page_says_how_far_back_the_averaged_weights_reach(run, relative, words):
    record = read_run(run)
    record = replace(record, config={"ema": {"relative_length": relative}}, status={**record.status, "step": 400})
    said = weights_in_words(record)
    assert words in said
    assert bool(said) == bool(words)


def test_half_of_the_averaged_weights_lies_where_the_page_says():
    # The EMA itself, of a network whose weight counts its updates: the mean of the profile is 1 / (1 + s).
    steps, relative = 4000, 0.05
    kept = np.zeros(steps)
    for step in range(1, steps + 1):
        weight = 1 / (1 + relative * step)
        kept *= 1 - weight
        kept[step - 1] = weight
    newest = kept[round(steps * 2**-relative) :].sum()
    assert newest == pytest.approx(0.5, abs=0.01)  # steps are discrete: O(1 / (s * steps)) = 0.005


def test_the_averaged_weights_are_in_every_progress(run):
    followed = FollowedRun(run, "first")
    followed.look()
    assert "EMA of relative length 0.05" in followed._events["progress"].data["weights"]
