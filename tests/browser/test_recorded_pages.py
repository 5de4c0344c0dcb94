"""The pages of `eq.view` in a real browser: opened from a folder, and in the frame of a notebook."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

import equipoise as eq
from equipoise.playground.recording import record
from equipoise.playground.situations import find_situation

FIXTURE = Path(__file__).parents[1] / "fixtures" / "format2" / "points"
WAIT = 60_000  # a bound for a busy machine; it takes a second


@pytest.fixture
def run(tmp_path) -> Path:
    made = tmp_path / "first"
    shutil.copytree(FIXTURE, made)
    (made / "samples").mkdir(exist_ok=True)
    for place, name in enumerate(("real.png", "step-00000004.png", "step-00000008.png")):
        Image.new("RGB", (60, 60), (80 * place, 40, 90)).save(made / "samples" / name)
    script = "<script>document.title='taken'</script>"
    (made / "event_log.jsonl").write_text(json.dumps({"event": script}) + "\n")
    return made


def offline(tab) -> list[str]:
    """Addresses that the page asks for besides its own file."""
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url) if request.url.startswith("http") else None)
    tab.context.set_offline(True)
    return asked


def test_a_run_is_shown_from_one_file_without_a_server(tab, run, tmp_path):
    asked = offline(tab)
    tab.goto(eq.view(run).save(tmp_path / "page.html").as_uri())
    tab.get_by_text("step 4 of 8").first.wait_for(timeout=WAIT)
    tab.locator("#curves path.line").first.wait_for(state="attached", timeout=WAIT)
    assert tab.locator("#evidence .whisker").count() >= 1
    slider = tab.get_by_role("slider", name="step 8", exact=True)
    slider.wait_for(timeout=WAIT)
    slider.press("ArrowLeft")
    tab.get_by_role("slider", name="step 4", exact=True).wait_for(timeout=WAIT)
    image = tab.get_by_alt_text("Generated samples at step 4")
    assert image.evaluate("(image) => image.complete && image.naturalWidth") == 60
    tab.get_by_text("Samples and evaluations come from the averaged weights", exact=False).wait_for(timeout=WAIT)
    plane = tab.get_by_role("slider", name="Value of the objective", exact=False)
    for _ in range(50):  # a chart that is drawn again meanwhile forgets where it was asked
        plane.press("End")
        if "value" in (plane.get_attribute("aria-valuetext") or ""):
            break
        tab.wait_for_timeout(100)
    assert "value" in plane.get_attribute("aria-valuetext")
    plane.press("+")
    tab.get_by_role("button", name="Whole run").wait_for(timeout=WAIT)
    assert tab.locator(".event-list").inner_text().count("<script>") == 1
    assert tab.title() == "first · equipoise"
    assert asked == []


def test_a_notebook_shows_a_run_and_a_game_in_frames_of_their_own(tab, run, tmp_path):
    short = dataclasses.replace(find_situation("r1-settles"), recorded={"steps": 4, "every": 2})
    cells = [eq.view(run)._repr_html_(), eq.view(record(short))._repr_html_()]
    (tmp_path / "notebook.html").write_text(
        f'<!doctype html><meta charset="utf-8"><title>mine</title>{"".join(cells)}', encoding="utf-8"
    )
    asked = offline(tab)
    tab.goto((tmp_path / "notebook.html").as_uri())
    frames = tab.locator("iframe")
    first, second = (frames.nth(place).content_frame for place in (0, 1))
    first.locator("#curves path.line").first.wait_for(state="attached", timeout=WAIT)
    second.get_by_role("button", name="Step").click(timeout=WAIT)
    second.locator(".counter", has_text="step 2").wait_for(timeout=WAIT)
    second.locator("details.walk summary").click()
    second.get_by_text("real x").first.wait_for(timeout=WAIT)
    assert tab.title() == "mine"
    assert asked == []
