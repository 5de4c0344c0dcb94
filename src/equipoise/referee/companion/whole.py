"""Statistics of whole samples: all means at once, waves of a kernel, shares of places, and how dense a place is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from equipoise.plotting.number_text import number, percent
from equipoise.referee.companion.columns import Column
from equipoise.referee.companion.result import Difference
from equipoise.referee.companion.statistics import Family, Sides
from equipoise.referee.nearest import Nearest

_MOST_DIRECTIONS = 64
_WAVES = 128
"""Random frequencies of a kernel, a sine and a cosine each."""
_LEAST_OF_A_WAVE = 0.01
"""Directions of waves with a smaller part of the largest variance are left out: the kernel weighs each squared
difference by it, and all of them together would take as long as everything else."""
_MOST_FITTED = 2_000
"""Samples that distances are taken to, and that centres of places are fitted on."""
_MOST_AXES = 12
"""Distances are taken along at most so many axes: in more, all samples are about equally far from each other."""
_MOST_SQUARE = 16.0
"""Of a standardised number: samples four deviations out count as much as any further ones."""
_PLACES = ((8, 0.2), (32, 0.8))
"""How many places, and which share of the weight these are given."""
_ROUNDS = 8
_NEIGHBOURS = (1, 4, 16)
_MOST_SHOWN = 4


def all_means(numbers: np.ndarray, weight: float) -> Family | None:
    r"""Hotelling's :math:`T^2` with the covariance of both sides together: the sum of squares of the differences of
    means along uncorrelated directions.

    Reference:
        Hotelling 1931, "The generalization of Student's ratio", Annals of Mathematical Statistics 2.
    """
    whitened, _ = _uncorrelated(numbers, most=min(_MOST_DIRECTIONS, len(numbers) // 8))
    if whitened.shape[1] < 2:
        return None

    def describe(place: int, sides: Sides, deviations: float) -> Difference:
        del place, deviations
        found = [sides.of(column) for column in whitened.T.astype(np.float64)]
        # Each squared difference is too large by its own variance, on average.
        square = sum((fake - real) ** 2 - error**2 for real, fake, error in found)
        distance = math.sqrt(max(0.0, square))
        statement = (
            "The means of all columns together differ (Hotelling's T2), by about "
            f"{number(distance, 2)} standard deviations in the direction in which they differ most."
        )
        return Difference("all means", statement, (), None, None, distance, None, None, 1.0)

    return Family("all means", whitened, np.array([weight]), describe, np.ones(whitened.shape[1]))


def directions(numbers: np.ndarray, columns: Sequence[Column], weight: float) -> Family | None:
    """Squares along uncorrelated directions of all columns: dependences of several columns are spread where there
    should be none."""
    whitened, _ = _uncorrelated(numbers, most=min(_MOST_DIRECTIONS, len(numbers) // 8))
    if whitened.shape[1] < 2:
        return None
    features = np.minimum(np.square(whitened), _MOST_SQUARE)

    def describe(place: int, sides: Sides, deviations: float) -> Difference:
        real, fake, error = sides.of(features[:, place])
        ratio, spread = math.sqrt(fake / real), deviations * error / (real + fake)
        scores = [abs(float(np.mean(column.scores * whitened[:, place]))) for column in columns]
        main = [columns[k] for k in np.argsort(scores)[::-1][:3] if scores[k] > 0]
        of = f" (most of it {', '.join(column.title for column in main)})" if main else ""
        statement = (
            f"One combination of columns{of} varies {'more' if ratio > 1 else 'less'} on the generated side: "
            f"{number(ratio, 3)} times as much as on the real one ({number(ratio * math.exp(-spread), 3)} to "
            f"{number(ratio * math.exp(spread), 3)})."
        )
        names = tuple(column.name for column in main)
        return Difference("direction", statement, names, real, fake, fake - real, None, None, 1.0)

    return Family("direction", features, np.full(features.shape[1], weight / features.shape[1]), describe)


def waves(numbers: np.ndarray, weight: float, stream: np.random.Generator, *, widths: Sequence[float]) -> list[Family]:
    r"""Kernel tests with Gaussian kernels of several widths, in units of the median distance between two samples.

    The kernel's maximum mean discrepancy is the sum of the squared differences of the means of cosine and sine waves
    with frequencies drawn from the kernel's spectrum; along uncorrelated directions of these it is
    :math:`\sum_i \lambda_i z_i^2`.

    Reference:
        Gretton et al. 2012, "A kernel two-sample test", JMLR 13; Rahimi and Recht 2007, "Random features for
        large-scale kernel machines", NeurIPS.
    """
    scaled = numbers - numbers.mean(axis=0)
    first, second = (scaled[stream.permutation(len(scaled))[:_MOST_FITTED]] for _ in range(2))
    distances = np.sqrt(np.square(first - second).sum(axis=1))
    typical = float(np.median(distances[distances > 0])) if (distances > 0).any() else 1.0
    families = []
    for width in widths:
        frequencies = (stream.standard_normal((scaled.shape[1], _WAVES)) / (typical * width)).astype(np.float32)
        angles = scaled @ frequencies
        both = np.empty((len(angles), 2 * _WAVES), angles.dtype)
        np.cos(angles, out=both[:, :_WAVES])
        np.sin(angles, out=both[:, _WAVES:])
        directions, variances = _uncorrelated(both, least=_LEAST_OF_A_WAVE)
        if directions.shape[1]:
            families.append(Family("kernel", directions, np.array([weight / len(widths)]), _describe_kernel, variances))
    return families


def _describe_kernel(place: int, sides: Sides, deviations: float) -> Difference:
    del place, sides, deviations
    statement = "The two sides differ in their joint distribution (a kernel test); no single column or pair shows it."
    return Difference("kernel", statement, (), None, None, None, None, None, 1.0)


def places(
    positions: np.ndarray,
    distinct: np.ndarray,
    columns: Sequence[Column],
    weight: float,
    stream: np.random.Generator,
) -> Family | None:
    """Shares of samples in places: those nearest to one of some centres, which are fitted on both sides together."""
    if len(distinct) < 3:
        return None
    fitted = distinct[stream.permutation(len(distinct))[:_MOST_FITTED]]
    blocks, weights = [], []
    for count, share in _PLACES:
        centres = _centres(fitted, min(count, len(fitted)), stream)
        blocks.append(_nearest(positions, centres)[:, None] == np.arange(len(centres)))
        weights += [weight * share / len(centres)] * len(centres)
    features = np.concatenate(blocks, axis=1).astype(np.float32)

    def describe(place: int, sides: Sides, deviations: float) -> Difference:
        inside = features[:, place]
        real, fake, error = sides.of(inside.astype(np.float64))
        low, high = fake - real - deviations * error, fake - real + deviations * error
        ends = [100 * low, 100 * high] if fake > real else [-100 * high, -100 * low]
        statement = (
            f"{_where(columns, inside > 0)} there are {percent(fake, 1)} of the generated samples beside "
            f"{percent(real, 1)} of the real ones, a difference of {number(100 * abs(fake - real), 2)} points "
            f"({number(ends[0], 2)} to {number(ends[1], 2)})."
        )
        return Difference("place", statement, (), real, fake, fake - real, low, high, 1.0)

    return Family("place", features, np.asarray(weights), describe)


def densities(positions: np.ndarray, distinct: np.ndarray, weight: float, stream: np.random.Generator) -> Family | None:
    """Logs of distances to the nearest different samples of either side: how crowded it is around a sample.

    A side whose modes are too wide lies where it is less crowded, at any number of modes.
    """
    if len(distinct) < 4 * max(_NEIGHBOURS):
        return None
    features = np.log(_neighbour_distances(positions, distinct, stream))

    def describe(place: int, sides: Sides, deviations: float) -> Difference:
        real, fake, error = sides.of(features[:, place])
        ratio = np.exp(fake - real)
        low, high = (np.exp(fake - real + sign * deviations * error) for sign in (-1, 1))
        word = "further from" if ratio > 1 else "nearer to"
        statement = (
            f"Generated samples lie {word} their nearest neighbours than real ones do: {number(ratio, 3)} times as far "
            f"({number(low, 3)} to {number(high, 3)}); they are spread too {'widely' if ratio > 1 else 'narrowly'} "
            "where samples are dense."
        )
        return Difference(
            "density",
            statement,
            (),
            real,
            fake,
            fake - real,
            fake - real - deviations * error,
            fake - real + deviations * error,
            1.0,
        )

    return Family("density", features, np.full(features.shape[1], weight / features.shape[1]), describe)


def main_directions(numbers: np.ndarray) -> np.ndarray:
    """The numbers themselves where they are few, their main directions where they are many."""
    if numbers.shape[1] <= _MOST_AXES:
        return numbers
    whitened, variances = _uncorrelated(numbers, most=_MOST_AXES)
    return whitened * np.sqrt(variances).astype(numbers.dtype)


def _uncorrelated(
    numbers: np.ndarray, *, most: int | None = None, least: float = 1e-5
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers along the main directions of their covariance, and their variances there; directions that have less than
    `least` of the largest variance are left out."""
    centred = numbers - numbers.mean(axis=0, dtype=np.float64).astype(numbers.dtype)
    # A float32 product is exact enough: directions serve the labels and their permutations alike.
    variances, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64) / len(numbers))
    kept = np.flatnonzero(variances > least * max(variances[-1], 1e-12))[::-1][:most]
    directions = centred @ vectors[:, kept].astype(centred.dtype)
    directions /= np.sqrt(variances[kept]).astype(centred.dtype)
    return directions, variances[kept]


def _centres(fitted: np.ndarray, count: int, stream: np.random.Generator) -> np.ndarray:
    """Centres by k-means: drawn far from each other, then moved to the means of what is nearest to them.

    Reference:
        Arthur and Vassilvitskii 2007, "k-means++: the advantages of careful seeding", SODA.
    """
    centres = fitted[stream.integers(len(fitted))][None]
    nearest = np.square(fitted - centres[0]).sum(axis=1)
    while len(centres) < count and nearest.sum() > 0:
        drawn = fitted[stream.choice(len(fitted), p=nearest / nearest.sum())]
        centres = np.concatenate([centres, drawn[None]])
        nearest = np.minimum(nearest, np.square(fitted - drawn).sum(axis=1))
    for _ in range(_ROUNDS):
        owners = _nearest(fitted, centres)
        counts = np.bincount(owners, minlength=len(centres))
        totals = np.stack([np.bincount(owners, weights=axis, minlength=len(centres)) for axis in fitted.T], axis=1)
        centres = np.where(counts[:, None] > 0, totals / np.maximum(counts, 1)[:, None], centres).astype(fitted.dtype)
    return centres


def _nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return np.argmin(np.square(centres).sum(axis=1) - 2 * points @ centres.T, axis=1)


def _neighbour_distances(points: np.ndarray, distinct: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Distances from each sample to its 1st, 4th and 16th nearest of the different samples. Shape `(n, 3)`.

    Copies of a sample are one sample: how often a value occurs does not show, or a part of a set would be told from
    the whole by its copies there.
    """
    if points.shape[1] > 6:
        distinct = distinct[stream.permutation(len(distinct))[:_MOST_FITTED]]
    found = Nearest(distinct).distances(points, max(_NEIGHBOURS) + 1)
    # The first is the sample itself, where it is among them.
    is_self = found[:, :1] <= 1e-7
    shifted = np.where(is_self, found[:, 1:], found[:, :-1])
    floor = max(1e-12, float(np.median(shifted[:, -1])) * 1e-3)
    return np.maximum(shifted[:, [k - 1 for k in _NEIGHBOURS]], floor)


def _where(columns: Sequence[Column], inside: np.ndarray) -> str:
    """The middle of a place in the columns that pin it down most."""
    ranked = []
    for column in columns:
        if column.is_numeric:
            own = column.values[inside]
            own = own[np.isfinite(own)]
            deviation = np.nanstd(column.values)
            if len(own) and deviation > 0:
                ranked.append((float(own.std() / deviation), f"{column.title} = {column.text(float(np.median(own)))}"))
        else:
            counts = np.bincount(column.values[inside].astype(np.int64))
            share = counts.max() / max(1, counts.sum())
            ranked.append((1.0 - float(share), f"{column.title} = {column.level(int(counts.argmax()))}"))
    shown = [words for _, words in sorted(ranked)[:_MOST_SHOWN]]
    return f"Around {', '.join(shown)}" if shown else "In one place"
