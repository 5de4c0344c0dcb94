"""Do tone and detail curves behind the generator help, and at which grain? Finished runs, scored with and without.

    python benchmarks/images_tone.py RUN --data mnist --folder data/

What a discriminator under a gradient penalty cannot resolve it does not punish: of MNIST's pixels 81 % are exactly
black, of generated ones fewer are, and the rest is faint noise. `equipoise.networks.tone` takes that back by increasing
curves; the game does not notice them, so that one run is scored in all ways, at equal cost but for the fit:

    as_it_is     no curves
    channels     one curve for each channel
    pixels       one for each pixel
    unlimited    the same, and a value may move by any number of bytes
    detail       detail curves (`equipoise.networks.detail`), and behind them one for each pixel
    rounds       two rounds of one for each channel and detail curves, and behind them one for each pixel: the default

`weave` is what a grid of two pixels is made of: by how many of 255 a pixel and the one diagonally next to it differ
from the two others of their square, in the mean.

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
from equipoise.networks.detail import DISTANCES, DetailCurves
from equipoise.networks.tone import MOST_CHANGE, ToneCurves, tone_curves
from equipoise.training.curve_fit import MOST_SAMPLES

HERE = Path(__file__).parent
ROWS = HERE / "rows" / "images_tone.jsonl"
WAYS: dict[str, dict[str, Any]] = {
    "as_it_is": {},
    "channels": {"by_pixel": False, "most_change": MOST_CHANGE},
    "pixels": {"by_pixel": True, "most_change": MOST_CHANGE},
    "unlimited": {"by_pixel": True, "most_change": 255},
    "detail": {"by_pixel": True, "most_change": MOST_CHANGE, "before": "d"},
    "rounds": {"by_pixel": True, "most_change": MOST_CHANGE, "before": "cdcd"},
}
BATCH = 64
SHOWN = ("fd_ratio", "precision", "recall", "density", "coverage", "asked_class", "near_pairs", "auc", "estimate")


def fit(gan: eq.Gan, training: np.ndarray, *, by_pixel: bool, most_change: int, seed: int, before: str = "") -> None:
    """Give the generator of `gan`, which has no curves now, such ones, from as many pictures as a run takes.

    `before` are the curves before the last ones: c of each channel, d of details.
    """
    stream = torch.Generator().manual_seed(seed)
    samples = []
    for _ in range(MOST_SAMPLES // BATCH):
        latents = torch.randn(BATCH, gan.generator.latent_dimensions, generator=stream)
        shares = gan.class_shares
        classes = [] if shares is None else [torch.multinomial(shares, BATCH, replacement=True, generator=stream)]
        samples.append(gan.generator(latents, *classes))
    # Colours are multiplied by alpha, as the players see them.
    pictures = (torch.from_numpy(training).float() / 127.5 - 1).split(BATCH)
    for kind in before:
        if kind == "d":
            detail = DetailCurves(gan.space)
            detail.take_directions(pictures)
            samples = detail.fit(samples, [detail.counts(pictures, level) for level in range(len(DISTANCES))])
            gan.generator.head.rounds.append(detail)
        else:
            gan.generator.head.rounds.append(_tone(gan, samples, pictures, by_pixel=False, most_change=MOST_CHANGE))
            samples = [gan.generator.head.rounds[-1](some) for some in samples]
    gan.generator.head.tone = _tone(gan, samples, pictures, by_pixel=by_pixel, most_change=most_change)


def _tone(gan: eq.Gan, samples: Any, pictures: Any, *, by_pixel: bool, most_change: int) -> ToneCurves:
    tone = ToneCurves(gan.space, whole=not by_pixel)
    own, real = (sum(tone.counts(some) for some in side) for side in (samples, pictures))
    tone.curves.copy_(torch.from_numpy(tone_curves(own, real, most_change=most_change)))
    return tone


def weave(images: np.ndarray) -> float:
    """Half the mean size of the diagonal differences of all squares of neighbours, in bytes."""
    along = np.diff(images.astype(np.int64), axis=3)
    return float(np.abs(np.diff(along, axis=2)).mean() / 2)


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
        "claim": "tone and detail curves behind the generator",
        "data": arguments.data,
        "step": gan.step,
        "run_seed": gan.config.seed,
        "seed": arguments.seed,
        "zero_share_real": float((given.generator.images == 0).mean()),
        "weave_real": weave(given.generator.images),
    }
    for way in arguments.ways.split(","):
        gan.generator.head.tone, gan.generator.head.rounds = None, torch.nn.ModuleList()
        begun = time.process_time()
        if WAYS[way]:
            fit(gan, given.generator.images, **WAYS[way], seed=arguments.seed + 1)
        cost = time.process_time() - begun

        def sampler(count: int, draw: int) -> tuple[np.ndarray, np.ndarray | None]:
            found = gan.sample_raw(count, seed=draw)
            if found.labels is None:
                return with_alpha(found.values), None
            return with_alpha(found.values), np.array([int(found.label_names[label]) for label in found.labels])

        found = scores(given, sampler, seed=arguments.seed, cache=arguments.judges)
        some = sampler(500, arguments.seed + 2)[0]
        row[way] = {key: found[key] for key in SHOWN if key in found and not math.isnan(found[key])}
        row[way] |= {"zero_share": float((some == 0).mean()), "weave": weave(some)}
        row[way] |= {"fit_cpu_seconds": round(cost, 2)}
    with ROWS.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row) + "\n")
    print(json.dumps(row))


if __name__ == "__main__":
    main()
