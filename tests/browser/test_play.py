"""The playground in a real browser: it steps, pauses, takes data drawn with the mouse, and shows saturation."""

from __future__ import annotations

import dataclasses
import re

import pytest

pytest.importorskip("starlette")

from equipoise.live.server import create_app
from equipoise.playground.routes import routes

TOKEN = "t" * 32
QUICK = "batch_size=16&generator_width=8&discriminator_width=8"
WAIT = 60_000  # a bound for a busy machine; it takes a second


@pytest.fixture
def address(serving):
    app = create_app(routes(is_home=True), token=TOKEN)
    app.state.parts = ("/play/",)
    return serving(app)


@pytest.fixture
def play(tab, address):
    return lambda name="", changes="": opened(tab, address, name, changes)


def opened(page, address, name="", changes=""):
    page.goto(f"{address}/play/{name}?token={TOKEN}{'#' + changes if changes else ''}")
    page.wait_for_selector(".flow .box", timeout=WAIT)
    return page


def test_settings_in_the_address_are_those_of_the_game_and_a_second_press_is_not_lost(play):
    page = play(changes=QUICK)
    assert "Batch of 16." in page.locator(".walk-heading").inner_text()
    for _ in range(3):  # as fast as keys repeat: each waits for the answer to the one before
        page.locator("body").press("s")
    page.get_by_text("Step 3, just made").wait_for(timeout=WAIT)
    page.locator("body").press(" ")
    page.locator("body").press(" ")
    page.get_by_text("the next one").wait_for(timeout=WAIT)
    page.get_by_role("button", name="Start").wait_for()


def step_of(page):
    return int(re.search(r"step (\d+)", page.locator(".counter").inner_text())[1])


def wait_until(page, is_so):
    """Asked from here: a page that forbids eval cannot be asked to wait for an expression."""
    for _ in range(WAIT // 50):
        if is_so():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it never was")


def test_a_step_is_made_and_walked_box_by_box_and_a_playing_game_can_be_paused(play):
    page = play(changes=QUICK)
    page.get_by_role("button", name="Step", exact=True).click()
    page.get_by_text("Step 1, just made").wait_for(timeout=WAIT)
    assert step_of(page) == 1
    for number, words in ((1, "latents z"), (2, "generated y"), (3, "real x"), (4, "logits l")):
        page.get_by_role("button", name="Next box").click()
        assert words in page.locator(".box.active .box-title").inner_text()
        assert page.locator(".box.active .box-number").inner_text() == str(number)
    page.get_by_role("button", name="G update").click()
    assert "what each y is told" in page.locator(".flow").inner_text()
    page.locator("body").press(" ")
    page.get_by_role("button", name="Pause").wait_for()
    wait_until(page, lambda: step_of(page) >= 4)
    page.locator("body").press(" ")
    page.get_by_text("the next one").wait_for(timeout=WAIT)
    stopped = step_of(page)
    page.wait_for_timeout(300)
    assert step_of(page) == stopped
    assert f"step {stopped}." in page.locator("canvas.plane").first.get_attribute("aria-label")
    refused = page.get_by_label("batch size")
    refused.fill("9999")
    refused.press("Tab")
    page.get_by_text("Expected a number from 1 to 512.").wait_for(timeout=WAIT)


def test_data_are_drawn_with_the_mouse_and_the_game_is_played_with_them(play):
    page = play(changes=QUICK)
    page.get_by_role("button", name="Draw data").click()
    canvas = page.locator("canvas.plane").first
    box = canvas.bounding_box()
    right, middle = box["x"] + 0.75 * box["width"], box["y"] + 0.5 * box["height"]
    page.mouse.move(right, middle - 40)
    page.mouse.down()
    page.mouse.move(right, middle + 40, steps=8)
    page.mouse.up()
    page.get_by_text(re.compile(r"\d+ points drawn")).wait_for(timeout=WAIT)
    page.get_by_role("button", name="Step", exact=True).click()
    page.get_by_text("Step 1, just made").wait_for(timeout=WAIT)
    # Three quarters across the window of -3 to 3 is 1.5.
    said = canvas.get_attribute("aria-label")
    assert float(re.search(r"Real points: mean \((-?[\d.]+)", said)[1]) == pytest.approx(1.5, abs=0.1)


def test_data_are_drawn_with_a_finger_while_the_page_stays_where_it_is(phone, address):
    page = opened(phone, address, changes=QUICK)
    page.get_by_role("button", name="Draw data").tap()
    canvas = page.locator("canvas.plane").first
    canvas.scroll_into_view_if_needed()
    box, before = canvas.bounding_box(), page.evaluate("scrollY")
    finger = page.context.new_cdp_session(page)

    def touch(kind, y=None):
        at = [] if y is None else [{"x": box["x"] + 0.25 * box["width"], "y": box["y"] + y * box["height"]}]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    touch("touchStart", 0.3)
    for step in range(1, 9):
        touch("touchMove", 0.3 + 0.05 * step)
    touch("touchEnd")
    page.get_by_text(re.compile(r"\d+ points drawn")).wait_for(timeout=WAIT)
    assert page.evaluate("scrollY") == before
    page.get_by_role("button", name="Step", exact=True).tap()
    page.get_by_text("Step 1, just made").wait_for(timeout=WAIT)
    # A quarter across the window of -3 to 3 is -1.5.
    said = canvas.get_attribute("aria-label")
    assert float(re.search(r"Real points: mean \((-?[\d.]+)", said.replace("\N{MINUS SIGN}", "-"))[1]) == pytest.approx(
        -1.5, abs=0.1
    )


def test_the_situation_of_saturation_shows_arrows_that_have_vanished_beside_arrows_that_have_not(play):
    page = play("saturation")
    page.get_by_text("Saturated: the arrows of").wait_for(timeout=WAIT)
    assert float(page.locator(".reading").get_attribute("data-share")) < 0.01
    # Arrows are drawn in the page's ink: dark pixels on the light page, which the points and D's surface have not.
    dark = page.evaluate(
        """() => [...document.querySelectorAll('.losses canvas')].map((canvas) => {
            const side = canvas.width;
            const { data } = canvas.getContext('2d').getImageData(0.1 * side, 0, 0.8 * side, 0.9 * side);
            let count = 0;
            for (let i = 0; i < data.length; i += 4) count += data[i] + data[i + 1] + data[i + 2] < 200;
            return count;
        })"""
    )
    assert dark[1] > 100 + dark[0]


def test_a_recorded_run_is_played_from_a_folder_without_a_server(tab, tmp_path):
    from equipoise.playground import embedded
    from equipoise.playground.recording import record
    from equipoise.playground.situations import find_situation

    short = dataclasses.replace(find_situation("r1-settles"), recorded={"steps": 12, "every": 2})
    (tmp_path / "playground.js").write_text(f"{embedded.script()}{embedded.GLOBAL}.showAll();", encoding="utf-8")
    (tmp_path / "playground.css").write_text(embedded.style(dark=".dark"), encoding="utf-8")
    (tmp_path / "run.js").write_text(embedded.recording_script("run", record(short)), encoding="utf-8")
    (tmp_path / "page.html").write_text(
        '<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="playground.css">'
        '<div class="playground" data-recording="run" data-source="run.js"></div>'
        '<script src="playground.js" defer></script>',
        encoding="utf-8",
    )
    tab.goto((tmp_path / "page.html").as_uri())
    tab.get_by_role("button", name="Step").click()
    assert tab.locator(".counter").inner_text() == "step 2"
    tab.get_by_role("button", name="Play").click()
    wait_until(tab, lambda: step_of(tab) == 12)
    assert "step 12." in tab.locator("canvas.plane").first.get_attribute("aria-label")
    tab.locator("details.walk summary").click()
    wait_until(tab, lambda: "real x" in tab.locator(".flow").inner_text())  # drawn when the browser says it is open


def test_the_chart_names_the_best_discriminator_only_where_it_is_drawn_and_minus_signs_are_minus_signs(play):
    page = play("saturation", QUICK)
    page.get_by_role("button", name="Step", exact=True).click()
    legend = page.locator(".chart-card .legend")
    legend.get_by_text("V by quadrature").wait_for(timeout=WAIT)
    assert legend.get_by_text("V of the best D").count() == 0
    page.get_by_label("best D, dashed").check()
    legend.get_by_text("V of the best D").wait_for(timeout=WAIT)
    page.locator(".chart-card svg text", has_text="−1").first.wait_for(timeout=WAIT)
    assert page.locator(".chart-card svg text", has_text="-").count() == 0
    assert page.get_by_label("real rows drawn").locator("option:checked").inner_text() == "as they come"
