"""Points: how close the default comes to a known law in a stated time of one thread, beside its elders and outsiders.

    python benchmarks/points.py --list
    python benchmarks/points.py --run "grid25 60" --minutes 20
    python benchmarks/points.py --run all --minutes 120
    python benchmarks/points.py --dev /tmp/dev.jsonl --data grid25 --contestant default --steps 5000
    python benchmarks/points.py --summarise --figure docs/images/points_time.png

What is scored stands in `points_settings.json`: data sets, contestants, seconds, and the steps that each contestant is
given so that it stays within these seconds. The file is committed before anything is scored, and the seeds (of
training rows, of runs and of scores) are derived from the hash of that commit. Each attempt is a process of its own on
one thread, and a line of `rows/points_trials.jsonl`, also when it ends in an error: what was cut short goes on where it
stopped. `--summarise` writes `rows/points.jsonl`: median and worst of the seeds for each row, and the mark.

CPU-seconds are those of the process, from its start to the last weights kept: imports, preparation and evaluations are
in it, the final verdict and the scores are not. An attempt that took longer than its seconds by a tenth is stored and
counts as missed. `--dev` uses other seeds, writes to its own file and counts for nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SETTINGS = HERE / "points_settings.json"
TRIALS, SUMMARY = HERE / "rows" / "points_trials.jsonl", HERE / "rows" / "points.jsonl"
LATE = 1.1
"""Times its seconds that an attempt may take; a busy machine makes the same steps longer."""


@dataclass(frozen=True)
class Attempt:
    """One run of one contestant.

    Attributes:
        data: name of a law of `points_data`.
        contestant: `default`, `first_preset`, `nonsaturating_RATE`, `gaussian_mixture`, `kernel_density`.
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
        return (self.data, self.contestant, self.seconds, self.steps, self.seed, self.commit, tuple(self.more))


def attempt(wanted: Attempt) -> dict[str, Any]:
    """Make it, in this process, and score it."""
    import torch

    torch.set_num_threads(1)
    from points_contestants import OUTSIDERS, trained
    from points_data import laws

    from equipoise.randomness import derived_seed

    law = laws()[wanted.data]
    seed = derived_seed(0, f"{wanted.commit} points", wanted.seed) >> 32
    before = time.process_time()
    rows = law.training_rows(seed)
    drawing = time.process_time() - before
    if wanted.contestant in OUTSIDERS:
        sampler, facts = OUTSIDERS[wanted.contestant](rows, seconds=wanted.seconds, seed=seed)
    else:
        sampler, facts = trained(rows, wanted.contestant, steps=wanted.steps, seed=seed, more=list(wanted.more))
    facts["cpu_seconds"] -= drawing  # making the data is no work of the contestant's
    from points_scores import scores

    return facts | scores(law, sampler, seed=seed, training_rows=rows)


def planned(commit: str, *, only: str) -> Iterator[Attempt]:
    """All attempts of the settings, a seed of all rows before the next seed."""
    content = json.loads(SETTINGS.read_text(encoding="utf-8"))
    for seed in range(content["seeds"]):
        for row in content["rows"]:
            if only not in ("all", row["name"]):
                continue
            for contestant, steps in row["contestants"].items():
                yield Attempt(row["data"], contestant, row["seconds"], steps, seed, commit)


def carried_out(wanted: Attempt) -> dict[str, Any]:
    """The attempt in a process of its own, with everything that the line of it says."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__)), "--attempt", json.dumps(asdict(wanted))]
    started = time.time()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    outcome = json.loads(lines[-1]) if done.returncode == 0 and lines else {"error": done.stderr[-800:]}
    return asdict(wanted) | outcome | {"wall_seconds": round(time.time() - started, 1), **machine()}


def machine() -> dict[str, Any]:
    """Where it was measured, and with which code."""
    return {
        "code": git("rev-parse", "--short=10", "HEAD"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
    }


def stored(path: Path) -> list[dict[str, Any]]:
    """The lines that are there."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def key_of(line: dict[str, Any]) -> tuple[Any, ...]:
    names = ("data", "contestant", "seconds", "steps", "seed", "commit")
    return (*(line[name] for name in names), tuple(line.get("more", ())))


def committed() -> str:
    """The commit that last changed the settings.

    Raises:
        SystemExit: they differ from what was committed, or the code does.
    """
    source = str(HERE.parent / "src")
    if git("status", "--porcelain", "--", str(SETTINGS), source):
        raise SystemExit("Settings or code differ from what was committed: commit first, the seeds come from it.")
    return git("log", "-1", "--format=%H", "--", str(SETTINGS))


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=HERE, capture_output=True, text=True, check=True).stdout.strip()


def summarised(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each row of the settings and contestant: of the attempts under the latest settings that have any, with
    the number of earlier ones. Of the nonsaturating rates the best one by its median."""
    content = json.loads(SETTINGS.read_text(encoding="utf-8"))
    rows = []
    for row in content["rows"]:
        found: dict[str, dict[str, Any]] = {}
        for contestant in row["contestants"]:
            mine = [
                line
                for line in lines
                if (line["data"], line["seconds"], line["contestant"]) == (row["data"], row["seconds"], contestant)
            ]
            if mine:
                latest = [line for line in mine if line["commit"] == mine[-1]["commit"]]
                summary = _summary(row, contestant, latest, content["seeds"])
                found[contestant] = summary | {"earlier_attempts": len(mine) - len(latest)}
        rates = [name for name in found if name.startswith("nonsaturating_")]
        for name in sorted(rates, key=lambda name: found[name]["median"])[1:]:
            del found[name]
        rows += found.values()
    return rows


def _summary(row: dict[str, Any], contestant: str, lines: list[dict[str, Any]], seeds: int) -> dict[str, Any]:
    measure = row["measure"]
    worst = float("inf")
    values = [
        line.get(measure, worst) if line.get("cpu_seconds", worst) <= LATE * row["seconds"] else worst for line in lines
    ]
    others = sorted({key for line in lines for key in line if isinstance(line[key], (int, float))} - {"seed", measure})
    found = {
        "claim": row["name"],
        "contestant": contestant,
        "measure": measure,
        "repeats": len(values),
        "planned": seeds,
        "median": statistics.median(values),
        "worst": max(values),
        "values": values,
        "medians": {key: statistics.median(line[key] for line in lines if key in line) for key in others},
        "commit": lines[-1]["commit"],
    }
    mark = row.get("mark") if contestant == "default" else None
    if mark is not None:
        is_met = found["median"] <= mark["median"] and found["worst"] <= mark.get("worst", worst)
        found |= {"mark": mark, "is_met": bool(is_met) if len(values) >= seeds else None}
    return found


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """The row with null for an attempt that missed: JSON has no infinity."""
    values = [value if value < float("inf") else None for value in row["values"]]
    median, worst = (row[name] if row[name] < float("inf") else None for name in ("median", "worst"))
    return row | {"values": values, "median": median, "worst": worst}


def main() -> None:
    arguments = _arguments()
    if arguments.attempt:
        wanted = Attempt(**json.loads(arguments.attempt))
        print(json.dumps(attempt(wanted)))
        return
    if arguments.list:
        for wanted in planned("-", only="all"):
            if wanted.seed == 0:
                print(f"{wanted.data:14} {wanted.contestant:22} {wanted.seconds:5.0f} s {wanted.steps or '':>8} steps")
        return
    ends = time.monotonic() + 60 * arguments.minutes
    if arguments.dev is not None:
        seconds, commit = arguments.seconds, f"dev {arguments.dev_seed}"
        wanted = Attempt(
            arguments.data, arguments.contestant, seconds, arguments.steps, 0, commit, tuple(arguments.set)
        )
        _store(arguments.dev, carried_out(wanted))
    if arguments.run is not None:
        done = {key_of(line) for line in stored(TRIALS)}
        for wanted in planned(committed(), only=arguments.run):
            if time.monotonic() > ends:
                break
            if wanted.key not in done and arguments.contestant in (None, wanted.contestant):
                _store(TRIALS, carried_out(wanted))
    if arguments.summarise:
        rows = summarised(stored(TRIALS))
        SUMMARY.write_text("".join(json.dumps(_finite(row)) + "\n" for row in rows), encoding="utf-8")
        for row in rows:
            print(
                f"{row['claim']:22} {row['contestant']:20} {row['measure']:9} median {row['median']:.4f} worst "
                f"{row['worst']:.4f} of {row['repeats']}/{row['planned']}  {row.get('is_met', '')}"
            )
    if arguments.figure is not None:
        from points_figure import draw

        draw(stored(TRIALS), arguments.figure)


def _store(path: Path, line: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
    print({key: value for key, value in line.items() if key not in ("commit", "code", "machine", "tried")}, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="what is planned")
    parser.add_argument("--run", metavar="ROW", help="score this row of the settings, or all")
    parser.add_argument("--minutes", type=float, default=10, help="begin no attempt after so long")
    parser.add_argument("--summarise", action="store_true")
    parser.add_argument("--figure", type=Path, help="draw JSD against CPU-seconds there")
    parser.add_argument("--dev", type=Path, help="one attempt that counts for nothing, stored there")
    parser.add_argument("--dev-seed", type=int, default=0)
    parser.add_argument("--data", default="grid25")
    parser.add_argument("--contestant")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--attempt", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
