"""Attempts of a benchmark: planned by committed settings, each in a process of its own, each a stored line.

`points.py`, `images.py` and `tables.py` say what an attempt does; here is what they have in common. The settings file
is committed before anything is scored, and seeds are derived from the hash of that commit. What was cut short goes on
where it stopped: attempts that are stored are not made again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LATE = 1.1
"""Times its seconds that an attempt may take; a busy machine makes the same steps longer."""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Attempt:
    """One run of one contestant.

    Attributes:
        data: name of a data set of the benchmark.
        contestant: a name of the benchmark's.
        seconds: that it may take.
        steps: of a contestant that is trained.
        seed: number of the seed, from 0.
        commit: of the settings; it decides the seeds.
        more: settings beyond the contestant's own; only in trials that count for nothing.
    """

    data: str
    contestant: str
    seconds: float
    steps: int | None
    seed: int
    commit: str
    more: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[Any, ...]:
        return key_of(asdict(self))


def key_of(line: dict[str, Any]) -> tuple[Any, ...]:
    """What tells a stored attempt from others."""
    names = ("data", "contestant", "seconds", "steps", "seed", "commit")
    return (*(line[name] for name in names), tuple(line.get("more", ())), line.get("is_quick", False))


def planned(content: dict[str, Any], commit: str, *, only: str) -> Iterator[Attempt]:
    """All attempts of settings, a seed of all rows before the next seed; of one row, or `all`."""
    for seed in range(content["seeds"]):
        for row in content["rows"]:
            if only not in ("all", row["name"]):
                continue
            for contestant, steps in row["contestants"].items():
                yield Attempt(row["data"], contestant, row["seconds"], steps, seed, commit)


def carried_out(script: str, wanted: Attempt, *options: str) -> dict[str, Any]:
    """The attempt by a script in a process of its own, with everything that the line of it says.

    The script is called with `--attempt`, the attempt as JSON, and the options; its last line is JSON.
    """
    command = [sys.executable, script, "--attempt", json.dumps(asdict(wanted)), *options]
    started = time.time()
    done = subprocess.run(command, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    outcome = json.loads(lines[-1]) if done.returncode == 0 and lines else {"error": done.stderr[-800:]}
    return asdict(wanted) | outcome | {"wall_seconds": round(time.time() - started, 1), **machine()}


def make_missing(
    wanted: Iterable[Attempt],
    trials: Path,
    make: Callable[[Attempt], dict[str, Any]],
    *,
    minutes: float,
    contestant: str | None,
) -> None:
    """Make and store what is not stored, of one contestant or of all; begin none after so many minutes."""
    ends, done = time.monotonic() + 60 * minutes, {key_of(line) for line in stored(trials)}
    for each in wanted:
        if time.monotonic() > ends:
            return
        if each.key not in done and contestant in (None, each.contestant):
            store(trials, make(each))


def machine() -> dict[str, Any]:
    """Where it was measured, and with which code."""
    return {
        "code": git("rev-parse", "--short=10", "HEAD"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
    }


def stored(path: Path) -> list[dict[str, Any]]:
    """The lines that are there."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def store(path: Path, line: dict[str, Any]) -> None:
    """Append the line, and print what is of interest in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
    print({key: value for key, value in line.items() if key not in ("commit", "code", "machine", "tried")}, flush=True)


def committed(settings: Path) -> str:
    """The commit that last changed the settings.

    Raises:
        SystemExit: they differ from what was committed, or the code does.
    """
    if git("status", "--porcelain", "--", str(settings), str(HERE.parent / "src")):
        raise SystemExit("Settings or code differ from what was committed: commit first, the seeds come from it.")
    return git("log", "-1", "--format=%H", "--", str(settings))


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=HERE, capture_output=True, text=True, check=True).stdout.strip()


def is_in_time(line: dict[str, Any], seconds: float) -> bool:
    """Whether an attempt ended, and took no longer than it may."""
    return line.get("cpu_seconds", math.inf) <= LATE * seconds


def lines_of(lines: Sequence[dict[str, Any]], row: dict[str, Any], contestant: str) -> list[dict[str, Any]]:
    """Stored attempts of a contestant at a row of the settings."""
    wanted = (row["data"], row["seconds"], contestant)
    return [line for line in lines if (line["data"], line["seconds"], line["contestant"]) == wanted]


def latest(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those under the settings of the last one."""
    return [] if not lines else [line for line in lines if line["commit"] == lines[-1]["commit"]]


def numbers(lines: Sequence[dict[str, Any]], *, without: Iterable[str]) -> list[str]:
    """Names of what was counted or measured in any of the lines."""
    return sorted({key for line in lines for key in line if isinstance(line[key], (int, float))} - set(without))


def medians(lines: Sequence[dict[str, Any]], names: Iterable[str]) -> dict[str, float]:
    """Of each name over the lines that have it."""
    return {name: statistics.median(line[name] for line in lines if name in line) for name in names}


def by_measure(
    row: dict[str, Any], contestant: str, lines: Sequence[dict[str, Any]], *, seeds: int, is_timed: bool = True
) -> dict[str, Any]:
    """Median and worst of the row's measure, smaller being better; infinite where an attempt failed or was late."""
    measure = row["measure"]
    values = [
        line.get(measure, math.inf) if not is_timed or is_in_time(line, row["seconds"]) else math.inf for line in lines
    ]
    return {
        "claim": row["name"],
        "contestant": contestant,
        "measure": measure,
        "repeats": len(values),
        "planned": seeds,
        "median": statistics.median(values),
        "worst": max(values),
        "values": values,
        "medians": medians(lines, numbers(lines, without=("seed", *row.get("not_beside", ())))),
        "commit": lines[-1]["commit"],
    }


def finite(row: dict[str, Any]) -> dict[str, Any]:
    """The row with null for an attempt that missed: JSON has no infinity."""
    values = [value if value < math.inf else None for value in row["values"]]
    median, worst = (row[name] if row[name] < math.inf else None for name in ("median", "worst"))
    return row | {"values": values, "median": median, "worst": worst}


def write_summary(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Rows of `by_measure`, stored and printed."""
    path.write_text("".join(json.dumps(finite(row)) + "\n" for row in rows), encoding="utf-8")
    for row in rows:
        print(
            f"{row['claim']:22} {row['contestant']:20} {row['measure']:9} median {row['median']:.4f} worst "
            f"{row['worst']:.4f} of {row['repeats']}/{row['planned']}  {row.get('is_met', '')}"
        )


def print_planned(wanted: Iterable[Attempt]) -> None:
    """What is planned, once for all seeds."""
    for each in wanted:
        if each.seed == 0:
            print(f"{each.data:14} {each.contestant:22} {each.seconds:5.0f} s {each.steps or '':>8} steps")


def add_arguments(parser: argparse.ArgumentParser, *, data: str, seconds: float) -> None:
    """The options that all have, with the data and seconds that `--dev` takes unless told."""
    parser.add_argument("--list", action="store_true", help="what is planned")
    parser.add_argument("--run", metavar="ROW", help="score this row of the settings, or all")
    parser.add_argument("--minutes", type=float, default=10, help="begin no attempt after so long")
    parser.add_argument("--summarise", action="store_true")
    parser.add_argument("--dev", type=Path, help="one attempt that counts for nothing, stored there")
    parser.add_argument("--dev-seed", type=int, default=0)
    parser.add_argument("--data", default=data)
    parser.add_argument("--contestant", help="only this one; of --dev the one")
    parser.add_argument("--seconds", type=float, default=seconds)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--attempt", help=argparse.SUPPRESS)


def of_dev(arguments: argparse.Namespace) -> Attempt:
    """What `--dev` asks for."""
    return Attempt(
        arguments.data,
        arguments.contestant or "default",
        arguments.seconds,
        arguments.steps,
        0,
        f"dev {arguments.dev_seed}",
        tuple(arguments.set),
    )
