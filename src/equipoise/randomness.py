"""Random numbers that depend only on (seed, purpose, position), never on what was drawn before.

A run can therefore be cut anywhere and continued exactly, and any number of processes draw the same
global batch: each makes the whole of it and keeps its own rows.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch


def derived_seed(seed: int, purpose: str, *position: int) -> int:
    """A 63-bit seed for one purpose at one position; distinct inputs give unrelated streams.

    Hashing, rather than `seed + step`, keeps run 0 at step 1 from repeating run 1 at step 0.
    """
    text = f"{seed}/{purpose}/" + "/".join(str(part) for part in position)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def torch_stream(seed: int, purpose: str, *position: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch random stream for one purpose at one position."""
    return torch.Generator(device=device).manual_seed(derived_seed(seed, purpose, *position))


def numpy_stream(seed: int, purpose: str, *position: int) -> np.random.Generator:
    """A numpy random stream for one purpose at one position."""
    return np.random.default_rng(derived_seed(seed, purpose, *position))


class Stream:
    """The labels of all random streams outside the labs.

    They are frozen: a stream is derived from its label, so that a better word would be another number in every stored
    run. Some are older than the words that the code uses today. `{}` stands for a name or a part that is filled in, and
    those names (of classifiers, defects, network roles and parts of the data) are frozen for the same reason.
    """

    # Data
    SPLIT = "split"
    EPOCH = "rows of an epoch"
    WEIGHTED_ROWS = "weighted rows"
    STRATIFIED_ROWS = "stratified rows"
    GAMMA_ROWS = "rows that gamma is chosen from"
    VIEWS = "views of images"
    THINNED_ROWS = "rows of the {} part that stay"
    # Training
    WEIGHTS = "weights of the {}"
    LATENTS = "latents"
    COMPONENTS = "components of a mixture prior"
    PENALTIES = "penalties"
    MIRRORED_ROWS = "mirrored rows"
    WITHHELD_ROWS = "withheld rows"
    DROPOUT = "dropout in the likelihood stage"
    NOISE_ON_REAL = "noise on real samples"
    NOISE_ON_FAKE = "noise on generated samples"
    NOISE_ON_WITHHELD = "noise on withheld samples"
    DUALITY_GAP_NOISE = "duality gap, noise"
    DUALITY_GAP_TRAINING = "duality gap, training"
    DUALITY_GAP_LATENTS = "latents for the duality gap"
    TONE_LATENTS = "latents for tone curves"
    # Samples of a generator
    SAMPLES = "samples"
    SAMPLE_GRID = "sample sheet"
    SAMPLE_PART = "part of samples"
    SAMPLE_SET = "set of samples"
    BALANCE = "counts of a balanced column"
    BALANCE_ORDER = "order of a balanced column"
    RESAMPLING = "resampling under a condition"
    REJECTION = "rejection"
    IMPUTATION = "gaps of given rows"
    MADE_UP_TEXT = "made-up text"
    MADE_UP_SHAPES = "shapes of made-up text"
    WALK = "walk through latents"
    KNOWN_DENSITY_SAMPLES = "samples for the known density"
    VERDICT_SAMPLES = "samples for the verdict"
    VERDICT_ROWS = "rows for the verdict"
    # Metrics
    METRIC_ROWS = "rows for metrics"
    METRIC_SAMPLES = "samples for metrics"
    LABEL_FEATURES = "classifier of labels"
    TABLE_REPORT_ROWS = "rows of a table report"
    TABLE_REPORT_TREES = "trees of a table report"
    TABLE_REPORT_SAMPLES = "samples for a table report"
    TABLE_REPORT_DISTANCES = "rows that distances are taken between"
    # Referee
    EVALUATION = "look"
    REFEREE_SPLIT = "referee split {}"
    REFEREE_TEST_ORDER = "referee order real"
    REFEREE_ORDER = "referee order of a side"
    REFEREE_CHUNK = "referee chunk"
    REFEREE_CLASSIFIER = "referee member {}"
    REFEREE_FOLD = "referee fold"
    REFEREE_FOLD_SPLIT = "referee fold {}"
    REFEREE_CHECKS = "referee checks"
    REFEREE_COMPANION = "referee companion"
    INJECTION = "planting {}"
    INJECTION_TARGET = "aim {}"
    INJECTION_TRIAL = "referee eyesight {}"
    # The playground
    PLAYGROUND = "playground"
