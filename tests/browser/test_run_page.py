"""The run page in a real browser: it follows a training to its end, and shows hostile folders as text."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from equipoise.experiment.prepare import plan_run
from equipoise.experiment.train import train_planned
from equipoise.live.routes import RunPages
from equipoise.live.runs import RunLibrary
from equipoise.live.server import create_app
from equipoise.run_requests import FOLDER
from equipoise.training import answers
from equipoise.training.progress import Progress

TOKEN = "a-token-that-nobody-guesses-0123456789"
FIXTURE = Path(__file__).parents[1] / "fixtures" / "format2" / "points"
SMALL = (
    "networks.family=mlp",
    "networks.generator.width=8",
    "networks.discriminator.width=8",
    "training.batch_size=16",
    "outputs.checkpoint_every=10",
    "outputs.measure_every=2",
    "outputs.samples=2",
    "outputs.final_verdict=false",
    "evaluations.count=0",
)
PATIENCE_MS = 60_000  # of a busy machine; nothing here waits so long by itself


def pages_of(root: Path):
    return create_app(RunPages(RunLibrary(root, refresh_seconds=0)).routes(), token=TOKEN)


@pytest.fixture
def run(tmp_path) -> Path:
    shutil.copytree(FIXTURE, tmp_path / "runs" / "first")
    return tmp_path / "runs" / "first"


def rows(steps, **more) -> str:
    return "".join(
        json.dumps({"step": k, "seconds": k / 100, "steps_per_second": 100.0, "value": -1.0 / k, **more}) + "\n"
        for k in steps
    )


class Pausing(Progress):
    """Lets the training wait after chosen steps until the page has shown them."""

    def __init__(self, *steps: int) -> None:
        self.reached = {step: threading.Event() for step in steps}
        self.go_on = {step: threading.Event() for step in steps}
        self.folder = Path()

    def watches(self, folder: Path) -> bool:
        self.folder = folder
        return True

    def update(self, step, fields):
        if step in self.reached:
            self.reached[step].set()
            self.go_on[step].wait()  # without a bound of its own: the page's waits have theirs, and the end lets it go


def test_the_page_follows_a_training_to_its_end_and_asks_it_for_samples(tab, serving, tmp_path, monkeypatch):
    monkeypatch.setattr(answers, "EVERY_SECONDS", 0.0)
    np.save(tmp_path / "points.npy", np.random.default_rng(0).normal(size=(600, 2)))
    planned = plan_run(tmp_path / "points.npy", steps=20, seed=3, settings=SMALL)
    pausing = Pausing(4, 8)
    training = threading.Thread(target=train_planned, args=(planned, tmp_path / "run"), kwargs={"progress": pausing})
    training.start()
    tab.set_default_timeout(PATIENCE_MS)
    try:
        assert pausing.reached[4].wait(PATIENCE_MS / 1000)
        tab.goto(f"{serving(pages_of(tmp_path / 'run'))}/?token={TOKEN}")
        tab.get_by_text("step 4 of 20").wait_for()
        assert "token" not in tab.url
        assert tab.locator("#state").inner_text() == "training"
        tab.locator("#curves path.line").first.wait_for(state="attached")
        tab.get_by_role("button", name="Draw samples now").click()
        tab.get_by_text("Asked for samples").wait_for()
        pausing.go_on[4].set()
        tab.get_by_text("Drawn at step 4").first.wait_for()
        assert list((pausing.folder / FOLDER).glob("drawn-*.png"))
        tab.get_by_text("step 8 of 20").wait_for()
        pausing.go_on[8].set()
        tab.get_by_text("step 20 of 20").wait_for()
        tab.locator("#state", has_text="finished").wait_for()
        tab.get_by_role("slider", name="step 20", exact=True).wait_for()  # the newest samples, by themselves
        assert tab.get_by_role("button", name="Draw samples now").count() == 0
    finally:
        for event in pausing.go_on.values():
            event.set()
        training.join(PATIENCE_MS / 1000)


def test_a_hostile_run_folder_is_text_on_the_page(tab, serving, run):
    name = "<img src=x onerror=alert(1)>"
    hostile = run.rename(run.parent / name)
    script = "<script>document.title='taken'</script>"
    status = json.loads((hostile / "status.json").read_text())
    (hostile / "status.json").write_text(json.dumps({**status, "state": "failed", "message": script, "trend": script}))
    (hostile / "event_log.jsonl").write_text(json.dumps({"event": script, "time": 1e300}) + "\n")
    (hostile / "metrics.jsonl").write_text(
        rows(range(1, 5), penalty={script: 1e308}) + '{"step": 5, "value": NaN}\n{"step": 6'
    )
    dialogs = []
    tab.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    address = serving(pages_of(run.parent))
    tab.goto(f"{address}/?token={TOKEN}")
    tab.get_by_role("link", name=name).click()
    tab.get_by_role("heading", name=name).wait_for()
    tab.get_by_text("line 5", exact=False).wait_for()
    assert tab.locator(".event-list").inner_text().count("<script>") == 1
    tab.locator("#curves .legend", has_text=script).first.wait_for()
    assert dialogs == []
    assert tab.title() == f"{name} · equipoise"
    assert tab.evaluate("document.querySelectorAll('main script, main img[onerror]').length") == 0


def test_a_hundred_thousand_rows_are_a_curve_that_zooms_to_its_exact_rows(tab, serving, run):
    (run / "metrics.jsonl").write_text(rows(range(1, 100_001)))
    tab.goto(f"{serving(pages_of(run))}/?token={TOKEN}")
    plane = tab.get_by_role("slider", name="Value of the objective", exact=False)
    tab.get_by_text("Each point is the mean of 256 measured steps", exact=False).wait_for(timeout=PATIENCE_MS)
    plane.focus()
    plane.press("End")
    for _ in range(11):
        plane.press("+")
    tab.get_by_text("Every measured step is shown.", exact=False).wait_for(timeout=PATIENCE_MS)
    plane.press("End")
    before = int(plane.get_attribute("aria-valuenow"))
    plane.press("ArrowLeft")
    assert int(plane.get_attribute("aria-valuenow")) == before - 1
    assert "value" in plane.get_attribute("aria-valuetext")
    plane.press("Escape")
    tab.get_by_text("Each point is the mean of 256 measured steps", exact=False).wait_for(timeout=PATIENCE_MS)


def test_a_page_finds_its_server_again_and_shows_what_came_meanwhile(tab, serving, run):
    (run / "metrics.jsonl").write_text(rows(range(1, 11)))
    status = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps({**status, "state": "training", "step": 1, "steps": 50}))
    address = serving(pages_of(run))
    tab.goto(f"{address}/?token={TOKEN}")
    tab.get_by_text("step 10 of 50").wait_for(timeout=PATIENCE_MS)
    serving.stop()
    tab.get_by_text("reconnecting").wait_for(timeout=PATIENCE_MS)
    with open(run / "metrics.jsonl", "a") as stream:
        stream.write(rows(range(11, 21)))
    serving(pages_of(run), port=int(address.rpartition(":")[2]))
    tab.get_by_text("step 20 of 50").wait_for(timeout=PATIENCE_MS)
    tab.get_by_text("connected", exact=True).wait_for(timeout=PATIENCE_MS)
    shutil.rmtree(run)
    tab.get_by_text("the run folder is gone", exact=False).wait_for(timeout=PATIENCE_MS)
    assert tab.get_by_text("step 20 of 50").is_visible()  # the last state stays


def test_names_in_backticks_are_set_as_names_and_stay_text(tab, serving, run):
    tab.goto(f"{serving(pages_of(run.parent))}/?token={TOKEN}")
    made = tab.evaluate(
        """async () => (await import("/static/dom.js")).element(
            "p", { prose: "the shares of `<b>age</b>` and of `job`; a ` alone" }).outerHTML"""
    )
    assert made == "<p>the shares of <code>&lt;b&gt;age&lt;/b&gt;</code> and of <code>job</code>; a ` alone</p>"


def test_that_there_are_no_samples_is_said_only_once_the_run_was_read(tab, serving, run):
    address = serving(pages_of(run.parent))
    tab.goto(f"{address}/?token={TOKEN}")
    link = tab.get_by_role("link", name="first")
    sent = tab.request.get(f"{address}{link.get_attribute('href')}").text()
    assert "The run is being read." in sent and "No samples were written" not in sent
    link.click()
    tab.locator("#samples", has_text="No samples were written yet.").wait_for()
