"""How far rows are from unused real ones, for `benchmarks/tables.py`: boosted trees, use for training, shapes, copies.

Nothing here is of equipoise: scikit-learn's histogram gradient boosting with its own defaults and native categories,
XGBoost (200 trees, depth 6, learning rate 0.1), five folds, and the area under the ROC curve of the scores of all folds
together. 1/2 is what rows of the same law reach.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from tables_data import Table

BOOTSTRAPS = 1000
NEAREST_ROWS = 1500
"""Synthetic rows whose nearest records are looked for: a share of them has a standard error of .013."""


def scores(table: Table, made: pd.DataFrame, *, reference: dict[str, Any] | None = None) -> dict[str, Any]:
    """Everything that is said of rows, in plain numbers.

    Args:
        table: what they stand for.
        made: as many rows as are wanted; as many are compared as both sides have.
        reference: scores of unused real rows, whose shapes and pairs others are a share of.
    """
    made = made[table.test.columns]
    count = min(len(made), len(table.test))
    real, fake = table.test.iloc[:count], made.iloc[:count]
    shapes, pairs = shapes_and_pairs(real, fake)
    found = {
        "rows": count,
        "hgb_auc": two_sample_auc(real, fake, "hgb"),
        "xgb_auc": two_sample_auc(real, fake, "xgb"),
        "shapes": shapes,
        "pairs": pairs,
        **usefulness(table, fake),
        **nearness(table, made),
    }
    if reference is not None:
        found |= {f"{name}_share": found[name] / reference[name] for name in ("shapes", "pairs")}
    return found


def stacked(*parts: pd.DataFrame) -> pd.DataFrame:
    """Rows of several tables, texts as categories that all of them share."""
    rows = pd.concat(parts, ignore_index=True)
    for name in rows:
        if pd.api.types.is_numeric_dtype(rows[name]):
            rows[name] = rows[name].astype(float)
        else:
            rows[name] = rows[name].astype(object).where(rows[name].notna(), "nan").astype(str).astype("category")
    return rows


def quick_score(table: Table, made: pd.DataFrame) -> dict[str, Any]:
    """The area under the ROC curve alone, over three folds: the mean over as many sets as `made` has, each as large as
    the real rows."""
    count = len(table.test)
    sets = [made.iloc[at : at + count] for at in range(0, len(made) - count + 1, count)]
    found = [two_sample_auc(table.test, each[table.test.columns], "hgb", folds=3) for each in sets]
    return {"rows": count, "sets": len(sets), "quick_auc": float(np.mean(found))}


def two_sample_auc(real: pd.DataFrame, fake: pd.DataFrame, model: str, *, folds: int = 5) -> float | None:
    """Of boosted trees that tell both sides apart, over some folds; `None` without XGBoost."""
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    inputs, is_fake = stacked(real, fake), np.arange(len(real) + len(fake)) >= len(real)
    chance = np.zeros(len(inputs))
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=0).split(inputs, is_fake):
        made = _classifier(model)
        if made is None:
            return None
        made.fit(inputs.iloc[train], is_fake[train])
        chance[test] = made.predict_proba(inputs.iloc[test])[:, 1]
    return float(roc_auc_score(is_fake, chance))


def _classifier(model: str) -> Any:
    if model == "hgb":
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
    try:
        import xgboost
    except ImportError:
        return None
    options = {"n_estimators": 200, "max_depth": 6, "learning_rate": 0.1, "tree_method": "hist"}
    return xgboost.XGBClassifier(**options, enable_categorical=True, n_jobs=1, random_state=0)


def usefulness(table: Table, fake: pd.DataFrame) -> dict[str, float]:
    """What a model that is trained on the rows reaches on unused ones, beside one trained on equally many real rows.

    The area under the ROC curve of a class, or R2 of a number; the difference with its paired bootstrap interval over
    the test rows. Rows without a target count on no side.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.metrics import r2_score, roc_auc_score

    fake, train, test = (rows[rows[table.target].notna()] for rows in (fake, table.train, table.test))
    count = min(len(fake), len(train))
    inputs = stacked(fake.iloc[:count], train.iloc[:count], test).drop(columns=[table.target])
    targets = pd.concat([fake[table.target].iloc[:count], train[table.target].iloc[:count]], ignore_index=True)
    true = test[table.target]
    predicted = []
    for start in (0, count):
        rows, own = inputs.iloc[start : start + count], targets.iloc[start : start + count]
        if table.positive is None:
            model = HistGradientBoostingRegressor(categorical_features="from_dtype", random_state=0)
            predicted.append(model.fit(rows, own.astype(float)).predict(inputs.iloc[2 * count :]))
        else:
            model = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
            model.fit(rows, own == table.positive)
            predicted.append(model.predict_proba(inputs.iloc[2 * count :])[:, 1])
    outcome = true.astype(float).to_numpy() if table.positive is None else (true == table.positive).to_numpy()
    measure = r2_score if table.positive is None else roc_auc_score
    draws = np.random.default_rng(0)
    differences = []
    for _ in range(BOOTSTRAPS // 5):
        rows = draws.integers(0, len(outcome), len(outcome))
        differences.append(measure(outcome[rows], predicted[0][rows]) - measure(outcome[rows], predicted[1][rows]))
    low, high = np.quantile(differences, [0.025, 0.975])
    made, real = measure(outcome, predicted[0]), measure(outcome, predicted[1])
    return {
        "trained_on_synthetic": float(made),
        "trained_on_real": float(real),
        "synthetic_less_real": float(made - real),
        "synthetic_less_real_low": float(low),
        "synthetic_less_real_high": float(high),
    }


def shapes_and_pairs(real: pd.DataFrame, fake: pd.DataFrame) -> tuple[float, float]:
    """SDMetrics' two fidelity scores, in code of our own: 1 is equal.

    A column: 1 - Kolmogorov-Smirnov of numbers, 1 - total variation of levels. A pair: 1 - half the difference of
    correlations of numbers, 1 - total variation of the contingency table of others, numbers cut into ten.
    """
    from scipy.stats import ks_2samp

    numbers = [name for name in real if pd.api.types.is_numeric_dtype(real[name])]
    shapes = [
        1 - ks_2samp(real[name].dropna(), fake[name].dropna()).statistic
        if name in numbers
        else 1 - _total_variation(real[name], fake[name])
        for name in real
    ]
    cut = {name: _ten_parts(real[name], fake[name], is_number=name in numbers) for name in real}
    pairs = []
    for place, first in enumerate(real.columns):
        for second in real.columns[place + 1 :]:
            if first in numbers and second in numbers:
                found = [np.nan_to_num(side[first].corr(side[second])) for side in (real, fake)]
                pairs.append(1 - abs(found[0] - found[1]) / 2)
            else:
                joint = [cut[first][side] + "|" + cut[second][side] for side in (0, 1)]
                pairs.append(1 - _total_variation(*joint))
    return float(np.mean(shapes)), float(np.mean(pairs))


def _total_variation(real: pd.Series, fake: pd.Series) -> float:
    shares = [side.fillna("nan").astype(str).value_counts(normalize=True) for side in (real, fake)]
    return float(shares[0].subtract(shares[1], fill_value=0).abs().sum() / 2)


def _ten_parts(real: pd.Series, fake: pd.Series, *, is_number: bool) -> tuple[pd.Series, pd.Series]:
    if not is_number:
        return real.fillna("nan").astype(str), fake.fillna("nan").astype(str)
    edges = np.histogram_bin_edges(real.dropna(), 10)[1:-1]
    parts = [pd.Series(np.digitize(side, edges).astype(str), index=side.index) for side in (real, fake)]
    return parts[0], parts[1]


def nearness(table: Table, made: pd.DataFrame) -> dict[str, float]:
    """The share of rows that are nearer to a training row than to one of as many unused rows, and exact copies.

    Distance is the sum over columns of the difference in the range between the 0.5 % and 99.5 % quantiles, at most 1,
    or of 1 where levels differ.
    """
    count = min(len(table.train), len(table.unused))
    sides = [table.train.iloc[:count], table.unused.iloc[:count], made.iloc[:NEAREST_ROWS]]
    rows = stacked(*sides)
    scaled = []
    for name in rows:
        if str(rows[name].dtype) == "category":
            scaled.append((False, rows[name].cat.codes.to_numpy()))
        else:
            low, high = table.train[name].quantile([0.005, 0.995])
            scaled.append(
                (True, np.nan_to_num((rows[name].to_numpy() - low) / max(high - low, 1e-9)).astype(np.float32))
            )
    nearer = 0.0
    for row in range(2 * count, len(rows)):
        distance = np.zeros(2 * count, dtype=np.float32)
        for is_number, column in scaled:
            own, others = column[row], column[: 2 * count]
            distance += np.minimum(np.abs(others - own), 1) if is_number else others != own
        train, unused = distance[:count].min(), distance[count:].min()
        nearer += float(train < unused) + 0.5 * float(train == unused)
    known = set(_texts(table.train))
    return {
        "nearer_to_training": nearer / (len(rows) - 2 * count),
        "copies": float(np.mean([text in known for text in _texts(made)])),
        "copies_among_unused": float(np.mean([text in known for text in _texts(table.unused)])),
    }


def _texts(rows: pd.DataFrame) -> list[tuple[str, ...]]:
    return list(map(tuple, stacked(rows).astype(str).to_numpy()))
