"""Run folders made up for tests: the files of a real run, with curves that behave like one."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

STARTED = 1_700_000_000.0
EQUILIBRIA = {
    "relativistic": (-math.log(2), "log_odds_up_to_a_constant"),
    "nonsaturating": (-math.log(4), "log_odds"),
    "wasserstein": (0.0, "other"),
}


def build_run(
    path: Path,
    *,
    kind: str = "images",
    objective: str = "relativistic",
    steps: int = 2_000,
    every: int = 10,
    evaluations: int = 4,
    state: str = "finished",
    seed: int = 0,
    settings: dict[str, Any] | None = None,
    level: float = 0.03,
    status: dict[str, Any] | None = None,
    grid_size: int = 80,
) -> Path:
    """A complete run folder at `path`; `settings` replace entries of its configuration, `level` is its last bound."""
    stream = np.random.default_rng(seed)
    (path / "samples").mkdir(parents=True)
    (path / "checkpoints").mkdir()
    equilibrium, meaning = EQUILIBRIA[objective]
    config = {
        "seed": seed,
        "preset": "digits-small",
        "data": {"source": "digits", "image_size": None, "max_bad_share": 0.05},
        "networks": {"generator": {"family": "mlp", "width": 256}, "discriminator": {"family": "mlp", "width": 256}},
        "objective": {"name": objective},
        "penalties": [{"name": "r1", "weight": 0.1}, {"name": "r2", "weight": 0.1}],
        "training": {"update_rule": "alternating", "steps": steps, "batch_size": 128},
        "optimizers": {"generator": {"learning_rate": 0.003}, "discriminator": {"learning_rate": 0.003}},
    }
    for key, value in (settings or {}).items():
        section = config
        *parents, last = key.split(".")
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = value
    # JSON is YAML: what is written here is read as config.yaml.
    (path / "config.yaml").write_text(json.dumps(config, indent=2))
    write(
        path / "data.json",
        {
            "fingerprint": "6f1c0a9be2d4",
            "source": "digits",
            "counts": {"train": 1437, "selection": 180, "final": 180},
            "split": {"seed": 0, "rule": "80/10/10 by groups of near-duplicates", "groups": 1790},
            "space": {"kind": kind, "channels": 1, "height": 8, "width": 8},
            "labels": [str(k) for k in range(10)],
            "encoder": {"kind": kind, "mean": [0.0] * 64},
            "notes": ["2 of 1,799 files were skipped: a.png, b.png."],
        },
    )
    write(
        path / "run.json",
        {
            "equipoise": "0.1.0",
            "command": "equipoise train digits --minutes 3",
            "started": STARTED,
            "environment": {
                "python": "3.11.9",
                "torch": "2.9.0",
                "platform": "Linux x86_64",
                "device": "cpu",
                "threads": 2,
                "processor": "a processor",
            },
            "preset": "digits-small",
            "steps": steps,
            "batch_size": 128,
            "objective": {
                "name": objective,
                "equilibrium_value": equilibrium,
                "logit_meaning": meaning,
                "divergence": "-log 2 + JSD(p x q, q x p)",
                "source": "arXiv:1807.00734",
                "is_zero_sum": False,
            },
            "networks": {
                "generator": {"family": "mlp", "parameters": 214_080},
                "discriminator": {"family": "mlp", "parameters": 148_993},
            },
        },
    )
    sample_steps = [0, *np.unique(np.geomspace(max(steps // 50, 1), steps, 12).astype(int) // every * every).tolist()]
    rows = [
        _row(step, steps, equilibrium, meaning, step in sample_steps, stream) for step in range(0, steps + 1, every)
    ]
    write_lines(path / "metrics.jsonl", rows)
    verdicts = [
        _verdict(
            steps * (place + 1) // evaluations,
            "final" if place == evaluations - 1 else "selection",
            level + 0.25 * math.exp(-3.0 * (place + 1) / evaluations),
        )
        for place in range(evaluations)
    ]
    write_lines(path / "verdicts.jsonl", verdicts)
    last = verdicts[-1] if verdicts else None
    write(
        path / "status.json",
        {
            "format": 1,
            "state": state,
            "step": steps,
            "steps": steps,
            "trend": "improving",
            "message": "",
            "last_verdict": last,
            "updated": STARTED + 200.0,
            **(status or {}),
        },
    )
    draw_grid(path / "samples" / "real.png", stream, blur=0.0, size=grid_size)
    for step in sample_steps:
        blur = math.exp(-4 * step / steps)
        draw_grid(path / "samples" / f"step-{step:08d}.png", stream, blur=blur, size=grid_size)
    return path


def write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1))


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def draw_grid(path: Path, stream: np.random.Generator, *, blur: float, size: int) -> None:
    """A grid of 10 x 10 tiles with strokes in them, drowned in noise by the share `blur`."""
    tile = max(size // 10, 1)
    grid = np.zeros((10 * tile, 10 * tile))
    for row in range(10):
        for column in range(10):
            at = stream.integers(1, max(tile - 1, 2), 2)
            grid[row * tile + 1 : (row + 1) * tile - 1, column * tile + at[0] % tile] = 200
            grid[row * tile + at[1] % tile, column * tile + 1 : (column + 1) * tile - 1] = 255
    noisy = (1 - blur) * grid + blur * stream.uniform(0, 255, grid.shape)
    Image.fromarray(noisy.astype(np.uint8)).save(path)


def _row(
    step: int, steps: int, equilibrium: float, meaning: str, with_histogram: bool, stream: np.random.Generator
) -> dict[str, Any]:
    done = step / steps
    gap = 0.5 * math.exp(-5 * done) + 0.012
    value = equilibrium + gap + 0.01 * stream.normal()
    rate = 3e-3 * min(1.0, (step + 1) / (0.1 * steps)) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
    row: dict[str, Any] = {
        "step": step,
        "samples_seen": step * 128,
        "seconds": step * 0.065,
        "steps_per_second": 15.4 + 0.6 * stream.normal(),
        "value": value,
        "value_standard_error": 0.02,
        "discriminator_loss": -value,
        "generator_loss": 0.7 + gap + 0.02 * stream.normal(),
        "penalty": {"r1": math.exp(-done) * (1 + 0.1 * stream.normal()), "r2": 0.7 * math.exp(-done)},
        "penalty_weight": {"r1": 0.1 * 100**-done, "r2": 0.1 * 100**-done},
        "gradient_norm": {
            "discriminator": 0.6 * math.exp(0.3 * stream.normal() - done),
            "generator": 0.2 * math.exp(0.3 * stream.normal() - done),
        },
        "learning_rate": {"discriminator": rate, "generator": rate},
        "logits": {"real": {"mean": 2 * gap, "std": 0.8}, "fake": {"mean": -2 * gap, "std": 0.9}},
    }
    if with_histogram:
        row["saturation"] = _saturation(gap, meaning, stream)
        logits = {"real": stream.normal(4 * gap, 0.8, 512), "fake": stream.normal(-4 * gap, 0.9, 512)}
        if meaning == "log_odds":
            logits = {side: 1 / (1 + np.exp(-values)) for side, values in logits.items()}
        edges = np.linspace(0, 1, 33) if meaning == "log_odds" else np.linspace(-6, 6, 33)
        counts = {side: np.histogram(values.clip(edges[0], edges[-1]), edges)[0] for side, values in logits.items()}
        row["histogram"] = {
            "what": "probability" if meaning == "log_odds" else "logit",
            "edges": edges.tolist(),
            **{side: count.tolist() for side, count in counts.items()},
        }
    return row


def _saturation(gap: float, meaning: str, stream: np.random.Generator) -> dict[str, Any]:
    found: dict[str, Any] = dict.fromkeys(
        (
            "saturating_norm",
            "nonsaturating_norm",
            "ratio",
            "share_below_001",
            "mean_probability_real",
            "mean_probability_fake",
            "minimax_value",
            "minimax_value_standard_error",
            "offset",
        )
    )
    if meaning != "other":
        found |= {
            "saturating_norm": 0.2 - gap / 3,
            "nonsaturating_norm": 0.2 + gap / 3,
            "share_below_001": gap / 2,
            "mean_probability_real": 0.5 + gap / 2,
            "mean_probability_fake": 0.5 - gap / 2,
        }
    if meaning == "log_odds_up_to_a_constant":
        found |= {"minimax_value": -math.log(4) + gap, "minimax_value_standard_error": 0.03, "offset": 0.2}
    return {**found, "input_gradient_norm": 1 + 3 * gap + 0.1 * stream.normal(), "flags": []}


def _verdict(step: int, part: str, bound: float) -> dict[str, Any]:
    differs = bound > 0
    scored = "90 real and 90 generated samples that it had never seen"
    said = f"NOT DISTINGUISHED: no fresh discriminator could tell generated from real on {scored}."
    if differs:
        said = f"DISTINGUISHED: a fresh discriminator still tells generated from real; it was right 71.2% of {scored}."
    return {
        "step": step,
        "part": part,
        "kind": "images",
        "sentence": said,
        "conclusion": "distinguished" if differs else "not_distinguished",
        "confidence": 0.95,
        "margin_nats": None,
        "jsd_lower_bound_nats": max(bound, 0.0),
        "jsd_estimate_nats": bound + 0.02,
        "log_e_value": 6.1 if differs else -0.4,
        "value": -1.3863 + 2 * bound,
        "value_standard_error": 0.02,
        "equilibrium_value": -1.3863,
        "accuracy": 0.712,
        "accuracy_low": 0.64,
        "accuracy_high": 0.78,
        "auc": 0.77,
        "auc_low": 0.7,
        "auc_high": 0.83,
        "counts": {
            "real_train": 1437,
            "fake_train": 1437,
            "real_validation": 90,
            "fake_validation": 90,
            "real_test": 90,
            "fake_test": 90,
        },
        "classifier": "boosted trees",
        "classifier_values": {"boosted trees": -1.2, "quadratic": -1.36},
        "sensitivity_method": "theoretical",
        "sensitivity_theoretical_nats": 0.061,
        "sensitivity_power": 0.95,
        "sensitivity_nats": {},
        "sensitivity_intervals_nats": {},
        "seed": 0,
        "seconds": 2.1,
        "findings": [
            {
                "check": "copies",
                "statement": "No generated sample is a copy of a real one.",
                "is_problem": False,
                "numbers": {},
                "rows": [],
            }
        ],
    }
