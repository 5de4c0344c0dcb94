"""Statistics of two columns together: correlations of numbers, and how well levels of one fit levels of another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from equipoise.plotting.number_text import number
from equipoise.referee.companion.columns import Column, numeric
from equipoise.referee.companion.result import Difference
from equipoise.referee.companion.statistics import Family, Sides

MOST_NUMBERS = 8_000_000
"""Products of pairs that are held at once: all pairs of 64 columns at 4,000 samples, the strongest ones beyond."""
MOST_PAIRS = 2_016
_BINS = 8
_LEAST_INFORMATION = 0.05
"""Mutual information of two columns of numbers in nats; a correlation of .31 has it."""
_LEAST_SEEN = 10
"""A cell of two levels that is seen less often counts as one of the rare ones, whatever its number."""


def correlations(columns: Sequence[Column], weight: float, *, most: int) -> Family | None:
    """Products of normal scores of two columns of numbers: of all pairs, or of those that correlate most."""
    used = numeric(columns)
    if len(used) < 2:
        return None
    scores = np.stack([column.scores for column in used], axis=1).astype(np.float32)
    pairs = _strongest(scores, most)
    features = np.stack([scores[:, first] * scores[:, second] for first, second in pairs], axis=1)

    def describe(place: int, sides: Sides, deviations: float) -> Difference:
        first, second = (used[end] for end in pairs[place])
        standard = [_standardised_by_side(column.scores, sides) for column in (first, second)]
        real, fake, error = sides.of(_influence_of_correlation(*standard, sides))
        low, high = fake - real - deviations * error, fake - real + deviations * error
        statement = (
            f"{first.title} and {second.title} are correlated differently: {number(fake, 2)} on the generated side "
            f"beside {number(real, 2)}, a difference of {number(fake - real, 2)} ({number(low, 2)} to "
            f"{number(high, 2)}; measured on ranks)."
        )
        return Difference("correlation", statement, (first.name, second.name), real, fake, fake - real, low, high, 1.0)

    return Family("correlation", features, np.full(len(pairs), weight / len(pairs)), describe)


def fits(columns: Sequence[Column], weight: float, *, most: int) -> Family | None:
    r"""How well two columns fit each other in a sample: the log of how much more often their two levels occur together
    than they would if the columns were independent, :math:`\log n_{ab} n / (n_a n_b)`, counted on both sides.

    Numbers are cut at their octiles. Two columns of numbers are there only if they depend on each other, on both sides
    together: for weak dependences their correlation says more, and for strong ones it hardly feels a few misfits.
    """
    coded = [_codes(column) for column in columns]
    pairs = list(combinations(range(len(columns)), 2))[:MOST_PAIRS]
    features = [_fit(coded[first], coded[second]) for first, second in pairs]
    kept = sorted(range(len(features)), key=lambda place: -float(features[place].mean()))[:most]
    kept = [
        place
        for place in kept
        if not all(columns[end].is_numeric for end in pairs[place])
        or features[place].mean() > _LEAST_INFORMATION + _BINS**2 / len(features[place])
    ]
    if not kept:
        return None

    def describe(place: int, sides: Sides, deviations: float) -> Difference:
        first, second = (columns[end] for end in pairs[kept[place]])
        real, fake, error = sides.of(features[kept[place]])
        low, high = fake - real - deviations * error, fake - real + deviations * error
        statement = (
            f"{first.title} and {second.title} fit each other {'better' if fake > real else 'worse'} on the generated "
            f"side: their values meet {number(np.exp(fake), 3)} times as often as by chance, in geometric mean, beside "
            f"{number(np.exp(real), 3)} times on the real side (a ratio of {number(np.exp(fake - real), 3)}, "
            f"{number(np.exp(low), 3)} to {number(np.exp(high), 3)})."
        )
        return Difference("dependence", statement, (first.name, second.name), real, fake, fake - real, low, high, 1.0)

    chosen = np.stack([features[place] for place in kept], axis=1).astype(np.float32)
    return Family("dependence", chosen, np.full(len(kept), weight / len(kept)), describe)


def _strongest(scores: np.ndarray, most: int) -> list[tuple[int, int]]:
    """Pairs of columns, those first that correlate most on both sides together, as many as fit."""
    pairs = list(combinations(range(scores.shape[1]), 2))
    most = min(most, max(1, MOST_NUMBERS // len(scores)))
    if len(pairs) <= most:
        return pairs
    with np.errstate(invalid="ignore", divide="ignore"):
        strengths = np.abs(np.nan_to_num(np.corrcoef(scores.T)))
    return sorted(pairs, key=lambda pair: -strengths[pair])[:most]


def _standardised_by_side(values: np.ndarray, sides: Sides) -> np.ndarray:
    result = np.zeros(len(values))
    for on_side in (sides.is_real, ~sides.is_real):
        inside = values[on_side]
        result[on_side] = (inside - inside.mean()) / (inside.std() or 1.0)
    return result


def _influence_of_correlation(first: np.ndarray, second: np.ndarray, sides: Sides) -> np.ndarray:
    r"""Numbers per sample whose mean on a side is its correlation r, and whose error is that of r.

    .. math:: x y - r (x^2 + y^2 - 2) / 2
    """
    result = first * second
    for on_side in (sides.is_real, ~sides.is_real):
        correlation = result[on_side].mean()
        result[on_side] -= correlation * (first[on_side] ** 2 + second[on_side] ** 2 - 2) / 2
    return result


def _codes(column: Column) -> np.ndarray:
    """Codes of levels; of numbers those of their octiles, and one for gaps."""
    if not column.is_numeric:
        return column.values.astype(np.int64)
    finite = np.isfinite(column.values)
    edges = np.unique(np.quantile(column.values[finite], np.arange(1, _BINS) / _BINS))
    return np.where(finite, np.searchsorted(edges, np.where(finite, column.values, 0.0), side="right"), len(edges) + 1)


def _fit(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    width = int(second.max()) + 1
    cells = first * width + second
    together = np.bincount(cells, minlength=(int(first.max()) + 1) * width).astype(np.float64)
    rare = (together > 0) & (together < _LEAST_SEEN)
    alone = np.bincount(first).astype(np.float64), np.bincount(second).astype(np.float64)
    expected = np.outer(*alone).ravel()[: len(together)] / len(first)
    seen = together.copy()
    if rare.any():
        # Rare cells share one value, so that how often a sample itself is there does not show in it.
        seen[rare], expected[rare] = together[rare].sum(), expected[rare].sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(seen) - np.log(expected)
    return logs[cells]
