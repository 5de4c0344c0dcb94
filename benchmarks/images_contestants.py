"""The contestants of `benchmarks/images.py`: each is given pictures, and gives a sampler and its CPU-seconds.

The clock is that of the process: from its start, so that imports, reading and interim evaluations count, to the last
weights kept. The preset is taken as `equipoise train` takes it; of pictures of samples a run draws one, not twelve.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from images_data import Part, Pictures, with_alpha

if TYPE_CHECKING:
    from equipoise import Gan

Sampler = Callable[[int, int], tuple[np.ndarray, np.ndarray | None]]
"""From a number of pictures and a seed to pictures as `images_data.Part` has them, and the classes asked for."""
NOISE = 0.05
"""Standard deviation of the noise on real pictures, as a share of the range from black to white."""
ADAM = (
    "{name: Adam, learning_rate: RATE, options: {betas: [0.0, 0.99]}, clip_norm: null, clip_growth: null, groups: {}}"
)
COSINE = "{shape: cosine, final: 0.01, warmup_steps: WARM, reached_at: 1.0}"


def _residual() -> list[str]:
    """What `equipoise train` of 0.1.0 took for pictures on a CPU, at the size that they have."""
    options = "{channels: 16, widest: 64, patch: 2, blocks: 1}"
    return [
        f"networks={{family: convolutional, latents: 64, generator: {options}, discriminator: {options}}}",
        *_game("0.001", "10.0", "0.1", "200"),
        "evaluations.keep_best=false",
    ]


def _game(rate: str, gamma: str, final: str, warm: str) -> list[str]:
    adam = ADAM.replace("RATE", rate)
    return [
        f"penalties=[{{name: r1, options: {{weight: {gamma}}}}}, {{name: r2, options: {{weight: {gamma}}}}}]",
        f"gamma={{shape: geometric, final: {final}, warmup_steps: 0, reached_at: 1.0}}",
        f"optimizers={{generator: {adam}, discriminator: {adam}, lr_schedule: {COSINE.replace('WARM', warm)}}}",
    ]


def _pixels() -> list[str]:
    """Squares of pixels as they are: the preset of grey images, and that of colour before these were whitened."""
    return ["networks.generator.whitening=0", "networks.discriminator.whitening=0"]


SETTINGS: dict[str, Callable[[], list[str]]] = {
    "default": list,
    "augmented": lambda: ["augmentation={differentiable: {kinds: [translate, cutout], probability: 0.6}}"],
    "adapted": lambda: [
        "augmentation={differentiable: {kinds: [translate, cutout], probability: 0, overfitting: 0.5}}"
    ],
    "textures": lambda: ["preset=textures"],
    "unaugmented": lambda: ["augmentation={}"],
    "whitened": lambda: ["networks.generator.whitening=0.5", "networks.discriminator.whitening=0.5"],
    "pixels_blurred": lambda: [*_pixels(), "networks.generator.blur=true"],
    "without_tone": lambda: ["networks.generator.tone=false", "networks.generator.detail=false"],
    "without_detail": lambda: ["networks.generator.detail=false"],
    "first_preset": _residual,
    "prototype": lambda: [*_pixels(), *_game("0.004", "30.0", "0.3333333333333333", "100")],
}
"""Contestants that are trained, and what they change of the preset."""


def trained(
    pictures: Pictures, contestant: str, *, steps: int, seed: int, more: list[str], sheet: Path | None
) -> tuple[Sampler, dict[str, Any], Sampler]:
    """A run of equipoise: samples of the weights that it keeps by default, facts, and samples of the last weights."""
    import equipoise as eq
    from equipoise.plotting.samples import image_grid
    from equipoise.runfolder import RunFolder
    from equipoise.training import Ended

    spent: list[float] = []

    def clock(event: object) -> None:
        if isinstance(event, Ended):
            spent.append(time.process_time())

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pictures.npz"
        pictures.write(path)
        gan = eq.fit(
            str(path),
            steps=steps,
            seed=seed,
            device="cpu",
            outdir=Path(folder) / "run",
            callbacks=[clock],
            settings=["outputs.final_verdict=false", "outputs.samples=1", *SETTINGS[contestant](), *more],
        )
        last = eq.load(Path(folder) / "run", checkpoint="last")
        rows = [row for row in RunFolder(Path(folder) / "run").read_verdicts() if row.get("part") != "final"]
        estimates = [[row["step"], row.get("jsd_estimate_nats")] for row in rows]

    def sampler_of(generator: Gan) -> Sampler:
        def sampler(count: int, draw: int) -> tuple[np.ndarray, np.ndarray | None]:
            found = generator.sample_raw(count, seed=draw)
            if found.labels is None:
                return with_alpha(found.values), None
            return with_alpha(found.values), np.array([int(found.label_names[label]) for label in found.labels])

        return sampler

    if sheet is not None:
        sheet.parent.mkdir(parents=True, exist_ok=True)
        image_grid(gan.sample_raw(100, seed=seed).values).save(sheet)
    evaluations = gan.config.evaluations
    facts = {"cpu_seconds": spent[-1], "evaluations": evaluations.count, "step_used": gan.step, "estimates": estimates}
    return sampler_of(gan), facts, sampler_of(last)


def _real(part: Part, change: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Sampler:
    def sampler(count: int, draw: int) -> tuple[np.ndarray, np.ndarray | None]:
        stream = np.random.default_rng(draw)
        rows = stream.permutation(len(part.labels))[:count]
        if len(rows) < count:  # the hundred: each as often as it takes
            rows = stream.integers(len(part.labels), size=count)
        return change(part.images[rows], stream), part.labels[rows]

    return sampler


def noisy(images: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Pictures with independent normal noise on each value."""
    found = images + 255 * NOISE * stream.normal(size=images.shape)
    return np.rint(found.clip(0, 255)).astype(np.uint8)


def blurred(images: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Pictures smoothed by (1, 2, 1) / 4 along both sides."""
    del stream
    import torch

    from equipoise.networks.convolutional import blurred as smoothed

    return np.rint(smoothed(torch.from_numpy(images).double()).numpy()).astype(np.uint8)


FLOORS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "real": lambda images, stream: images,
    "real_noise": noisy,
    "real_blur": blurred,
}
"""Real pictures of the generator's part, as they are or changed: what a score means."""


def floor(pictures: Pictures, contestant: str) -> tuple[Sampler, dict[str, Any]]:
    """A sampler of real pictures."""
    return _real(pictures.generator, FLOORS[contestant]), {"cpu_seconds": 0.0}
