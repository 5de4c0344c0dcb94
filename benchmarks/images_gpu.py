"""Images on a GPU: how many of 1,000 modes a run finds, and pictures a second; each row names the device.

    python benchmarks/images_gpu.py --modes --folder data/
    python benchmarks/images_gpu.py --speed
    python benchmarks/images_gpu.py --modes --speed --folder data/ --device cpu --steps 2 --samples 200 --seconds 0.1 \\
        --set networks.generator.channels=8 --set training.batch_size=8 --rows tried.jsonl

`--modes` stacks three digits of MNIST as the colours of one picture, which makes 1,000 modes (Metz et al. 2017,
arXiv:1611.02163, section 3.3.1), and trains the preset of images on 60,000 of them, without classes. The digits are
those of `mnist10k.npz` that `images.py` gives to generators; the judges are trained on others. Of 25,600 samples each
colour is read by the three judges together, and

    KL = sum over modes m of q_m log(1000 q_m),    q_m the share of samples in m,

is stored beside the modes that were found, and beside the same of as many stacks of reference digits: what a perfect
generator would have by these judges. Of 25,600 draws from 1,000 equal modes KL is about 999 / 51,200 = 0.020.

`--speed` times the step of the preset at 32 and 64 pixels, in float32 and in bf16: the library's own step, as a run
takes it, and one through `game.functional` and `torch.compile`, each player's gradients as one graph. The pairs take
turns; what is stored is the median of pictures a second, and how long compiling took. The last command above tries both
on a CPU and says nothing of a GPU.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from images_data import pictures
from images_judges import Judge, judges
from torch import Tensor, nn

import equipoise as eq
from equipoise.experiment.build.trainer import build_trainer
from equipoise.experiment.prepare import plan_run
from equipoise.game.functional import assign_gradients, discriminator_gradients, generator_gradients, weights_of
from equipoise.game.player import Player
from equipoise.randomness import numpy_stream
from equipoise.training import Trainer

HERE = Path(__file__).parent
ROWS = HERE / "rows" / "images_gpu.jsonl"
DIGITS, COLOURS, STACKS, SAMPLES = 10, 3, 60_000, 25_600
SIDES, PRECISIONS = (32, 64), ("float32", "bf16")
TURNS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modes", action="store_true", help="train on stacked digits, and count modes")
    parser.add_argument("--speed", action="store_true", help="pictures a second")
    parser.add_argument("--folder", type=Path, default=Path(), help="where mnist10k.npz is")
    parser.add_argument(
        "--judges", type=Path, default=Path(tempfile.gettempdir()) / "equipoise-judges", help="kept there"
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--seconds", type=float, default=10, help="of each turn of --speed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--backend", default="inductor", help="of torch.compile")
    parser.add_argument("--rows", type=Path, default=ROWS)
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("There is no GPU here. --device cpu, with a few steps, tries the script.")
    if arguments.modes:
        store(arguments, modes_found(arguments))
    if arguments.speed:
        for side in SIDES:
            for precision in PRECISIONS:
                store(arguments, speed(arguments, side=side, precision=precision))


def store(arguments: argparse.Namespace, facts: dict[str, Any]) -> None:
    """Append a row, with what it was measured on."""
    is_gpu = arguments.device == "cuda"
    commit = subprocess.run(["git", "-C", str(HERE), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    row = facts | {
        "device": torch.cuda.get_device_name() if is_gpu else f"cpu ({platform.machine()})",
        "torch": torch.__version__,
        "more": arguments.set,
        "code": commit.stdout.strip()[:10],
    }
    arguments.rows.parent.mkdir(parents=True, exist_ok=True)
    with arguments.rows.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row) + "\n")
    print(row, flush=True)


def modes_found(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train on stacks, and read which modes the samples lie in."""
    cut = pictures("mnist", arguments.folder, arguments.seed)
    found = judges("mnist", cut.judge, arguments.judges)
    begun = time.perf_counter()
    gan = eq.fit(
        stacks(cut.generator.images, STACKS, seed=arguments.seed),
        steps=arguments.steps,
        seed=arguments.seed,
        device=arguments.device,
        settings=["outputs.final_verdict=false", "outputs.samples=1", *arguments.set],
    )
    seconds = time.perf_counter() - begun
    made = np.asarray(gan.sample(arguments.samples, seed=arguments.seed))
    real = stacks(cut.reference.images, arguments.samples, seed=arguments.seed + 1)
    facts: dict[str, Any] = {"what": "modes", "steps": arguments.steps, "seed": arguments.seed, "seconds": seconds}
    facts |= {"samples": arguments.samples, "run": str(gan.folder)}
    for name, images in (("", made), ("_of_real", real)):
        modes = modes_of(images, found)
        facts |= {f"modes{name}": len(np.unique(modes)), f"kl{name}": divergence_from_uniform(modes)}
    return facts


def stacks(digits: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """Three digits, drawn with replacement, as the colours of one picture, uint8 `(count, height, width, 3)`.

    Args:
        digits: grey ones, uint8 `(n, 1, height, width)`.
        count: of the stacks.
        seed: of the draw.
    """
    chosen = numpy_stream(seed, "stacked digits").integers(0, len(digits), size=(count, COLOURS))
    return np.moveaxis(digits[:, 0][chosen], 1, 3)


def modes_of(images: np.ndarray, found: Sequence[Judge]) -> np.ndarray:
    """The number from 0 to 999 whose figures are the digits of each stack, by the mean of the judges' probabilities.

    Args:
        images: uint8 `(n, height, width, 3)`.
        found: judges of digits.
    """
    read = []
    for colour in range(COLOURS):
        grey = np.ascontiguousarray(images[:, None, :, :, colour])
        read.append(np.mean([judge(grey)[1] for judge in found], axis=0).argmax(axis=1))
    return np.asarray(read).T @ DIGITS ** np.arange(COLOURS)[::-1]


def divergence_from_uniform(modes: np.ndarray, count: int = DIGITS**COLOURS) -> float:
    """The Kullback-Leibler divergence of the shares of these modes from equal ones, in nats: 0 to log `count`."""
    shares = np.bincount(modes, minlength=count) / len(modes)
    shares = shares[shares > 0]
    return float(np.sum(shares * np.log(count * shares)))


def speed(arguments: argparse.Namespace, *, side: int, precision: str) -> dict[str, Any]:
    """Pictures a second of the library's step and of a compiled one, in turns."""
    images = np.random.default_rng(0).integers(0, 256, size=(2_000, side, side, 3), dtype=np.uint8)
    settings = [f"runtime.precision={precision}", "evaluations.count=0", *arguments.set]
    plan = plan_run(images, steps=1_000_000, seed=0, device=arguments.device, settings=settings)
    trainer, other = (build_trainer(plan.config, plan.data) for _ in range(2))
    compiled = compiled_step(other, precision=precision, backend=arguments.backend)
    steps: dict[str, Callable[[], Tensor]] = {
        "eager": lambda: trainer.train_step().generator_loss,
        "compiled": compiled,
    }
    before = {}
    for name, step in steps.items():  # kernels are chosen, and graphs made, before anything is timed
        begun = time.perf_counter()
        for _ in range(3):
            float(step())
        before[f"{name}_first_seconds"] = time.perf_counter() - begun
    found: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(TURNS):
        for name, step in steps.items():
            found[name].append(plan.config.training.batch_size * steps_a_second(step, arguments.seconds))
    medians = {f"{name}_images_per_second": statistics.median(each) for name, each in found.items()}
    peak = torch.cuda.max_memory_allocated() if arguments.device == "cuda" else None
    about = {"what": "speed", "side": side, "precision": precision, "batch": plan.config.training.batch_size}
    return about | medians | before | {"peak_memory_bytes": peak, "turns": found}


def steps_a_second(step: Callable[[], Tensor], seconds: float) -> float:
    """In a turn of about so many seconds; reading the last loss waits for the device."""
    begun, count, passed = time.perf_counter(), 0, 0.0
    while passed < seconds:
        for _ in range(9):
            step()
        float(step())
        count, passed = count + 10, time.perf_counter() - begun
    return count / passed


def compiled_step(trainer: Trainer, *, precision: str, backend: str) -> Callable[[], Tensor]:
    """An update of each player with gradients of `game.functional`, each a graph of its own; returns G's loss.

    The networks, weights, optimizers, averages and penalties are the trainer's; gamma and rates stay what they are at
    the first step.
    """
    players = (trainer.discriminator, trainer.generator)
    dtype = torch.bfloat16 if precision == "bf16" else None
    judge, maker = (InPrecision(player.network, dtype) for player in players)
    of_judge = torch.compile(discriminator_gradients(judge, trainer.objective, trainer.penalties), backend=backend)
    of_maker = torch.compile(generator_gradients(maker, judge, trainer.objective), backend=backend)
    taken = itertools.count()

    def step() -> Tensor:
        first, second = trainer.batches.at(next(taken))
        with torch.no_grad():
            fake = maker(first.latents)
        gradients, _ = of_judge(weights_of(judge), first.real, fake, 1.0)
        update(judge, trainer.discriminator, gradients)
        gradients, loss = of_maker(weights_of(maker), weights_of(judge), second.latents, second.real)
        update(maker, trainer.generator, gradients)
        return loss.detach()

    return step


def update(network: nn.Module, player: Player, gradients: dict[str, Tensor]) -> None:
    """One step of a player's own optimizer, and of its average where it has one."""
    assign_gradients(network, gradients)
    player.update()
    if player.average is not None:
        player.average.update()


class InPrecision(nn.Module):
    """A network whose forward pass is made in another precision; what it returns is float32, as the losses take it."""

    def __init__(self, network: nn.Module, dtype: torch.dtype | None) -> None:
        super().__init__()
        self.network, self.dtype = network, dtype

    def forward(self, inputs: Tensor) -> Tensor:
        if self.dtype is None:
            return self.network(inputs)
        with torch.autocast(inputs.device.type, dtype=self.dtype):
            return self.network(inputs).float()


if __name__ == "__main__":
    main()
