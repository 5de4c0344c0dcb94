"""Recorded runs and the drawing code without a server."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from equipoise.playground import embedded
from equipoise.playground.recording import CELLS, FORMAT, record
from equipoise.playground.situations import find_situation, situations

DOCS = Path(__file__).parents[3] / "docs"


def test_a_recording_begins_with_the_situation_and_has_a_frame_every_few_steps():
    short = dataclasses.replace(find_situation("squared-error"), recorded={"steps": 8, "every": 4})
    recording = record(short)
    assert [frame["step"] for frame in recording["frames"]] == [0, 4, 8]
    assert recording["walk"]["step"] == 1 and recording["situation"]["name"] == "squared-error"
    assert "grid" in recording["frames"][0] and "surface" not in recording["frames"][0]
    json.dumps(recording, allow_nan=False)


def test_a_recording_is_the_same_each_time_and_has_what_its_layers_draw():
    short = dataclasses.replace(find_situation("r1-settles"), recorded={"steps": 6, "every": 2})
    first, second = record(short), record(short)
    assert first == second
    frame = first["frames"][-1]
    assert len(frame["surface"]) == 4 * CELLS * CELLS // 3  # base64 of one byte a cell
    assert frame["mean"] and "grid" not in frame and "slope" not in frame
    assert frame["proved"]["step"] == 6 and 0 <= frame["proved"]["jsd"] < 0.7


def test_every_situation_has_a_recording_of_its_own_on_a_page_of_the_documentation():
    shown = {
        name for page in DOCS.rglob("*.md") for name in re.findall(r"\{\{ play (\S+) \}\}", page.read_text("utf-8"))
    }
    assert shown == {each.name for each in situations()}
    for each in situations():
        path = DOCS / "recordings" / f"{each.name}.json"
        recording = json.loads(path.read_text(encoding="utf-8"))
        assert path.stat().st_size < 320_000
        assert recording["format"] == FORMAT
        # What the recording says is what the situation says today.
        assert recording["situation"] == each.to_json()
        assert len(recording["frames"]) == each.recorded["steps"] // each.recorded["every"] + 1
        assert {name: recording["settings"][name] for name in each.settings} == dict(each.settings)


def test_the_drawing_code_is_one_script_without_imports():
    script = embedded.script()
    assert not re.search(r"^\s*(import|export) ", script, flags=re.MULTILINE)
    for name in (
        "class GameView",
        "class WalkView",
        "class Plane",
        "function show(",
        "return { keep, show, showAll, showIn }",
    ):
        assert name in script
    assert "fetch(" not in script and "EventSource" not in script


def test_a_recording_becomes_a_script_that_holds_data_alone():
    made = embedded.recording_script("a", {"text": "</script>"})
    assert made.startswith('equipoisePlayground.keep("a", ') and json.loads(made[30:-3]) == {"text": "</script>"}


@pytest.mark.parametrize("dark", ['[data-md-color-scheme="slate"]', ".dark"])
def test_the_style_stays_inside_its_place_and_knows_the_dark(dark):
    style = embedded.style(dark=dark, scale=0.5)
    assert f"{dark} .playground {{" in style and "--real: #56b4e9" in style
    assert style.count("{") == style.count("}")
    assert "gap: .5rem" not in style or "gap: 0.5rem" in style
