"""Cells of a column of numbers: stretches of its quantiles that a network draws from as if they were categories.

A quantile transform makes a column standard normal, so that equal cells of the quantile u in (0, 1) hold equally many
rows. Their borders are put where no point mass is cut: within a cell, u is even in the data by the very construction of
the encoding (rows of a point mass are spread evenly over its interval), and so a density that is constant in u on each
cell can be exact for a column of point masses, and loses to a smooth one only what happens within a thousandth of the
rows.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from equipoise.data.tables.quantile_transform import QuantileMap

MOST_CELLS = 1024
"""Of a column with many values: about 20 rows each of 20,000."""
OWN_CELLS = 128
"""Up to this many values, all of them point masses, each is a cell of its own, however rare."""


def cells_of(numbers: QuantileMap) -> tuple[float, ...]:
    """Inner borders of the cells of a column, as quantiles, ascending; none where it has a single one.

    Args:
        numbers: the column's quantile map.
    """
    total = 2.0 * numbers.total
    is_mass = numbers.high > numbers.low
    if is_mass.all() and len(is_mass) <= OWN_CELLS:
        return tuple(float(border) for border in numbers.low[1:] / total)
    ends = np.unique(np.concatenate([[0.0, 1.0], numbers.low[is_mass] / total, numbers.high[is_mass] / total]))
    starts_mass = np.isin(ends[:-1], numbers.low[is_mass] / total)
    pieces: list[np.ndarray] = []
    for start, end, is_one in zip(ends[:-1], ends[1:], starts_mass, strict=True):
        parts = 1 if is_one else max(1, round((end - start) * MOST_CELLS))
        pieces.append(np.linspace(start, end, parts, endpoint=False))
    return _merged(np.concatenate([*pieces, [1.0]]))


def _merged(borders: np.ndarray) -> tuple[float, ...]:
    """Borders with neighbouring small stretches put together, up to a `MOST_CELLS`-th of the rows."""
    least = (1 - 1e-6) / MOST_CELLS
    kept, start = [], borders[0]
    for border, after in pairwise(borders[1:]):
        if border - start >= least or after - border >= least:
            kept.append(float(border))
            start = border
    return tuple(kept)
