"""How many units of a discriminator of points bend among the samples: a network whose units do not is a straight line.

    python benchmarks/kinks.py RUN [RUN ...]

A unit with a leaky rectifier is linear where all samples lie on one side of its kink, and then adds nothing that one
linear unit would not. At each checkpoint that a run on the 25-grid has kept, units of each hidden layer are counted
whose input is positive for between 0.2 % and 99.8 % of 20,000 points of the law and 2,000 of a wide normal. Each
checkpoint is a line of `rows/kinks.jsonl`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from equipoise.metrics.known import grid25
from equipoise.networks.mlp import LEAK
from equipoise.training.checkpoints import checkpoint_files, network_tensors, read_checkpoint, step_of

ROWS = Path(__file__).parent / "rows" / "kinks.jsonl"
FEWEST_SHARE = 0.002
POINTS, WIDE = 20_000, 2_000


def kinks(layers: list[tuple[torch.Tensor, torch.Tensor]], samples: torch.Tensor) -> list[int]:
    """Units of each hidden layer on both sides of whose kink samples lie.

    Args:
        layers: weight and bias of each hidden layer.
        samples: shape `(n, inputs)`.
    """
    found = []
    for weight, bias in layers:
        before = samples @ weight.T + bias
        share = (before > 0).float().mean(dim=0)
        found.append(int(((share > FEWEST_SHARE) & (share < 1 - FEWEST_SHARE)).sum()))
        samples = torch.nn.functional.leaky_relu(before, LEAK)
    return found


def standardised_points() -> torch.Tensor:
    """Points of the 25-grid and of a wider normal, with the scale that networks see."""
    stream = np.random.default_rng(0)
    law = grid25()
    points = law.means[stream.integers(0, law.modes, POINTS)]
    points = points + law.standard_deviation * stream.normal(size=points.shape)
    points = (points - points.mean(axis=0)) / points.std(axis=0)
    return torch.tensor(np.concatenate([points, 1.2 * stream.normal(size=(WIDE, 2))]), dtype=torch.float32)


def rows_of(run: Path) -> list[dict[str, Any]]:
    """A row for each checkpoint of a run."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    samples, rows = standardised_points(), []
    for path in checkpoint_files(run / "checkpoints"):
        tensors, _, _ = read_checkpoint(path.parent, among=[path])
        weights = network_tensors("discriminator", tensors)
        places = sorted({int(name.split(".")[1]) for name in weights if name.startswith("body.")})
        layers = [(weights[f"body.{place}.weight"], weights[f"body.{place}.bias"]) for place in places]
        rows.append(
            {
                "claim": "units that bend among the samples",
                "data": config["data"]["source"],
                "seed": config["seed"],
                "steps": config["training"]["steps"],
                "full_steps": config["optimizers"]["lr_schedule"].get("full_steps"),
                "step": step_of(path),
                "units": [len(bias) for _, bias in layers],
                "bend": kinks(layers, samples),
            }
        )
    return rows


def main() -> None:
    """Print and store the rows of each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    with ROWS.open("a") as file:
        for run in parser.parse_args().runs:
            for row in rows_of(run):
                print(row["step"], row["bend"])
                file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
