"""The sets of rows that a table report compares, as arrays with the same columns and the same level codes.

Synthetic rows mean little by themselves. Beside them stand three sets that everybody can make: unused real rows (as
good as it gets), columns drawn independently of each other (every column right, no relation between them), and a copy
of the training rows (as faithful as real rows, and no privacy at all).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from equipoise.data.tables.classifier_inputs import LevelColumn, MeasuredTable, NumberColumn, measured

MISSING_LEVEL = "(missing)"
SYNTHETIC, UNUSED, INDEPENDENT, COPY = "synthetic", "unused real rows", "independent columns", "copy of training rows"
ROWS = (SYNTHETIC, UNUSED, INDEPENDENT, COPY)
"""The sets that everything is measured of, in the order of a report."""


@dataclass(frozen=True)
class Sides:
    """Rows of one table in their parts.

    Attributes:
        real: real rows that the others are compared with.
        sets: the compared ones by name, each with as many rows as `real`.
        train: rows that the generator was trained on, or is taken to be; all of them.
        fake: all synthetic rows.
        unused: real rows that were not used for training, all that are not in `real`.
        has_roles: whether it is known which rows were trained on; else `train` is all real rows.
    """

    real: MeasuredTable
    sets: dict[str, MeasuredTable]
    train: MeasuredTable
    fake: MeasuredTable
    unused: MeasuredTable
    has_roles: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in the table's order."""
        return tuple(self.real.columns)


def sides_of(
    real: pd.DataFrame,
    fake: pd.DataFrame,
    *,
    train: pd.DataFrame | None,
    unused: pd.DataFrame | None,
    most: int,
    stream: np.random.Generator,
) -> Sides:
    """Give every set its role.

    Synthetic rows are compared with real rows that were not trained on wherever there are any: a generator that repeats
    its training rows would look perfect beside these. Where only training rows and unused ones are given, the unused
    are halved, into those that are compared with and those that stand beside the synthetic ones; where nobody says
    which rows were trained on, the real rows are halved so.

    Args:
        real: real rows; with `unused` and without `train` those that were trained on.
        fake: synthetic rows with the same columns.
        train: rows that were trained on.
        unused: further real rows that were not.
        most: rows a side at most.
        stream: draws the halves and the rows.
    """
    has_roles = train is not None or unused is not None
    if train is None and unused is not None:
        train, real, unused = real, unused, None
    frames = [frame for frame in (real, fake, train, unused) if frame is not None]
    table = measured(pd.concat(frames, ignore_index=True))
    parts = iter(np.split(np.arange(len(table)), np.cumsum([len(frame) for frame in frames])[:-1]))
    real_rows, fake_rows = next(parts), next(parts)
    train_rows = real_rows if train is None else next(parts)
    if unused is None:
        shuffled = stream.permutation(real_rows)
        real_rows, unused_rows = np.sort(shuffled[::2]), np.sort(shuffled[1::2])
    else:
        unused_rows = next(parts)
    # Nobody knows what was trained on: the other half of the real rows stands for a copy.
    copied = train_rows if has_roles else unused_rows
    count = min(most, len(real_rows), len(fake_rows), len(unused_rows), len(copied))
    compared = table[_some(real_rows, count, stream)]
    sets = {
        SYNTHETIC: table[_some(fake_rows, count, stream)],
        UNUSED: table[_some(unused_rows, count, stream)],
        INDEPENDENT: independent(table[train_rows], count, stream),
        COPY: table[_some(copied, count, stream)],
    }
    return Sides(compared, sets, table[train_rows], table[fake_rows], table[unused_rows], has_roles)


def independent(table: MeasuredTable, count: int, stream: np.random.Generator) -> MeasuredTable:
    """`count` rows whose columns are drawn from those of a table, each by itself."""
    columns: dict[str, NumberColumn | LevelColumn] = {}
    for name, column in table.columns.items():
        columns[name] = column[stream.integers(0, len(table), size=count)]
    return MeasuredTable(columns, count)


def gaps(column: NumberColumn | LevelColumn) -> np.ndarray:
    """Which values are missing."""
    if isinstance(column, NumberColumn):
        return ~np.isfinite(column.values)
    missing = np.array([level == MISSING_LEVEL for level in column.levels] + [False], dtype=bool)
    return missing[column.codes]


def _some(rows: np.ndarray, count: int, stream: np.random.Generator) -> np.ndarray:
    return rows if len(rows) == count else np.sort(stream.choice(rows, size=count, replace=False))
