"""What interim evaluations cost a training run: their measured share of the time. The promise is 10 %.

    python benchmarks/looks.py --data grid25 --minutes 1
    python benchmarks/looks.py --run runs/grid25-1

The first trains and then stores a row, the second stores a row of a run that is there. Every row goes to
`benchmarks/rows/looks.jsonl`; a row holds what was planned (from timings before the first step) and what was measured.
How often they raise a false alarm is the row `any_of_50` of `benchmarks/referee.py`, which calls the same function with
the same classifiers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

from overhead import commit

from equipoise.entries import entry_at
from equipoise.experiment.train import fit
from equipoise.reports.reading import read_run

ROWS = Path(__file__).parent / "rows" / "looks.jsonl"


def row_of(folder: Path, made_by: str | None) -> dict[str, Any]:
    """The stored row of a finished run; `made_by` is the commit that trained it."""
    run = read_run(folder)
    evaluations = [verdict for verdict in run.verdicts if verdict.get("part") == "selection"]
    seconds = [float(verdict["look_seconds"]) for verdict in evaluations]
    cost = entry_at(run.status, "look_time") or {}
    return {
        "claim": "interim evaluations take at most 10 % of the training time",
        "task": f"{run.data_source}, preset {run.preset}, {run.step} steps",
        "evaluations": entry_at(run.config, "evaluations"),
        "repeats": len(evaluations),
        "value": cost.get("share"),
        "unit": "share of training and evaluations",
        "planned": entry_at(run.evaluations, "timing", "planned_share"),
        "play_seconds": cost.get("play_seconds"),
        "look_seconds": cost.get("look_seconds"),
        "shortest_look_seconds": min(seconds, default=None),
        "longest_look_seconds": max(seconds, default=None),
        "seed": run.seed,
        "mark": "<= 0.10",
        "is_met": cost.get("share") is not None and cost["share"] <= 0.10,
        "device": f"cpu ({platform.machine()}, {os.cpu_count()} cores)",
        "load_when_stored": os.getloadavg()[0],
        "commit": made_by or commit(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="grid25")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--commit", help="that trained --run, if it is not the one that is checked out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.run
        if folder is None:
            folder = Path(temporary) / "run"
            fit(
                options.data,
                outdir=folder,
                minutes=options.minutes,
                seed=options.seed,
                settings=["outputs.final_verdict=false"],
            )
        row = row_of(folder, options.commit)
    ROWS.parent.mkdir(exist_ok=True)
    with open(ROWS, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(row) + "\n")
    print(json.dumps(row, indent=2))


if __name__ == "__main__":
    main()
