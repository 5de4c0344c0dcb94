r"""How alike one column is on two sides, from 0 to 1, by the definitions of SDMetrics.

Numbers, dates and durations: KSComplement, :math:`1 - \sup_x |F(x) - G(x)|`, missing values left out. Levels and truth
values: TVComplement, :math:`1 - \tfrac12 \sum_l |p_l - q_l|`, where missing is a level of its own. The shapes score of
a table is the mean over its columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equipoise.data.tables.classifier_inputs import LevelColumn, MeasuredTable, NumberColumn
from equipoise.metrics.tables.sides import gaps

Column = NumberColumn | LevelColumn


@dataclass(frozen=True)
class Shape:
    """How alike one column is on two sides.

    Attributes:
        column: its name.
        metric: KSComplement or TVComplement.
        score: from 0 to 1; NaN where one side has no value.
        real_missing, fake_missing: share of missing values.
    """

    column: str
    metric: str
    score: float
    real_missing: float
    fake_missing: float


def ks_complement(real: np.ndarray, fake: np.ndarray) -> float:
    """1 minus the largest distance of the two empirical distribution functions; NaN values are left out.

    Returns:
        1 where both sides are the same, 0 where they share no range, NaN where one has no value.

    Reference:
        SDMetrics, `single_column.KSComplement`.
    """
    real, fake = np.sort(real[np.isfinite(real)]), np.sort(fake[np.isfinite(fake)])
    if not len(real) or not len(fake):
        return float("nan")
    values = np.concatenate([real, fake])
    below = [np.searchsorted(side, values, side="right") / len(side) for side in (real, fake)]
    return float(1 - np.abs(below[0] - below[1]).max())


def tv_complement(real: np.ndarray, fake: np.ndarray) -> float:
    """1 minus the total variation distance of two columns of codes, int64 `(n,)` and `(m,)`.

    Reference:
        SDMetrics, `single_column.TVComplement`.
    """
    if not len(real) or not len(fake):
        return float("nan")
    count = int(max(real.max(), fake.max())) + 1
    shares = [np.bincount(side, minlength=count) / len(side) for side in (real, fake)]
    return float(1 - np.abs(shares[0] - shares[1]).sum() / 2)


def shapes(real: MeasuredTable, fake: MeasuredTable) -> list[Shape]:
    """One for each column."""
    return [shape(name, column, fake.columns[name]) for name, column in real.columns.items()]


def shape(name: str, real: Column, fake: Column) -> Shape:
    """How alike a column is on two sides whose levels have the same codes."""
    missing = [float(gaps(side).mean()) for side in (real, fake)]
    if isinstance(real, NumberColumn):
        return Shape(name, "KSComplement", ks_complement(real.values, fake.values), *missing)
    return Shape(name, "TVComplement", tv_complement(real.codes, fake.codes), *missing)


def mean_score(scores: list[float]) -> float:
    """The mean of those that could be measured; NaN without any."""
    known = [score for score in scores if np.isfinite(score)]
    return float(np.mean(known)) if known else float("nan")
