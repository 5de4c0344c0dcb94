"""Steps per CPU-second of equipoise and of ctgan, in CTGAN's game with equal networks, rows and batches.

    python3 -m venv PEERS && PEERS/bin/pip install ctgan==0.12.1
    python benchmarks/tables_speed.py --adult FOLDER --peers PEERS/bin/python

Both train CTGAN's game with ctgan's default settings on 20,000 rows of UCI Adult: Wasserstein with a gradient penalty
of 10, packs of 10 rows, one update of each player a step, batch 500, Adam at 2e-4 with betas 0.5 and 0.9 and weight
decay 1e-6, conditions sampled by the logarithm of their frequency, and the cross-entropy of what was asked for. ctgan
runs its own `fit`; equipoise runs `equipoise.fit` with modules and a penalty of `tables_speed_ours.py`. Both read the
rows as ctgan encodes them, so that all layers have the same widths; where the numbers of weights differ, nothing is
measured.

Three workers of one thread each take turns in an order that is shuffled every round: ctgan; equipoise, which does as
little beside the game as it can (`loop`: the averaged weights and the watch over finite numbers stay, and one step in
forty is measured); and equipoise with the measured steps, sample plots and checkpoints of a default run of 8,000 steps
(`default`). Neither makes interim evaluations. CPU-seconds are those of the worker's process, set-up left out. A row
holds the median over rounds of the ratio of steps per CPU-second, its 5th and 95th percentile, and the ratio over all
rounds together (`of_all_rounds`), which plots and checkpoints of single rounds enter in full.

What is in favour of ctgan: equipoise reads standardised coordinates, which its modules turn back, draws real rows for
the generator's update as well, and keeps an average of the weights. What is not: ctgan draws the rows of a condition
one by one in Python, and computes gradients that no optimizer reads. That is how it is written, and a part of what is
measured.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from attempts import ONE_THREAD, machine
from tables_data import adult
from tables_speed_worker import Worker

HERE = Path(__file__).parent
MARK, BEYOND = 1.5, 3.0
"""Times ctgan's steps per CPU-second: what is to be reached, and what is more than that."""
OURS = ("loop", "default")
EQUAL = ("row_width", "condition_width", "generator_weights", "discriminator_weights")
NO_PEERS = """ctgan is measured, and --peers names no Python that has it{found}.
  It is no dependency of equipoise, and is installed in an environment of its own:
    python3 -m venv PEERS && PEERS/bin/pip install ctgan==0.12.1
  Then add to the command: --peers PEERS/bin/python"""


def started(folder: Path, rows: Path, peers: Path) -> dict[str, Worker]:
    """The three workers, after their set-up, which is made one after the other."""
    encoded, environment = str(folder / "encoded.npz"), os.environ | ONE_THREAD | {"LOKY_MAX_CPU_COUNT": "1"}
    of_ctgan = [str(peers), "-I", str(HERE / "tables_speed_ctgan.py"), "--rows", str(rows), "--encoded", encoded]
    workers = {"ctgan": Worker("ctgan", of_ctgan, environment=environment)}
    for parts in OURS:
        command = [sys.executable, str(HERE / "tables_speed_ours.py"), "--encoded", encoded, "--parts", parts]
        workers[parts] = Worker(f"equipoise, {parts}", command, environment=environment)
        require_equal(workers["ctgan"].facts, workers[parts].facts)
    return workers


def require_equal(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    """Refuse to compare networks of different sizes.

    Raises:
        SystemExit: names what differs.
    """
    differing = [f"{name} {ours[name]} and {theirs[name]}" for name in EQUAL if ours[name] != theirs[name]]
    if differing:
        raise SystemExit(
            f"equipoise and ctgan would train different networks: {'; '.join(differing)}.\n"
            "  The modules in tables_speed_ours.py have to follow this version of ctgan: use ctgan 0.12.1."
        )


def measured(workers: dict[str, Worker], *, rounds: int, steps: int) -> dict[str, list[float]]:
    """CPU-seconds of each worker in each round, after one that is not counted."""
    shuffle, seconds = random.Random(0), {name: [] for name in workers}
    for _ in range(rounds + 1):
        for name in shuffle.sample(list(workers), k=len(workers)):
            seconds[name].append(workers[name].cpu_seconds(steps))
    return {name: found[1:] for name, found in seconds.items()}


def row(
    parts: str, seconds: dict[str, Sequence[float]], facts: dict[str, dict[str, Any]], *, steps: int
) -> dict[str, Any]:
    """What is stored of one of equipoise's contestants."""
    ratios = np.array(seconds["ctgan"]) / np.array(seconds[parts])
    value = float(np.median(ratios))
    return {
        "claim": "steps per CPU-second beside ctgan",
        "contestant": parts,
        "task": "adult, 20,000 rows as ctgan encodes them, CTGAN's game, batch 500 in packs of 10, float32, 1 thread",
        "repeats": len(ratios),
        "value": value,
        "unit": "ratio of steps per CPU-second, equipoise to ctgan",
        "p5": float(np.percentile(ratios, 5)),
        "p95": float(np.percentile(ratios, 95)),
        "of_all_rounds": sum(seconds["ctgan"]) / sum(seconds[parts]),
        "mark": MARK,
        "is_met": value >= MARK,
        "is_beyond": value >= BEYOND,
        "budget": f"{steps} steps a round",
        "milliseconds_a_step": {each: 1e3 * float(np.median(seconds[each])) / steps for each in ("ctgan", parts)},
        "cpu_seconds": {each: list(seconds[each]) for each in ("ctgan", parts)},
        "setup_cpu_seconds": {each: facts[each]["setup_cpu_seconds"] for each in ("ctgan", parts)},
        **{name: facts[parts][name] for name in EQUAL},
        "ctgan": facts["ctgan"]["ctgan"],
        "torch": {each: facts[each]["torch"] for each in ("ctgan", parts)},
    }


def require_peers(peers: Path | None) -> Path:
    """The Python that has ctgan.

    Raises:
        SystemExit: none was named, or it is not there; the message says what to install.
    """
    if peers is None or not peers.is_file():
        raise SystemExit(NO_PEERS.format(found="" if peers is None else f": there is no {peers}"))
    return peers


def main() -> None:
    """Measure, print, store the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adult", type=Path, help="folder with adult_train.csv and adult_test.csv")
    parser.add_argument("--peers", type=Path, help="the Python that has ctgan")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=40, help="a contestant and round; whole epochs of 40 steps")
    parser.add_argument("--rows", type=Path, default=HERE / "rows" / "tables_speed.jsonl")
    options = parser.parse_args()
    peers = require_peers(options.peers)
    table = adult(0, folder=options.adult)
    with tempfile.TemporaryDirectory() as place:
        rows = Path(place) / "train.csv"
        table.train.to_csv(rows, index=False)
        workers = started(Path(place), rows, peers)
        seconds = measured(workers, rounds=options.rounds, steps=options.steps)
        for worker in workers.values():
            worker.end()
    facts = {name: worker.facts for name, worker in workers.items()}
    found = [row(parts, seconds, facts, steps=options.steps) | machine() for parts in OURS]
    options.rows.parent.mkdir(parents=True, exist_ok=True)
    options.rows.write_text("".join(json.dumps(each) + "\n" for each in found), encoding="utf-8")
    for each in found:
        print(
            f"{each['contestant']:8} {each['value']:.2f} times ctgan's steps per CPU-second "
            f"({each['p5']:.2f} to {each['p95']:.2f}), over all rounds {each['of_all_rounds']:.2f}"
        )


if __name__ == "__main__":
    main()
