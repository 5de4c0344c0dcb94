"""Rows that belong together, such as the visits of one patient: no split puts some into training and others into tests.

A table whose rows are whole histories (a time series for each patient) is another thing: its generator would have to
make sequences, which it does not.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from equipoise.data.duplicates import Groups, joined_groups
from equipoise.errors import DataError

FEWEST_GROUPS = 10
OPTION = "data.group"


def row_owners(column: pd.Series, name: str, *, source: str) -> np.ndarray:
    """A number for each group, from 0, in the order in which they are met. Int64 `(n,)`.

    Raises:
        DataError: a row has no group, there are too few of them to hold some out, or every row has its own.
    """
    numbers, values = pd.factorize(column)
    missing = int((numbers < 0).sum())
    if missing:
        raise DataError(
            f"{source}, {OPTION}",
            f"{missing:,} of {len(column):,} rows have no value in '{name}'.",
            "Expected a group for each row.",
            "Fill these in (each a group of its own, if they belong to nobody else), or take them out.",
        )
    if len(values) < FEWEST_GROUPS:
        raise DataError(
            f"{source}, {OPTION}",
            f"'{name}' has {len(values)} different values.",
            f"Expected {FEWEST_GROUPS} groups or more, so that whole ones can be kept from training.",
            "Group by what is repeated, such as a person; or leave the groups out if rows are independent.",
        )
    if len(values) == len(column):
        raise DataError(
            f"{source}, {OPTION}",
            f"every row has its own value in '{name}'.",
            "Expected groups of several rows.",
            f"Leave the groups out, and the column too: data.drop=[{name}].",
        )
    return numbers.astype(np.int64)


def with_owners(groups: Groups, owners: np.ndarray | None, name: str) -> Groups:
    """Groups that keep together what is equal and what belongs together."""
    if owners is None:
        return groups
    return Groups(joined_groups(groups.of_row, owners), f"rows of one '{name}' fall on one side; {groups.rule}")
