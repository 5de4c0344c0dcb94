"""Do two processes that train one game get through as many samples as two that have nothing to do with each other?

    python benchmarks/weak_scaling.py [--rounds 30] [--steps 5] [--rows benchmarks/rows/weak_scaling.jsonl]

The convolutional game on images of 32 x 32 pixels, in two processes of one thread each. In every round, in an order
that is shuffled, there are three contestants, one after the other: one process alone, while the other rests; both at
the same time, each at a game of its own, which is the ceiling that memory and cores allow; and both together at one
game, whose batch is twice as large, so that each has as many samples as before. A row holds the median ratio of samples
per second of both together to the ceiling, over rounds, and its 5th and 95th percentile. Mark: at least 0.95.

Processes that train together wait, each step, for the slower of both. How much that alone costs on this machine is seen
from the two independent processes: `waiting` is the same ratio if these had waited for each other after every step, the
k-th of one for the k-th of the other, and had lost no other time. No way of training together that waits once a step
can do better; the game waits twice, once for each player's gradients.

Ratios within a round cancel much of what else the machine does, but not all: another program that takes a core for a
moment stops one of two independent processes, and both of those that wait for each other. The load of the machine at
the start and at the end stands in the row.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

BATCH, PICTURES, SIDE = 64, 1000, 32
TOTAL_STEPS = 1_000_000
MARK = 0.95


class Worker:
    """A process of one thread that trains when it is told to, and says how long it took."""

    def __init__(self, rank: int, port: int, data: Path) -> None:
        variables = {
            "RANK": str(rank),
            "WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "OMP_NUM_THREADS": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker", str(data)],
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, game: str, steps: int) -> None:
        """Begin to train."""
        self.process.stdin.write(f"{game} {steps}\n")
        self.process.stdin.flush()

    def seconds(self) -> list[float]:
        """How long each step took; waits for the end."""
        return json.loads(self.process.stdout.readline())

    def end(self) -> None:
        """Let the process go."""
        self.process.stdin.close()
        self.process.wait()


def work(data: Path) -> None:
    """What a worker does: a game of its own and a part in the game of both, trained on demand."""
    import torch

    from equipoise.distributed import SINGLE_PROCESS, process_group
    from equipoise.experiment.build.trainer import build_trainer
    from equipoise.experiment.prepare import plan_run

    torch.set_num_threads(1)
    group = process_group()
    trainers = {}
    for name, players, batch in (("alone", SINGLE_PROCESS, BATCH), ("together", group, BATCH * group.world_size)):
        planned = plan_run(
            data,
            steps=TOTAL_STEPS,
            device="cpu",
            preset_wanted="images",
            settings=[f"training.batch_size={batch}", "runtime.threads=1", f"data.image_size={SIDE}"],
        )
        trainers[name] = build_trainer(planned.config, planned.data, group=players)
    torch.set_num_threads(1)
    for line in sys.stdin:
        name, steps = line.split()
        ends = [time.perf_counter()]
        for _ in range(int(steps)):
            float(trainers[name].train_step().generator_loss)
            ends.append(time.perf_counter())
        print(json.dumps(np.diff(ends).tolist()), flush=True)


def step_seconds(workers: list[Worker], game: str, steps: int) -> np.ndarray:
    """How long each step of some processes takes that train at the same time. Shape `(processes, steps)`."""
    for worker in workers:
        worker.tell(game, steps)
    return np.array([worker.seconds() for worker in workers])


def samples_per_second(seconds: np.ndarray) -> float:
    """Real samples that the processes get through in a second, all together."""
    return float(sum(BATCH * seconds.shape[1] / own.sum() for own in seconds))


def main() -> None:
    """Measure, print, store the row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--steps", type=int, default=5, help="steps per contestant and round")
    parser.add_argument("--rows", type=Path, default=Path(__file__).parent / "rows" / "weak_scaling.jsonl")
    parser.add_argument("--note", default="", help="what the machine was doing besides, for the row")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        work(options.worker)
        return
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "pictures.npy"
        np.save(data, np.random.default_rng(0).integers(0, 256, size=(PICTURES, SIDE, SIDE, 3), dtype=np.uint8))
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        workers = [Worker(rank, port, data) for rank in range(2)]
        speeds = measure(workers, options.rounds, options.steps)
        for worker in workers:
            worker.end()
    row = row_of(speeds, options, (load_before, os.getloadavg()[0]))
    print(f"together / ceiling  {row['value']:.3f}  (5th to 95th percentile {row['p5']:.3f}, {row['p95']:.3f})")
    print(f"waiting / ceiling  {row['waiting']:.3f}")
    print(f"ceiling / (2 x one alone)  {row['ceiling_over_twice_alone']:.3f}")
    options.rows.parent.mkdir(parents=True, exist_ok=True)
    with open(options.rows, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(row) + "\n")


def measure(workers: list[Worker], rounds: int, steps: int) -> dict[str, np.ndarray]:
    """Samples per second of each contestant in each round."""
    contestants = {"alone": (workers[:1], "alone"), "ceiling": (workers, "alone"), "together": (workers, "together")}
    for players, game in contestants.values():
        step_seconds(players, game, 2)
    speeds: dict[str, list[float]] = {name: [] for name in (*contestants, "waiting")}
    shuffle = random.Random(0)
    for _ in range(rounds):
        for name in shuffle.sample(list(contestants), k=len(contestants)):
            seconds = step_seconds(*contestants[name], steps)
            speeds[name].append(samples_per_second(seconds))
            if name == "ceiling":
                speeds["waiting"].append(samples_per_second(np.broadcast_to(seconds.max(axis=0), seconds.shape)))
    return {name: np.array(found) for name, found in speeds.items()}


def row_of(speeds: dict[str, np.ndarray], options: argparse.Namespace, loads: tuple[float, float]) -> dict[str, Any]:
    """The row that is stored."""
    import torch

    ratios = speeds["together"] / speeds["ceiling"]
    return {
        "claim": "two processes at one game against two independent ones",
        "task": f"images of {SIDE} x {SIDE} x 3, RpGAN + R1 + R2, convolutional preset for CPUs, batch {BATCH} per "
        "process, float32, 1 thread each, gloo on one machine",
        "repeats": options.rounds,
        "value": float(np.median(ratios)),
        "unit": "ratio of samples per second",
        "mark": MARK,
        "p5": float(np.percentile(ratios, 5)),
        "p95": float(np.percentile(ratios, 95)),
        "samples_per_second": {name: float(np.median(found)) for name, found in speeds.items()},
        "waiting": float(np.median(speeds["waiting"] / speeds["ceiling"])),
        "ceiling_over_twice_alone": float(np.median(speeds["ceiling"] / (2 * speeds["alone"]))),
        "budget": f"{options.steps} steps a round",
        "device": f"cpu ({platform.machine()}, {os.cpu_count()} cores)",
        "load_average_before_and_after": [round(load, 2) for load in loads],
        "note": options.note,
        "torch": torch.__version__,
        "commit": commit(),
    }


def commit() -> str:
    """The commit that is checked out, or 'unknown' outside a checkout."""
    try:
        return subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


if __name__ == "__main__":
    main()
