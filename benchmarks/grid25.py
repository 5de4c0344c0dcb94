"""The 25-grid in one minute: modes, share of high quality, true JSD and width beside the referee's bound.

    python benchmarks/grid25.py [--seeds 5] [--minutes 1] [--outdir DIR] [--rows benchmarks/rows/grid25.jsonl]

Trains `equipoise train grid25 --minutes M` once per seed, one run at a time, and scores the averaged generator against
the known density. The marks: 25 of 25 modes and at least 90 % of 10,000 samples within three standard deviations (a
perfect sampler reaches 98.89 %). Those scores hide the width of the modes, so the true JSD (500,000 samples in bins of
half a standard deviation, beside a perfect sampler's score) and the width ratio stand in the same row.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from equipoise import load
from equipoise.metrics.histogram import histogram_jsd
from equipoise.metrics.known import grid25
from equipoise.metrics.modes import mode_scores

QUALITY_SAMPLES, HISTOGRAM_SAMPLES = 10_000, 500_000


def main() -> None:
    """Train, score, print a table, store the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--outdir", type=Path, default=None, help="keep the run folders here")
    parser.add_argument("--rows", type=Path, default=Path(__file__).parent / "rows" / "grid25.jsonl")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = options.outdir or Path(temporary)
        rows = [row(root, seed, options.minutes) for seed in range(options.first, options.first + options.seeds)]
    options.rows.parent.mkdir(parents=True, exist_ok=True)
    options.rows.write_text("".join(json.dumps(entry) + "\n" for entry in rows))


def row(root: Path, seed: int, minutes: float) -> dict[str, object]:
    """One run and its scores."""
    folder = root / f"grid25-seed{seed}"
    command = [sys.executable, "-m", "equipoise", "train", "grid25", "--minutes", str(minutes), "--seed", str(seed)]
    subprocess.run([*command, "--outdir", str(folder), "--quiet"], check=True, stdout=subprocess.DEVNULL)
    gan = load(folder)
    quality = mode_scores(gan.sample(QUALITY_SAMPLES, seed=1), grid25())
    histogram = histogram_jsd(gan.sample(HISTOGRAM_SAMPLES, seed=2), grid25())
    status = json.loads((folder / "status.json").read_text())
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    print(
        f"seed {seed}: {quality.modes_found} of {quality.modes} modes, {quality.high_quality_share:.1%} of high "
        f"quality, width {quality.width_ratio:.2f}, true JSD {histogram.jsd_nats:.3f} (perfect "
        f"{histogram.perfect_nats:.3f}), referee's bound {status['last_verdict']['jsd_lower_bound_nats']:.3f}, "
        f"{gan.step:,} steps in {metrics[-1]['seconds']:.0f} s",
        flush=True,
    )
    return {
        "claim": "the 25-grid in one minute",
        "task": f"equipoise train grid25 --minutes {minutes:g} --seed {seed}",
        "seed": seed,
        "repeats": 1,
        "value": quality.high_quality_share,
        "unit": "share of samples within 3 standard deviations",
        "modes": asdict(quality),
        "histogram": asdict(histogram),
        "referee": status["last_verdict"],
        "steps": gan.step,
        "play_seconds": metrics[-1]["seconds"],
        "configuration": gan.config.to_dict(),
        "budget": f"{QUALITY_SAMPLES} and {HISTOGRAM_SAMPLES} samples",
        "device": f"cpu ({platform.machine()}), {gan.config.runtime.threads} thread",
        "torch": torch.__version__,
        "numpy": np.__version__,
        "commit": commit(),
    }


def commit() -> str:
    """The commit that is checked out, or 'unknown' outside a checkout."""
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
