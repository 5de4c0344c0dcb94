"""Whether boosted trees can tell two tables apart: overall, and by one column alone.

Histogram gradient boosting of scikit-learn with its own defaults, levels as native categories, five folds. The area
under the ROC curve is 1/2 where it cannot distinguish the sides, and 1 where it always can. It is a score with an
interval for the rows at hand; `judge` gives a verdict with its error under control.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from equipoise.data.tables.classifier_inputs import LevelColumn, MeasuredTable, NumberColumn
from equipoise.metrics.tables.auc import UNKNOWN, Estimate, mean_auc

FOLDS = 5
FOLDS_OF_ONE_COLUMN = 2
FEWEST_ROWS = 100
"""A side: with fewer, five folds of trees learn nothing."""
MOST_LEVELS = 254
"""Scikit-learn's trees take 255 categories: the commonest, and one for all others."""


def two_sample_auc(real: MeasuredTable, fake: MeasuredTable, *, seed: int) -> Estimate:
    """How well boosted trees tell rows of one table from those of another; not known of fewer than 100 rows a side."""
    if min(len(real), len(fake)) < FEWEST_ROWS:
        return UNKNOWN
    names = tuple(real.columns)
    inputs, is_category = tree_inputs([real, fake], names)
    return _cross_validated(np.concatenate(inputs), len(real), is_category, folds=FOLDS, seed=seed)


def column_aucs(real: MeasuredTable, fake: MeasuredTable, *, seed: int) -> dict[str, Estimate]:
    """How well each column alone tells the sides apart: amounts by boosted trees, levels by their shares."""
    if min(len(real), len(fake)) < FEWEST_ROWS:
        return dict.fromkeys(real.columns, UNKNOWN)
    return {name: _column_auc(column, fake.columns[name], seed=seed) for name, column in real.columns.items()}


def tree_inputs(tables: list[MeasuredTable], names: tuple[str, ...]) -> tuple[list[np.ndarray], list[bool]]:
    """Tables as float64 `(n, columns)` for trees, and which columns are categories; rarer levels share one."""
    columns = [[table.columns[name] for table in tables] for name in names]
    stacked = [_inputs_of(sides) for sides in columns]
    inputs = [np.stack([column[place] for column in stacked], axis=1) for place in range(len(tables))]
    return inputs, [isinstance(sides[0], LevelColumn) for sides in columns]


def boosted_trees(*, is_number: bool, is_category: list[bool], seed: int, iterations: int = 100):
    """The model that every score here is of, not yet fitted."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    made = HistGradientBoostingRegressor if is_number else HistGradientBoostingClassifier
    return made(categorical_features=is_category, random_state=seed, max_iter=iterations)


def _inputs_of(sides: list[NumberColumn | LevelColumn]) -> list[np.ndarray]:
    if isinstance(sides[0], NumberColumn):
        return [np.where(np.isfinite(side.values), side.values, np.nan) for side in sides]
    codes = np.concatenate([side.codes for side in sides])
    counts = np.bincount(codes)
    place = np.full(len(counts), MOST_LEVELS)
    commonest = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
    place[commonest] = np.arange(len(commonest))
    return [place[side.codes].astype(np.float64) for side in sides]


def _cross_validated(
    inputs: np.ndarray, real_rows: int, is_category: list[bool], *, folds: int, seed: int, iterations: int = 100
) -> Estimate:
    is_fake = np.arange(len(inputs)) >= real_rows
    scored = []
    for train, test in _folds(is_fake, folds, seed=seed):
        model = boosted_trees(is_number=False, is_category=is_category, seed=seed, iterations=iterations)
        scores = model.fit(inputs[train], is_fake[train]).predict_proba(inputs[test])[:, 1]
        scored.append((scores[is_fake[test]], scores[~is_fake[test]]))
    return mean_auc(scored)


def _folds(is_fake: np.ndarray, folds: int, *, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    from sklearn.model_selection import StratifiedKFold

    yield from StratifiedKFold(folds, shuffle=True, random_state=seed).split(is_fake, is_fake)


def _column_auc(real: NumberColumn | LevelColumn, fake: NumberColumn | LevelColumn, *, seed: int) -> Estimate:
    (one, other) = _inputs_of([real, fake])
    inputs = np.concatenate([one, other])
    if isinstance(real, NumberColumn):
        return _cross_validated(inputs[:, None], len(one), [False], folds=FOLDS_OF_ONE_COLUMN, seed=seed, iterations=40)
    is_fake = np.arange(len(inputs)) >= len(one)
    codes = inputs.astype(np.int64)
    scored = []
    for train, test in _folds(is_fake, FOLDS_OF_ONE_COLUMN, seed=seed):
        counts = [np.bincount(codes[train][is_fake[train] == side], minlength=MOST_LEVELS + 1) for side in (0, 1)]
        shares = (counts[1] + 0.5) / (counts[0] + counts[1] + 1.0)  # a level that was not met says nothing
        scores = shares[codes[test]]
        scored.append((scores[is_fake[test]], scores[~is_fake[test]]))
    return mean_auc(scored)
