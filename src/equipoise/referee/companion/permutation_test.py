r"""The companion test: one maximum of many statistics of both sides, and its distribution under permuted labels.

.. math::
    p = \frac{1 + \#\{b : T_b \ge T\}}{1 + B}

is a p-value at any number of samples: P(p <= a) <= a for every a, if both sides have one distribution.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import numpy as np
import pandas as pd

from equipoise.data.judging import Judging, Values, concatenated, take
from equipoise.randomness import Stream, numpy_stream
from equipoise.referee.companion import one_column, pairs, whole
from equipoise.referee.companion.columns import columns_of, numbers_of
from equipoise.referee.companion.maximum import (
    adjusted_p_values,
    deviations_of,
    permutation_p_value,
    scores_of,
    threshold_of,
)
from equipoise.referee.companion.pairs import MOST_PAIRS
from equipoise.referee.companion.permuting import label_sums
from equipoise.referee.companion.result import MOST_DIFFERENCES, Companion, Difference
from equipoise.referee.companion.statistics import Family, Sides, standardised

PERMUTATIONS = 999
MOST_PERMUTATIONS = 9_999
_LEAST_RANK = 10
"""So many permutations may reach the observed maximum and it is rejected still: a level of 0.001 takes 9,999."""
MOST_SAMPLES, LEAST_SAMPLES, _MOST_VALUES = 40_000, 2_000, 600_000
"""Samples of each side that are compared: so many that their values stay below the last number, within the first two.
No person reads a difference that 40,000 cannot show, and all statistics of more would not fit into memory. The verdict
says how many were compared."""
_COLUMNS_OF_IMAGES = 80
WEIGHTS = {
    "mean": 0.45,
    "share": 0.45,
    "all means": 0.2,
    "correlation": 0.2,
    "dependence": 0.08,
    "spread": 0.03,
    "place": 0.1,
    "density": 0.025,
    "kernel": 0.02,
    "lattice": 0.02,
    "direction": 0.015,
    "quantile": 0.01,
}
"""Shares of the error of each kind of statistic, up to a common factor; those that a kind of data lacks leave theirs to
the others. Where differences tend to be small and smooth (means, correlations) every part of it counts; what places,
densities and lattices are there for is found with room to spare."""
_PLAIN = ("mean", "share", "lattice", "spread", "correlation", "dependence")
"""Kinds of statistics that are named before others that reject too."""
_GROSS = 1.2
"""A place is named first where it lies so many times as many standard errors away as each of these: a missing mode
bends means and correlations, and is best said to be missing."""
_MOST_FITTED = 1_000
_MOST_FITS = 300
_KERNEL_WIDTHS = (1.0, 0.25)


def companion_test(
    real: Values,
    fake: Values,
    *,
    domain: Judging,
    level: float,
    seed: int,
    groups: tuple[np.ndarray, np.ndarray] | None = None,
    permutations: int | None = None,
) -> Companion:
    """Test whether both sides have one distribution, by permuting labels; exact at any number of samples.

    The answer depends on which samples each side has, not on their order, nor on which side is called real.

    Args:
        real: real samples, as `domain.checked_sides` returns them.
        fake: generated samples.
        domain: of the data.
        level: the test's share of the error.
        seed: of the verdict.
        groups: for each side a number or a name per sample; samples of one group are permuted together. A name that
            occurs on both sides stands for two groups.
        permutations: B; p-values are multiples of 1 / (1 + B). By default as many as the level needs, 999 at least.

    Returns:
        The p-value and the differences behind it.
    """
    units = [np.arange(len(side)) for side in (real, fake)] if groups is None else [np.asarray(each) for each in groups]
    most = _most_samples(domain.columns(take(real, np.arange(1))))
    kept = [
        _some_units(of, domain.row_keys(side), seed, most) if len(side) > most else np.arange(len(side))
        for side, of in zip((real, fake), units, strict=True)
    ]
    numbers = np.concatenate([_numbered(of[places]) for of, places in zip(units, kept, strict=True)])
    numbers[len(kept[0]) :] += len(kept[0])
    pooled = concatenated(take(real, kept[0]), take(fake, kept[1]))
    # An order that is a function of all samples together, at random but for that: what is computed from them in this
    # order cannot know their labels, whatever it does.
    keys = domain.row_keys(pooled)
    order = np.argsort(keys, kind="stable")
    stream = numpy_stream(seed, Stream.REFEREE_COMPANION, _digest(keys[order]))
    order = order[stream.permutation(len(order))]
    families = families_of(take(pooled, order), domain, stream)
    sides = Sides(order < len(kept[0]), _numbered(numbers[order]))
    if permutations is None:
        permutations = min(MOST_PERMUTATIONS, max(PERMUTATIONS, math.ceil(_LEAST_RANK / level) - 1))
    found = _tested(families, sides, level=level, permutations=permutations, stream=stream)
    return replace(found, compared=(len(kept[0]), len(kept[1])), given=(len(real), len(fake)))


def families_of(samples: Values, domain: Judging, stream: np.random.Generator) -> list[Family]:
    """The statistics of samples whose sides are not known."""
    frame = domain.columns(samples)
    # Levels of a table come from all samples; directions of images need no more than some, which are any at random.
    measured = domain.measured(samples)
    fitted = measured if frame is not None else take(measured, np.arange(min(len(samples), _MOST_FITTED)))
    rows = domain.preparation(fitted, take(fitted, np.arange(1)))(measured)
    columns = columns_of(rows, frame)
    if not columns:
        return []
    # Where samples have columns, directions and distances are of their values alone.
    numbers = rows.numbers.astype(np.float32) if frame is None else numbers_of(columns)
    positions = rows.positions.astype(np.float32) if frame is None else whole.main_directions(numbers)
    distinct = np.unique(positions, axis=0)
    found = [
        one_column.means(columns, WEIGHTS["mean"]),
        one_column.spreads(columns, WEIGHTS["spread"]),
        one_column.shares(columns, WEIGHTS["share"]),
        None if frame is None else one_column.steps(columns, WEIGHTS["lattice"]),
        one_column.cuts(columns, WEIGHTS["quantile"]),
        pairs.correlations(columns, WEIGHTS["correlation"], most=MOST_PAIRS if frame is not None else _MOST_FITS),
        None if frame is None else pairs.fits(columns, WEIGHTS["dependence"], most=_MOST_FITS),
        whole.all_means(numbers, WEIGHTS["all means"]),
        whole.directions(numbers, columns, WEIGHTS["direction"]),
        *whole.waves(numbers, WEIGHTS["kernel"], stream, widths=_KERNEL_WIDTHS),
        whole.places(positions, distinct, columns, WEIGHTS["place"], stream),
        whole.densities(positions, distinct, WEIGHTS["density"], stream),
    ]
    return [family for family in found if family is not None]


def _tested(
    families: list[Family], sides: Sides, *, level: float, permutations: int, stream: np.random.Generator
) -> Companion:
    families, features = _that_vary(families)
    if not families:
        return Companion(1.0, level, permutations, 0, -deviations_of(-np.log(level)), ())
    units, is_real = _per_unit(features, sides)
    sums = label_sums(units, is_real, permutations=permutations, stream=stream)
    scores = scores_of(families, sums, _skewness(units, is_real))
    adjusted = adjusted_p_values(scores)
    p_value = permutation_p_value(scores.max(axis=1))
    return Companion(
        p_value=p_value,
        level=level,
        permutations=permutations,
        statistics=scores.shape[1],
        margin=_margin(families, scores, level),
        differences=_differences(families, sides, scores, adjusted, level),
    )


def _that_vary(families: list[Family]) -> tuple[list[Family], np.ndarray]:
    """Families without constant features, and all features that remain, standardised."""
    kept_families, blocks = [], []
    for family in families:
        block, kept = standardised(family.features)
        if len(kept) == 0:
            continue
        blocks.append(block)
        if family.spectrum is not None:
            kept_families.append(replace(family, features=block, spectrum=family.spectrum[kept]))
            continue

        def describe(place: int, sides: Sides, deviations: float, of=family.describe, kept=kept) -> Difference:
            return of(int(kept[place]), sides, deviations)

        kept_families.append(replace(family, features=block, weights=family.weights[kept], describe=describe))
    return kept_families, np.concatenate(blocks, axis=1) if blocks else np.zeros((0, 0), np.float32)


def _per_unit(features: np.ndarray, sides: Sides) -> tuple[np.ndarray, np.ndarray]:
    """Sums of features over each unit, and the unit's label; the samples themselves where each is a unit."""
    count = int(sides.units.max()) + 1
    if count == len(features):
        return features, sides.is_real
    order = np.argsort(sides.units, kind="stable")
    starts = np.searchsorted(sides.units[order], np.arange(count))
    return np.add.reduceat(features[order], starts, axis=0), sides.is_real[order][starts]


def _skewness(units: np.ndarray, is_real: np.ndarray) -> np.ndarray:
    r"""Skewness of sums over m of n units drawn without replacement, :math:`\gamma \frac{n - 2m}{\sqrt{m n (n - m)}}`
    for large n; 0 for sides of one size. Shape `(features,)`."""
    count, real = len(is_real), int(is_real.sum())
    if 2 * real == count:
        return np.zeros(units.shape[1])
    squares = np.einsum("ij,ij->j", units, units, dtype=np.float64) / count
    cubes = np.einsum("ij,ij,ij->j", units, units, units, dtype=np.float64) / count
    skewness = cubes / np.maximum(squares, 1e-30) ** 1.5
    return np.clip(skewness * (count - 2 * real) / np.sqrt(max(1.0, float(real) * (count - real)) * count) * 1.0, -8, 8)


def _margin(families: list[Family], scores: np.ndarray, level: float) -> float:
    weights = np.concatenate([family.weights for family in families])
    log_weight, threshold = float(np.log(weights[scores[0].argmax()])), threshold_of(scores, level)
    return deviations_of(float(scores[0].max()) - log_weight) - deviations_of(threshold - log_weight)


def _differences(
    families: list[Family], sides: Sides, scores: np.ndarray, adjusted: np.ndarray, level: float
) -> tuple[Difference, ...]:
    """In words: statistics that reject by themselves, the plain ones first; the strongest one where none does.

    A statistic of whole samples is named only where none of a column or a pair rejects, since these say what it is.
    """
    homes = [(family, place) for family in families for place in range(len(family.weights))]
    chosen = np.flatnonzero(adjusted <= level)
    if len(chosen) == 0:
        chosen = np.argsort(-scores[0], kind="stable")[:1]
    is_joint = np.array([homes[column][0].spectrum is not None for column in chosen])
    chosen = chosen if is_joint.all() else chosen[~is_joint]
    found: list[Difference] = []
    for column in chosen[np.lexsort((-scores[0, chosen], _turns(chosen, homes, scores)))]:
        if len(found) == MOST_DIFFERENCES:
            break
        family, place = homes[column]
        log_weight = float(np.log(family.weights[place]))
        said = replace(
            family.describe(place, sides, deviations_of(threshold_of(scores, level) - log_weight)),
            p_value=float(adjusted[column]),
        )
        is_known = any((said.family, said.columns) == (each.family, each.columns) for each in found)
        named = {name for each in found for name in each.columns}
        if is_known or (family.name not in _PLAIN and said.columns and named.issuperset(said.columns)):
            continue
        found.append(said)
    return tuple(found)


def _turns(chosen: np.ndarray, homes: list[tuple[Family, int]], scores: np.ndarray) -> np.ndarray:
    """0 for a place that is further off than all plain statistics, 1 for these, 2 for others. Shape `(chosen,)`."""
    names = [homes[column][0].name for column in chosen]
    is_plain = np.array([name in _PLAIN for name in names])
    surprises = [scores[0, column] - np.log(homes[column][0].weights[homes[column][1]]) for column in chosen]
    reached = np.array([deviations_of(float(surprise)) for surprise in surprises])
    is_gross = np.array([name == "place" for name in names]) & (
        reached > _GROSS * reached.max(where=is_plain, initial=0)
    )
    return np.select([is_gross, is_plain], [0, 1], 2)


def _most_samples(frame: pd.DataFrame | None) -> int:
    columns = _COLUMNS_OF_IMAGES if frame is None else frame.shape[1]
    return max(LEAST_SAMPLES, min(MOST_SAMPLES, _MOST_VALUES // max(1, columns)))


def _some_units(units: np.ndarray, keys: np.ndarray, seed: int, most: int) -> np.ndarray:
    """Positions of samples of units drawn at random until `most` are there."""
    stream = numpy_stream(seed, Stream.REFEREE_COMPANION, _digest(np.sort(keys)))
    _, numbers, counts = np.unique(units, return_inverse=True, return_counts=True)
    order = stream.permutation(len(counts))
    chosen = order[: max(1, int(np.searchsorted(np.cumsum(counts[order]), most, side="right")))]
    return np.flatnonzero(np.isin(numbers, chosen))


def _numbered(units: np.ndarray) -> np.ndarray:
    """Units numbered from 0 in the order in which they are met. Shape `(n,)`, int64."""
    _, first, numbers = np.unique(units, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[numbers]


def _digest(keys: np.ndarray) -> int:
    return int.from_bytes(hashlib.blake2b(keys.tobytes(), digest_size=8).digest(), "big") >> 1
