r"""Regions of images: a referee of its own for each cell of a grid, which sees nothing but that cell.

Each cell gets a logistic classifier on the main directions of its pixels and their squares, trained on the training
part and tested once on the test part, with an e-value of its own. It rejects at log(cells / alpha): by Bonferroni's
inequality the chance that any cell is named where both sides follow one distribution is at most alpha. A cell that is
not named may still take part in a difference that only shows across cells.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from equipoise.referee.base import Evidence, Finding
from equipoise.referee.bound import (
    clip_logits,
    jsd_lower_bound_nats,
    log_e_value,
    value_estimate,
    with_abstained,
)
from equipoise.referee.classifiers.logistic import fit_logistic

MOST_CELLS = 8
"""Along each axis: more cells place a defect more exactly and each needs stronger evidence."""
_SMALLEST_CELL, _LARGEST_CELL = 2, 8
_DIRECTIONS = 12
_STRENGTH = 100.0
"""One ridge strength, stated beforehand: a choice among several would need samples that decide the finding."""
_NAMED = 3


def check_regions(evidence: Evidence) -> tuple[Finding, ...]:
    """The cells of the images that are distinguished by themselves, with a lower bound on the JSD of each."""
    sides = [side.images for side in (evidence.real_train, evidence.fake_train, evidence.real, evidence.fake)]
    if any(side is None for side in sides):
        return ()
    height, width = sides[0].shape[2:]
    # Cells of at most 8 x 8 averages: the covariance of a patch stays small whatever the size of the images.
    factor = -(-max(height, width) // (MOST_CELLS * _LARGEST_CELL))
    parts = [_averaged(side, factor) for side in sides]
    cells = grid_of_cells(*parts[0].shape[2:])
    level = (1 - evidence.confidence) / len(cells)
    rows = []
    for top, bottom, left, right in cells:
        patches = [part[:, :, top:bottom, left:right].reshape(len(part), -1).astype(np.float64) for part in parts]
        *logits, limits = _scores(*patches)
        log_e = log_e_value(*logits)
        is_named = log_e >= -math.log(level)
        *counted, limits = with_abstained(*logits, limits, evidence.left_out)
        estimate = value_estimate(*counted)
        rows.append(
            {
                "top": top * factor,
                "bottom": min(bottom * factor, height),
                "left": left * factor,
                "right": min(right * factor, width),
                "is_distinguished": bool(is_named),
                "jsd_lower_bound_nats": jsd_lower_bound_nats(*counted, confidence=1 - level, limits=limits)
                if is_named
                else 0.0,
                "jsd_estimate_nats": estimate.jsd_nats,
                "log_e_value": log_e,
            }
        )
    rows.sort(key=lambda row: -row["log_e_value"])
    named = [row for row in rows if row["is_distinguished"]]
    if not named:
        statement = f"None of {len(cells)} regions of the images is distinguished alone."
        return (Finding("regions", statement, rows=tuple(rows)),)
    listed = "; ".join(
        f"rows {row['top']} to {row['bottom'] - 1}, columns {row['left']} to {row['right'] - 1}"
        + (f" (JSD at least {row['jsd_lower_bound_nats']:.2g} nats)" if row["jsd_lower_bound_nats"] else "")
        for row in named[:_NAMED]
    )
    statement = f"Of {len(cells)} regions of the images {len(named)} are distinguished alone, most first: {listed}."
    numbers = {"regions": len(cells), "distinguished": len(named)}
    return (Finding("regions", statement, True, numbers, tuple(rows)),)


def grid_of_cells(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Cells of equal size but for the last ones, at most eight along each axis: (top, bottom, left, right)."""
    axes = []
    for length in (height, width):
        side = max(_SMALLEST_CELL, -(-length // MOST_CELLS))
        starts = list(range(0, max(1, length - side // 2), side))
        axes.append(list(zip(starts, [*starts[1:], length], strict=True)))
    return [(top, bottom, left, right) for top, bottom in axes[0] for left, right in axes[1]]


def _averaged(images: np.ndarray, factor: int) -> np.ndarray:
    """Means over squares of `factor` pixels; rows and columns that fill no square are repeated from the edge."""
    if factor == 1:
        return images
    count, channels, height, width = images.shape
    padded = np.pad(images, [(0, 0), (0, 0), (0, -height % factor), (0, -width % factor)], mode="edge")
    split = padded.reshape(count, channels, -(-height // factor), factor, -(-width // factor), factor)
    return split.mean(axis=(3, 5))


def _scores(real_train, fake_train, real, fake) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Logits of the test patches, and the range that they are clipped to: that of the training patches.

    Zero where the training patches never change.
    """
    features = _features(np.concatenate([real_train, fake_train]))
    if features is None:
        return np.zeros(len(real)), np.zeros(len(fake)), (0.0, 0.0)
    score = fit_logistic(features(real_train), features(fake_train), strengths=(_STRENGTH,))
    fitted = [clip_logits(score(features(side))[:, 0]) for side in (real_train, fake_train)]
    limits = float(min(side.min() for side in fitted)), float(max(side.max() for side in fitted))
    real_logits, fake_logits = (np.clip(score(features(side))[:, 0], *limits) for side in (real, fake))
    return real_logits, fake_logits, limits


def _features(pooled: np.ndarray) -> Callable[[np.ndarray], np.ndarray] | None:
    """Main directions of a patch in their own deviations, and their squares."""
    centre = pooled.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov((pooled - centre).T).reshape(len(centre), len(centre)))
    kept = values[::-1][:_DIRECTIONS] > 1e-9
    if not kept.any():
        return None
    directions = (vectors[:, ::-1][:, :_DIRECTIONS] / np.sqrt(np.maximum(values[::-1][:_DIRECTIONS], 1e-9)))[:, kept]

    def features(patches: np.ndarray) -> np.ndarray:
        along = np.clip((patches - centre) @ directions, -8.0, 8.0)
        return np.concatenate([along, along**2], axis=1)

    return features


CHECKS = {"regions": check_regions}
