r"""How alike the relation of two columns is on two sides, and how strong it is on each.

Alike, by the definitions of SDMetrics. Two columns of numbers: CorrelationSimilarity,
:math:`1 - |\rho - \rho'| / 2` with Pearson's correlation of the rows that have both. Otherwise: ContingencySimilarity,
:math:`1 - \tfrac12 \sum_{ab} |p_{ab} - q_{ab}|` over the table of both columns; numbers are cut into 10 bins of equal
width over the real side's range, and missing is a value of its own.

Strength, from 0 to 1 and for two numbers from -1 to 1: Pearson's correlation between numbers, Cramer's V (with the
correction of Bergsma 2013 for small samples) between levels, and the correlation ratio (the root of the share of a
number's variance that lies between the levels) between both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from equipoise.data.tables.classifier_inputs import LevelColumn, MeasuredTable, NumberColumn

BINS = 10
MOST_CELLS = 200_000
"""Of a contingency table that is counted cell by cell."""
Column = NumberColumn | LevelColumn


@dataclass(frozen=True)
class Pair:
    """How alike the relation of two columns is.

    Attributes:
        columns: their names.
        metric: CorrelationSimilarity or ContingencySimilarity.
        score: from 0 to 1; NaN where it is not defined, as the correlation with a constant is not.
        measure: what the strengths are: Pearson, Cramer's V or correlation ratio.
        real_strength, fake_strength: of the relation on each side; NaN where not defined.
    """

    columns: tuple[str, str]
    metric: str
    score: float
    measure: str
    real_strength: float
    fake_strength: float


def pairs(real: MeasuredTable, fake: MeasuredTable, *, names: tuple[str, ...]) -> Iterator[Pair]:
    """One for each pair of the named columns."""
    codes = {name: binned(real.columns[name], fake.columns[name]) for name in names}
    for one, other in combinations(names, 2):
        sides = [(side.columns[one], side.columns[other]) for side in (real, fake)]
        strengths = [association(*side) for side in sides]
        measure = strengths[0][0]
        if measure == "Pearson":
            score = correlation_similarity(strengths[0][1], strengths[1][1])
            metric = "CorrelationSimilarity"
        else:
            score = contingency_similarity(*zip(codes[one], codes[other], strict=True))
            metric = "ContingencySimilarity"
        yield Pair((one, other), metric, score, measure, strengths[0][1], strengths[1][1])


def correlation_similarity(real: float, fake: float) -> float:
    """1 minus half the distance of two correlations; NaN where one is not defined.

    Reference:
        SDMetrics, `column_pairs.CorrelationSimilarity`.
    """
    return 1 - abs(real - fake) / 2


def contingency_similarity(real: tuple[np.ndarray, np.ndarray], fake: tuple[np.ndarray, np.ndarray]) -> float:
    """1 minus the total variation distance of two contingency tables, each given by two columns of codes.

    Reference:
        SDMetrics, `column_pairs.ContingencySimilarity`.
    """
    if not len(real[0]) or not len(fake[0]):
        return float("nan")
    width = int(max(real[1].max(), fake[1].max())) + 1
    cells = [one * width + other for one, other in (real, fake)]
    height = int(max(side.max() for side in cells)) + 1
    if height > MOST_CELLS:  # two columns of many levels: only cells that are met
        known = np.unique(np.concatenate(cells))
        cells, height = [np.searchsorted(known, side) for side in cells], len(known)
    shares = [np.bincount(side, minlength=height) / len(side) for side in cells]
    return float(1 - np.abs(shares[0] - shares[1]).sum() / 2)


def binned(real: Column, fake: Column, *, bins: int = BINS) -> tuple[np.ndarray, np.ndarray]:
    """Both sides as codes, int64: levels as they are, numbers by bins of equal width over the real side's range.

    Values beyond that range have codes of their own on either side, and so have missing ones.
    """
    if isinstance(real, LevelColumn):
        return real.codes, fake.codes
    known = real.values[np.isfinite(real.values)]
    edges = np.histogram_bin_edges(known, bins=bins) if len(known) else np.array([0.0, 1.0])
    return binned_by(edges, real), binned_by(edges, fake)


def binned_by(edges: np.ndarray, column: NumberColumn) -> np.ndarray:
    """Codes of a column of numbers: 0 below the first edge, then the bins, one above the last edge, one for missing.

    The last bin includes its upper edge, as in a histogram of numpy.
    """
    values = column.values
    codes = np.searchsorted(edges, values, side="right")
    codes[values == edges[-1]] = len(edges) - 1
    codes[np.isnan(values)] = len(edges) + 1
    return codes.astype(np.int64)


def association(one: Column, other: Column) -> tuple[str, float]:
    """What the strength of two columns' relation is called, and its size; NaN where a column does not vary."""
    if isinstance(one, NumberColumn) and isinstance(other, NumberColumn):
        return "Pearson", pearson(one.values, other.values)
    if isinstance(one, LevelColumn) and isinstance(other, LevelColumn):
        return "Cramer's V", cramers_v(one.codes, other.codes)
    levels, numbers = (one, other) if isinstance(one, LevelColumn) else (other, one)
    return "correlation ratio", correlation_ratio(levels.codes, numbers.values)


def pearson(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's correlation of the rows that have both numbers."""
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < 2:
        return float("nan")
    one, other = one[both] - one[both].mean(), other[both] - other[both].mean()
    scale = np.sqrt(np.square(one).sum() * np.square(other).sum())
    return float(np.clip((one * other).sum() / scale, -1, 1)) if scale > 0 else float("nan")


def cramers_v(one: np.ndarray, other: np.ndarray) -> float:
    """Cramer's V of two columns of codes with Bergsma's correction: 0 on average where they are independent.

    Reference:
        Bergsma 2013, A bias-correction for Cramer's V and Tschuprow's T.
    """
    count = len(one)
    totals = np.bincount(one), np.bincount(other)
    rows, columns = (int((total > 0).sum()) for total in totals)
    if count < 2 or rows < 2 or columns < 2:
        return float("nan")
    cells, observed = _counted(one * len(totals[1]) + other)
    # Over all cells (o - e)^2 / e sums to that of o^2 / e over the occupied ones, less the number of rows.
    expected = totals[0][cells // len(totals[1])] * totals[1][cells % len(totals[1])] / count
    phi = (np.square(observed) / expected).sum() / count - 1
    corrected = max(0.0, phi - (rows - 1) * (columns - 1) / (count - 1))
    sides = (size - (size - 1) ** 2 / (count - 1) for size in (rows, columns))
    least = min(sides) - 1
    return float(min(1.0, np.sqrt(corrected / least))) if least > 0 else float("nan")


def _counted(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cells that are met, and how often."""
    if int(cells.max()) >= MOST_CELLS:
        return np.unique(cells, return_counts=True)
    counts = np.bincount(cells)
    found = np.flatnonzero(counts)
    return found, counts[found]


def correlation_ratio(codes: np.ndarray, numbers: np.ndarray) -> float:
    """Root of the share of the numbers' variance that lies between the levels; rows without a number are left out."""
    known = np.isfinite(numbers)
    codes, numbers = codes[known], numbers[known]
    if len(numbers) < 2:
        return float("nan")
    counts = np.bincount(codes)
    sums = np.bincount(codes, numbers - numbers.mean())
    total = np.square(numbers - numbers.mean()).sum()
    between = (np.square(sums[counts > 0]) / counts[counts > 0]).sum()
    return float(np.sqrt(min(1.0, between / total))) if total > 0 else float("nan")
