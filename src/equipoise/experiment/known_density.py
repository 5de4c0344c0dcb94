"""A run on a toy density beside that density: the distance that a referee can only bound, computed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from equipoise.experiment.generator import Gan
from equipoise.metrics.histogram import histogram_jsd
from equipoise.metrics.known import KNOWN
from equipoise.metrics.modes import mode_scores
from equipoise.randomness import Stream, derived_seed
from equipoise.runfolder import RunFolder

SCORED_SAMPLES = 200_000
"""Of each generator. With fewer, empty bins raise a perfect sampler's JSD; `perfect_jsd_nats` says by how much."""
FILE_NAME = "known_density.json"


def has_known_density(source: str) -> bool:
    """Whether the data are one of the densities in closed form: `grid25`, `ring8`."""
    return source in KNOWN


def score_known_density(gan: Gan, *, samples: int = SCORED_SAMPLES, seed: int = 0) -> dict[str, Any]:
    """Scores of a generator against the density its data were drawn from, also written to `known_density.json`.

    Returns:
        `jsd_nats` with `perfect_jsd_nats` (a perfect sampler's score in the same bins), `modes_found` of `modes`,
        `high_quality_share` with `perfect_high_quality_share`, `width_ratio`, `reverse_kl_nats` with
        `perfect_reverse_kl_nats`, and `samples`, `seed`, `step`, `bin_width`.

    Reference:
        The scores are defined in `equipoise.metrics.histogram` and `equipoise.metrics.modes`.
    """
    mixture = KNOWN[gan.config.data.source]()
    points = gan.sample_raw(samples, seed=derived_seed(seed, Stream.KNOWN_DENSITY_SAMPLES, gan.step)).values
    histogram = histogram_jsd(points, mixture)
    scores = {
        "density": mixture.name,
        "step": gan.step,
        "seed": seed,
        "jsd_nats": histogram.jsd_nats,
        "perfect_jsd_nats": histogram.perfect_nats,
        "bin_width": histogram.bin_width,
        **asdict(mode_scores(points, mixture)),
    }
    RunFolder(gan.folder).write_json(gan.folder / FILE_NAME, scores)
    return scores
