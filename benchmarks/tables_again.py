"""Whether `equipoise train`, as it is typed, gives the rows that a stored attempt at tables was scored on.

    python benchmarks/tables_again.py 8 --adult FOLDER

takes line 8 of `rows/tables_trials.jsonl`, which holds the command and the seed, writes its training rows to
`rows.csv`, types the command and `equipoise sample` in a folder of their own, scores what was drawn, and prints each
score beside the stored one. Exit status 1: one differs. Numbers are the same on the same kind of processor with the
same torch, as of any run; what a run chooses by the clock (how many interim evaluations it has, and of how many rows)
stands in the command.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from attempts import stored
from tables import TRIALS

COMPARED = ("hgb_auc", "xgb_auc", "shapes", "pairs", "trained_on_synthetic", "nearer_to_training", "copies")


def again(line: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    """The scores of a stored attempt, from what is typed."""
    import pandas as pd
    from tables_data import TABLES
    from tables_scores import scores

    table = TABLES[line["data"]](line["run_seed"], folder=folder)
    with tempfile.TemporaryDirectory() as place:
        table.train.to_csv(Path(place) / "rows.csv", index=False)
        typed(line["command"] + " --outdir run --quiet", place)
        typed(f"equipoise sample run -n {len(table.test)} --seed {line['run_seed']} -o made.csv", place)
        return scores(table, pd.read_csv(Path(place) / "made.csv"))


def typed(command: str, place: str) -> None:
    """Carry out a command of equipoise in a folder, on one thread."""
    words = [sys.executable, "-m", *shlex.split(command)]
    subprocess.run(words, cwd=place, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("line", type=int, help="number of a line of the stored attempts, from 1")
    parser.add_argument("--adult", type=Path, metavar="FOLDER", help="where adult_train.csv and adult_test.csv are")
    arguments = parser.parse_args()
    line = stored(TRIALS)[arguments.line - 1]
    if "command" not in line:
        raise SystemExit(
            f"Line {arguments.line} holds no command: it is of before they were stored, or trained nothing."
        )
    print(line["command"])
    found = again(line, arguments.adult)
    pairs = {name: (line[name], found[name]) for name in COMPARED if line.get(name) is not None}
    print(json.dumps({name: {"stored": one, "typed": other} for name, (one, other) in pairs.items()}, indent=1))
    return int(any(one != other for one, other in pairs.values()))


if __name__ == "__main__":
    sys.exit(main())
