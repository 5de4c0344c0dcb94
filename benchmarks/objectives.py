"""Objectives side by side: the same plain game on known laws, with and without R1 + R2, in equal CPU-seconds.

    python benchmarks/objectives.py --list
    python benchmarks/objectives.py --minutes 30
    python benchmarks/objectives.py --summarise

`objectives_settings.json` states data sets, objectives, penalties, the game and the seconds, and is committed before
anything is scored; the seeds are derived from the hash of that commit. One seed decides rows, first weights and draws
of all sixteen games on a data set, so that they are compared in pairs. Of each, a few steps of a throw-away game are
timed on the clock of the process, and the game gets as many steps as fit into the seconds; its schedules end with it.
Weights are the averaged ones of the last step: no evaluation chooses any.

Each attempt is a line of `rows/objectives_trials.jsonl`, also one that is refused or leaves the finite numbers; those
that are there are not made again. `--summarise` writes `rows/objectives.jsonl`: for each game the mean JSD on each data
set, and over all pairs the ratio to the reference with a 95 % interval (Student's, of the logarithms).
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from attempts import committed, git, stored

HERE = Path(__file__).parent
SETTINGS = HERE / "objectives_settings.json"
TRIALS, SUMMARY = HERE / "rows" / "objectives_trials.jsonl", HERE / "rows" / "objectives.jsonl"
FARTHEST = math.log(2)
"""What a game counts as that is refused or leaves the finite numbers: the JSD of two laws with nothing in common."""
WARM_UP, TIMED = 20, 60
"""Steps of the throw-away game before the clock counts, and on it."""


def attempts(content: dict[str, Any], commit: str) -> Iterator[dict[str, Any]]:
    """All of the settings, in order: a seed on all data sets before the next seed."""
    for seed in range(content["seeds"]):
        for data in content["data"]:
            for objective in content["objectives"]:
                for penalty in content["penalties"]:
                    yield {"data": data, "objective": objective, "penalty": penalty, "seed": seed, "commit": commit}


def play(wanted: dict[str, Any], content: dict[str, Any], rows_file: Path, seed: int) -> dict[str, Any]:
    """One game, and the distance of what it generates."""
    from points_data import laws

    from equipoise.errors import EquipoiseError, PlayDiverged
    from equipoise.experiment.build.trainer import build_trainer
    from equipoise.experiment.prepare import plan_run

    settings = [
        "data.kind=points",
        f"objective={wanted['objective']}",
        f"penalties={json.dumps(content['penalties'][wanted['penalty']])}",
        *content["game"],
    ]

    def built(steps: int) -> tuple[Any, Any]:
        planned = plan_run(str(rows_file), steps=steps, seed=seed, device="cpu", settings=settings)
        return planned, build_trainer(planned.config, planned.data)

    steps = 0
    try:
        _, trial = built(100_000)
        for _ in range(WARM_UP):
            trial.train_step()
        started = time.process_time()
        for _ in range(TIMED):
            trial.train_step()
        steps = max(1, round(content["seconds"] * TIMED / (time.process_time() - started)))
        planned, trainer = built(steps)
        started = time.process_time()
        trainer.run()
        spent = time.process_time() - started
    except PlayDiverged as error:
        return {"steps": steps, "outcome": "not finite", "said": str(error)[:200]}
    except EquipoiseError as error:
        return {"steps": steps, "outcome": "refused", "said": str(error)[:200]}
    law = laws()[wanted["data"]]
    points = generated(planned, trainer.state, content["points"], seed)
    return {"steps": steps, "cpu_seconds": spent, "outcome": "played", "jsd": distance(points, law, seed)}


def generated(planned: Any, state: Any, count: int, seed: int) -> Any:
    """Points of the averaged generator, in the units of the data."""
    from equipoise.experiment.generator import Gan

    gan = Gan(
        folder=Path(),
        config=planned.config,
        encoder=planned.data.encoder,
        generator=state.sampled_generator.eval(),
        label_names=(),
        class_shares=None,
        step=state.step,
    )
    return gan.sample_raw(count, seed=seed).values


def distance(points: Any, law: Any, seed: int) -> float:
    """The JSD in nats, as `points_scores` has it: in bins of half a deviation, or beside as many fresh rows."""
    from points_scores import _jsd_of_histograms

    from equipoise.metrics.histogram import histogram_jsd

    return histogram_jsd(points, law.mixture).jsd_nats if law.mixture else _jsd_of_histograms(points, law, seed)


def work(block: Sequence[dict[str, Any]]) -> None:
    """Play the games of one data set and seed in this process, a line of output each."""
    import numpy as np
    import torch
    from points_data import laws

    from equipoise.randomness import derived_seed

    torch.set_num_threads(1)
    content = json.loads(SETTINGS.read_text(encoding="utf-8"))
    data, number, commit = (block[0][key] for key in ("data", "seed", "commit"))
    seed = derived_seed(0, f"{commit} objectives", number) >> 32
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        np.save(path, laws()[data].fresh_rows(content["rows"], seed, "training rows of objectives"))
        for wanted in block:
            print(json.dumps(wanted | play(wanted, content, path, seed)), flush=True)


def run(minutes: float) -> None:
    """Play what is missing, block by block, and begin none after so many minutes."""
    content, commit = json.loads(SETTINGS.read_text(encoding="utf-8")), committed(SETTINGS)
    done = {key_of(line) for line in stored(TRIALS)}
    missing = [wanted for wanted in attempts(content, commit) if key_of(wanted) not in done]
    ends = time.monotonic() + 60 * minutes
    while missing and time.monotonic() < ends:
        first = missing[0]
        block = [each for each in missing if (each["data"], each["seed"]) == (first["data"], first["seed"])]
        missing = [each for each in missing if each not in block]
        command = [sys.executable, str(Path(__file__)), "--block", json.dumps(block)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for line in child.stdout:
                with TRIALS.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(json.loads(line) | {"code": git("rev-parse", "--short=10", "HEAD")}) + "\n")
                print(line.rstrip()[:160], flush=True)
                if time.monotonic() > ends + 60:
                    child.terminate()
        if child.returncode:
            print(f"a process ended with {child.returncode}; what is missing is made by the next call", flush=True)


def summarised(lines: Sequence[dict[str, Any]], content: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each game, the nearest to the data first."""
    found: dict[tuple[str, str], dict[tuple[str, int], float]] = {}
    for line in lines:
        game = found.setdefault((line["objective"], line["penalty"]), {})
        game[line["data"], line["seed"]] = line.get("jsd", FARTHEST)
    reference = found.get(tuple(content["reference"]), {})
    rows = []
    for (objective, penalty), values in found.items():
        pairs = [math.log(value / reference[key]) for key, value in values.items() if key in reference]
        half = half_width(pairs)
        means = {
            data: statistics.mean(value for (name, _), value in values.items() if name == data)
            for data in content["data"]
            if any(name == data for name, _ in values)
        }
        rows.append(
            {
                "claim": "objectives side by side",
                "objective": objective,
                "penalty": penalty,
                "repeats": len(values),
                "jsd": means,
                "ratio_to_reference": math.exp(statistics.mean(pairs)) if pairs else None,
                "ratio_low": None if half is None else math.exp(statistics.mean(pairs) - half),
                "ratio_high": None if half is None else math.exp(statistics.mean(pairs) + half),
                "not_played": sum(
                    line["outcome"] != "played"
                    for line in lines
                    if (line["objective"], line["penalty"]) == (objective, penalty)
                ),
                "seconds": content["seconds"],
                "commit": lines[-1]["commit"],
            }
        )
    return sorted(rows, key=lambda row: row["ratio_to_reference"] or math.inf)


def half_width(values: Sequence[float]) -> float | None:
    """Half of Student's 95 % interval of the mean; `None` of fewer than two values."""
    from scipy.stats import t

    if len(values) < 2:
        return None
    return float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))


def key_of(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line[name] for name in ("data", "objective", "penalty", "seed", "commit"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="what is planned")
    parser.add_argument("--minutes", type=float, help="play what is missing; begin nothing after so long")
    parser.add_argument("--summarise", action="store_true")
    parser.add_argument("--block", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    content = json.loads(SETTINGS.read_text(encoding="utf-8"))
    if arguments.block:
        work(json.loads(arguments.block))
    if arguments.list:
        for wanted in attempts(content, "-"):
            print(f"seed {wanted['seed']} {wanted['data']:14} {wanted['objective']:22} {wanted['penalty']}")
    if arguments.minutes is not None:
        run(arguments.minutes)
    if arguments.summarise:
        rows = summarised(stored(TRIALS), content)
        SUMMARY.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        for row in rows:
            means = " ".join(f"{data} {value:.3f}" for data, value in row["jsd"].items())
            ratio, low, high = (row[key] for key in ("ratio_to_reference", "ratio_low", "ratio_high"))
            spread = "no interval yet" if low is None else f"{low:.2f} to {high:.2f}"
            print(
                f"{row['objective']:22} {row['penalty']:8} x {ratio or math.nan:.2f} ({spread}) of {row['repeats']}, "
                f"{row['not_played']} not played; {means}"
            )


if __name__ == "__main__":
    main()
