"""Tables: how far boosted trees tell the default's rows from unused real ones, in a stated time of one thread.

    python benchmarks/tables.py --list
    python benchmarks/tables.py --run "adult 120" --adult FOLDER --minutes 20
    python benchmarks/tables.py --run "game adds" --adult FOLDER
    python benchmarks/tables.py --dev /tmp/dev.jsonl --data adult --contestant default --steps 1000 --adult FOLDER
    python benchmarks/tables.py --summarise

What is scored stands in `tables_settings.json`: tables, contestants, seconds, and the steps that each contestant is
given so that it stays within these seconds. The file is committed before anything is scored, and the seeds (of the
split, of runs and of synthetic rows) are derived from the hash of that commit. Each attempt is a process of its own on
one thread, and a line of `rows/tables_trials.jsonl`, also when it ends in an error: what was cut short goes on where it
stopped. `--summarise` writes `rows/tables.jsonl`: median and worst of the seeds for each row, and the mark.

CPU-seconds are those of the process, from its start to the last weights kept: imports, set-up and evaluations are in
it, the final verdict and the scores are not. An attempt that took longer than its seconds by a tenth is stored and
counts as missed. `--dev` uses other seeds, writes to its own file and counts for nothing. The line of an attempt holds
the command that gives the same rows; `tables_again.py` types it.

The rows "game adds" ask what the game contributes: at most 4,000 training rows, likelihood and then the game against
likelihood alone, with steps that take the same CPU-seconds, and the same seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from points import LATE, git, machine, stored

HERE = Path(__file__).parent
SETTINGS = HERE / "tables_settings.json"
TRIALS, SUMMARY = HERE / "rows" / "tables_trials.jsonl", HERE / "rows" / "tables.jsonl"
MOST_QUICK_SETS = 8
"""Sets of synthetic rows that a quick score is the mean of, where there are few real ones."""
UNTRAINED = ("unused_rows", "independent_columns")


@dataclass(frozen=True)
class Attempt:
    """One run of one contestant.

    Attributes:
        data: name of a table of `tables_data`.
        contestant: a name of `tables_contestants.SETTINGS`, or `unused_rows` or `independent_columns`.
        seconds: that it may take.
        steps: of a contestant that is trained.
        seed: number of the seed, from 0.
        commit: of the settings; it decides the seeds.
        more: settings beyond the contestant's own; only in trials that count for nothing.
        is_quick: few training rows, and boosted trees over three folds as the only score.
    """

    data: str
    contestant: str
    seconds: float
    steps: int | None
    seed: int
    commit: str
    more: tuple[str, ...] = ()
    is_quick: bool = False

    @property
    def key(self) -> tuple[Any, ...]:
        return key_of(asdict(self))


def attempt(wanted: Attempt, folder: Path | None) -> dict[str, Any]:
    """Make it, in this process, and score it."""
    import torch

    torch.set_num_threads(1)
    from tables_contestants import independent_columns, trained, without_pictures
    from tables_data import MOST_QUICK_ROWS, TABLES, short
    from tables_scores import quick_score, scores, shapes_and_pairs

    from equipoise.randomness import derived_seed

    seed = derived_seed(0, f"{wanted.commit} tables", wanted.seed) >> 32
    before = time.process_time()
    table = TABLES[wanted.data](seed, folder=folder)
    reading = time.process_time() - before
    table = short(table) if wanted.is_quick else table
    count = len(table.test)
    if wanted.is_quick:
        without_pictures()
        count *= max(1, min(MOST_QUICK_SETS, MOST_QUICK_ROWS // count))
    if wanted.contestant == "unused_rows":
        made, facts = table.unused, {"cpu_seconds": time.process_time()}
    elif wanted.contestant == "independent_columns":
        made, facts = independent_columns(table.train, seed=seed, count=count)
    else:
        made, facts = trained(
            table.train, wanted.contestant, steps=wanted.steps, seed=seed, count=count, more=list(wanted.more)
        )
    facts["cpu_seconds"] -= reading  # making the data is no work of the contestant's
    if wanted.is_quick:
        return facts | quick_score(table, made)
    alike = min(len(table.unused), count)
    shapes, pairs = shapes_and_pairs(table.test.iloc[:alike], table.unused[table.test.columns].iloc[:alike])
    found = facts | scores(table, made, reference={"shapes": shapes, "pairs": pairs})
    if wanted.contestant == "unused_rows":
        del found["nearer_to_training"]  # each of them is its own nearest unused row
    return found


def planned(commit: str, *, only: str) -> Iterator[Attempt]:
    """All attempts of the settings, a seed of all rows before the next seed."""
    content = json.loads(SETTINGS.read_text(encoding="utf-8"))
    for seed in range(max(row.get("seeds", content["seeds"]) for row in content["rows"])):
        for row in content["rows"]:
            is_wanted = only == "all" or row["name"].startswith(only)
            if not is_wanted or seed >= row.get("seeds", content["seeds"]):
                continue
            for contestant, steps in row["contestants"].items():
                quick = "against" in row
                yield Attempt(row["data"], contestant, row["seconds"], steps, seed, commit, is_quick=quick)


def carried_out(wanted: Attempt, folder: Path | None) -> dict[str, Any]:
    """The attempt in a process of its own, with everything that the line of it says."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__)), "--attempt", json.dumps(asdict(wanted))]
    command += [] if folder is None else ["--adult", str(folder)]
    started = time.time()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    outcome = json.loads(lines[-1]) if done.returncode == 0 and lines else {"error": done.stderr[-800:]}
    return asdict(wanted) | outcome | {"wall_seconds": round(time.time() - started, 1), **machine()}


def key_of(line: dict[str, Any]) -> tuple[Any, ...]:
    names = ("data", "contestant", "seconds", "steps", "seed", "commit")
    return (*(line[name] for name in names), tuple(line.get("more", ())), line.get("is_quick", False))


def committed() -> str:
    """The commit that last changed the settings.

    Raises:
        SystemExit: they differ from what was committed, or the code does.
    """
    source = str(HERE.parent / "src")
    if git("status", "--porcelain", "--", str(SETTINGS), source):
        raise SystemExit("Settings or code differ from what was committed: commit first, the seeds come from it.")
    return git("log", "-1", "--format=%H", "--", str(SETTINGS))


def summarised(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each row of the settings and contestant."""
    content = json.loads(SETTINGS.read_text(encoding="utf-8"))
    found = []
    for row in content["rows"]:
        for contestant in row["contestants"]:
            mine = [
                line
                for line in lines
                if (line["data"], line["seconds"], line["contestant"]) == (row["data"], row["seconds"], contestant)
            ]
            if mine:
                found.append(_summary(row, contestant, mine, row.get("seeds", content["seeds"])))
        found += what_it_adds(row, lines)
    return found


def what_it_adds(row: dict[str, Any], lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The mean of the paired differences between a contestant and another one, with its 95 % interval (Student's t)."""
    if "against" not in row:
        return []
    from scipy.stats import t

    first, second = row["against"]
    values: dict[str, dict[int, dict[str, Any]]] = {first: {}, second: {}}
    for line in lines:
        if line.get("is_quick") and line["data"] == row["data"] and row["measure"] in line:
            values[line["contestant"]][line["seed"]] = line
    seeds = sorted(set(values[first]) & set(values[second]))
    if len(seeds) < 2:
        return []
    differences = [values[first][seed][row["measure"]] - values[second][seed][row["measure"]] for seed in seeds]
    mean, count = statistics.mean(differences), len(seeds)
    half = float(t.ppf(0.975, count - 1)) * statistics.stdev(differences) / count**0.5
    spent = {name: statistics.mean(values[name][seed]["cpu_seconds"] for seed in seeds) for name in row["against"]}
    return [
        {
            "claim": row["name"],
            "contestant": f"{first} less {second}",
            "measure": row["measure"],
            "repeats": count,
            "planned": row["seeds"],
            "median": statistics.median(differences),
            "worst": max(differences),
            "mean": mean,
            "low": mean - half,
            "high": mean + half,
            "values": differences,
            "cpu_seconds": spent,
        }
    ]


def _summary(row: dict[str, Any], contestant: str, lines: list[dict[str, Any]], seeds: int) -> dict[str, Any]:
    worst = float("inf")
    is_timed = contestant not in UNTRAINED
    values = [
        line.get(row["measure"], worst)
        if not is_timed or line.get("cpu_seconds", worst) <= LATE * row["seconds"]
        else worst
        for line in lines
    ]
    others = sorted({key for line in lines for key in line if isinstance(line[key], (int, float))} - {"seed"})
    found = {
        "claim": row["name"],
        "contestant": contestant,
        "measure": row["measure"],
        "repeats": len(values),
        "planned": seeds,
        "median": statistics.median(values),
        "worst": max(values),
        "values": values,
        "medians": {key: statistics.median(line[key] for line in lines if key in line) for key in others},
        "commit": lines[-1]["commit"],
    }
    mark = row.get("mark") if contestant == row.get("held_to") else None
    if mark is not None:
        found |= {"mark": mark, "is_met": bool(found["median"] <= mark) if len(values) >= seeds else None}
    return found


def finite(row: dict[str, Any]) -> dict[str, Any]:
    """The row with null for an attempt that missed: JSON has no infinity."""
    values = [value if value < float("inf") else None for value in row["values"]]
    median, worst = (row[name] if row[name] < float("inf") else None for name in ("median", "worst"))
    return row | {"values": values, "median": median, "worst": worst}


def main() -> None:
    arguments = _arguments()
    if arguments.attempt:
        print(json.dumps(attempt(Attempt(**json.loads(arguments.attempt)), arguments.adult)))
        return
    if arguments.list:
        for wanted in planned("-", only="all"):
            if wanted.seed == 0:
                print(f"{wanted.data:10} {wanted.contestant:20} {wanted.seconds:5.0f} s {wanted.steps or '':>8} steps")
        return
    ends = time.monotonic() + 60 * arguments.minutes
    if arguments.dev is not None:
        commit, more = f"dev {arguments.dev_seed}", tuple(arguments.set)
        wanted = Attempt(arguments.data, arguments.contestant, arguments.seconds, arguments.steps, 0, commit, more)
        _store(arguments.dev, carried_out(wanted, arguments.adult))
    if arguments.run is not None:
        done = {key_of(line) for line in stored(TRIALS)}
        for wanted in planned(committed(), only=arguments.run):
            if time.monotonic() > ends:
                break
            if wanted.key not in done and arguments.contestant in (None, wanted.contestant):
                _store(TRIALS, carried_out(wanted, arguments.adult))
    if arguments.summarise:
        rows = summarised(stored(TRIALS))
        SUMMARY.write_text("".join(json.dumps(finite(row)) + "\n" for row in rows), encoding="utf-8")
        for row in rows:
            print(
                f"{row['claim']:22} {row['contestant']:20} {row['measure']:8} median {row['median']:.4f} worst "
                f"{row['worst']:.4f} of {row['repeats']}/{row['planned']}  {row.get('is_met', '')}"
            )


def _store(path: Path, line: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
    print({key: value for key, value in line.items() if key not in ("commit", "code", "machine")}, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="what is planned")
    parser.add_argument("--run", metavar="ROW", help="score this row of the settings, or all")
    parser.add_argument("--minutes", type=float, default=10, help="begin no attempt after so long")
    parser.add_argument("--adult", type=Path, metavar="FOLDER", help="where adult_train.csv and adult_test.csv are")
    parser.add_argument("--summarise", action="store_true")
    parser.add_argument("--dev", type=Path, help="one attempt that counts for nothing, stored there")
    parser.add_argument("--dev-seed", type=int, default=0)
    parser.add_argument("--data", default="adult")
    parser.add_argument("--contestant")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--attempt", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
