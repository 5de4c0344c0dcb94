"""The 8x8 digits of scikit-learn, 1,078 of them to learn from: what curves and adaptive augmentation bring.

    python benchmarks/images_digits.py --way tone --seed 1
    python benchmarks/images_digits.py --summarise

A run as `equipoise train digits --steps 8000` makes it, about 150 seconds of one thread, but for what the way changes,
and its final verdict: digits that nothing was chosen by, of the weights that the run keeps. A line of
`rows/images_digits.jsonl` each, with the estimate of the same weights without their curves; CPU-seconds are those of
the process to the end of training.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROWS = HERE / "rows" / "images_digits.jsonl"
TONE, DETAIL = "networks.generator.tone", "networks.generator.detail"
ADAPTED = "augmentation={differentiable: {kinds: [translate, cutout], probability: 0, overfitting: 0.5}}"
WAYS = {
    "plain": [f"{TONE}=false", f"{DETAIL}=false"],
    "tone": [f"{TONE}=true", f"{DETAIL}=false"],
    "detail": [f"{TONE}=true", f"{DETAIL}=true"],
    "tone_adapted": [f"{TONE}=true", f"{DETAIL}=false", ADAPTED],
    "adapted": [f"{TONE}=false", f"{DETAIL}=false", ADAPTED],
}


def attempt(way: str, *, steps: int, seed: int) -> dict[str, Any]:
    """Train, judge, and say what the verdict says."""
    import torch

    import equipoise as eq
    from equipoise.networks.heads import curves_of
    from equipoise.training import Ended

    torch.set_num_threads(1)
    spent: list[float] = []

    def clock(event: object) -> None:
        if isinstance(event, Ended):
            spent.append(time.process_time())

    with tempfile.TemporaryDirectory() as folder:
        gan = eq.fit(
            "digits", steps=steps, seed=seed, device="cpu", outdir=Path(folder) / "run", callbacks=[clock],
            settings=["outputs.final_verdict=false", "outputs.samples=1", *WAYS[way]],
        )  # fmt: skip
        verdict = gan.judge()
        without = None
        if curves := curves_of(gan.generator):
            for each in curves:
                each.reset()
            without = gan.judge().jsd_estimate_nats
    return {
        "claim": "8x8 digits, the weights that a run keeps",
        "way": way,
        "steps": steps,
        "seed": seed,
        "step_used": gan.step,
        "estimate": verdict.jsd_estimate_nats,
        "bound": verdict.jsd_lower_bound_nats,
        "estimate_without_curves": without,
        "cpu_seconds": round(spent[-1], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--steps", type=int, default=8_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--summarise", action="store_true")
    arguments = parser.parse_args()
    if arguments.way is not None:
        row = attempt(arguments.way, steps=arguments.steps, seed=arguments.seed)
        with ROWS.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)
    if arguments.summarise:
        rows = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()]
        for way in WAYS:
            own = [row for row in rows if row["way"] == way]
            for name in ("estimate", "bound"):
                values = [row[name] for row in own]
                if values:
                    print(f"{way:14} {name:9} {statistics.median(values):.3f}  {[round(value, 3) for value in values]}")


if __name__ == "__main__":
    main()
