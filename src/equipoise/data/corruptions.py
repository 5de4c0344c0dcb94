"""Known corruptions, injected into a share of real samples: the targets by which the referee's sensitivity is measured.

Whatever a corruption does to its rows, injecting it into a share f of them changes the distribution by a JSD of at most
h(f) (see `metrics.divergence.jsd_of_contamination`), and the bound is reached by corruptions that leave no doubt. So
one that is found at contamination f shows that the referee finds differences of that kind as small as h(f).

A corruption has a target, drawn apart from the rows: the column that is shifted, the region that is left out. The same
target at every contamination makes a series of severities that can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from equipoise.data.judging import Corruption, Preparation, Values, concatenated, take

BROKEN_DEPENDENCE = "broken dependence"
"""It changes nothing where the data have nothing to break: columns that do not depend on each other."""
NOISE = 0.3
"""Deviation of the noise on numbers, in deviations of their column."""
_SPREAD = 1.5
"""A change of spread moves a value this many times as far from the mean."""


def common_corruptions(preparation: Callable[[Values, Values], Preparation]) -> Mapping[str, Corruption]:
    """Corruptions that samples of every kind can have, by name.

    Args:
        preparation: of the domain; a mode is a neighbourhood of its positions.
    """

    def without_a_region(
        values: Values, share: float, stream: np.random.Generator, target: np.random.Generator
    ) -> Values:
        del stream
        positions = preparation(values, values)(values).positions
        anchor = positions[target.integers(len(positions))]
        order = np.argsort(((positions - anchor) ** 2).sum(axis=1), kind="stable")
        return take(values, np.sort(order[round(share * len(order)) :]))

    return {"missing mode": without_a_region, "duplicates": _duplicates}


def contaminated_rows(count: int, share: float, stream: np.random.Generator) -> np.ndarray:
    """The rows that are corrupted: `share` of them, at least one."""
    return stream.choice(count, size=max(1, round(share * count)), replace=False)


def spread_out(values: np.ndarray, *, axis: int | None = None) -> np.ndarray:
    """Values moved away from their mean."""
    centre = np.nanmean(values, axis=axis)
    return centre + _SPREAD * (values - centre)


def _duplicates(values: Values, share: float, stream: np.random.Generator, target: np.random.Generator) -> Values:
    """The corrupted rows are replaced by copies of a fiftieth of them."""
    del target
    rows = contaminated_rows(len(values), share, stream)
    kept = np.setdiff1d(np.arange(len(values)), rows)
    sources = stream.choice(rows, size=max(1, len(rows) // 50))
    return concatenated(take(values, kept), take(values, stream.choice(sources, size=len(rows))))
