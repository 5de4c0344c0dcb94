"""Known defects, planted into a share of real samples: the targets by which the referee's eyesight is measured.

Whatever a defect does to its rows, planting it into a share f of them changes the law by a JSD of at most h(f) (see
`metrics.divergence.jsd_of_contamination`), and the bound is reached by defects that leave no doubt. So a defect found at
share f shows that the referee finds differences of that kind as small as h(f).

A defect has an aim of its own, drawn apart from the rows it spoils: the column that is shifted, the region that is
left out. The same aim at every share makes a ladder whose rungs can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from equipoise.referee.base import Values, joined, take
from equipoise.referee.preprocessing import as_levels, as_numbers, is_number_column, preparation
from equipoise.spaces import SpaceKind

Stream = np.random.Generator
Defect = Callable[[Values, float, Stream, Stream], Values]
"""From real samples, the share to spoil, a stream that draws the rows and one that draws the aim, to as many samples,
or fewer when some are taken away."""

CAN_BE_ABSENT = frozenset({"broken dependence"})
"""Defects that change nothing where the data have nothing to spoil: columns that do not depend on each other."""
OF_ONE_COLUMN = frozenset({"shift", "change of spread", "noise", "missing category", "broken dependence"})
"""Defects of a table whose aim is one column."""
_SPREAD = 1.5
"""A change of spread moves a value this many times as far from the mean."""
_NOISE = 0.3
"""Deviation of the noise on numbers, in deviations of their column."""
_PIXEL_NOISE = 0.05
_MOST_TESTED_ROWS, _TESTED_CODES, _MOST_TESTED_COLUMNS = 5000, 8, 25
_DEPENDENT_AT = 1e-3
"""Level, over all pairs together, at which a column counts as one that depends on others."""


def defects_for(kind: SpaceKind, values: Values) -> Mapping[str, Defect]:
    """The planted kinds of defect that such data can have, by the name that a verdict uses.

    A table without levels can miss no category; what is left out here has nothing to be planted into.
    """
    common = {"missing mode": _without_a_region(kind), "duplicates": _duplicates}
    if kind == "points":
        found = common | {
            "shift": _points(lambda rows, spread, stream, target: rows + spread * _direction(rows, target)),
            "change of spread": _points(lambda rows, spread, stream, target: _spread_out(rows, axis=0)),
            "noise": _points(lambda rows, spread, stream, target: rows + _NOISE * spread * _normal(rows, stream)),
        }
        return found | ({"broken dependence": _shuffled_axis} if len(_varying(_frame(values))) > 1 else {})
    if kind == "images":
        return common | {
            "shift": _images(lambda rows, stream: np.roll(rows, 1, axis=3)),
            "change of spread": _images(lambda rows, stream: (rows.astype(np.float32) * 0.8).astype(np.uint8)),
            "noise": _images(_noisy),
            "blur": _images(
                lambda rows, stream: ((rows.astype(np.uint16) + np.roll(rows, 1, axis=3)) // 2).astype(np.uint8)
            ),
            "broken dependence": _images(_swapped_halves),
        }
    amounts, levels = _amounts(values), _levels(values)
    found = common | ({"missing category": _without_a_level} if levels else {})
    if amounts:
        found |= {
            "shift": _changed_amount(lambda column, rows, stream: column[rows] + np.nanstd(column)),
            "change of spread": _changed_amount(lambda column, rows, stream: _spread_out(column[rows])),
            "noise": _changed_amount(
                lambda column, rows, stream: column[rows] + stream.normal(0, _NOISE * np.nanstd(column), len(rows))
            ),
        }
    return found | ({"broken dependence": _shuffled_column} if len(amounts) + len(levels) > 1 else {})


def independent(kind: SpaceKind, values: Values, stream: Stream) -> Values:
    """The same values with every dependence gone: each column in an order of its own; images of unlike halves."""
    if kind == "images":
        return _swapped_halves(values, stream)
    if kind == "points":
        return np.stack([stream.permutation(column) for column in np.asarray(values, dtype=np.float64).T], axis=1)
    orders = {name: stream.permutation(len(values)) for name in values.columns}
    return pd.DataFrame({name: values[name].iloc[order].array for name, order in orders.items()})


def _contaminated_rows(count: int, share: float, stream: Stream) -> np.ndarray:
    return stream.choice(count, size=max(1, round(share * count)), replace=False)


def _without_a_region(kind: SpaceKind) -> Defect:
    def defect(values: Values, share: float, stream: Stream, target: Stream) -> Values:
        del stream
        positions = preparation(kind, values, values)(values).positions
        anchor = positions[target.integers(len(positions))]
        order = np.argsort(((positions - anchor) ** 2).sum(axis=1), kind="stable")
        return take(values, np.sort(order[round(share * len(order)) :]))

    return defect


def _duplicates(values: Values, share: float, stream: Stream, target: Stream) -> Values:
    """The spoilt rows are replaced by copies of a fiftieth of them."""
    del target
    rows = _contaminated_rows(len(values), share, stream)
    kept = np.setdiff1d(np.arange(len(values)), rows)
    sources = stream.choice(rows, size=max(1, len(rows) // 50))
    return joined(take(values, kept), take(values, stream.choice(sources, size=len(rows))))


def _points(change: Callable[[np.ndarray, np.ndarray, Stream, Stream], np.ndarray]) -> Defect:
    def defect(values: Values, share: float, stream: Stream, target: Stream) -> Values:
        contaminated = np.array(values, dtype=np.float64)
        rows = _contaminated_rows(len(contaminated), share, stream)
        contaminated[rows] = change(contaminated[rows], np.nanstd(contaminated, axis=0), stream, target)
        return contaminated

    return defect


def _direction(rows: np.ndarray, target: Stream) -> np.ndarray:
    direction = target.standard_normal(rows.shape[1])
    return direction / np.linalg.norm(direction)


def _normal(rows: np.ndarray, stream: Stream) -> np.ndarray:
    return stream.standard_normal(rows.shape)


def _spread_out(values: np.ndarray, *, axis: int | None = None) -> np.ndarray:
    centre = np.nanmean(values, axis=axis)
    return centre + _SPREAD * (values - centre)


def _shuffled_axis(values: np.ndarray, share: float, stream: Stream, target: Stream) -> np.ndarray:
    contaminated = np.array(values, dtype=np.float64)
    axes = _dependent(_frame(contaminated))
    axis, rows = int(axes[target.integers(len(axes))][1:]), _contaminated_rows(len(contaminated), share, stream)
    contaminated[rows, axis] = contaminated[stream.permutation(rows), axis]
    return contaminated


def _images(change: Callable[[np.ndarray, Stream], np.ndarray]) -> Defect:
    def defect(values: Values, share: float, stream: Stream, target: Stream) -> Values:
        del target
        contaminated = np.array(values)
        rows = _contaminated_rows(len(contaminated), share, stream)
        contaminated[rows] = change(contaminated[rows], stream)
        return contaminated

    return defect


def _noisy(rows: np.ndarray, stream: Stream) -> np.ndarray:
    return np.clip(rows + stream.normal(0, _PIXEL_NOISE * 255, rows.shape), 0, 255).astype(np.uint8)


def _swapped_halves(rows: np.ndarray, stream: Stream) -> np.ndarray:
    """Images whose right half belongs to another one."""
    mixed, half = rows.copy(), rows.shape[3] // 2
    mixed[..., half:] = rows[stream.permutation(len(rows))][..., half:]
    return mixed


def _without_a_level(values: pd.DataFrame, share: float, stream: Stream, target: Stream) -> pd.DataFrame:
    """Takes rows of one level away: of a level about as common as `share`, or of the commonest one."""
    columns = _levels(values)
    column = as_levels(values[columns[target.integers(len(columns))]])
    shares = column.value_counts(normalize=True)
    fitting = shares[shares >= share]
    level = fitting.index[-1] if len(fitting) else shares.index[0]
    candidates = np.flatnonzero((column == level).to_numpy())
    gone = stream.choice(candidates, size=min(len(candidates), max(1, round(share * len(values)))), replace=False)
    return take(values, np.setdiff1d(np.arange(len(values)), gone))


def _changed_amount(change: Callable[[np.ndarray, np.ndarray, Stream], np.ndarray]) -> Defect:
    """One column of amounts, changed in the spoilt rows."""

    def defect(values: pd.DataFrame, share: float, stream: Stream, target: Stream) -> pd.DataFrame:
        names = _amounts(values)
        name, rows = names[target.integers(len(names))], _contaminated_rows(len(values), share, stream)
        column = as_numbers(values[name]).copy()
        column[rows] = change(column, rows, stream)
        return values.assign(**{name: _as_before(column, values[name])})

    return defect


def _as_before(numbers: np.ndarray, column: pd.Series) -> pd.Series:
    """Changed numbers in the column's own form: whole numbers stay whole, for fractions would give the defect away
    for another reason than its own, and dates stay dates."""
    types = pd.api.types
    if types.is_datetime64_any_dtype(column):
        naive = pd.Timestamp(0) + pd.to_timedelta(pd.Series(numbers, index=column.index), unit="s")
        return naive if column.dt.tz is None else naive.dt.tz_localize("UTC").dt.tz_convert(column.dt.tz)
    if types.is_timedelta64_dtype(column):
        return pd.to_timedelta(pd.Series(numbers, index=column.index), unit="s")
    known = as_numbers(column)
    known = known[np.isfinite(known)]
    is_whole = bool(np.all(known == np.floor(known)))
    return pd.Series(np.round(numbers) if is_whole else numbers, index=column.index)


def _shuffled_column(values: pd.DataFrame, share: float, stream: Stream, target: Stream) -> pd.DataFrame:
    names = _dependent(values)
    name, rows = names[target.integers(len(names))], _contaminated_rows(len(values), share, stream)
    column = values[name].copy()
    column.iloc[rows] = column.iloc[stream.permutation(rows)].to_numpy()
    return values.assign(**{name: column})


def _frame(points: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(points, columns=[f"x{axis}" for axis in range(points.shape[1])])


def _varying(values: pd.DataFrame) -> list:
    return [name for name in values.columns if values[name].nunique() > 1]


def _amounts(values: pd.DataFrame) -> list:
    return [name for name in _varying(values) if is_number_column(values[name])]


def _levels(values: pd.DataFrame) -> list:
    return [name for name in _varying(values) if not is_number_column(values[name])]


def _dependent(values: pd.DataFrame) -> list:
    """The varying columns that some other column tells something about, by chi-square tests of coarse codes; all of
    them where no pair does (three columns may still depend on each other)."""
    from scipy.stats import chi2_contingency

    names = _varying(values)[:_MOST_TESTED_COLUMNS]
    codes = {name: _coarse(values[name].iloc[:_MOST_TESTED_ROWS]) for name in names}
    level = _DEPENDENT_AT / max(1, len(names) * (len(names) - 1) // 2)
    found = set()
    for place, second in enumerate(names):
        for first in names[:place]:
            table = np.zeros((_TESTED_CODES + 1, _TESTED_CODES + 1))
            np.add.at(table, (codes[first], codes[second]), 1.0)
            table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
            if min(table.shape) > 1 and chi2_contingency(table).pvalue < level:
                found |= {first, second}
    return [name for name in names if name in found] or names


def _coarse(column: pd.Series) -> np.ndarray:
    """At most nine codes: quantiles of amounts, the commonest levels of the rest."""
    if is_number_column(column):
        numbers = as_numbers(column)
        known = numbers[np.isfinite(numbers)]
        cuts = np.unique(np.quantile(known, np.linspace(0, 1, _TESTED_CODES + 1)[1:-1])) if len(known) else np.zeros(0)
        return np.where(np.isfinite(numbers), np.searchsorted(cuts, numbers, side="right"), _TESTED_CODES)
    texts = as_levels(column)
    places = {level: code for code, level in enumerate(texts.value_counts().index[:_TESTED_CODES])}
    return texts.map(places).fillna(_TESTED_CODES).to_numpy(np.int64)
