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
import time
from pathlib import Path
from typing import Any

from attempts import (
    Attempt,
    add_arguments,
    by_measure,
    carried_out,
    committed,
    latest,
    lines_of,
    make_missing,
    of_dev,
    planned,
    print_planned,
    store,
    stored,
    write_summary,
)

HERE = Path(__file__).parent
SETTINGS = HERE / "points_settings.json"
TRIALS, SUMMARY = HERE / "rows" / "points_trials.jsonl", HERE / "rows" / "points.jsonl"


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


def summarised(lines: list[dict[str, Any]], content: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each row of the settings and contestant: of the attempts under the latest settings that have any, with
    the number of earlier ones. Of the nonsaturating rates the best one by its median."""
    rows = []
    for row in content["rows"]:
        found: dict[str, dict[str, Any]] = {}
        for contestant in row["contestants"]:
            mine = lines_of(lines, row, contestant)
            if mine:
                summary = _summary(row, contestant, latest(mine), content["seeds"])
                found[contestant] = summary | {"earlier_attempts": len(mine) - len(latest(mine))}
        rates = [name for name in found if name.startswith("nonsaturating_")]
        for name in sorted(rates, key=lambda name: found[name]["median"])[1:]:
            del found[name]
        rows += found.values()
    return rows


def _summary(row: dict[str, Any], contestant: str, lines: list[dict[str, Any]], seeds: int) -> dict[str, Any]:
    found = by_measure(row | {"not_beside": [row["measure"]]}, contestant, lines, seeds=seeds)
    mark = row.get("mark") if contestant == "default" else None
    if mark is not None:
        is_met = found["median"] <= mark["median"] and found["worst"] <= mark.get("worst", float("inf"))
        found |= {"mark": mark, "is_met": bool(is_met) if len(lines) >= seeds else None}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, data="grid25", seconds=60)
    parser.add_argument("--figure", type=Path, help="draw JSD against CPU-seconds there")
    arguments = parser.parse_args()
    content = json.loads(SETTINGS.read_text(encoding="utf-8"))
    if arguments.attempt:
        print(json.dumps(attempt(Attempt(**json.loads(arguments.attempt)))))
        return
    if arguments.list:
        print_planned(planned(content, "-", only="all"))
        return
    if arguments.dev is not None:
        store(arguments.dev, carried_out(__file__, of_dev(arguments)))
    if arguments.run is not None:
        make_missing(
            planned(content, committed(SETTINGS), only=arguments.run),
            TRIALS,
            lambda wanted: carried_out(__file__, wanted),
            minutes=arguments.minutes,
            contestant=arguments.contestant,
        )
    if arguments.summarise:
        write_summary(SUMMARY, summarised(stored(TRIALS), content))
    if arguments.figure is not None:
        from points_figure import draw

        draw(stored(TRIALS), arguments.figure)


if __name__ == "__main__":
    main()
