"""What the run page costs and how quick it is: latency of a new row, frames while zooming, cost to the training.

    python benchmarks/view.py                 all three, some ten minutes of one core
    python benchmarks/view.py --only cost     one of latency, frames, cost

**Latency**: rows are added to a run folder by another process; the time until a real Chromium shows each one's step.
**Frames**: a run of 100,000 rows; the cursor and the zoom move for some seconds, and the browser counts its frames.
**Cost**: one process trains as with `--view` and is timed in blocks of steps by its own CPU clock
(`time.process_time`). A second process serves the run folder, at the priority that `--view` gives it, to 100 readers,
who ask for curves once a second, and to one who never reads. The readers are a third process at the lowest priority:
they stand for browsers, most of them on other machines. Blocks with them, in which the run looks for requests, and
blocks without take turns; the row is a trimmed mean of their ratios with its upper 95 % limit, by resampling pairs.
What a watched run writes besides, the nearest training pictures whenever samples are due, is measured apart and added.
The row says how many answers the readers got: on a machine that others keep busy, those come first.

Each prints one row of JSON: claim, value, unit, spread, configuration, device, load. `--store` adds it to
`rows/view.jsonl`; earlier attempts stay there, and of one claim the last row counts. Frames and latency are wall time:
on a machine that others use, they are those of the machine.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from scipy.stats import trim_mean

from equipoise.cli.run_page import ENDS_WITH_STDIN

ROWS_FILE = Path(__file__).parent / "rows" / "view.jsonl"
READERS = 100
ROWS = 100_000
TRIMMED = 0.2
BLOCK_STEPS, MEASURED_STEPS = 40, 20
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


def main() -> None:
    """Measure what was asked for and print a row each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=("latency", "frames", "cost"))
    parser.add_argument("--rows", type=int, default=20, help="new rows whose latency is measured")
    parser.add_argument("--pairs", type=int, default=400, help="pairs of blocks of the cost")
    parser.add_argument("--read", metavar="ADDRESS", help=argparse.SUPPRESS)
    parser.add_argument("--store", action="store_true", help=f"keep the rows in {ROWS_FILE.name}")
    options = parser.parse_args()
    if options.read:
        read_as_pages(options.read)
        return
    measures = {
        "latency": lambda: latency(options.rows),
        "frames": frames,
        "cost": lambda: cost(options.pairs),
    }
    for name, measure in measures.items():
        if options.only in (None, name):
            row = {**measure(), **circumstances()}
            print(json.dumps(row), flush=True)
            if options.store:
                with open(ROWS_FILE, "a", encoding="utf-8") as stream:
                    stream.write(json.dumps(row) + "\n")


def circumstances() -> dict[str, Any]:
    """Where and when a row was measured; the load says how many others wanted the same cores."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent, check=False)
    return {
        "task": "python benchmarks/view.py",
        "device": f"cpu ({platform.machine()}), {os.cpu_count()} cores",
        "load_average": os.getloadavg()[0],
        "commit": commit.stdout.strip(),
    }


def row_of(step: int) -> str:
    """A line of `metrics.jsonl` with as many numbers as a real one."""
    players = {"discriminator": 0.5 + 0.1 * np.sin(step / 900), "generator": 0.2}
    return (
        json.dumps(
            {
                "step": step,
                "seconds": step / 100,
                "steps_per_second": 100.0,
                "value": -0.6 - 0.1 * np.cos(step / 700),
                "value_standard_error": 0.01,
                "discriminator_loss": 0.6,
                "generator_loss": 0.7,
                "penalty": {"r1": 0.1, "r2": 0.1},
                "penalty_weight": {"r1": 1.0, "r2": 1.0},
                "gradient_norm": players,
                "learning_rate": {"discriminator": 1e-3, "generator": 1e-3},
                "logits": {side: {"mean": 0.1, "std": 0.2} for side in ("real", "fake")},
            }
        )
        + "\n"
    )


def made_run(folder: Path, rows: int) -> Path:
    """A run folder that says it is training, with so many measured steps."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("format: 2\nseed: 0\n")
    status = {"format": 2, "state": "training", "step": 1, "steps": 10 * rows, "updated": time.time()}
    (folder / "status.json").write_text(json.dumps(status))
    (folder / "run.json").write_text(
        json.dumps({"format": 2, "objective": {"name": "relativistic", "equilibrium_value": -0.6931}})
    )
    with open(folder / "metrics.jsonl", "w") as stream:
        stream.writelines(row_of(step) for step in range(1, rows + 1))
    return folder


class Server:
    """`equipoise view` of a folder, as a process of its own; beside a training one that lets it go first."""

    def __init__(self, folder: Path, *, beside_training: bool = False) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "equipoise", "view", str(folder), "--no-browser", "--port", "0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **({ENDS_WITH_STDIN: "1"} if beside_training else {})},
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        self.port = int(self.address.split(":")[2].split("/")[0])

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=120)


def in_browser(address: str, use: Any) -> Any:
    """What `use(page)` returns, on the page of the one run at an address, in a Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        page.goto(address)
        page.locator("#curves path.line").first.wait_for(state="attached")
        found = use(page)
        browser.close()
        return found


def latency(rows: int) -> dict[str, Any]:
    """Seconds from a row in the file until its step stands on the page and in its curves."""
    with tempfile.TemporaryDirectory() as folder:
        run = made_run(Path(folder) / "run", 2_000)

        def use(page: Any) -> list[float]:
            found = []
            for step in range(2_001, 2_001 + rows):
                with open(run / "metrics.jsonl", "a") as stream:
                    stream.write(row_of(step))
                started = time.perf_counter()
                page.get_by_text(f"step {step:,} of").wait_for()
                last = "[...document.querySelectorAll('#curves .plane')].map((p) => Number(p.ariaValueMax))"
                page.wait_for_function(f"() => Math.min(...{last}) >= {step} - 4", timeout=60_000)
                found.append(time.perf_counter() - started)
            return found

        with Server(run) as server:
            seconds = sorted(in_browser(server.address, use))
    return {
        "claim": "a new row of a run stands on its page within 2 s",
        "value": statistics.median(seconds),
        "unit": "seconds",
        "percentiles_5_95": [float(np.percentile(seconds, share)) for share in (5, 95)],
        "largest": seconds[-1],
        "repeats": len(seconds),
    }


def frames() -> dict[str, Any]:
    """Frames per second of a run of 100,000 rows while the cursor moves over its curves and they are zoomed."""
    counting = """() => new Promise((done) => {
      const times = []; const end = performance.now() + 4000;
      const step = () => { const now = performance.now(); times.push(now);
        if (now < end) requestAnimationFrame(step); else done(times); };
      requestAnimationFrame(step); })"""
    with tempfile.TemporaryDirectory() as folder:
        run = made_run(Path(folder) / "run", ROWS)

        def use(page: Any) -> list[float]:
            page.get_by_text("measured steps", exact=False).first.wait_for()
            page.wait_for_timeout(8_000)  # all rows are read
            page.evaluate(
                """() => { let k = 0; const plane = document.querySelector('#curves .plane'); plane.focus();
                setInterval(() => { k += 1; const box = plane.getBoundingClientRect();
                  plane.dispatchEvent(new PointerEvent('pointermove', {clientX: box.left + 60 + (k * 7) % 400, clientY: box.top + 50, bubbles: true}));
                  if (k % 30 === 0) plane.dispatchEvent(new KeyboardEvent('keydown', {key: k % 120 === 0 ? '0' : '+', bubbles: true}));
                }, 16); }"""  # noqa: E501
            )
            times = page.evaluate(counting)
            page.get_by_role("button", name="Whole run").wait_for()  # it was zoomed indeed
            return times

        with Server(run) as server:
            gaps = np.diff(in_browser(server.address, use)) / 1000
    return {
        "claim": "a run of 100,000 rows stays smooth while it is zoomed",
        "value": float(1 / gaps.mean()),
        "unit": "frames per second",
        "slowest_5_percent_seconds": float(np.percentile(gaps, 95)),
        "largest_gap_seconds": float(gaps.max()),
        "repeats": len(gaps),
    }


def cost(pairs: int) -> dict[str, Any]:
    """The training's own CPU time per step when it is watched, over the same when it is not."""
    from equipoise.experiment.prepare import plan_run
    from equipoise.experiment.train import train_planned
    from equipoise.training.answers import RequestAnswers
    from equipoise.training.progress import Progress

    class Blocks(Progress):
        """Stops and continues the server and its readers after each block, and notes the CPU time of each."""

        def __init__(self) -> None:
            self.seconds: dict[bool, list[float]] = {True: [], False: []}
            self.written: list[float] = []
            self.is_served, self.others = False, []
            self.answers, self.served_seconds, self.since = 0, 0.0, time.monotonic()
            self.last = None

        def watches(self, folder: Path) -> bool:
            server = Server(folder, beside_training=True)
            readers = subprocess.Popen([sys.executable, __file__, "--read", server.address], stdout=subprocess.PIPE)
            assert readers.stdout is not None
            readers.stdout.readline()  # all of them are connected
            threading.Thread(target=self._count, args=(readers.stdout,), daemon=True).start()
            self.others = [server.process, readers]
            self._let(False)
            return True

        def update(self, step: int, fields: Any) -> None:
            if step % BLOCK_STEPS:
                return
            now = time.process_time()
            if self.last is not None:
                self.seconds[self.is_served].append(now - self.last)
                # In the order A B B A, so that a machine that grows slower favours neither.
                done = sum(map(len, self.seconds.values()))
                self._let(done % 4 in (1, 2))
            self.last = time.process_time()

        def _count(self, told: Any) -> None:
            for line in told:
                self.answers = int(line)

        def _let(self, run: bool) -> None:
            if self.is_served:
                self.served_seconds += time.monotonic() - self.since
            self.is_served, self.since = run, time.monotonic()
            for process in self.others:
                os.kill(process.pid, signal.SIGCONT if run else signal.SIGSTOP)

        def end(self) -> None:
            for process in self.others:
                process.kill()
                process.wait()

    blocks = Blocks()

    class Answers(RequestAnswers):
        """Looks for requests in the blocks that are watched; what it writes is timed apart."""

        def look(self) -> None:
            if blocks.is_served:
                super().look()

        def __call__(self, event: Any) -> None:
            started = time.process_time()
            super().__call__(event)
            blocks.written.append(time.process_time() - started)
            if blocks.last is not None:
                blocks.last += blocks.written[-1]

    steps = BLOCK_STEPS * (2 * pairs + 1)
    with tempfile.TemporaryDirectory() as folder, mock.patch("equipoise.experiment.live_run.RequestAnswers", Answers):
        settings = (f"outputs.measure_every={MEASURED_STEPS}", "outputs.final_verdict=false", "evaluations.count=0")
        planned = plan_run("digits", steps=steps, seed=0, settings=settings)
        try:
            train_planned(planned, Path(folder) / "run", progress=blocks)
        finally:
            blocks.end()
    count = min(map(len, blocks.seconds.values()))
    served, alone = (np.array(blocks.seconds[kind][:count]) for kind in (True, False))
    # The trimmed mean of log ratios: others who use the machine make some blocks slow, of either kind.
    logs = np.log(served / alone)
    draws = np.random.default_rng(0).choice(logs, (4000, count))
    resampled = np.exp(trim_mean(draws, TRIMMED, axis=1))
    written = sum(blocks.written) / (steps * float(np.median(alone)) / BLOCK_STEPS)
    return {
        "claim": "a hundred open pages and a slow reader do not slow the training",
        "value": float(np.exp(trim_mean(logs, TRIMMED))) + written,
        "unit": "ratio of the training's own CPU time per step",
        "upper_95_percent": float(np.percentile(resampled, 95)) + written,
        "percentiles_5_95": [float(np.exp(np.percentile(logs, share))) for share in (5, 95)],
        "of_that_nearest_pictures": written,
        "statistic": f"mean of log ratios without the outer {TRIMMED:.0%} of either side",
        "milliseconds_per_step": 1000 * float(np.median(alone)) / BLOCK_STEPS,
        "repeats": count,
        "readers": READERS,
        "answers_per_second": blocks.answers / blocks.served_seconds,
        "steps_per_block": BLOCK_STEPS,
        "steps_per_measured_row": MEASURED_STEPS,
    }


def read_as_pages(address: str) -> None:
    """Be 100 pages: each hears of every event and asks for new parts of the curves once a second; one never reads."""
    os.nice(19)
    cookie, run = _entered(address)
    host, port = "127.0.0.1", int(address.split(":")[2].split("/")[0])

    answered: list[float] = []

    def page() -> None:
        asked = 0.0
        query = ""
        events = http.client.HTTPConnection(host, port)
        events.request("GET", f"/api/runs/{run}/events", headers={"Cookie": cookie})
        stream = events.getresponse()
        while line := stream.readline():
            if line.startswith(b"event: progress") and time.monotonic() - asked > 1:
                asked = time.monotonic()
                curves = http.client.HTTPConnection(host, port)  # a server that was stopped has closed the last one
                curves.request("GET", f"/api/runs/{run}/series?{query}", headers={"Cookie": cookie})
                found = json.loads(curves.getresponse().read())
                answered.append(asked)
                last = found["first_bin"] + max(0, len(found["steps"]) - 1)
                query = f"generation={found['generation']}&per_bin={found['per_bin']}&first_bin={last}"

    for _ in range(READERS):
        threading.Thread(target=page, daemon=True).start()
    slow = socket.create_connection((host, port))
    slow.sendall(f"GET /api/runs/{run}/events HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {cookie}\r\n\r\n".encode())
    time.sleep(2)
    print("connected", flush=True)
    while True:
        time.sleep(1)
        print(len(answered), flush=True)


def _entered(address: str) -> tuple[str, str]:
    """The cookie of a server, and the key of its one run."""
    host, port = "127.0.0.1", int(address.split(":")[2].split("/")[0])
    connection = http.client.HTTPConnection(host, port)
    connection.request("GET", "/" + address.split("/", 3)[3])
    answer = connection.getresponse()
    cookie = answer.headers["set-cookie"].split(";")[0]
    answer.read()
    connection.request("GET", "/api/runs", headers={"Cookie": cookie})
    return cookie, json.loads(connection.getresponse().read())["runs"][0]["key"]


if __name__ == "__main__":
    main()
