"""How fast the playground shows steps, and how soon it answers, for each prepared situation.

    python benchmarks/view_play.py
    python benchmarks/view_play.py --store
    python benchmarks/view_play.py --browser --store

Shown steps per CPU-second: each step is made, looked at and written as the JSON of a frame, on one thread; in process
time, so that a busy machine does not count. Answers: while a session plays as fast as it goes, a setting is changed
from another thread, and the CPU time of the whole process until the frame that has it is measured, 30 times: what it
takes on one core that is free.

With `--browser` both are measured by the clock, in a real Chromium before a server of its own: how many different steps
the page shows in each second while the game plays as fast as it goes, and how long it takes from a changed setting to
the first picture that was sent after the game had it. These rows say how many others wanted the same cores; they are
added to those that are there, and every attempt stays.

Rows go to `rows/view_play.jsonl` with `--store`; each has the median, the 5th and 95th percentile, and the hash of the
playground's source tree.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equipoise.playground.frames import frame_of
from equipoise.playground.games import free_game
from equipoise.playground.measure import prepare
from equipoise.playground.session import BEST_EVERY, Session
from equipoise.playground.situations import Situation, situations

ROWS = Path(__file__).parent / "rows" / "view_play.jsonl"
REPEATS = 12
STEPS = 20
ANSWERS = 30
WANTED_STEPS, WANTED_SECONDS = 20, 0.2
SECONDS = 6
SHOWN = ("free", "cycling", "k-steps")
"""Of the browser: the game that the page begins with, a light one and the heaviest."""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
COUNTING = """async (seconds) => {
  const counter = document.querySelector('.counter'); const found = [];
  for (let second = 0; second < seconds; second += 1) {
    const steps = new Set(); const end = performance.now() + 1000;
    while (performance.now() < end) {
      await new Promise(requestAnimationFrame);
      steps.add(counter.textContent.match(/step ([\\d,]+)/)[1]);
    }
    found.push(steps.size - 1);
  }
  return found; }"""
ANSWERING = """async (count) => {
  const found = []; const input = document.querySelector('#set-gamma');
  const counter = document.querySelector('.counter'); const asked = window.fetch;
  for (let k = 0; k < count; k += 1) {
    let tell; const answered = new Promise((done) => { tell = done; });
    window.fetch = async (...all) => { const answer = await asked(...all); tell(); return answer; };
    const started = performance.now();
    input.value = String(0.123 + 0.014 * (k % 2)); input.dispatchEvent(new Event('change', {bubbles: true}));
    await answered;
    const before = counter.textContent;
    while (counter.textContent === before) await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    found.push((performance.now() - started) / 1000);
    window.fetch = asked;
    await new Promise((done) => setTimeout(done, 150));
  }
  return found; }"""


def shown_steps_per_second(situation: Situation) -> list[float]:
    """Steps that are made and written as frames in a second of CPU, measured `REPEATS` times."""
    game = situation.game()
    game.step()
    found = []
    for _ in range(REPEATS):
        started = time.process_time()
        for place in range(STEPS):
            game.step()
            json.dumps(frame_of(game, with_best="best" in situation.layers and place % BEST_EVERY == 0))
        found.append(STEPS / (time.process_time() - started))
    return found


def answer_seconds(situation: Situation) -> list[float]:
    """From a changed setting to the frame that has it, while the game plays as fast as it goes."""
    session = Session(situation)
    shown = threading.Event()
    session.watch(shown.set)
    found = []
    try:
        session.ask("speed", None)
        session.ask("play")
        for place in range(ANSWERS):
            time.sleep(0.03)
            started = time.process_time()
            session.ask("settings", {"gamma": 0.1 + 0.01 * (place % 2)})
            version = session.version
            while session.version == version and not session.trouble:
                shown.wait(1.0)
                shown.clear()
            found.append(time.process_time() - started)
    finally:
        session.close()
    return found


def in_browser() -> list[dict[str, Any]]:
    """Shown steps in each second, and seconds to an answer, of some games in a Chromium, by its clock."""
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "-m", "equipoise", "play", "--no-browser", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert server.stdout is not None
    address = server.stdout.readline().strip()
    rows = []
    try:
        with sync_playwright() as playwright:
            path = shutil.which("chromium") or shutil.which("google-chrome")
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            version = f"Chromium {browser.version}"
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(60_000)
            page.goto(address)
            for name in SHOWN:
                page.goto(f"{address.split('/play')[0]}/play/{'' if name == 'free' else name}")
                page.wait_for_selector(".flow .box")
                page.get_by_label("Speed").select_option("")
                page.get_by_role("button", name="Start").click()
                page.wait_for_timeout(1000)
                load = {"load_average": os.getloadavg()[0], "browser": version, "clock": "wall"}
                steps, seconds = page.evaluate(COUNTING, SECONDS), page.evaluate(ANSWERING, ANSWERS // 2)
                rows.append({**row("shown steps in a browser", name, steps, "steps per second"), **load})
                rows.append({**row("answer in a browser", name, seconds, "seconds"), **load})
            browser.close()
    finally:
        server.terminate()
        server.wait(timeout=60)
    return rows


def row(claim: str, situation: str, values: list[float], unit: str) -> dict[str, Any]:
    """One measurement with its spread and where it was made."""
    low, high = np.percentile(values, [5, 95])
    return {
        "claim": claim,
        "situation": situation,
        "median": round(statistics.median(values), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
        "repeats": len(values),
        "unit": unit,
        "threads": 1,
        "machine": platform.machine(),
        "torch": torch.__version__,
        "source": subprocess.run(
            ["git", "rev-parse", "HEAD:src/equipoise/playground"], capture_output=True, text=True, check=False
        ).stdout.strip(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", action="store_true", help="write the rows")
    parser.add_argument("--browser", action="store_true", help="by the clock, in a Chromium")
    options = parser.parse_args()
    store = options.store
    torch.set_num_threads(1)
    if options.browser:
        found = in_browser()
        for entry in found:
            print(json.dumps(entry))
        if store:
            with open(ROWS, "a", encoding="utf-8") as stream:
                stream.writelines(json.dumps(entry) + "\n" for entry in found)
        return
    prepare()  # what a page's first seconds load is no part of any answer
    rows = []
    for each in (free_game(), *situations()):
        rows.append(row("shown steps", each.name, shown_steps_per_second(each), "steps per CPU-second"))
        rows.append(row("answer", each.name, answer_seconds(each), "CPU-seconds"))
        for entry in rows[-2:]:
            spread = f"{entry['low']:.3f} to {entry['high']:.3f}"
            print(f"{each.name:20s} {entry['claim']:12s} {entry['median']:9.3f} ({spread})")
    fast = min(entry["low"] for entry in rows if entry["claim"] == "shown steps")
    late = max(entry["high"] for entry in rows if entry["claim"] == "answer")
    print(f"slowest 5th percentile: {fast:.0f} steps per CPU-second (wanted {WANTED_STEPS})")
    print(f"slowest 95th percentile: {late:.3f} seconds to an answer (wanted {WANTED_SECONDS})")
    if store:
        kept = [line for line in ROWS.read_text().splitlines() if "in a browser" in json.loads(line)["claim"]]
        lines = [*(json.dumps(entry) for entry in rows), *kept]
        ROWS.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
