"""`eq.view`: a run or a recorded game as one page that asks nobody."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

import equipoise as eq
from equipoise.errors import InputError, NewerFormat, RunFolderError
from equipoise.playground import view as home
from equipoise.playground.recording import record, write_recordings
from equipoise.playground.situations import find_situation

FIXTURE = Path(__file__).parents[2] / "fixtures" / "format2" / "points"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
SHORT = dataclasses.replace(find_situation("r1-settles"), recorded={"steps": 4, "every": 2})


@pytest.fixture
def run(tmp_path) -> Path:
    made = tmp_path / "first"
    shutil.copytree(FIXTURE, made)
    (made / "samples").mkdir(exist_ok=True)
    for place, name in enumerate(("real.png", "step-00000004.png", "step-00000008.png")):
        Image.new("L", (8, 8), 80 * place).save(made / "samples" / name)
    return made


class Elements(HTMLParser):
    """The elements of a page with their attributes, and the text of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.texts: list[tuple[str, dict, str]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.cdata_elem in ("script", "style"):
            self.texts.append((*self.tags[-1], data))


def recording_in(page: str) -> dict:
    (text,) = [text for _, attributes, text in Elements(page).texts if attributes.get("id") == "recording"]
    return json.loads(text)


def test_a_run_becomes_a_page_with_its_curves_samples_and_evaluations(run):
    page = eq.view(run)
    kept = recording_in(page.html)
    assert kept["series"]["steps"] == [row["step"] for row in map(json.loads, open(run / "metrics.jsonl"))]
    assert kept["series"]["columns"].keys() == set(kept["state"]["keys"])
    assert kept["state"]["samples"]["steps"] == [4, 8]
    assert all(kept["pictures"][name].startswith("data:image/") for name in ("real", "samples 4", "samples 8"))
    assert len(kept["state"]["referee"]["points"]) == len((run / "verdicts.jsonl").read_text().splitlines())
    assert set(kept["histograms"]) == set(map(str, kept["state"]["histograms"]))
    assert kept["progress"]["step"] >= 4
    assert not kept["state"]["control"]["is_listening"]


def test_the_page_is_one_file_that_asks_for_nothing_and_runs_our_script_alone(run, tmp_path):
    path = eq.view(run).save(tmp_path / "page.html")
    found = Elements(path.read_text(encoding="utf-8"))
    assert not [tag for tag, attributes in found.tags if {"src", "href"} & set(attributes)]
    (policy,) = [each["content"] for tag, each in found.tags if each.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    code, style = (
        next(text for tag, each, text in found.texts if tag == name and not each) for name in ("script", "style")
    )
    for text in (code, style):
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in policy
    assert "import " not in re.sub(r"/\*.*?\*/", "", code, flags=re.DOTALL)


def test_texts_of_a_hostile_run_stay_data_of_the_page(run):
    (run / "event_log.jsonl").write_text(json.dumps({"event": HOSTILE}) + "\n")
    hostile = run.rename(run.parent / "<b onclick=x>")
    page = eq.view(hostile)
    assert sum(tag == "script" for tag, _ in Elements(page.html).tags) == 2
    assert recording_in(page.html)["state"]["events"][0]["text"] == HOSTILE
    frame = Elements(page._repr_html_())
    assert [tag for tag, _ in frame.tags] == ["iframe"]
    assert frame.tags[0][1]["srcdoc"] == page.html
    assert frame.tags[0][1]["sandbox"] == "allow-scripts"


def test_a_recorded_game_is_shown_from_its_values_and_from_its_file(tmp_path):
    recording = record(SHORT)
    (path,) = write_recordings([SHORT], tmp_path)
    for given in (recording, path, str(path)):
        page = eq.view(given, height=500)
        assert recording_in(page.html) == recording
        assert page.title == SHORT.title
        assert "height: 500px" in page._repr_html_()
    assert len(repr(page)) < 100


def test_the_name_of_a_situation_is_played(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    played = []
    monkeypatch.setattr(home, "record", lambda situation: played.append(situation.name) or record(SHORT))
    assert eq.view("saturation").title == SHORT.title
    assert played == ["saturation"]


def test_the_generator_of_a_run_leads_to_its_folder(run):
    class Loaded:
        folder = run

    assert eq.view(Loaded()).title == "first"


def test_what_is_neither_run_nor_recording_is_refused_with_what_could_be(tmp_path):
    with pytest.raises(RunFolderError, match="Situations: saturation"):
        eq.view(tmp_path / "gone")
    with pytest.raises(RunFolderError):
        eq.view(tmp_path)
    (tmp_path / "other.json").write_text('{"format": 99, "situation": {}, "frames": [1]}')
    with pytest.raises(InputError, match="Expected a recording of format 1.*\n?.*--record DIR"):
        eq.view(tmp_path / "other.json")
    with pytest.raises(InputError, match="no recorded game"):
        eq.view({"format": 1, "situation": {"title": "x"}, "frames": []})


def test_a_run_of_a_newer_format_says_what_to_do(run):
    status = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps({**status, "format": 99}))
    with pytest.raises(NewerFormat, match="99"):
        eq.view(run)


def test_the_function_is_loaded_when_it_is_used_and_needs_no_server():
    code = (
        "import sys, equipoise as eq; assert 'torch' not in sys.modules; assert callable(eq.view);"
        "import equipoise.live.server; assert callable(eq.view);"
        "assert not {'starlette', 'uvicorn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
