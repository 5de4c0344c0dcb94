"""The predictive e-process keeps its level at any number of samples: by enumeration of every sample of small laws."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from equipoise.data.judging import Rows
from equipoise.referee import chunks as chunks_of_sides
from equipoise.referee.base import Classifier
from equipoise.referee.chunks import chunk_indices
from equipoise.referee.predictive import predict

CHANCES = (0.5, 0.3, 0.2)
"""Of the values 0, 1 and 2, on both sides."""


class Values:
    """A domain whose samples are read as they are; `seen`, if there is any, moves what they are read against."""

    def __init__(self, seen: np.ndarray | None = None) -> None:
        self.middle = 0.0 if seen is None else float(np.median(seen))

    def measured(self, values: np.ndarray) -> np.ndarray:
        return values

    def preparation(self, first: np.ndarray, second: np.ndarray):
        def prepare(values: np.ndarray) -> Rows:
            numbers = values[:, None] - self.middle
            return Rows(numbers, numbers, (False,), ("x",), ((),), numbers)

        return prepare


def counted(real: Rows, fake: Rows, seed: int):
    """The log ratio of how often each value was met on both sides, as it is and much too sure."""
    del seed
    met = [np.bincount(side.numbers[:, 0].astype(int), minlength=3) + 0.5 for side in (real, fake)]
    ratios = np.log(met[0]) - np.log(met[1])
    return lambda rows: np.stack([ratios[rows.numbers[:, 0].astype(int)] * factor for factor in (1, 4)], axis=1)


def above(real: Rows, fake: Rows, seed: int):
    """Surely real above 0 and surely generated below, whatever was met."""
    del real, fake, seed
    return lambda rows: 4 * np.sign(rows.numbers)


def expectation(reals: int, fakes: int, fit, *, scored_chunks: int, sees_all: bool = False) -> float:
    """E[E] over all samples of both sides, each with its chance."""
    classifier, total = Classifier("counted", frozenset({"points"}), fit, sees="counts"), 0.0
    for outcome in itertools.product(range(3), repeat=reals + fakes):
        values = np.array(outcome, dtype=float)
        real, fake = values[:reals], values[reals:]
        keys = [side.astype(np.uint64) for side in (real, fake)]
        order = chunk_indices(*keys, seed=0, scored_chunks=scored_chunks)
        domain = Values(values if sees_all else None)
        found = predict(real, fake, order, domain=domain, seed=0, classifiers=[classifier])
        total += math.prod(CHANCES[value] for value in outcome) * math.exp(found.log_e_value)
    return total


@pytest.mark.parametrize(
    ("reals", "fakes", "scored_chunks", "often"), [(4, 4, 2, 0), (3, 3, 1, 20), (3, 4, 2, 1), (4, 2, 2, 0)]
)
def test_the_e_process_has_expectation_at_most_one_where_both_sides_follow_one_law(
    monkeypatch, reals, fakes, scored_chunks, often
):
    # A value that was met more than `often` times is scored all the same: never, after one, or after 20 samples.
    monkeypatch.setattr(chunks_of_sides, "MOST_DUPLICATES", often)
    found = expectation(reals, fakes, counted, scored_chunks=scored_chunks)
    assert 0.3 < found <= 1 + 1e-9  # rounding of sums of some thousand terms


def test_a_feature_that_has_seen_the_pair_it_scores_breaks_the_bound(monkeypatch):
    # The middle of both sides together, without labels: what lies above it on one side must lie below on the other.
    monkeypatch.setattr(chunks_of_sides, "MOST_DUPLICATES", 0)
    honest, seen = (expectation(3, 3, above, scored_chunks=1, sees_all=sees_all) for sees_all in (False, True))
    assert honest <= 1 + 1e-9
    assert seen > 1.04
