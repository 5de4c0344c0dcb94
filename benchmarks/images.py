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
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SETTINGS = HERE / "images_settings.json"
TRIALS, SUMMARY = HERE / "rows" / "images_trials.jsonl", HERE / "rows" / "images.jsonl"
OF_LAST = ("fd_ratio", "precision", "recall", "coverage", "auc")
"""Scores that the last weights get too, beside those that the run keeps."""
LATE = 1.1
"""Times its seconds that an attempt may take; a busy machine makes the same steps longer."""


@dataclass(frozen=True)
class Attempt:
    """One run of one contestant.

    Attributes:
        data: name of a data set of `images_data`.
        contestant: a name of `images_contestants`, among those that are trained or those of real pictures.
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


def planned(commit: str, *, only: str) -> Iterator[Attempt]:
    """All attempts of the settings, a seed of all rows before the next seed."""
    content = json.loads(SETTINGS.read_text(encoding="utf-8"))
    for seed in range(content["seeds"]):
        for row in content["rows"]:
            if only not in ("all", row["name"]):
                continue
            for contestant, steps in row["contestants"].items():
                yield Attempt(row["data"], contestant, row["seconds"], steps, seed, commit)


def carried_out(wanted: Attempt, arguments: argparse.Namespace) -> dict[str, Any]:
    """The attempt in a process of its own, with everything that the line of it says."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__)), "--attempt", json.dumps(asdict(wanted))]
    command += ["--folder", str(arguments.folder), "--judges", str(arguments.judges)]
    if arguments.sheets is not None:
        name = f"{wanted.data}-{wanted.contestant}-{wanted.seconds:g}-{wanted.seed}.png"
        command += ["--sheets", str(arguments.sheets / name)]
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
    """A row for each row of the settings and contestant: of the attempts under the latest settings, and the number of
    earlier ones."""
    content = json.loads(SETTINGS.read_text(encoding="utf-8"))
    rows = []
    for row in content["rows"]:
        for contestant in row["contestants"]:
            wanted = (row["data"], row["seconds"], contestant)
            mine = [line for line in lines if (line["data"], line["seconds"], line["contestant"]) == wanted]
            if mine:
                latest = [line for line in mine if line["commit"] == mine[-1]["commit"]]
                found = _summary(row, contestant, latest, content["seeds"])
                rows.append(found | {"earlier_attempts": len(mine) - len(latest)})
    return rows


def _summary(row: dict[str, Any], contestant: str, lines: list[dict[str, Any]], seeds: int) -> dict[str, Any]:
    names = sorted({key for line in lines for key in line if isinstance(line[key], (int, float))} - {"seed", "steps"})
    found: dict[str, Any] = {
        "claim": row["name"],
        "contestant": contestant,
        "repeats": len(lines),
        "planned": seeds,
        "values": {name: [line.get(name) for line in lines] for name in names},
        "medians": {name: statistics.median(line[name] for line in lines if name in line) for name in names},
        "commit": lines[-1]["commit"],
    }
    if contestant == "default":
        in_time = [line.get("cpu_seconds", math.inf) <= LATE * row["seconds"] for line in lines]
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
    arguments = _arguments()
    if arguments.attempt:
        wanted = Attempt(**json.loads(arguments.attempt))
        found = attempt(wanted, folder=arguments.folder, cache=arguments.judges, sheet=arguments.sheets)
        print(json.dumps(found))
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
            arguments.data, arguments.contestant or "default", seconds, arguments.steps, 0, commit, tuple(arguments.set)
        )
        _store(arguments.dev, carried_out(wanted, arguments))
    if arguments.run is not None:
        done = {key_of(line) for line in stored(TRIALS)}
        for wanted in planned(committed(), only=arguments.run):
            if time.monotonic() > ends:
                break
            if wanted.key not in done and arguments.contestant in (None, wanted.contestant):
                _store(TRIALS, carried_out(wanted, arguments))
    if arguments.summarise:
        rows = summarised(stored(TRIALS))
        SUMMARY.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        for row in rows:
            print(f"{row['claim']}: {row['contestant']}, {row['repeats']} of {row['planned']} seeds")
            for name, mark in row.get("marks", {}).items():
                median = row["medians"].get(name, math.nan)
                print(f"    {name} {median:.4f}, {', '.join(f'{key} {value}' for key, value in mark.items())}")
            if "marks" not in row:
                print("    " + ", ".join(f"{name} {value:.4g}" for name, value in row["medians"].items()))


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
    parser.add_argument("--folder", type=Path, default=Path(), help="where mnist10k.npz and twemoji64.zip are")
    parser.add_argument(
        "--judges", type=Path, default=Path(tempfile.gettempdir()) / "equipoise-judges", help="kept there"
    )
    parser.add_argument("--sheets", type=Path, help="a folder for a grid of each contestant's samples")
    parser.add_argument("--dev", type=Path, help="one attempt that counts for nothing, stored there")
    parser.add_argument("--dev-seed", type=int, default=0)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--contestant", help="only this one")
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--attempt", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
