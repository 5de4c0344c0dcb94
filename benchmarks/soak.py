"""Whether a long run holds on to memory or file handles: an hour of training with interim evaluations.

    python benchmarks/soak.py [--minutes 60] [--data grid25 digits] [--every 2] [--note TEXT]

Trains each data set with the default configuration in a process of its own and reads, every few seconds, its resident
memory (anonymous pages, and in total) and its open file handles. The first tenth of training is warm-up: modules are
loaded, buffers are filled, the first evaluation is made. Then the fifth from 10 % to 30 % of the time is held against
the last fifth, by medians; an evaluation takes memory while it lasts, so the highest readings of both fifths stand
beside. Growth is the ratio of the two medians less one.

The number that counts is the growth of *anonymous* memory, the pages that are the process's own. The total holds pages
of files too (libraries, memory maps), which the kernel takes back whenever another process wants the room: it falls on
a busy machine whatever the run does, and a fall could hide growth. It stands beside. The mark: at most 1 % in anonymous
memory, in total memory and in handles, over at least the minutes that were asked for.

Only the time of training counts, from the first measured step to the last; the final verdict and the report come after
it. How many steps fit into the time is found out at the start, on a machine that may be busy then and idle later: half
as many again are planned (`--spare`), and training is stopped by the clock, with a checkpoint (exit code 130). A run
whose steps end before the minutes do has not reached the mark. The exit code is 1 if one has not.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from memory import Probe, Reading, environment

WARM_UP, FIFTH = 0.1, 0.2
MARK = 0.01
KINDS = ("anonymous", "total", "handles")


def main() -> None:
    """Train, read, compare, store one row per data set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="per data set")
    parser.add_argument("--data", nargs="+", default=["grid25"])
    parser.add_argument("--every", type=float, default=2.0, help="seconds between readings")
    parser.add_argument("--spare", type=float, default=1.5, help="plan so many times the minutes")
    parser.add_argument("--mark", type=float, default=MARK, help="most growth; a short run needs a larger one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", nargs="*", default=[], dest="settings", metavar="KEY=VALUE", help="for `train`")
    parser.add_argument("--outdir", type=Path, default=None, help="keep the run folders and the readings here")
    parser.add_argument("--note", default="", help="what else the machine was doing")
    parser.add_argument("--rows", type=Path, default=Path(__file__).parent / "rows" / "soak.jsonl")
    options = parser.parse_args()
    options.rows.parent.mkdir(parents=True, exist_ok=True)
    is_reached = True
    with tempfile.TemporaryDirectory() as temporary:
        for source in options.data:
            found = soaked(source, options, options.outdir or Path(temporary))
            is_reached = is_reached and found["is_reached"]
            with open(options.rows, "a", encoding="utf-8") as stream:
                stream.write(json.dumps(found) + "\n")
    sys.exit(0 if is_reached else 1)


def soaked(source: str, options: argparse.Namespace, root: Path) -> dict[str, Any]:
    """One run and what it held."""
    folder = root / f"soak-{Path(source).stem}"
    root.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "equipoise", "train", source]
    command += ["--minutes", f"{options.minutes * options.spare:g}"]
    command += ["--seed", str(options.seed), "--outdir", str(folder), "--quiet"]
    for setting in options.settings:
        command += ["--set", setting]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    probe = Probe(process.pid, every_seconds=options.every)
    begun = end = None
    is_stopped = False
    while True:
        try:
            process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            pass
        now = probe.readings[-1].seconds if probe.readings else 0.0
        step, steps = played(folder)
        if begun is None and step:
            begun = now
        if end is None and step and step >= steps:
            end = now
        if end is None and begun is not None and now - begun >= 60 * options.minutes:
            end, is_stopped = now, True
            process.send_signal(signal.SIGTERM)
        if process.poll() is not None:
            break
    readings = probe.stop()
    if options.outdir is not None:
        lines = (json.dumps(vars(reading)) + "\n" for reading in readings)
        (root / f"{folder.name}-readings.jsonl").write_text("".join(lines))
    if begun is None or end is None:
        raise SystemExit(f"{source}: the run ended early, with exit code {process.returncode}")
    inside = [reading for reading in readings if begun <= reading.seconds <= end]
    step, _ = played(folder)
    found = growth(inside, begun, end, mark=options.mark)
    found["is_reached"] = found["is_reached"] and end - begun >= 60 * options.minutes
    row = {
        "claim": "no growth in memory or file handles",
        "task": f"equipoise train {source} --minutes {options.minutes * options.spare:g} --seed {options.seed}, "
        f"default configuration, for at least {options.minutes:g} minutes of training"
        + "".join(f", {setting}" for setting in options.settings),
        "seed": options.seed,
        "repeats": 1,
        **found,
        "play_seconds": round(end - begun, 1),
        "readings": len(inside),
        "is_stopped_by_the_clock": is_stopped,
        "exit": process.returncode,
        "steps": step,
        "evaluations": evaluations_of(folder),
        "peak_total_bytes": max(reading.total for reading in readings),
        **environment(options.note),
    }
    print(json.dumps(row, indent=1), flush=True)
    return row


def growth(readings: list[Reading], begun: float, end: float, *, mark: float = MARK) -> dict[str, Any]:
    """Medians and maxima of both fifths, and the growth from one to the other."""
    length = end - begun
    early = [r for r in readings if WARM_UP * length <= r.seconds - begun <= (WARM_UP + FIFTH) * length]
    late = [r for r in readings if r.seconds - begun >= (1 - FIFTH) * length]
    found: dict[str, Any] = {}
    for name in KINDS:
        for when, part in (("early", early), ("late", late)):
            values = np.array([getattr(reading, name) for reading in part])
            found[f"{name}_{when}_median"] = float(np.median(values))
            found[f"{name}_{when}_highest"] = int(values.max())
        found[f"{name}_growth"] = found[f"{name}_late_median"] / found[f"{name}_early_median"] - 1
        found[f"{name}_highest_growth"] = found[f"{name}_late_highest"] / found[f"{name}_early_highest"] - 1
    largest = max(found[f"{name}_growth"] for name in KINDS)
    return {
        "value": found["anonymous_growth"],
        "unit": "growth of the median of anonymous memory",
        "mark": mark,
        "is_reached": largest <= mark,
        **found,
    }


def played(folder: Path) -> tuple[int, int]:
    """Step of the last measurement, and how many there will be; zeros before the first."""
    try:
        with open(folder / "metrics.jsonl", "rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - 65536))
            last = stream.read().splitlines()[-1]
        return int(json.loads(last)["step"]), int(json.loads((folder / "status.json").read_text())["steps"])
    except (OSError, IndexError, KeyError, ValueError):
        return 0, 0


def evaluations_of(folder: Path) -> int:
    """How many interim evaluations there were: lines of `verdicts.jsonl` about the selection part."""
    path = folder / "verdicts.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return sum(json.loads(line).get("part") == "selection" for line in lines)


if __name__ == "__main__":
    main()
