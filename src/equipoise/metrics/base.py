"""What a metric is: a score of how far generated samples are from real ones, with no confidence attached.

A score means little by itself: two sets of real samples do not score 0 either, and how much they score depends on how
many they are. So a score is reported beside the same metric between two real sets of the same size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from equipoise.errors import InputError
from equipoise.metrics.interval import GROUPS, score_intervals
from equipoise.metrics.known import Mixture
from equipoise.randomness import Stream, numpy_stream
from equipoise.spaces import SpaceKind

ALL_KINDS: tuple[SpaceKind, ...] = ("images", "points", "table")


@dataclass(frozen=True)
class Metric:
    """A function of two sets of samples.

    Attributes:
        name: as configurations and the command line call it.
        title: as people call it.
        function: from real and generated samples, float64 `(n, features)`, to named numbers; with `needs_density` the
            real side is the density itself.
        reading: one sentence: which direction is better, the unit, what equal distributions score.
        source: where it is defined.
        kinds: of data that it is for.
        needs_density: whether the real side has to be a density in closed form.
        least, most: samples of a side that it needs, and that it uses at most.
        bounds: of its numbers.
        shares: those of its numbers that end at 1, too.
    """

    name: str
    title: str
    function: Callable[[Any, np.ndarray], Mapping[str, float]]
    reading: str
    source: str
    kinds: tuple[SpaceKind, ...] = ALL_KINDS
    needs_density: bool = False
    least: int = 2
    most: int = 10_000
    bounds: tuple[float, float] = (-math.inf, math.inf)
    shares: tuple[str, ...] = ()


@dataclass(frozen=True)
class Score:
    """What a metric says of two sets.

    Attributes:
        metric: its name.
        values: named numbers.
        between_real_sets: the same numbers for two real sets of the same sizes; empty when that was not measured.
        intervals: of each number, 95 %; see `equipoise.metrics.interval`. Empty when they were not asked for, or where
            there are too few samples.
        real_samples, fake_samples: how many of each side were compared; 0 real ones where a density was.
        seed: that chose them.
    """

    metric: str
    values: Mapping[str, float]
    real_samples: int
    fake_samples: int
    seed: int
    between_real_sets: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        intervals = {name: list(ends) for name, ends in self.intervals.items()}
        return {
            **vars(self),
            "values": dict(self.values),
            "between_real_sets": dict(self.between_real_sets),
            "intervals": intervals,
        }


def score(
    metric: Metric,
    real: np.ndarray | Mixture,
    fake: np.ndarray,
    *,
    seed: int = 0,
    floor: bool = True,
    interval: bool = False,
) -> Score:
    """The metric of `fake` against `real`, and of real against real.

    Args:
        metric: one that suits the samples.
        real: numbers of the real samples. Shape `(n, features)`; or the density that they were drawn from.
        fake: numbers of the generated samples. Shape `(m, features)`.
        seed: chooses which samples are compared, and in which of two halves a real one falls.
        floor: whether real is also compared with real. Then both comparisons are made with as many samples a side, at
            most half of the real ones: a metric between sets of other sizes would be another number.
        interval: whether each number gets an interval; it takes as long as `interval.GROUPS` more scores.

    Raises:
        InputError: there are too few samples.
    """
    stream = numpy_stream(seed, Stream.METRIC_ROWS)
    fake = fake[stream.permutation(len(fake))[: metric.most]]
    second: np.ndarray | None = None
    if isinstance(real, Mixture):
        count, others = 0, len(fake)
        second = real.sample(others, stream) if floor else None
    else:
        mixed = real[stream.permutation(len(real))]
        count, others = min(len(real), metric.most), len(fake)
        if floor:
            count = others = min(len(real) // 2, len(fake), metric.most)
            second = mixed[count : 2 * count]
        real, fake = mixed[:count], fake[:others]
    fewest = others if isinstance(real, Mixture) else min(count, others)
    if fewest < metric.least:
        raise InputError(
            f"metric '{metric.name}'",
            f"{fewest} samples a side can be compared.",
            f"Expected {metric.least} or more" + (", and twice as many real ones." if floor else "."),
            "Give more samples" + (", or leave out the comparison of real with real." if floor else "."),
        )
    between = {} if second is None else metric.function(real, second)
    values = metric.function(real, fake)
    intervals = {}
    if interval and fewest * (GROUPS - 1) // GROUPS >= max(metric.least, 2):
        intervals = score_intervals(metric.function, real, fake, values, bounds=metric.bounds, shares=metric.shares)
    return Score(metric.name, values, count, others, seed, between, intervals)
