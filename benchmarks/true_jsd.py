r"""The true JSD between the stored 25-grid generators and the 25-grid: the truth behind the rows `tight.generator*`.

    python benchmarks/true_jsd.py
    python benchmarks/true_jsd.py --store runs/grid25-1 --generator benchmarks/data/grid25_generator_1
    python benchmarks/true_jsd.py --millions 10 --finest 8 --rows /tmp/rows.jsonl

The real side is known: the probability of a bin is a sum of products of differences of the normal CDF. The generator
is sampled. For bins of 1/2, 1/4, ... 1/32 of a mode's standard deviation

.. math::
    J_b = \mathrm{JSD}(P_b, Q_b) \le J_{b/2} \le \mathrm{JSD}(p, q), \qquad J_b = 2 \hat J_b(n) - \hat J_b(n/2).

Bins hide what happens inside them, so J rises towards the truth as they shrink; empty bins make the JSD of a histogram
of n samples too large by about c/n, which the second equation removes. Stored is the finest bins' value. Its interval
begins two standard errors of sampling below the value of bins twice as wide, which is too small by what they hide and
has far fewer empty bins; it ends above the finest value by as much and by what still finer bins would add if every step
were to the one before it as the last two are, or half of it if that is more.

How fast the steps shrink is a property of the generator. With 2 latents, the preset's number, a network folds the plane
into threads far thinner than a mode: the steps shrink by a third only, and no bins that samples can fill reach the
truth (0.197, 0.224, 0.24, 0.25, 0.26 and rising, after one minute and nearly the same after two; it is above 0.25 and
not known better). With 8 latents the density is smooth and bins of an eighth are within 1 % of the truth. That is why
the stored generators have 8. `grid25_generator` is the first of these with a truth between 0.15 and 0.25, all with
seed 0; the referee had no part in it: 2 latents for one minute and for two; 8 latents for one minute on a busy machine
(7,132 steps, 0.275); and

    equipoise train grid25 --steps 20000 --seed 0 --set networks.latents=8

Its truth lies at the near end, and a fifteenth of it in structure finer than half a mode's deviation (0.148 of 0.158),
where ten thousand samples have a handful to a bin. `grid25_generator_middle` was stored when the first one's row had
missed its mark: of 8,000 (0.210), 9,000 (0.230), 10,000 (0.161), 11,000 (0.148), 12,000 (0.179), 16,000 (0.145) and
20,000 steps with seed 0 the one whose truth is nearest to the middle, 0.2:

    equipoise train grid25 --steps 8000 --seed 0 --set networks.latents=8

The same code is first run on a sampler whose distance is known by quadrature: the 25-grid with modes of 0.6 of their
width.

The default takes some ten minutes a generator and 3 GB. `--store` copies from a run folder what it takes to open it
and to sample its averaged generator, and nothing else, to the folder `--generator`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equipoise import load
from equipoise.metrics.divergence import jsd_by_quadrature
from equipoise.metrics.known import Mixture, grid25
from equipoise.randomness import derived_seed, numpy_stream

HERE = Path(__file__).parent
ROWS, DATA = HERE / "rows" / "true_jsd.jsonl", HERE / "data"
COARSEST = 2
"""Bins per standard deviation that every finer histogram is merged down to."""
CHUNK = 1_000_000
"""Samples drawn at once; chunks alternate between two halves."""
REACH = 8
"""Standard deviations beyond the outermost modes that the bins cover; what lies outside shares one more bin."""
SMALLEST_RATIO, LARGEST_RATIO = 0.5, 0.9
"""Of one step from bins to bins half as wide to the step before; noise must not make it smaller or endless."""
KNOWN_WIDTH = 0.6
Sampler = Callable[[int, int], np.ndarray]
"""From a number of samples and the number of the chunk to points `(n, 2)`."""


@dataclass(frozen=True)
class Binned:
    """JSD in bins of one size, in nats.

    Attributes:
        bins_per_deviation: along one axis.
        raw_nats: of all samples.
        half_nats: mean over the two halves of the samples.
        standard_error: of `raw_nats`, from the spread of log(q / m) over the samples.
    """

    bins_per_deviation: int
    raw_nats: float
    half_nats: float
    standard_error: float

    @property
    def corrected_nats(self) -> float:
        """Without the bias of sampling to first order in 1 / n."""
        return 2 * self.raw_nats - self.half_nats


def binned_jsds(sampler: Sampler, mixture: Mixture, *, chunks: int, finest: int) -> list[Binned]:
    """JSD in bins of each size, coarsest first; every size is a sum over the same finest histogram.

    Args:
        sampler: the generated side.
        mixture: the real side, in two dimensions.
        chunks: how many of `CHUNK` samples; even.
        finest: bins per standard deviation, a power of two.
    """
    assert chunks % 2 == 0 and finest >= COARSEST and finest & (finest - 1) == 0
    low, high = (pick(mixture.means) for pick in (np.min, np.max))
    reach, width = REACH * mixture.standard_deviation, mixture.standard_deviation / finest
    # A whole number of the coarsest bins, so that all sizes share their edges.
    side = math.ceil((high - low + 2 * reach) / (width * finest / COARSEST)) * (finest // COARSEST)
    halves = [np.zeros(side * side, dtype=np.int32) for _ in range(2)]
    for chunk in range(chunks):
        points = sampler(CHUNK, chunk)
        places = np.floor((points - (low - reach)) / width)
        is_inside = ((places >= 0) & (places < side)).all(axis=1)
        rows, columns = places[is_inside].astype(np.int64).T
        np.add.at(halves[chunk % 2], rows * side + columns, 1)
    squares = [half.reshape(side, side) for half in halves]
    found, fineness = [], finest
    while fineness >= COARSEST:
        edges = low - reach + mixture.standard_deviation / fineness * np.arange(len(squares[0]) + 1)
        found.append(_binned(squares, mixture, edges, fineness, chunks * CHUNK))
        squares = [_merged(square) for square in squares]
        fineness //= 2
    return found[::-1]


def _binned(halves: list[np.ndarray], mixture: Mixture, edges: np.ndarray, fineness: int, samples: int) -> Binned:
    """JSD of both halves and of all samples, over blocks of rows; the bin "elsewhere" is added last."""
    from scipy.special import ndtr

    along = [
        np.diff(ndtr((edges - mixture.means[:, axis, None]) / mixture.standard_deviation), axis=1) for axis in range(2)
    ]
    sizes = np.array([samples / 2, samples / 2, samples])
    totals, inside, square = np.zeros(3), np.zeros(4), 0.0

    def add(real: np.ndarray, counts: np.ndarray) -> None:
        nonlocal totals, inside, square
        for place, fake in enumerate((counts[0], counts[1], counts[0] + counts[1])):
            share = fake / sizes[place]
            totals[place] += _divergence_terms(real, share)
            inside[place] += share.sum()
        middle = np.where(share > 0, (real + share) / 2, 1.0)
        square += float(np.sum(share * np.log(np.where(share > 0, share, 1.0) / middle) ** 2))
        inside[3] += real.sum()

    for start in range(0, len(edges) - 1, 256):
        rows = slice(start, start + 256)
        real = (mixture.weights[:, None] * along[0][:, rows]).T @ along[1]
        add(real, np.stack([half[rows] for half in halves]).astype(np.float64))
    rest = np.maximum(0.0, 1.0 - inside)
    if rest[:3].max() > 0 or rest[3] > 0:
        add(np.array([rest[3]]), (rest[:2] * samples / 2)[:, None])
    # The derivative of JSD by a probability of the second distribution is log(q / m) / 2.
    error = math.sqrt(square / samples) / 2
    return Binned(fineness, float(totals[2]), float(totals[:2].mean()), error)


def _divergence_terms(p: np.ndarray, q: np.ndarray) -> float:
    """The sum over some of the bins that makes up JSD(p, q)."""
    middle = np.maximum((p + q) / 2, 1e-300)
    logs = [side * np.log(np.where(side > 1e-300, side, middle) / middle) for side in (p, q)]
    return float(np.sum(logs[0]) + np.sum(logs[1])) / 2


def _merged(square: np.ndarray) -> np.ndarray:
    half = len(square) // 2
    return square.reshape(half, 2, half, 2).sum(axis=(1, 3), dtype=np.int32)


def of_generator(folder: Path, seed: int) -> Sampler:
    """Fresh samples of the averaged generator of a run folder."""
    gan = load(folder)
    return lambda count, chunk: gan.sample(count, seed=derived_seed(seed, "true JSD", chunk))


def of_mixture(mixture: Mixture, seed: int) -> Sampler:
    """Fresh samples of a mixture."""
    return lambda count, chunk: mixture.sample(count, numpy_stream(seed, "true JSD", chunk))


def row(claim: str, task: str, binned: list[Binned], *, samples: int, seconds: float) -> dict[str, Any]:
    """The stored row; see the head of the file for `low` and `high`."""
    finest, before = binned[-1], binned[-2]
    step, error = finest.corrected_nats - before.corrected_nats, 2 * finest.standard_error
    earlier = before.corrected_nats - binned[-3].corrected_nats
    ratio = min(LARGEST_RATIO, max(SMALLEST_RATIO, step / earlier if earlier > 0 else LARGEST_RATIO))
    still_to_come = abs(step) * ratio / (1 - ratio)
    return {
        "claim": claim,
        "task": task,
        "repeats": 1,
        "value": finest.corrected_nats,
        "low": before.corrected_nats - 2 * before.standard_error,
        "high": finest.corrected_nats + still_to_come + error,
        "unit": "nats",
        "uncertainty_nats": abs(step),
        "standard_error_nats": finest.standard_error,
        "bins": [
            {
                "bins_per_standard_deviation": each.bins_per_deviation,
                "raw_nats": each.raw_nats,
                "raw_of_half_the_samples_nats": each.half_nats,
                "corrected_nats": each.corrected_nats,
                "standard_error_nats": each.standard_error,
            }
            for each in binned
        ],
        "samples": samples,
        "budget": f"{samples:,} samples",
        "seconds": round(seconds, 1),
    }


def stored_generator(run: Path, folder: Path) -> Iterator[Path]:
    """Copy what sampling the averaged generator needs from `run` to `folder`; yields the files made."""
    import torch
    from safetensors.torch import save_file

    from equipoise.runfolder import open_run_folder
    from equipoise.training.checkpoints import read_checkpoint, sealed

    source = open_run_folder(run)
    tensors, numbers, _ = read_checkpoint(source.checkpoints)
    # The discriminator is there because opening a run folder weighs both networks against the checkpoint.
    wanted = ("generator.average.", "discriminator.body.", "discriminator.output.")
    kept: dict[str, torch.Tensor] = {key: t for key, t in tensors.items() if key.startswith(wanted)}
    target = folder / "checkpoints" / f"step-{numbers['step']:08d}.safetensors"
    target.parent.mkdir(parents=True)
    save_file(kept, target)
    digest = hashlib.blake2b(target.read_bytes()).hexdigest()
    content = {"step": numbers["step"], "rollbacks": [], "format": numbers["format"], "checksum": digest}
    target.with_suffix(".json").write_text(json.dumps(sealed(content), indent=2) + "\n", encoding="utf-8")
    yield from (target, target.with_suffix(".json"))
    for path in (source.config, source.data):
        yield Path(shutil.copy(path, folder / path.name))
    facts = source.read_json(source.metadata)
    origin = {key: facts[key] for key in ("format", "equipoise", "started", "environment")}
    origin |= {"note": "Of this run only the averaged generator and the discriminator: it can be sampled, not resumed."}
    (folder / "run.json").write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")
    yield folder / "run.json"


def environment() -> dict[str, Any]:
    """What the numbers may depend on."""
    import torch

    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "device": f"cpu ({platform.machine()}, {os.cpu_count()} cores)",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "commit": found.stdout.strip() or "unknown",
    }


def main() -> None:
    """Measure, print, store the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generator", type=Path, help="a run folder; left out: all in benchmarks/data")
    parser.add_argument("--millions", type=int, default=200, help="samples of the generator; even")
    parser.add_argument("--known-millions", type=int, default=100, help="samples of the known case; even")
    parser.add_argument("--finest", type=int, default=32, help="bins per standard deviation; a power of two")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=Path, default=ROWS)
    parser.add_argument("--store", type=Path, metavar="RUN", help="make --generator from this run folder, and stop")
    options = parser.parse_args()
    if options.store is not None:
        if options.generator is None:
            parser.error("--store needs --generator, the folder to make")
        for path in stored_generator(options.store, options.generator):
            print(f"{path}  {path.stat().st_size:,} bytes")
        return
    real, facts, rows = grid25(), environment() | {"seed": options.seed}, []
    narrow = real.widened(KNOWN_WIDTH)
    # Cells of a fifth of the narrower modes' width: the midpoint rule is then exact to 1e-200.
    truth = jsd_by_quadrature(real.log_density, narrow.log_density, low=-4.5, high=4.5, cells=1500)
    generators = [options.generator] if options.generator else sorted(DATA.glob("grid25_generator*"))
    stored = [(folder, max(folder.glob("checkpoints/*.safetensors"))) for folder in generators]
    for claim, task, sampler, millions, more in (
        (
            "true JSD of a known case",
            f"the 25-grid with modes of {KNOWN_WIDTH} of their width",
            of_mixture(narrow, options.seed),
            options.known_millions,
            {"truth_nats": truth},
        ),
        *(
            (
                f"true JSD of {folder.name}",
                f"{folder.name}/checkpoints/{weights.name}",
                of_generator(folder, options.seed),
                options.millions,
                {"generator_sha256": hashlib.sha256(weights.read_bytes()).hexdigest()},
            )
            for folder, weights in stored
        ),
    ):
        started = time.monotonic()
        chunks = millions * 1_000_000 // CHUNK
        binned = binned_jsds(sampler, real, chunks=chunks, finest=options.finest)
        rows.append(row(claim, task, binned, samples=chunks * CHUNK, seconds=time.monotonic() - started) | more | facts)
        print(f"{claim}: {task}; {chunks * CHUNK:,} samples")
        for each in binned:
            print(
                f"  {each.bins_per_deviation:3d} bins a standard deviation: {each.raw_nats:.5f} raw, "
                f"{each.corrected_nats:.5f} corrected, standard error {each.standard_error:.5f}"
            )
        print(
            f"  {rows[-1]['value']:.5f} in [{rows[-1]['low']:.5f}, {rows[-1]['high']:.5f}]"
            + (f", by quadrature {truth:.5f}" if "truth_nats" in more else ""),
            flush=True,
        )
    options.rows.parent.mkdir(parents=True, exist_ok=True)
    options.rows.write_text("".join(json.dumps(entry) + "\n" for entry in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
