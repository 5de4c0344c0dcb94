"""Do tone curves behind the generator help, and at which grain? Finished runs, scored with and without.

    python benchmarks/images_tone.py RUN --data mnist --folder data/

What a discriminator under a gradient penalty cannot resolve it does not punish: of MNIST's pixels 81 % are exactly
black, of generated ones fewer are, and the rest is faint noise. `equipoise.networks.tone` takes that back by increasing
curves; the game does not notice them, so that one run is scored in all ways, at equal cost but for the fit:

    as_it_is     no curves
    channels     one curve for each channel
    pixels       one for each pixel, the default of small pictures
    unlimited    the same, and a value may move by any number of bytes

A row of `rows/images_tone.jsonl` has the scores of `images.py` for the same latents in each way. The first row is of an
earlier version: one curve of bytes, without a limit, under the name `toned`.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from images_data import pictures, with_alpha
from images_scores import scores

import equipoise as eq
from equipoise.networks.tone import MOST_CHANGE, ToneCurves, tone_curves
from equipoise.training.curve_fit import MOST_SAMPLES

HERE = Path(__file__).parent
ROWS = HERE / "rows" / "images_tone.jsonl"
WAYS: dict[str, dict[str, Any]] = {
    "as_it_is": {},
    "channels": {"by_pixel": False, "most_change": MOST_CHANGE},
    "pixels": {"by_pixel": True, "most_change": MOST_CHANGE},
    "unlimited": {"by_pixel": True, "most_change": 255},
}
BATCH = 64
SHOWN = ("fd_ratio", "precision", "recall", "density", "coverage", "asked_class", "near_pairs", "auc", "estimate")


def fitted(gan: eq.Gan, training: np.ndarray, *, by_pixel: bool, most_change: int, seed: int) -> ToneCurves:
    """Curves for the generator of `gan`, which has none now, from as many pictures as a run takes."""
    tone = ToneCurves(gan.space)
    if not by_pixel:
        tone.curves = tone.curves[:, :1, :1].clone()
    stream = torch.Generator().manual_seed(seed)
    own = real = np.int64(0)
    for _ in range(MOST_SAMPLES // BATCH):
        latents = torch.randn(BATCH, gan.generator.latent_dimensions, generator=stream)
        shares = gan.class_shares
        classes = [] if shares is None else [torch.multinomial(shares, BATCH, replacement=True, generator=stream)]
        own = own + tone.counts(gan.generator(latents, *classes))
    for at in range(0, len(training), BATCH):  # colours are multiplied by alpha, as the players see them
        real = real + tone.counts(torch.from_numpy(training[at : at + BATCH]).float() / 127.5 - 1)
    tone.curves.copy_(torch.from_numpy(tone_curves(own, real, most_change=most_change)))
    return tone


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="on what generators are given of these data")
    parser.add_argument("--data", default="mnist", help="a name of images_data.py")
    parser.add_argument("--folder", type=Path, default=Path(), help="where mnist10k.npz and twemoji64.zip are")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ways", default=",".join(WAYS), help="which, separated by commas")
    parser.add_argument(
        "--judges", type=Path, default=Path(tempfile.gettempdir()) / "equipoise-judges", help="kept there"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    gan, given = eq.load(arguments.run, checkpoint="last"), pictures(arguments.data, arguments.folder, arguments.seed)
    row: dict[str, Any] = {
        "claim": "tone curves behind the generator",
        "data": arguments.data,
        "step": gan.step,
        "run_seed": gan.config.seed,
        "seed": arguments.seed,
        "zero_share_real": float((given.generator.images == 0).mean()),
    }
    for way in arguments.ways.split(","):
        gan.generator.head.tone = None
        begun = time.process_time()
        if WAYS[way]:
            tone = fitted(gan, given.generator.images, **WAYS[way], seed=arguments.seed + 1)
            gan.generator.head.tone = tone
        cost = time.process_time() - begun

        def sampler(count: int, draw: int) -> tuple[np.ndarray, np.ndarray | None]:
            found = gan.sample_raw(count, seed=draw)
            if found.labels is None:
                return with_alpha(found.values), None
            return with_alpha(found.values), np.array([int(found.label_names[label]) for label in found.labels])

        found = scores(given, sampler, seed=arguments.seed, cache=arguments.judges)
        zero = float((sampler(500, arguments.seed + 2)[0] == 0).mean())
        row[way] = {key: found[key] for key in SHOWN if key in found and not math.isnan(found[key])}
        row[way] |= {"zero_share": zero, "fit_cpu_seconds": round(cost, 2)}
    with ROWS.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row) + "\n")
    print(json.dumps(row))


if __name__ == "__main__":
    main()
