"""How close generated pictures are to real ones that nothing was trained on: judges, trees, the referee, copies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from images_contestants import Sampler, floor, noisy
from images_data import Pictures
from images_judges import Judge, judges, scaled

from equipoise.metrics.frechet import frechet_distance
from equipoise.metrics.pairwise import distance_blocks
from equipoise.metrics.precision_recall import precision_recall
from equipoise.randomness import numpy_stream

PER_SIDE = 2_000
PAIRS = 64
"""Generated pictures whose nearest pairs are counted."""
NEAR = 0.01
"""Quantile of the distances of real pairs below which two pictures count as one."""
COPY = 0.05
"""Quantile of the distances of real pictures to the nearest training picture below which one counts as a copy of it."""
SURE = 0.9
EMOJI = ("twemoji", "twemoji100")


def scores(pictures: Pictures, sampler: Sampler, *, seed: int, cache: Path, is_whole: bool = True) -> dict[str, Any]:
    """What a row stores about one attempt; `is_whole` adds what takes longer."""
    if pictures.name in ("patches", "two_photographs"):
        return _by_trees(pictures, sampler, seed)
    panel = judges("twemoji" if pictures.name in EMOJI else "mnist", pictures.judge, cache)
    if pictures.name in EMOJI:
        found = _of_emoji(pictures, sampler, panel, seed)
        return found | (_of_few(pictures, sampler, panel, seed) if pictures.name == "twemoji100" else {})
    found = _of_digits(pictures, sampler, panel, seed)
    if pictures.name == "mnist100":
        return found | _of_few(pictures, sampler, panel, seed)
    return found | ({"estimate": _estimate(pictures, sampler, seed)} if is_whole else {})


def _of_digits(pictures: Pictures, sampler: Sampler, panel: list[Judge], seed: int) -> dict[str, Any]:
    images, asked = sampler(PER_SIDE, seed)
    real = pictures.reference[slice(PER_SIDE)]
    spoilt, _ = floor(pictures, "real_noise")[0](PER_SIDE, seed)
    if (
        pictures.name == "mnist100"
    ):  # noise on a hundred pictures is no floor; noise on the reference itself is none either
        spoilt = noisy(pictures.judge.images[:PER_SIDE], numpy_stream(seed, "images benchmark, noise"))
    shares, distances, of_noise, probabilities, of_real = [], [], [], 0.0, 0.0
    for judge in panel:
        truth, real_probabilities = judge(real.images)
        features, found = judge(images)
        distances.append(frechet_distance(truth, features))
        of_noise.append(frechet_distance(truth, judge(spoilt)[0]))
        shares.append(precision_recall(truth, features))
        probabilities, of_real = probabilities + found, of_real + real_probabilities
    classes = probabilities.argmax(axis=1)
    counts = np.bincount(classes, minlength=10) / len(classes)
    return {
        "fd": float(np.mean(distances)),
        "fd_noise": float(np.mean(of_noise)),
        "fd_ratio": float(np.mean(np.divide(distances, of_noise))),
        "fd_ratios": [float(value) for value in np.divide(distances, of_noise)],
        **{name: float(np.mean([each[name] for each in shares])) for name in shares[0]},
        "asked_class": float((classes == asked).mean()),
        "class_least": float(counts.min()),
        "class_most": float(counts.max()),
        "sure": float((probabilities.max(axis=1) / len(panel) > SURE).mean()),
        "sure_real": float((of_real.max(axis=1) / len(panel) > SURE).mean()),
        "accuracy": float((of_real.argmax(axis=1) == real.labels).mean()),
    }


def _estimate(pictures: Pictures, sampler: Sampler, seed: int) -> float:
    """The referee's JSD in nats, of as many pictures a side."""
    import equipoise as eq

    images, _ = sampler(PER_SIDE, seed + 1)
    real = pictures.reference.images[:PER_SIDE]
    verdict = eq.judge(
        real.transpose(0, 2, 3, 1), images.transpose(0, 2, 3, 1), seed=seed % 2**31, sensitivity="theoretical"
    )
    return float(verdict.jsd_estimate_nats)


def _of_few(pictures: Pictures, sampler: Sampler, panel: list[Judge], seed: int) -> dict[str, Any]:
    """Beside the hundred pictures themselves: their distance, and how many samples are copies."""
    images, _ = sampler(PER_SIDE, seed)
    truths = [judge(pictures.reference.images)[0] for judge in panel]
    own = [
        frechet_distance(truth, judge(pictures.generator.images)[0]) for truth, judge in zip(truths, panel, strict=True)
    ]
    found = [frechet_distance(truth, judge(images)[0]) for truth, judge in zip(truths, panel, strict=True)]
    training = _flat(pictures.generator.images)
    usual = _nearest(_flat(pictures.reference.images), training)
    copies = _nearest(_flat(images), training) < np.quantile(usual, COPY)
    return {
        "fd_of_the_hundred": float(np.mean(own)),
        "fd_beside_the_hundred": float(np.mean(np.divide(found, own))),
        "copies": float(copies.mean()),
        "copies_by_chance": COPY,
        "off_centre": off_centre(images),
        "off_centre_real": off_centre(pictures.reference.images),
    }


def off_centre(images: np.ndarray) -> float:
    """Root mean square distance of the ink's centre from its mean place, in pixels.

    Digits of MNIST are centred by their ink, to the pixel: shifts that show in samples show here.
    """
    ink = images.sum(axis=1, dtype=np.float64) + 1e-9
    places = [
        (ink.sum(axis=3 - axis) * np.arange(ink.shape[axis])).sum(axis=1) / ink.sum(axis=(1, 2)) for axis in (1, 2)
    ]
    return float(np.sqrt(sum(place.var() for place in places)))


def _of_emoji(pictures: Pictures, sampler: Sampler, panel: list[Judge], seed: int) -> dict[str, Any]:
    images, _ = sampler(PER_SIDE, seed)
    shares = [precision_recall(judge(pictures.reference.images)[0], judge(images)[0]) for judge in panel]
    of_real = [
        precision_recall(judge(pictures.reference.images)[0], judge(pictures.generator.images)[0]) for judge in panel
    ]
    panel_says = sum(judge(pictures.reference.images)[1] for judge in panel)
    real = _flat(pictures.reference.images)
    among_real = np.concatenate([block for _, block in distance_blocks(real, real)])
    least = np.quantile(among_real[np.triu_indices(len(real), 1)], NEAR)
    first = _flat(images[:PAIRS])
    among = np.concatenate([block for _, block in distance_blocks(first, first)])[np.triu_indices(PAIRS, 1)]
    return {
        **{name: float(np.mean([each[name] for each in shares])) for name in shares[0]},
        "precision_real": float(np.mean([each["precision"] for each in of_real])),
        "near_pairs": int((among < least).sum()),
        "near_pairs_by_chance": NEAR * PAIRS * (PAIRS - 1) / 2,
        "accuracy": float((panel_says.argmax(axis=1) == pictures.reference.labels).mean()),
    }


def _by_trees(pictures: Pictures, sampler: Sampler, seed: int) -> dict[str, Any]:
    """Area under the curve of boosted trees on 64 features of random convolutions, each side scored once."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import cross_val_predict

    real = pictures.reference.images
    images, _ = sampler(len(real), seed)
    features = np.concatenate([random_features(real), random_features(images)])
    is_real = np.arange(len(features)) < len(real)
    trees = HistGradientBoostingClassifier(max_iter=200, learning_rate=0.05, random_state=0)
    found = cross_val_predict(trees, features, is_real, cv=5, method="predict_proba")[:, 1]
    return {"auc": float(roc_auc_score(is_real, found))}


def random_features(images: np.ndarray) -> np.ndarray:
    """64 numbers of a picture: means and deviations over its places of 32 random convolutions in two layers."""
    import torch
    from torch.nn.functional import conv2d, leaky_relu

    stream = torch.Generator().manual_seed(0)
    channels = images.shape[1]
    first = torch.randn(32, channels, 5, 5, generator=stream) / (25 * channels) ** 0.5
    second = torch.randn(32, 32, 3, 3, generator=stream) / (9 * 32) ** 0.5
    found = []
    for at in range(0, len(images), 500):
        hidden = leaky_relu(conv2d(scaled(images[at : at + 500]), first, stride=2), 0.2)
        grid = leaky_relu(conv2d(hidden, second), 0.2).flatten(2)
        found.append(torch.cat([grid.mean(2), grid.std(2)], dim=1))
    return torch.cat(found).double().numpy()


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float64)


def _nearest(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.concatenate([block.min(axis=1) for _, block in distance_blocks(images, others)])
