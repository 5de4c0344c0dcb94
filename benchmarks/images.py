"""Images: how close the default comes to real pictures in a stated time of one thread, by judges that saw no sample.

    python benchmarks/images.py --list
    python benchmarks/images.py --run "mnist 150" --contestant default --folder data/ --minutes 20
    python benchmarks/images.py --run all --folder data/ --minutes 240 --sheets sheets/
    python benchmarks/images.py --dev /tmp/dev.jsonl --data mnist --contestant default --steps 1000 --folder data/
    python benchmarks/images.py --summarise

`--folder` holds `mnist10k.npz` (arrays `images` and `labels`: 10,000 digits of MNIST, shuffled) and `twemoji64.zip`
(emoji as PNG, named by their code points); the patches come from photographs inside scikit-image, which they need.

What is scored stands in `images_settings.json`: data sets, contestants, seconds, the steps that each contestant is
given so that it stays within these seconds, and the marks. The file is committed before anything is scored, and the
seeds (of the run, of what is drawn, of the hundred pictures) are derived from the hash of that commit. Each attempt is
a process of its own on one thread, and a line of `rows/images_trials.jsonl`, also when it ends in an error: what was
cut short goes on where it stopped. `--summarise` writes `rows/images.jsonl`: values and medians of each row, and marks.

CPU-seconds are those of the process, from its start to the last weights kept: imports, preparation and evaluations are
in it, the scores are not. An attempt that took longer than its seconds by a tenth is stored and counts as missed.
`--dev` uses other seeds, writes to its own file and counts for nothing. Real pictures, changed or not, are contestants
without steps: what a score means.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
from pathlib import Path
from typing import Any

from attempts import (
    Attempt,
    add_arguments,
    carried_out,
    committed,
    is_in_time,
    latest,
    lines_of,
    make_missing,
    medians,
    numbers,
    of_dev,
    planned,
    print_planned,
    store,
    stored,
)

HERE = Path(__file__).parent
SETTINGS = HERE / "images_settings.json"
TRIALS, SUMMARY = HERE / "rows" / "images_trials.jsonl", HERE / "rows" / "images.jsonl"
OF_LAST = ("fd_ratio", "precision", "recall", "coverage", "auc")
"""Scores that the last weights get too, beside those that the run keeps."""


def attempt(wanted: Attempt, *, folder: Path, cache: Path, sheet: Path | None) -> dict[str, Any]:
    """Make it, in this process, and score it."""
    import torch

    torch.set_num_threads(1)
    from images_contestants import FLOORS, floor, trained
    from images_data import pictures

    from equipoise.randomness import derived_seed

    seed = derived_seed(0, f"{wanted.commit} images", wanted.seed) >> 32
    given = pictures(wanted.data, folder, seed)
    from images_judges import VERSION
    from images_scores import scores

    from equipoise.referee.levels import REFEREE_VERSION

    versions = {"judge_version": VERSION, "referee_version": REFEREE_VERSION}
    if wanted.contestant in FLOORS:
        sampler, facts = floor(given, wanted.contestant)
        return facts | scores(given, sampler, seed=seed, cache=cache) | versions
    sampler, facts, last = trained(
        given, wanted.contestant, steps=wanted.steps, seed=seed, more=list(wanted.more), sheet=sheet
    )
    of_last = scores(given, last, seed=seed, cache=cache, is_whole=False)
    beside = {f"{name}_of_last": value for name, value in of_last.items() if name in OF_LAST}
    return facts | scores(given, sampler, seed=seed, cache=cache) | beside | versions


def options(wanted: Attempt, arguments: argparse.Namespace) -> list[str]:
    """Where the process of an attempt finds its data and judges, and puts its sheet."""
    found = ["--folder", str(arguments.folder), "--judges", str(arguments.judges)]
    if arguments.sheets is not None:
        name = f"{wanted.data}-{wanted.contestant}-{wanted.seconds:g}-{wanted.seed}.png"
        found += ["--sheets", str(arguments.sheets / name)]
    return found


def summarised(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each row of the settings and contestant: of the attempts under the latest settings, and the number of
    earlier ones."""
    content = json.loads(SETTINGS.read_text(encoding="utf-8"))
    rows = []
    for row in content["rows"]:
        for contestant in row["contestants"]:
            mine = lines_of(lines, row, contestant)
            if mine:
                found = _summary(row, contestant, latest(mine), content["seeds"])
                rows.append(found | {"earlier_attempts": len(mine) - len(latest(mine))})
    return rows


def _summary(row: dict[str, Any], contestant: str, lines: list[dict[str, Any]], seeds: int) -> dict[str, Any]:
    names = numbers(lines, without=("seed", "steps"))
    found: dict[str, Any] = {
        "claim": row["name"],
        "contestant": contestant,
        "repeats": len(lines),
        "planned": seeds,
        "values": {name: [line.get(name) for line in lines] for name in names},
        "medians": medians(lines, names),
        "commit": lines[-1]["commit"],
    }
    if contestant == "default":
        in_time = [is_in_time(line, row["seconds"]) for line in lines]
        found["in_time"] = in_time
        found["marks"] = {
            name: mark | {"is_met": _is_met([line.get(name) for line in lines], mark) and all(in_time)}
            for name, mark in row.get("marks", {}).items()
        }
    return found


def _is_met(values: list[float | None], mark: dict[str, float]) -> bool:
    """Whether the median is within `most` and `least`, and each value within `worst`; an attempt that failed is not."""
    if any(value is None for value in values):
        return False
    median = statistics.median(values)
    return (
        median <= mark.get("most", math.inf)
        and median >= mark.get("least", -math.inf)
        and max(values) <= mark.get("worst", math.inf)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, data="mnist", seconds=150)
    parser.add_argument("--folder", type=Path, default=Path(), help="where mnist10k.npz and twemoji64.zip are")
    parser.add_argument(
        "--judges", type=Path, default=Path(tempfile.gettempdir()) / "equipoise-judges", help="kept there"
    )
    parser.add_argument("--sheets", type=Path, help="a folder for a grid of each contestant's samples")
    arguments = parser.parse_args()
    content = json.loads(SETTINGS.read_text(encoding="utf-8"))

    def make(wanted: Attempt) -> dict[str, Any]:
        return carried_out(__file__, wanted, *options(wanted, arguments))

    if arguments.attempt:
        wanted = Attempt(**json.loads(arguments.attempt))
        print(json.dumps(attempt(wanted, folder=arguments.folder, cache=arguments.judges, sheet=arguments.sheets)))
        return
    if arguments.list:
        print_planned(planned(content, "-", only="all"))
        return
    if arguments.dev is not None:
        store(arguments.dev, make(of_dev(arguments)))
    if arguments.run is not None:
        wanted_ones = planned(content, committed(SETTINGS), only=arguments.run)
        make_missing(wanted_ones, TRIALS, make, minutes=arguments.minutes, contestant=arguments.contestant)
    if arguments.summarise:
        _write_summary(summarised(stored(TRIALS)))


def _write_summary(rows: list[dict[str, Any]]) -> None:
    SUMMARY.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for row in rows:
        print(f"{row['claim']}: {row['contestant']}, {row['repeats']} of {row['planned']} seeds")
        for name, mark in row.get("marks", {}).items():
            median = row["medians"].get(name, math.nan)
            print(f"    {name} {median:.4f}, {', '.join(f'{key} {value}' for key, value in mark.items())}")
        if "marks" not in row:
            print("    " + ", ".join(f"{name} {value:.4g}" for name, value in row["medians"].items()))


if __name__ == "__main__":
    main()
