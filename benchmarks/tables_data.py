"""The tables of `benchmarks/tables.py`: which rows are trained on, and which are unused and judged against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

TRAIN_ROWS = 20_000
MOST_TEST_ROWS = 16_281
"""As many as UCI Adult's official test part has."""
FEW_TRAIN_ROWS, MOST_QUICK_ROWS = 4_000, 6_000


@dataclass(frozen=True)
class Table:
    """One table, split.

    Attributes:
        train: rows that a contestant is given.
        test: unused rows, which synthetic ones are compared with.
        unused: other unused rows, which stand where synthetic ones do: what a perfect generator would reach.
        target: the column that a model is to predict.
        positive: the value of it that is predicted; `None` for a number.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    unused: pd.DataFrame
    target: str
    positive: str | None


def adult(seed: int, *, folder: Path | None) -> Table:
    """UCI Adult (Kohavi 1996): training rows from the official training part, the official test part whole."""
    if folder is None:
        raise SystemExit("Adult comes as two files: --adult FOLDER, with adult_train.csv and adult_test.csv.")
    rows = shuffled(pd.read_csv(folder / "adult_train.csv"), seed)
    test = pd.read_csv(folder / "adult_test.csv")
    return Table(*_cut(rows, TRAIN_ROWS)[:1], test[rows.columns], _cut(rows, TRAIN_ROWS)[1], "income", ">50K")


def diamonds(seed: int, *, folder: Path | None) -> Table:
    """Prices of 53,940 round cut diamonds, as plotnine has them."""
    del folder
    from plotnine.data import diamonds as found

    rows = pd.DataFrame(found).copy()
    for name in ("cut", "color", "clarity"):
        rows[name] = rows[name].astype(str)
    return _in_three(shuffled(rows, seed), TRAIN_ROWS, "price")


def randhie(seed: int, *, folder: Path | None) -> Table:
    """Doctor visits in the RAND health insurance experiment, as statsmodels has them: 20,190 rows, many alike."""
    del folder
    from statsmodels.datasets import randhie as found

    return _in_three(shuffled(found.load_pandas().data, seed), 12_000, "mdvis")


def fair(seed: int, *, folder: Path | None) -> Table:
    """Affairs of 6,366 women (Fair 1978), as statsmodels has them: eight columns of few values, and one number."""
    del folder
    from statsmodels.datasets import fair as found

    return _in_three(shuffled(found.load_pandas().data, seed), FEW_TRAIN_ROWS, "affairs")


def txhousing(seed: int, *, folder: Path | None) -> Table:
    """Houses sold in 46 cities of Texas by month, as plotnine has them: 8,602 rows, numbers and gaps."""
    del folder
    from plotnine.data import txhousing as found

    rows = pd.DataFrame(found).copy()
    rows["city"] = rows["city"].astype(str)
    return _in_three(shuffled(rows, seed), FEW_TRAIN_ROWS, "sales")


def midwest(seed: int, *, folder: Path | None) -> Table:
    """437 counties in 26 columns, as plotnine has them, without the two that name the county."""
    del folder
    from plotnine.data import midwest as found

    rows = pd.DataFrame(found).drop(columns=["PID", "county"])
    for name in ("state", "category"):
        rows[name] = rows[name].astype(str)
    return _in_three(shuffled(rows, seed), 260, "percollege")


TABLES: dict[str, Callable[..., Table]] = {
    each.__name__: each for each in (adult, diamonds, randhie, fair, txhousing, midwest)
}


def short(table: Table) -> Table:
    """With as few rows as a small budget can learn from, and as many unused ones as can be compared in seconds."""
    unused = pd.concat([table.test, table.unused[table.test.columns]], ignore_index=True).iloc[:MOST_QUICK_ROWS]
    return replace(table, train=table.train.iloc[:FEW_TRAIN_ROWS], test=unused)


def shuffled(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The rows in an order of the seed's."""
    order = np.random.default_rng(seed).permutation(len(rows))
    return rows.iloc[order].reset_index(drop=True)


def _cut(rows: pd.DataFrame, count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    return rows.iloc[:count].reset_index(drop=True), rows.iloc[count:].reset_index(drop=True)


def _in_three(rows: pd.DataFrame, count: int, target: str) -> Table:
    train, rest = _cut(rows, count)
    test, unused = _cut(rest, min(MOST_TEST_ROWS, len(rest) // 2))
    return Table(train, test, unused, target, None)
