"""Time of one training step of equipoise against the same step written by hand in plain PyTorch.

    python benchmarks/overhead.py [--rounds 60] [--steps 20] [--rows benchmarks/rows/overhead.jsonl]

Three contestants alternate in one process, in an order that is shuffled every round: our trainer, the
hand-written step, and the hand-written step once more under another name, whose ratio to itself is the noise of
the measurement. All train the same game (RpGAN + R1 + R2, MLP, batch 512, Adam, EMA of the generator, decaying gamma
and learning rate, fresh batch and latents each update). A row holds the median ratio over rounds and its 5th and
95th percentile.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import softplus

from equipoise.data import load, prepare
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.prepare import plan_run
from equipoise.networks.mlp import MLPDiscriminator, MLPGenerator

BATCH, WIDTH, DEPTH = 512, 128, 3
TOTAL_STEPS = 1_000_000


def ours(seed: int, gamma: float, rate: float) -> Callable[[], None]:
    """One step of our trainer, with everything that a run does at a step that is not measured."""
    planned = plan_run(
        "grid25",
        steps=TOTAL_STEPS,
        seed=seed,
        settings=[
            f"training.batch_size={BATCH}",
            f"networks.generator.width={WIDTH}",
            f"networks.discriminator.width={WIDTH}",
            f"networks.generator.depth={DEPTH}",
            f"networks.discriminator.depth={DEPTH}",
            "networks.latents=2",
            f"optimizers.generator.learning_rate={rate}",
            f"optimizers.discriminator.learning_rate={rate}",
            f"penalties=[{{name: r1, options: {{weight: {gamma}}}}}, {{name: r2, options: {{weight: {gamma}}}}}]",
            "runtime.threads=1",
        ],
    )
    trainer = build_trainer(planned.config, planned.data)
    return lambda: _discard(trainer.train_step())


def by_hand(seed: int, gamma: float, rate: float) -> Callable[[], None]:
    """The same step in plain PyTorch, as a careful person would write it."""
    data = prepare(load("grid25"), seed=seed)
    real = data.encoded_train()
    generator = MLPGenerator(data.space, latents=2, width=WIDTH, depth=DEPTH)
    discriminator = MLPDiscriminator(data.space, width=WIDTH, depth=DEPTH)
    average = MLPGenerator(data.space, latents=2, width=WIDTH, depth=DEPTH).requires_grad_(False)
    g_parameters, d_parameters = list(generator.parameters()), list(discriminator.parameters())
    g_optimizer = torch.optim.Adam(g_parameters, lr=rate, betas=(0.0, 0.99), fused=True)
    d_optimizer = torch.optim.Adam(d_parameters, lr=rate, betas=(0.0, 0.99), fused=True)
    permutation = torch.randperm(len(real))
    state = {"step": 0, "at": 0}

    def batch() -> torch.Tensor:
        if state["at"] + BATCH > len(real):
            state["at"] = 0
        rows = permutation[state["at"] : state["at"] + BATCH]
        state["at"] += BATCH
        return real[rows]

    def step() -> None:
        progress = state["step"] / TOTAL_STEPS
        factor = 0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2
        weight = gamma * 1e-3**progress
        for optimizer in (g_optimizer, d_optimizer):
            optimizer.param_groups[0]["lr"] = rate * factor

        with torch.no_grad():
            fake = generator(torch.randn(BATCH, 2))
        both = torch.cat([batch(), fake]).requires_grad_(True)
        logits = discriminator(both)
        (gradient,) = torch.autograd.grad(logits.sum(), both, create_graph=True)
        squared = gradient.square().sum(dim=1)
        loss = softplus(logits[BATCH:] - logits[:BATCH]).mean() + weight / 2 * (
            squared[:BATCH].mean() + squared[BATCH:].mean()
        )
        loss.backward(inputs=d_parameters)
        d_optimizer.step()
        d_optimizer.zero_grad()

        fake_logits = discriminator(generator(torch.randn(BATCH, 2)))
        with torch.no_grad():
            real_logits = discriminator(batch())
        softplus(real_logits - fake_logits).mean().backward(inputs=g_parameters)
        g_optimizer.step()
        g_optimizer.zero_grad()

        state["step"] += 1
        weight = 1 / (1 + 0.05 * state["step"])
        with torch.no_grad():
            for averaged, present in zip(average.parameters(), g_parameters, strict=True):
                averaged.lerp_(present, weight)

    return step


def main() -> None:
    """Measure, print a table, store the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--steps", type=int, default=20, help="steps per contestant and round")
    parser.add_argument("--rows", type=Path, default=Path(__file__).parent / "rows" / "overhead.jsonl")
    options = parser.parse_args()
    torch.set_num_threads(1)
    contestants = {"ours": ours(0, 0.1, 3e-3), "by hand": by_hand(0, 0.1, 3e-3), "by hand again": by_hand(0, 0.1, 3e-3)}
    torch.set_num_threads(1)
    for step in contestants.values():
        for _ in range(20):
            step()
    times: dict[str, list[float]] = {name: [] for name in contestants}
    shuffle = random.Random(0)
    for _ in range(options.rounds):
        for name in shuffle.sample(list(contestants), k=len(contestants)):
            started = time.perf_counter()
            for _ in range(options.steps):
                contestants[name]()
            times[name].append((time.perf_counter() - started) / options.steps)
    rows = []
    for name, claim in (
        ("ours", "overhead of one step"),
        ("by hand again", "noise: the hand-written step against itself"),
    ):
        ratios = np.array(times[name]) / np.array(times["by hand"])
        rows.append(
            {
                "claim": claim,
                "task": "grid25, RpGAN + R1 + R2, MLP 3 x 128, batch 512, float32, 1 thread",
                "repeats": options.rounds,
                "value": float(np.median(ratios)),
                "unit": "ratio to the hand-written step",
                "p5": float(np.percentile(ratios, 5)),
                "p95": float(np.percentile(ratios, 95)),
                "milliseconds_by_hand": 1e3 * float(np.median(times["by hand"])),
                "budget": f"{options.steps} steps a round",
                "device": f"cpu ({platform.machine()})",
                "torch": torch.__version__,
                "commit": commit(),
            }
        )
        print(
            f"{claim:45s} {rows[-1]['value']:.3f}  (5th to 95th percentile {rows[-1]['p5']:.3f}, {rows[-1]['p95']:.3f})"
        )
    options.rows.parent.mkdir(parents=True, exist_ok=True)
    options.rows.write_text("".join(json.dumps(row) + "\n" for row in rows))


def commit() -> str:
    """The commit that is checked out, or 'unknown' outside a checkout."""
    try:
        return subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _discard(_: object) -> None:
    """A report that nobody reads: nothing waits for it."""


if __name__ == "__main__":
    main()
