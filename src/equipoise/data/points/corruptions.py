"""Corruptions of points: each moves, spreads or shuffles the coordinates of a share of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from equipoise.data.corruptions import BROKEN_DEPENDENCE, NOISE, common_corruptions, contaminated_rows, spread_out
from equipoise.data.judging import Corruption, Preparation, Values
from equipoise.data.tables.corruptions import dependent_columns, varying_columns


def point_corruptions(
    values: np.ndarray,
    *,
    preparation: Callable[[Values, Values], Preparation],
    columns: Callable[[np.ndarray], pd.DataFrame],
) -> Mapping[str, Corruption]:
    """The corruptions that these points can have, by name; the names decide random streams and are frozen.

    Args:
        values: the points. A dependence between coordinates can be broken where more than one of them varies.
        preparation: of the domain.
        columns: the coordinates as columns of a table.
    """

    def shuffled_axis(
        values: np.ndarray, share: float, stream: np.random.Generator, target: np.random.Generator
    ) -> np.ndarray:
        contaminated = np.array(values, dtype=np.float64)
        frame = columns(contaminated)
        axes = dependent_columns(frame)
        axis = frame.columns.get_loc(axes[target.integers(len(axes))])
        rows = contaminated_rows(len(contaminated), share, stream)
        contaminated[rows, axis] = contaminated[stream.permutation(rows), axis]
        return contaminated

    found = {
        **common_corruptions(preparation),
        "shift": _of_points(lambda rows, spread, stream, target: rows + spread * _direction(rows, target)),
        "change of spread": _of_points(lambda rows, spread, stream, target: spread_out(rows, axis=0)),
        "noise": _of_points(
            lambda rows, spread, stream, target: rows + NOISE * spread * stream.standard_normal(rows.shape)
        ),
    }
    return found | ({BROKEN_DEPENDENCE: shuffled_axis} if len(varying_columns(columns(values))) > 1 else {})


def _of_points(
    change: Callable[[np.ndarray, np.ndarray, np.random.Generator, np.random.Generator], np.ndarray],
) -> Corruption:
    def corruption(
        values: np.ndarray, share: float, stream: np.random.Generator, target: np.random.Generator
    ) -> np.ndarray:
        contaminated = np.array(values, dtype=np.float64)
        rows = contaminated_rows(len(contaminated), share, stream)
        contaminated[rows] = change(contaminated[rows], np.nanstd(contaminated, axis=0), stream, target)
        return contaminated

    return corruption


def _direction(rows: np.ndarray, target: np.random.Generator) -> np.ndarray:
    direction = target.standard_normal(rows.shape[1])
    return direction / np.linalg.norm(direction)
