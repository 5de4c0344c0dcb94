"""Complete configurations chosen from the data and the device; each is printed and stored, so nothing is hidden.

All of them train the default game, RpGAN + R1 + R2 with a decaying gamma and learning rate: it has a local
convergence proof (Huang et al. 2024, arXiv:2501.05441), and the schedule ends with a gamma whose square
root, a length in standardised units, is below the finest detail worth learning.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from equipoise.errors import unknown_name
from equipoise.experiment.config.points_preset import MIXTURE, points_mlp_preset, points_preset
from equipoise.experiment.config.tables_preset import COLUMNWISE, GAME_STEPS, tables_game_preset, tables_preset
from equipoise.spaces import Space, TableSpace

COSINE = {"shape": "cosine", "final": 0.01, "warmup_steps": 200}
LARGEST = 256
GPU_PRESETS = ((32, 256, 0.5), (64, 384, 2.0), (128, 512, 15.0), (LARGEST, 512, 150.0))
"""Longest side, width of the residual pair and first gamma; for 128 pixels gamma lies between its neighbours."""
FEW_IMAGES = 500
"""Training images below which both players see augmented ones. A hundred digits were learned by heart without that
(benchmarks/rows/images_trials.jsonl); other numbers of images were not tried."""
LOCAL_LATENTS, FEWER_LOCAL_LATENTS, MANY_PIXELS = 4, 1, 64
"""Latents of each place of each level in the preset of textures: of images of up to so many pixels a side, and of
larger ones, whose places are many."""
FOR_FEW = {"kinds": ["translate", "rotate", "scale", "cutout"], "probability": 0.4}
"""The augmentation of few images. Of three hundreds of digits 9 to 11 % of the samples were copies with it, at 1.2 to
1.3 times the distance of the hundred themselves. Shifts and cutout that follow what the discriminator knows by heart
had 8, 34 and 29 %, at 1.6, 1.3 and 1.3; with 0.6 variety was lost (benchmarks/rows/images_choices.jsonl)."""
STEPS_OF_FEW, FEWEST_STEPS = 50, 3_000
"""Steps for each of few images, and the fewest. Of a hundred digits 5,000 steps had 10 % copies at 1.2 times the
distance of the hundred themselves (three hundreds), and 12,000 had 15 % at 1.15 with no more variety (one of them)."""
DEFAULT_STEPS = {
    "points": 30_000,
    "table": 3_000,
    "table-game": GAME_STEPS,
    "small-images": 20_000,
    "images": 20_000,
    "textures": 20_000,
}
TABLES = {"table": tables_preset, "table-game": tables_game_preset}


def preset(
    name: str,
    *,
    source: str,
    space: Space,
    rows: int,
    classes: int,
    device: str,
    threads: int,
    family: str | None = None,
    is_short: bool = False,
) -> dict[str, Any]:
    """The complete configuration called `name`, as nested dictionaries.

    Args:
        name: of the preset.
        source: of the data.
        space: what one sample is.
        rows: for training.
        classes: of the data; 0 without labels.
        device: where the run is computed.
        threads: that there are.
        family: of networks that a person asks for, or `python` for networks of their own; `None` leaves it to the
            preset. The rates that suit a learned mixture suit no other network: for points they go with it.
        is_short: whether the run has too few steps for everything to be learned at its usual rate.

    Raises:
        ConfigError: there is no preset of that name.
    """
    makers = {
        "points": partial(points_preset, is_short=is_short),
        "table": _table,
        "table-game": _table,
        "small-images": _small_images,
        "images": _images,
        "textures": _textures,
    }
    if name not in makers:
        raise unknown_name("--preset", "preset", name, makers)
    steps = DEFAULT_STEPS[name]
    common = {
        "preset": name,
        "seed": 0,
        "data": {"source": source},
        "objective": {"name": "relativistic", "options": {}},
        "training": {"update_rule": "alternating", "n_critic": 1, "generator_updates": 1, "steps": steps},
        "ema": {"relative_length": 0.05},
        "runtime": {
            "device": device,
            "threads": threads,
            # bf16 halves the traffic on a GPU for images, whose bytes it resolves; standardised numbers it would put
            # on a lattice that the discriminator sees. fp16 is known to cripple this game, and a CPU gains nothing.
            "precision": "bf16" if device == "cuda" and name in ("images", "textures") else "float32",
        },
    }
    if name == "points" and family not in (None, MIXTURE):
        makers["points"] = points_mlp_preset
    if name in TABLES and family in (None, COLUMNWISE) and isinstance(space, TableSpace):
        makers |= TABLES
    settings = {**common, **makers[name](space, device, rows)}
    settings["training"] = {**common["training"], **settings["training"]}
    # MLP presets use one thread: a second one brings little to layers this small, and on a busy machine the
    # threads wait for each other (seen with two other programs on two cores: seconds for a step of milliseconds).
    settings["runtime"] = {**common["runtime"], **settings.get("runtime", {})}
    settings["networks"]["conditional"] = classes > 0
    settings["outputs"] = {**cadence(settings["training"]["steps"]), "samples": 12, "final_verdict": True}
    return settings


def cadence(steps: int) -> dict[str, Any]:
    """How often to measure and to store: about 400 measured steps and 20 checkpoints in a run of any length."""
    return {
        "measure_every": max(1, steps // 400),
        "checkpoint_every": max(1, steps // 20),
    }


def _table(space: Space, device: str, rows: int) -> dict[str, Any]:
    del space, device, rows
    return {
        "networks": _mlp(latents=64, width=256, depth=3),
        "runtime": {"threads": 1},
        "training": {"batch_size": 256},
        **_game(gamma=1.0, gamma_final=0.01, learning_rate=1e-3),
    }


def _small_images(space: Space, device: str, rows: int) -> dict[str, Any]:
    del space, device, rows
    networks = _mlp(latents=32, width=256, depth=3)
    networks["generator"] |= {"tone": True, "detail": True}
    return {
        "networks": networks,
        "runtime": {"threads": 1},
        "training": {"batch_size": 128},
        **_game(gamma=1.0, gamma_final=0.3, learning_rate=1e-3),
    }


def _images(space: Space, device: str, rows: int) -> dict[str, Any]:
    settings = _images_on_cpu(space) if device == "cpu" else _images_on_gpu(space)
    if rows < FEW_IMAGES:
        settings["augmentation"] = {"differentiable": dict(FOR_FEW)}
        if device == "cpu":
            steps = min(DEFAULT_STEPS["images"], max(FEWEST_STEPS, STEPS_OF_FEW * rows))
            settings["training"] = settings["training"] | {"steps": steps}
    return settings


def _textures(space: Space, device: str, rows: int) -> dict[str, Any]:
    """The preset of images with what photographs need on a CPU; docs/guides/images.md says what it brings and costs.

    Not the default: of drawings it makes samples that are surer and vary less.
    """
    settings = _images(space, device, rows)
    if device == "cpu":
        is_large = max(space.shape[1:], default=0) > MANY_PIXELS
        settings["networks"]["generator"]["local_latents"] = FEWER_LOCAL_LATENTS if is_large else LOCAL_LATENTS
        settings["networks"]["discriminator"]["statistics_pooling"] = True
    return settings


def _images_on_cpu(space: Space) -> dict[str, Any]:
    # On a CPU pixels are folded into channels two by two, and the networks are slim: `networks.strided` says why. On
    # 28-pixel digits gamma that falls from 30 to 10 kept twice the recall of one that falls to 1 (.83, .38), and
    # 60 CPU-seconds brought a Frechet distance of 72, 28 and 19 at rates of 1e-3, 2e-3 and 4e-3 (one seed each). The
    # rate falls to three tenths only: in 800 steps a constant one brought 14, 11 and 11, where one that fell to a
    # hundredth, without the limit on growth, brought 23, 24 and 25; in 2,300 steps 6.7 and 8.1 (one seed each).
    # In colour, squares of pixels are half whitened: `networks.folding` says why, docs/guides/images.md what it brings.
    # To grey digits it brought nothing.
    options = {"channels": 16, "widest": 64, "patch": 2, "whitening": 0.5 if space.shape[0] > 1 else 0.0}
    return {
        "networks": {
            "family": "strided",
            "latents": 64,
            "generator": {**options, "blocks": 1, "tone": True, "detail": True},
            "discriminator": dict(options),
        },
        "training": {"batch_size": 64},
        # Estimates of images are near log 2 (0.64 and 0.66 in two runs) while pictures still improve: the least says
        # little about which weights are best. Of 2,900 steps on digits step 1,160 was kept, with a Frechet distance 1.6
        # times that of the last step (one run, benchmarks/rows/images_trials.jsonl).
        "evaluations": {"keep_best": False},
        # So high a rate needs the limit on growth: without it about one run of five lost both players in a few steps.
        **_game(
            gamma=30.0,
            gamma_final=10.0,
            learning_rate=4e-3,
            clip_growth=1.5,
            schedule={"shape": "linear", "final": 0.3, "warmup_steps": 100},
        ),
    }


def _images_on_gpu(space: Space) -> dict[str, Any]:
    """The residual pair, wider and under a stronger penalty the more pixels there are.

    Written from the source's tables for 32 to 256 pixels (gamma, rate, betas), and run on no GPU yet.
    """
    side = max(space.shape[1:], default=0)
    width, gamma = next((width, gamma) for most, width, gamma in GPU_PRESETS if side <= most or most == LARGEST)
    options = {"width": width, "depth": 2, "patch": 1}
    return {
        "networks": {
            "family": "residual",
            "latents": 64,
            "generator": dict(options),
            "discriminator": dict(options),
        },
        "runtime": {"channels_last": True},
        "training": {"batch_size": 64 if side > 64 else 256},
        **_game(gamma=gamma, gamma_final=gamma / 10, learning_rate=2e-4),
    }


def _mlp(*, latents: int, width: int, depth: int, generator_depth: int | None = None) -> dict[str, Any]:
    options = {"width": width, "depth": depth}
    return {
        "family": "mlp",
        "latents": latents,
        "generator": {**options, "depth": generator_depth or depth},
        "discriminator": dict(options),
    }


def _game(
    *,
    gamma: float,
    gamma_final: float,
    learning_rate: float,
    clip_growth: float | None = None,
    schedule: Mapping[str, Any] = COSINE,
) -> dict[str, Any]:
    optimizer = {
        "name": "Adam",
        "learning_rate": learning_rate,
        "options": {"betas": [0.0, 0.99]},
        "clip_growth": clip_growth,
    }
    return {
        "penalties": [{"name": name, "options": {"weight": gamma}} for name in ("r1", "r2")],
        "gamma": {"shape": "geometric", "final": gamma_final / gamma},
        "optimizers": {
            "generator": dict(optimizer),
            "discriminator": dict(optimizer),
            "lr_schedule": dict(schedule),
        },
    }
