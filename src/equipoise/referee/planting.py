"""Known defects, planted into a share of real samples: the targets by which the referee's eyesight is measured.

Whatever a defect does to its rows, planting it into a share f of them changes the law by a JSD of at most h(f) (see
`metrics.divergence.jsd_of_spoilt_share`), and the bound is reached by defects that leave no doubt. So a defect found at
share f shows that the referee finds differences of that kind as small as h(f).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from equipoise.referee.base import Values, joined, take
from equipoise.referee.prepare import as_numbers, is_number_column, preparation
from equipoise.spaces import SpaceKind

Defect = Callable[[Values, float, np.random.Generator], Values]
"""From real samples, the share to spoil and a random stream to as many samples, or fewer when some are taken away."""

CAN_BE_ABSENT = frozenset({"broken dependence"})
"""Defects that change nothing where the data have nothing to spoil."""


def defects_for(kind: SpaceKind) -> Mapping[str, Defect]:
    """The planted kinds of defect, by the name that a verdict uses."""
    common = {"missing mode": _without_a_region(kind), "duplicates": _duplicates}
    if kind == "points":
        return common | {
            "shift": _points(lambda rows, spread, stream: rows + spread * _direction(rows, stream)),
            "change of spread": _points(
                lambda rows, spread, stream: rows.mean(axis=0) + 1.5 * (rows - rows.mean(axis=0))
            ),
            "noise": _points(lambda rows, spread, stream: rows + 0.3 * spread * stream.standard_normal(rows.shape)),
            "broken dependence": _points(_shuffled_axis),
        }
    if kind == "images":
        return common | {
            "shift": _images(lambda rows, stream: np.roll(rows, 1, axis=3)),
            "change of spread": _images(lambda rows, stream: (rows.astype(np.float32) * 0.8).astype(np.uint8)),
            "noise": _images(_noisy),
            "blur": _images(
                lambda rows, stream: ((rows.astype(np.uint16) + np.roll(rows, 1, axis=3)) // 2).astype(np.uint8)
            ),
        }
    return common | {"missing category": _without_a_level, "shift": _shifted_column, "noise": _noisy_column,
                     "broken dependence": _shuffled_column}  # fmt: skip


def _spoilt_rows(count: int, share: float, stream: np.random.Generator) -> np.ndarray:
    return stream.choice(count, size=max(1, round(share * count)), replace=False)


def _without_a_region(kind: SpaceKind) -> Defect:
    def defect(values: Values, share: float, stream: np.random.Generator) -> Values:
        positions = preparation(kind, values, values)(values).positions
        anchor = positions[stream.integers(len(positions))]
        order = np.argsort(((positions - anchor) ** 2).sum(axis=1), kind="stable")
        return take(values, np.sort(order[round(share * len(order)) :]))

    return defect


def _duplicates(values: Values, share: float, stream: np.random.Generator) -> Values:
    rows = _spoilt_rows(len(values), share, stream)
    kept = np.setdiff1d(np.arange(len(values)), rows)
    sources = stream.choice(rows, size=max(1, len(rows) // 50))
    return joined(take(values, kept), take(values, stream.choice(sources, size=len(rows))))


def _points(change: Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]) -> Defect:
    def defect(values: Values, share: float, stream: np.random.Generator) -> Values:
        spoilt = np.array(values, dtype=np.float64)
        rows = _spoilt_rows(len(spoilt), share, stream)
        spoilt[rows] = change(spoilt[rows], np.nanstd(spoilt, axis=0), stream)
        return spoilt

    return defect


def _direction(rows: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    direction = stream.standard_normal(rows.shape[1])
    return direction / np.linalg.norm(direction)


def _shuffled_axis(rows: np.ndarray, spread: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    del spread
    shuffled, axis = rows.copy(), stream.integers(rows.shape[1])
    shuffled[:, axis] = stream.permutation(shuffled[:, axis])
    return shuffled


def _images(change: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Defect:
    def defect(values: Values, share: float, stream: np.random.Generator) -> Values:
        spoilt = np.array(values)
        rows = _spoilt_rows(len(spoilt), share, stream)
        spoilt[rows] = change(spoilt[rows], stream)
        return spoilt

    return defect


def _noisy(rows: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    return np.clip(rows + stream.normal(0, 0.05 * 255, rows.shape), 0, 255).astype(np.uint8)


def _without_a_level(values: pd.DataFrame, share: float, stream: np.random.Generator) -> pd.DataFrame:
    """Takes rows of one level away: of a level about as common as `share`, or of the commonest one."""
    columns = [name for name in values.columns if not is_number_column(values[name]) and values[name].nunique() > 1]
    if not columns:
        return _without_a_region("table")(values, share, stream)
    name = columns[stream.integers(len(columns))]
    shares = values[name].value_counts(normalize=True)
    fitting = shares[shares >= share]
    level = fitting.index[-1] if len(fitting) else shares.index[0]
    candidates = np.flatnonzero((values[name] == level).to_numpy())
    gone = stream.choice(candidates, size=min(len(candidates), max(1, round(share * len(values)))), replace=False)
    return take(values, np.setdiff1d(np.arange(len(values)), gone))


def _number_column(values: pd.DataFrame, stream: np.random.Generator):
    names = [name for name in values.columns if is_number_column(values[name]) and values[name].nunique() > 1]
    return names[stream.integers(len(names))] if names else None


def _shifted_column(values: pd.DataFrame, share: float, stream: np.random.Generator) -> pd.DataFrame:
    return _changed_column(values, share, stream, lambda spread, count: np.full(count, spread))


def _noisy_column(values: pd.DataFrame, share: float, stream: np.random.Generator) -> pd.DataFrame:
    return _changed_column(values, share, stream, lambda spread, count: stream.normal(0, 0.3 * spread, count))


def _changed_column(values: pd.DataFrame, share: float, stream: np.random.Generator, change) -> pd.DataFrame:
    name = _number_column(values, stream)
    if name is None or not pd.api.types.is_numeric_dtype(values[name]):
        return _shuffled_column(values, share, stream)
    rows, column = _spoilt_rows(len(values), share, stream), as_numbers(values[name]).copy()
    column[rows] = column[rows] + change(np.nanstd(column), len(rows))
    # Whole numbers stay whole: fractions would give the defect away for another reason than its own.
    is_whole = pd.api.types.is_integer_dtype(values[name])
    return values.assign(**{name: np.round(column) if is_whole else column})


def _shuffled_column(values: pd.DataFrame, share: float, stream: np.random.Generator) -> pd.DataFrame:
    name = values.columns[stream.integers(len(values.columns))]
    rows = _spoilt_rows(len(values), share, stream)
    column = values[name].copy()
    column.iloc[rows] = column.iloc[stream.permutation(rows)].to_numpy()
    return values.assign(**{name: column})
