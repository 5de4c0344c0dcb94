"""The contestants of `benchmarks/points.py`: each is given training rows, and gives a sampler and its CPU-seconds.

The clock is that of the process: from its start, so that imports and preparation count, to the last weights kept. Of
pictures of samples a run draws one, not twelve.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from points_scores import Sampler

NONSATURATING_RATES = (2e-4, 1e-3, 3e-3)


def first_preset(dimensions: int) -> list[str]:
    """What `equipoise train` of 0.1.0 took for points, setting by setting; without the time for evaluations."""
    width = 64 if dimensions <= 4 else 128 if dimensions <= 16 else 256
    adam = "{name: Adam, learning_rate: 0.003, options: {betas: [0.0, 0.99]}, groups: {}}"
    return [
        f"networks={{family: mlp, latents: {max(2, min(64, dimensions))}, generator: {{width: {width}, depth: 6}}, "
        f"discriminator: {{width: {width}, depth: 3}}}}",
        "objective=relativistic",
        "penalties=[{name: r1, options: {weight: 0.1}}, {name: r2, options: {weight: 0.1}}]",
        "gamma={shape: geometric, final: 0.01, warmup_steps: 0, reached_at: 1.0}",
        *_plain_training(128),
        f"optimizers={{generator: {adam}, discriminator: {adam}, "
        "lr_schedule: {shape: cosine, final: 0.01, warmup_steps: 200, reached_at: 1.0}}",
        "ema.relative_length=0.05",
    ]


def nonsaturating(dimensions: int, rate: float) -> list[str]:
    """The game of 2014 with the optimizer that most of its implementations have, no penalty, no average."""
    adam = f"{{name: Adam, learning_rate: {rate}, options: {{betas: [0.5, 0.999]}}, groups: {{}}}}"
    width = 64 if dimensions <= 4 else 128 if dimensions <= 16 else 256
    return [
        f"networks={{family: mlp, latents: {max(2, min(64, dimensions))}, generator: {{width: {width}, depth: 3}}, "
        f"discriminator: {{width: {width}, depth: 3}}}}",
        "objective=nonsaturating",
        "penalties=[]",
        "gamma={shape: constant, final: 1.0, warmup_steps: 0, reached_at: 1.0}",
        *_plain_training(128),
        f"optimizers={{generator: {adam}, discriminator: {adam}, "
        "lr_schedule: {shape: constant, final: 1.0, warmup_steps: 0, reached_at: 1.0}}",
        "ema.relative_length=0",
    ]


def _plain_training(batch_size: int) -> list[str]:
    return [
        f"training.batch_size={batch_size}",
        "training.shared_batch=false",
        "training.latents=independent",
        "training.real_batches=shuffled",
        "evaluations.count=0",
        "evaluations.keep_best=false",
    ]


def settings_of(contestant: str, dimensions: int) -> list[str]:
    """Changes to the preset, for a contestant that is trained by equipoise."""
    if contestant == "first_preset":
        return first_preset(dimensions)
    if contestant.startswith("nonsaturating_"):
        return nonsaturating(dimensions, float(contestant.removeprefix("nonsaturating_")))
    return []


def trained(
    rows: np.ndarray, contestant: str, *, steps: int, seed: int, more: list[str]
) -> tuple[Sampler, dict[str, Any]]:
    """A run of equipoise, with what `eq.fit` gives back: the weights that it keeps by default."""
    import equipoise as eq
    from equipoise.training import Ended

    spent: list[float] = []

    def clock(event: object) -> None:
        if isinstance(event, Ended):
            spent.append(time.process_time())

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        np.save(path, rows)
        gan = eq.fit(
            str(path),
            steps=steps,
            seed=seed,
            device="cpu",
            outdir=Path(folder) / "run",
            callbacks=[clock],
            settings=[
                "data.kind=points",
                "outputs.final_verdict=false",
                "outputs.samples=1",
                *settings_of(contestant, rows.shape[1]),
                *more,
            ],
        )
    return lambda count, draw: gan.sample(count, seed=draw), {"cpu_seconds": spent[-1], "steps": steps}


def gaussian_mixture(rows: np.ndarray, *, seconds: float, seed: int) -> tuple[Sampler, dict[str, Any]]:
    """Full covariances; 1, 2, 3, 5, 8, 12, 20, 32, 50, 80 ... components while there is time, the best by BIC."""
    from sklearn.mixture import GaussianMixture

    counts = (1, 2, 3, 5, 8, 12, 16, 20, 25, 32, 40, 50, 64, 80, 100, 128, 160, 200)
    best, best_bic, tried = None, np.inf, []
    for count in counts:
        if count > len(rows) // 3 or (tried and time.process_time() > 0.7 * seconds):
            break
        found = GaussianMixture(count, random_state=seed % 2**32, reg_covar=1e-6 * float(rows.var(axis=0).min()))
        found.fit(rows)
        bic = float(found.bic(rows))
        tried.append([count, bic])
        if bic < best_bic:
            best, best_bic = found, bic
    spent = time.process_time()

    def sampler(count: int, draw: int) -> np.ndarray:
        best.random_state = draw % 2**32
        return best.sample(count)[0]

    return sampler, {"cpu_seconds": spent, "components": best.n_components, "tried": tried}


def kernel_density(rows: np.ndarray, *, seconds: float, seed: int) -> tuple[Sampler, dict[str, Any]]:
    """Normal kernels on standardised rows; of nine widths that with the best likelihood on rows it has not seen."""
    from sklearn.neighbors import KernelDensity

    del seconds
    stream, mean, spread = np.random.default_rng(seed), rows.mean(axis=0), rows.std(axis=0)
    shuffled = (rows[stream.permutation(len(rows))] - mean) / spread
    held_out = min(2000, len(rows) // 5)
    checked, fitted = shuffled[:held_out], shuffled[held_out : held_out + 20_000]
    widths = [2.0**-power for power in range(1, 10)]
    found = [float(KernelDensity(bandwidth=width).fit(fitted).score(checked)) for width in widths]
    width = widths[int(np.argmax(found))]
    spent = time.process_time()

    def sampler(count: int, draw: int) -> np.ndarray:
        rng = np.random.default_rng(draw)
        centres = shuffled[rng.integers(len(shuffled), size=count)]
        return (centres + width * rng.normal(size=centres.shape)) * spread + mean

    return sampler, {"cpu_seconds": spent, "bandwidth": width}


OUTSIDERS: dict[str, Callable[..., tuple[Sampler, dict[str, Any]]]] = {
    "gaussian_mixture": gaussian_mixture,
    "kernel_density": kernel_density,
}
