"""Faults put into real runs, and what was lost: kills, damaged checkpoints, full and read-only disks, a second writer.

    python benchmarks/faults.py --kills 100
    python benchmarks/faults.py --cases
    python benchmarks/faults.py --summarise

Every fault is put into short training runs of three kinds (points, a table, pictures); each run is resumed after it, as
often as it takes, and its end is compared with a run that nobody disturbed: all weights, moments and counters, measured
rows except times, and sample files, bit for bit. A trial counts as survived if that holds, if no resume began at a
checkpoint older than the interval, and if nothing half-written is left.

Kills are SIGKILL at a random moment of a segment (while files are read, while it plays, while it writes the report),
and in every second trial at 0 to 5 ms after the first bytes of a checkpoint were written. Runs are forked from a
process that has imported torch and plays nothing, on one thread: that saves seconds of import for each of them; the
undisturbed run is played both ways, and both agree. The report, and pictures of points and tables, are left empty in
all of them: they are drawn from what is compared, and would take most of the time of so short a run.

A trial is a line of `benchmarks/rows/faults_trials.jsonl`, found by (fault, trial); one that is there is not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import equipoise
import equipoise.reports
import equipoise.training.recorder
from equipoise import experiment
from equipoise.errors import EquipoiseError
from equipoise.experiment import Planned
from equipoise.experiment.preparing import plan_run, prepare_data
from equipoise.files import TEMPORARY_NAME
from equipoise.runfolder import RunFolder
from equipoise.training.checkpoints import checkpoint_files, read_checkpoint

ROWS = Path(__file__).parent / "rows"
INTERVAL, STEPS = 10, 150
KILLS_PER_RUN = 8
SETTINGS = [f"outputs.checkpoint_every={INTERVAL}", "outputs.measure_every=5", "outputs.samples=4",
            "outputs.final_verdict=false", "play.batch_size=32", "runtime.threads=1"]  # fmt: skip
MLP = ["networks.generator.width=32", "networks.discriminator.width=32", "networks.latents=8"]
SLIM = "{channels: 4, widest: 8}"
CONVOLUTIONAL = [f"networks={{family: convolutional, latents: 8, generator: {SLIM}, discriminator: {SLIM}}}"]
KINDS = {"points": ("points.npy", MLP), "table": ("table.csv", MLP), "images": ("images.npy", CONVOLUTIONAL)}
TIMES = ("seconds", "steps_per_second", "seal")


def main() -> None:
    """Run what is asked for, and summarise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=0, help="kills in all, earlier ones included")
    parser.add_argument("--cases", action="store_true", help="all faults but kills")
    parser.add_argument("--repeats", type=int, default=3, help="trials of each case")
    parser.add_argument("--minutes", type=float, default=600.0, help="begin no trial after so long")
    parser.add_argument("--summarise", action="store_true")
    parser.add_argument("--trials", type=Path, default=ROWS / "faults_trials.jsonl")
    options = parser.parse_args()
    torch.set_num_threads(1)
    until = time.monotonic() + 60 * options.minutes
    if options.kills or options.cases:
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            bench = Bench(Path(folder), options.trials)
            if options.cases:
                bench.cases(options.repeats, until)
            if options.kills:
                bench.kills(options.kills, until)
    summarise(options.trials)


class Bench:
    """Data, undisturbed runs, and the trials on them."""

    def __init__(self, folder: Path, trials: Path) -> None:
        self.folder, self.trials = folder, trials
        self.done = {(row["fault"], row["trial"]): row for row in read_lines(trials)}
        write_data(folder)
        self.plans = {kind: self.plan(kind) for kind in KINDS}
        self.expected: dict[str, dict[str, Any]] = {}
        self.seconds: dict[str, float] = {}

    def plan(self, kind: str) -> Any:
        name, settings = KINDS[kind]
        # Each in a process of its own: nothing may be computed in this one.
        found = self.folder / f"{kind}.yaml"
        code = forked(
            lambda: found.write_text(
                plan_run(self.folder / name, steps=STEPS, seed=1, settings=[*SETTINGS, *settings]).config.to_yaml()
            )
        ).wait()
        assert code == 0, "planning failed"
        return found

    def run_to_end(self, kind: str, run: Path) -> Child:
        """Train, or resume what is there, in a process of its own."""
        return forked(lambda: play(self.plans[kind], run))

    def reference(self, kind: str) -> dict[str, Any]:
        """What an undisturbed run leaves; played in a forked process and in one of its own, which agree."""
        if kind not in self.expected:
            run = self.folder / f"reference-{kind}"
            started = time.monotonic()
            assert self.run_to_end(kind, run).wait() == 0
            self.seconds[kind] = time.monotonic() - started
            self.expected[kind] = content(run)
            plain = self.folder / f"plain-{kind}"
            words = [sys.executable, "-m", "equipoise", "train", str(self.folder / KINDS[kind][0]), "--config",
                     str(self.plans[kind]), "--outdir", str(plain), "--quiet"]  # fmt: skip
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
            drawn = content(plain)
            if kind != "images":
                for name in drawn["samples"]:
                    drawn["samples"][name] = b"" if name.endswith(".png") else drawn["samples"][name]
            assert drawn == self.expected[kind], "a forked process and one of its own differ"
        return self.expected[kind]

    def kills(self, wanted: int, until: float) -> None:
        """Trials of KILLS_PER_RUN kills each until there are as many as wanted."""
        trial = 0
        while sum(row["injected"] for (fault, _), row in self.done.items() if fault == "kill -9") < wanted:
            if time.monotonic() > until:
                return
            if ("kill -9", trial) not in self.done:
                self.store("kill -9", trial, self.killed(trial))
            trial += 1

    def killed(self, trial: int) -> dict[str, Any]:
        kind = list(KINDS)[trial % len(KINDS)]
        expected, stream = self.reference(kind), random.Random(f"kills {trial}")
        aims = trial % 2 == 1
        run, kills, oldest, moments = self.folder / "killed", 0, 0, []
        while True:
            before, resumes = reached(run), resumed_at(run)
            child = self.run_to_end(kind, run)
            is_killed = False
            if kills < KILLS_PER_RUN:
                is_killed = (
                    kill_at_write(child, run, stream) if aims else kill_after(child, stream, self.seconds[kind])
                )
            elif child.wait() != 0:
                return {"kind": kind, "injected": kills, "survived": 0, "note": child.said()[-400:], "steps": moments}
            for step in resumed_at(run)[len(resumes) :]:  # none, if it was killed before it had begun
                oldest = max(oldest, before - step)
            if not is_killed:
                break
            kills += 1
            moments.append(reached(run))
        if child.wait() != 0:
            return {"kind": kind, "injected": kills, "survived": 0, "note": child.said()[-400:], "steps": moments}
        is_same, litter = content(run) == expected, left_over(run)
        shutil.rmtree(run)
        survived = kills if is_same and not litter and oldest <= INTERVAL else 0
        return {"kind": kind, "aimed_at_writes": aims, "injected": kills, "survived": survived, "is_same": is_same,
                "litter": litter, "most_steps_played_again": oldest, "steps": moments}  # fmt: skip

    def cases(self, repeats: int, until: float) -> None:
        """Every other fault, on kinds in turn."""
        cases: dict[str, Callable[[str, random.Random], dict[str, Any]]] = {
            "checkpoint with a flipped byte": self.flipped,
            "checkpoint cut short": self.truncated,
            "disk full": self.disk_full,
            "read-only folder": self.read_only,
            "second process on the folder": self.second_process,
            "clock going backwards": self.clock_backwards,
            "SIGTERM": lambda kind, stream: self.signalled(kind, stream, signal.SIGTERM),
            "SIGINT": lambda kind, stream: self.signalled(kind, stream, signal.SIGINT),
            "out of memory": self.out_of_memory,
        }
        for fault, case in cases.items():
            for trial in range(repeats):
                if time.monotonic() > until or (fault, trial) in self.done:
                    continue
                kind = list(KINDS)[trial % len(KINDS)]
                self.reference(kind)
                try:
                    row = case(kind, random.Random(f"{fault} {trial}"))
                except Skipped as reason:
                    row = {"injected": 0, "survived": 0, "note": str(reason)}
                self.store(fault, trial, {"kind": kind, **row})
                shutil.rmtree(self.folder / "case", ignore_errors=True)

    def half_way(self, kind: str, run: Path, *, at_least: int = 3 * INTERVAL) -> None:
        """A run that was killed when it had passed some checkpoints."""
        child = self.run_to_end(kind, run)
        while reached(run) < at_least and child.is_alive():
            time.sleep(0.005)
        child.kill()

    def ends_as_expected(self, kind: str, run: Path) -> bool:
        return self.run_to_end(kind, run).wait() == 0 and content(run) == self.expected[kind] and not left_over(run)

    def flipped(self, kind: str, stream: random.Random) -> dict[str, Any]:
        """Bytes flipped at random places of the newest checkpoint, its JSON in every second; then one is resumed."""
        run, whole, count = self.folder / "case", 0, 40
        self.half_way(kind, run)
        newest = checkpoint_files(run / "checkpoints")[-1]
        sides = [newest, newest.with_suffix(".json")]
        originals = [path.read_bytes() for path in sides]
        before = read_checkpoint(run / "checkpoints")
        for number in range(count):
            path, original = sides[number % 2], originals[number % 2]
            damaged = bytearray(original)
            damaged[stream.randrange(len(damaged))] ^= 1 << stream.randrange(8)
            path.write_bytes(damaged)
            tensors, numbers, broken = read_checkpoint(run / "checkpoints")
            passed_over = numbers["step"] < before[1]["step"] and newest.name in broken[0]
            unharmed = not broken and same_state((tensors, numbers), before[:2])  # white space in the JSON
            whole += passed_over or unharmed
            if number < count - 1:
                path.write_bytes(original)
        survived = whole if self.ends_as_expected(kind, run) else 0
        return {"injected": count, "survived": survived}

    def truncated(self, kind: str, stream: random.Random) -> dict[str, Any]:
        run = self.folder / "case"
        self.half_way(kind, run)
        newest = checkpoint_files(run / "checkpoints")[-1]
        path = stream.choice([newest, newest.with_suffix(".json")])
        path.write_bytes(path.read_bytes()[: stream.randrange(path.stat().st_size)])
        broken = read_checkpoint(run / "checkpoints")[2]
        return {"injected": 1, "survived": int(bool(broken) and self.ends_as_expected(kind, run))}

    def disk_full(self, kind: str, stream: random.Random) -> dict[str, Any]:
        with small_disk(self.folder / "disk", f"{stream.randrange(250, 700)}k") as (disk, resize):
            run = disk / "run"
            child = self.run_to_end(kind, run)
            code, said = child.wait(), child.said()
            if code == 0:
                return {"injected": 0, "survived": 0, "note": "there was room enough"}
            explained = "No space left" in said and "Traceback" not in said
            resize("100m")
            return {"injected": 1, "survived": int(explained and self.ends_as_expected(kind, run))}

    def read_only(self, kind: str, stream: random.Random) -> dict[str, Any]:
        del stream
        with small_disk(self.folder / "disk", "100m") as (disk, resize):
            run = disk / "run"
            self.half_way(kind, run)
            before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
            resize("100m,ro")
            child = self.run_to_end(kind, run)
            explained = child.wait() == 1 and "Read-only file system" in child.said()
            is_untouched = before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
            resize("100m,rw")
            return {"injected": 1, "survived": int(explained and is_untouched and self.ends_as_expected(kind, run))}

    def second_process(self, kind: str, stream: random.Random) -> dict[str, Any]:
        del stream
        run = self.folder / "case"
        first = self.run_to_end(kind, run)
        while reached(run) < 1 and first.is_alive():
            time.sleep(0.002)
        second = forked(lambda: experiment.resume(run))
        refused = second.wait() == 2 and "is writing to this folder" in second.said()
        ended_well = first.wait() == 0 and content(run) == self.expected[kind]
        return {"injected": 1, "survived": int(refused and ended_well)}

    def clock_backwards(self, kind: str, stream: random.Random) -> dict[str, Any]:
        """Each look at the clock shows a time up to an hour before the one before; a kill and a resume in between."""
        run, seed = self.folder / "case", stream.random()

        def played() -> None:
            steps = random.Random(seed)
            now = [2e9]

            def back() -> float:
                now[0] -= steps.uniform(0, 3600)
                return now[0]

            time.time = back
            play(self.plans[kind], run)

        child = forked(played)
        kill_after(child, stream, self.seconds[kind])
        child.wait()
        return {"injected": 1, "survived": int(forked(played).wait() == 0 and content(run) == self.expected[kind])
                if not is_whole(run) else int(content(run) == self.expected[kind])}  # fmt: skip

    def signalled(self, kind: str, stream: random.Random, number: int) -> dict[str, Any]:
        run = self.folder / "case"
        child = self.run_to_end(kind, run)
        wanted = stream.randrange(1, STEPS // 2)
        while reached(run) < wanted and child.is_alive():
            time.sleep(0.002)
        os.kill(child.pid, number)
        code, said = child.wait(), child.said()
        told = code == 130 and "a checkpoint was written" in said and "equipoise resume" in said
        return {"injected": 1, "survived": int(told and self.ends_as_expected(kind, run))}

    def out_of_memory(self, kind: str, stream: random.Random) -> dict[str, Any]:
        """A batch far beyond an address space of 12 GB."""
        del stream
        run = self.folder / "case"

        def played() -> None:
            resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
            name, settings = KINDS[kind]
            planned = plan_run(self.folder / name, steps=STEPS, seed=1,
                               settings=[*SETTINGS, *settings, "play.batch_size=400000000"])  # fmt: skip
            experiment.train_planned(planned, run)

        child = forked(played)
        explained = child.wait() == 1 and "play.batch_size" in child.said() and "not enough memory" in child.said()
        return {"injected": 1, "survived": int(explained)}

    def store(self, fault: str, trial: int, row: dict[str, Any]) -> None:
        """Add the trial to the file, and say so."""
        row = {"fault": fault, "trial": trial, **row, "commit": commit()}
        self.done[fault, trial] = row
        self.trials.parent.mkdir(parents=True, exist_ok=True)
        with open(self.trials, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        print(row, flush=True)


class Skipped(Exception):
    """A fault that cannot be made here, and why."""


class Child:
    """A forked process; what it says on stderr goes to a file."""

    def __init__(self, pid: int, said: Any) -> None:
        self.pid, self._said, self._code = pid, said, None

    def is_alive(self) -> bool:
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code is None

    def wait(self) -> int:
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code

    def kill(self) -> bool:
        """Whether it was still alive."""
        if not self.is_alive():
            return False
        os.kill(self.pid, signal.SIGKILL)
        return self.wait() == -signal.SIGKILL

    def said(self) -> str:
        self._said.seek(0)
        return self._said.read().decode(errors="replace")


def forked(work: Callable[[], Any]) -> Child:
    """Do `work` in a copy of this process, with the exit codes and messages of the command line."""
    said = tempfile.TemporaryFile()
    pid = os.fork()
    if pid:
        return Child(pid, said)
    code = 1
    equipoise.reports.write_report = lambda folder: (folder / "report.html").touch()
    equipoise.training.recorder.write_picture = lambda picture, path: path.touch()
    try:
        os.dup2(said.fileno(), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        work()
        code = 0
    except EquipoiseError as error:
        os.write(2, f"{error}\n".encode())
        code = error.exit_code
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def play(config: Path, run: Path) -> None:
    """What a person does: train, or resume what has begun; nothing more for what is whole."""
    if is_whole(run):
        return
    if (run / "config.yaml").exists():
        experiment.resume(run)
        return
    planned = plan_run(None, config_file=config)
    data = prepare_data(planned.config.data.source, planned.config.data, planned.config.seed)
    experiment.train_planned(Planned(planned.config, data), run)


def is_whole(run: Path) -> bool:
    """Whether nothing is left to do: the report comes last."""
    return (run / "report.html").is_file() and json.loads((run / "status.json").read_text())["state"] == "finished"


def kill_after(child: Child, stream: random.Random, seconds: float) -> bool:
    """Kill at a moment that is uniform over the time of an undisturbed run; whether it was still running."""
    until = time.monotonic() + stream.uniform(0, seconds)
    while time.monotonic() < until and child.is_alive():
        time.sleep(0.001)
    return child.kill()


def kill_at_write(child: Child, run: Path, stream: random.Random) -> bool:
    """Kill shortly after a write into the folder of checkpoints has begun; which write is drawn."""
    def half_written() -> set[str]:
        try:
            return {path.name for path in (run / "checkpoints").iterdir() if path.name.startswith(".")}
        except OSError:
            return set()

    passes, delay = stream.randrange(1, 8), stream.uniform(0, 0.005)
    seen, old = set[str](), half_written()
    while child.is_alive():
        names = half_written() - old
        seen |= names
        if len(seen) >= passes and names:
            time.sleep(delay)
            return child.kill()
    return False


def reached(run: Path) -> int:
    """The last step that the run has written about."""
    return max((row["step"] for row in read_lines(run / "metrics.jsonl")), default=0)


def resumed_at(run: Path) -> list[int]:
    """The steps of the checkpoints that resumes began at."""
    return [row["step"] for row in read_lines(run / "journal.jsonl") if row.get("event") == "resumed"]


def content(run: Path) -> dict[str, Any]:
    """All that a run leaves except times."""
    held = RunFolder(run)
    tensors, numbers, _ = read_checkpoint(held.checkpoints)
    return {
        "tensors": {name: tensor.numpy().tobytes() for name, tensor in tensors.items()},
        "numbers": {key: value for key, value in numbers.items() if key not in TIMES},
        "rows": [{key: value for key, value in row.items() if key not in TIMES} for row in held.read_metrics()],
        "samples": {path.name: path.read_bytes() for path in sorted(held.samples.iterdir())},
        "checkpoints": [path.name for path in checkpoint_files(held.checkpoints)],
    }


def same_state(first: Any, second: Any) -> bool:
    """Whether two checkpoints hold the same tensors and numbers."""
    (tensors, numbers), (others, other_numbers) = first, second
    same_numbers = {**numbers, "checksum": ""} == {**other_numbers, "checksum": ""}
    return same_numbers and all(torch.equal(tensors[name], others[name]) for name in others)


def left_over(run: Path) -> list[str]:
    """Names of half-written files."""
    return [path.name for path in run.rglob(".*") if TEMPORARY_NAME.fullmatch(path.name)]


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[tuple[Path, Callable[[str], None]]]:
    """A file system of its own, and a function that changes its options."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    outcome = subprocess.run(mount, capture_output=True, text=True, check=False)
    if outcome.returncode:
        folder.rmdir()
        raise Skipped(f"no small file system can be mounted here: {outcome.stderr.strip()}")
    try:
        yield folder, lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


def write_data(folder: Path) -> None:
    """Small data of three kinds."""
    stream = np.random.default_rng(0)
    np.save(folder / "points.npy", stream.normal(size=(400, 2)))
    np.save(folder / "images.npy", stream.integers(0, 256, size=(120, 8, 8), dtype=np.uint8))
    frame = pd.DataFrame({"amount": stream.normal(size=400).round(2), "count": stream.integers(0, 90, 400),
                          "colour": stream.choice(["red", "green"], 400)})  # fmt: skip
    frame.to_csv(folder / "table.csv", index=False)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a JSON lines file."""
    rows = []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return rows
    for line in text.splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def summarise(trials: Path) -> None:
    """One row for each fault: how often it was injected and survived."""
    rows: dict[str, dict[str, Any]] = {}
    for trial in read_lines(trials):
        row = rows.setdefault(trial["fault"], {"fault": trial["fault"], "injected": 0, "survived": 0})
        for name in ("injected", "survived"):
            row[name] += trial[name]
        for name in ("most_steps_played_again",):
            if name in trial:
                row[name] = max(row.get(name, 0), trial[name])
        if trial.get("note") and not trial["injected"]:
            row.setdefault("notes", []).append(trial["note"])
    facts = {
        "task": f"{STEPS} steps, a checkpoint every {INTERVAL}; points, table and images in turn",
        "device": f"cpu ({platform.machine()}), 1 thread", "torch": torch.__version__,
        "equipoise": equipoise.__version__, "commit": commit(),
    }  # fmt: skip
    for row in rows.values():
        row |= {"lost": row["injected"] - row["survived"], **facts}
        print(f"{row['fault']:34s} injected {row['injected']:4d}  survived {row['survived']:4d}  lost {row['lost']}")
    target = trials.with_name(trials.name.replace("_trials", ""))
    target.write_text("".join(json.dumps(row) + "\n" for row in rows.values()), encoding="utf-8")


def commit() -> str:
    """The commit that is checked out, or 'unknown' outside a checkout."""
    words = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


if __name__ == "__main__":
    main()
