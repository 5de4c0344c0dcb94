"""Corruptions of tables: each changes one column of a share of the rows, or takes rows away."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from equipoise.data.corruptions import BROKEN_DEPENDENCE, NOISE, common_corruptions, contaminated_rows, spread_out
from equipoise.data.judging import Corruption, take
from equipoise.data.tables.classifier_inputs import as_levels, as_numbers, is_number_column, table_preparation

ONE_COLUMN = frozenset({"shift", "change of spread", "noise", "missing category", BROKEN_DEPENDENCE})
"""Corruptions whose target is one column."""
_MOST_TESTED_ROWS, _TESTED_CODES, _MOST_TESTED_COLUMNS = 5000, 8, 25
_DEPENDENT_AT = 1e-3
"""Level, over all pairs together, at which a column counts as one that depends on others."""


def table_corruptions(values: pd.DataFrame) -> Mapping[str, Corruption]:
    """The corruptions that this table can have, by name; the names decide random streams and are frozen.

    A table without levels can miss no category.
    """
    amounts, levels = _amounts(values), _levels(values)
    found = {**common_corruptions(table_preparation)} | ({"missing category": _without_a_level} if levels else {})
    if amounts:
        found |= {
            "shift": _changed_amount(lambda column, rows, stream: column[rows] + np.nanstd(column)),
            "change of spread": _changed_amount(lambda column, rows, stream: spread_out(column[rows])),
            "noise": _changed_amount(
                lambda column, rows, stream: column[rows] + stream.normal(0, NOISE * np.nanstd(column), len(rows))
            ),
        }
    return found | ({BROKEN_DEPENDENCE: _shuffled_column} if len(amounts) + len(levels) > 1 else {})


def independent_columns(values: pd.DataFrame, stream: np.random.Generator) -> pd.DataFrame:
    """The same columns, each in an order of its own."""
    orders = {name: stream.permutation(len(values)) for name in values.columns}
    return pd.DataFrame({name: values[name].iloc[order].array for name, order in orders.items()})


def _without_a_level(
    values: pd.DataFrame, share: float, stream: np.random.Generator, target: np.random.Generator
) -> pd.DataFrame:
    """Takes rows of one level away: of a level about as common as `share`, or of the commonest one."""
    columns = _levels(values)
    column = as_levels(values[columns[target.integers(len(columns))]])
    shares = column.value_counts(normalize=True)
    fitting = shares[shares >= share]
    level = fitting.index[-1] if len(fitting) else shares.index[0]
    candidates = np.flatnonzero((column == level).to_numpy())
    gone = stream.choice(candidates, size=min(len(candidates), max(1, round(share * len(values)))), replace=False)
    return take(values, np.setdiff1d(np.arange(len(values)), gone))


def _changed_amount(change: Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]) -> Corruption:
    """One column of amounts, changed in the corrupted rows."""

    def corruption(
        values: pd.DataFrame, share: float, stream: np.random.Generator, target: np.random.Generator
    ) -> pd.DataFrame:
        names = _amounts(values)
        name, rows = names[target.integers(len(names))], contaminated_rows(len(values), share, stream)
        column = as_numbers(values[name]).copy()
        column[rows] = change(column, rows, stream)
        return values.assign(**{name: _as_before(column, values[name])})

    return corruption


def _as_before(numbers: np.ndarray, column: pd.Series) -> pd.Series:
    """Changed numbers in the column's own form: dates stay dates, and whole numbers whole, for fractions would show the
    corruption for another reason than its own."""
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


def _shuffled_column(
    values: pd.DataFrame, share: float, stream: np.random.Generator, target: np.random.Generator
) -> pd.DataFrame:
    names = dependent_columns(values)
    name, rows = names[target.integers(len(names))], contaminated_rows(len(values), share, stream)
    column = values[name].copy()
    column.iloc[rows] = column.iloc[stream.permutation(rows)].to_numpy()
    return values.assign(**{name: column})


def varying_columns(values: pd.DataFrame) -> list:
    """The names of the columns with more than one value."""
    return [name for name in values.columns if values[name].nunique() > 1]


def _amounts(values: pd.DataFrame) -> list:
    return [name for name in varying_columns(values) if is_number_column(values[name])]


def _levels(values: pd.DataFrame) -> list:
    return [name for name in varying_columns(values) if not is_number_column(values[name])]


def dependent_columns(values: pd.DataFrame) -> list:
    """The varying columns that some other column tells something about, by chi-square tests of coarse codes; all of
    them where no pair does (three columns may still depend on each other)."""
    from scipy.stats import chi2_contingency

    names = varying_columns(values)[:_MOST_TESTED_COLUMNS]
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
