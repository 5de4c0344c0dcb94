"""Runs of one configuration, and the spread over them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.entries import number_at
from equipoise.reports.reading import RunRecord

RUNS_FOR_QUANTILES = 20  # below this the 5th and 95th percentile are guesses, and the whole range is shown


@dataclass(frozen=True)
class Group:
    """Runs of one configuration, whatever their seeds.

    Attributes:
        letter: A, B, C ... in the order in which the folders were given.
        label: the letter with what sets the group apart.
        runs: at least one.
        settings: the settings that differ between groups, as this group has them.
    """

    letter: str
    label: str
    runs: tuple[RunRecord, ...]
    settings: Mapping[str, str]

    @property
    def objective(self) -> str:
        """The objective of all its runs."""
        return self.runs[0].objective

    @property
    def bounds(self) -> tuple[float, ...]:
        """The last lower bound on JSD of each run that has one, in nats."""
        found = (number_at(run.verdict or {}, "jsd_lower_bound_nats") for run in self.runs)
        return tuple(bound for bound in found if bound is not None)


def spread_name(groups: Sequence[Group]) -> str:
    """What a spread over the runs of these groups shows: a range, or percentiles when there are enough runs."""
    return "5th to 95th percentile" if _has_enough(groups) else "smallest to largest"


def spread_limits(values: np.ndarray, groups: Sequence[Group]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median, lower and upper limit over runs, for values of shape `(runs, k)`; NaN where no run has a value."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="All-NaN", category=RuntimeWarning)  # a stretch without any run
        low, middle, high = np.nanquantile(values, [0.05, 0.5, 0.95] if _has_enough(groups) else [0, 0.5, 1], axis=0)
    return middle, low, high


def _has_enough(groups: Sequence[Group]) -> bool:
    """Whether every configuration that has a spread has enough runs for percentiles."""
    return all(len(group.runs) >= RUNS_FOR_QUANTILES for group in groups if len(group.runs) > 1)
