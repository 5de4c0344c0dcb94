r"""Exact functional dependences between columns: one column's value decides another's, in every training row.

Column A decides column B if no two rows with one value of A have two values of B. A missing value is a value like
any other. Every row whose value of A was met in a row before it could have broken the dependence; their number,

.. math::
    s = n - |\{A_i\}|,

is its *support*. If a share e of such rows of the population break it, none of s does with probability (1 - e)^s, so
that with 95 % confidence e is at most 3 / s. A dependence is kept only if its support is large, and if columns that
are independent of each other would not show it: given A, independent rows agree with probability

.. math::
    \prod_a \sum_b p_b^{n_a}, \qquad n_a \text{ rows with the value } a, \quad p_b \text{ the share of } b .

One frequent value proves nothing of the others: two measurements that are missing together, or zero together, and
differ in every other row, have a large support and decide each other nowhere. So at least half of the rows whose value
of A is rare could have broken it, too, unless these are few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import logsumexp

FEWEST_SUPPORTING = 100
"""Rows that could have broken a dependence and did not: 3 % of such rows may still break it, with 95 % confidence."""
SUPPORTING_SHARE = 0.5
"""Of all rows: a column that is nearly a key decides every other one, and says nothing."""
FREQUENT_SHARE = 0.05
"""Of all rows: a value of more is frequent, and rows with other values are few if they are no more than that."""
MOST_CHANCE = 1e-6
"""Probability that some pair of independent columns of a table looks like a dependence, all pairs together."""
FIRST_ROWS = 5000
"""Rows on which a pair is tried first: nearly all pairs of columns fail there."""
Name = str | int


@dataclass(frozen=True)
class Dependence:
    """One column decides another.

    Attributes:
        determinant: the column that decides.
        dependent: the column that is decided.
        values: how many different values the determinant has, missing counted as one.
        support: rows that could have broken it, and did not.
    """

    determinant: Name
    dependent: Name
    values: int
    support: int

    @property
    def most_exceptions(self) -> float:
        """Upper bound, with 95 % confidence, on the share of rows with a known value of A that break it."""
        return 1 - 0.05 ** (1 / self.support)

    def __str__(self) -> str:
        return (
            f"'{self.determinant}' decides '{self.dependent}' ({self.values:,} values; of {self.support:,} rows that "
            "could have broken it none does)"
        )


def find_dependences(codes: Mapping[Name, np.ndarray]) -> tuple[Dependence, ...]:
    """For each column that another one decides, that other one; none of them is decided by a column it decides.

    Of several columns that decide a column, one that is not decided itself is taken, and of those the one with the
    fewest values; of columns that decide each other the first in the table stays.

    Args:
        codes: whole numbers for the values of each column, as `value_codes` gives, on the training rows. Shape `(n,)`.
    """
    names = list(codes)
    if len(names) < 2 or len(codes[names[0]]) < FEWEST_SUPPORTING:
        return ()
    counts = {name: np.bincount(codes[name]) for name in names}
    distinct = {name: int((counts[name] > 0).sum()) for name in names}
    rows = len(codes[names[0]])
    varying = [name for name in names if distinct[name] > 1]
    least = max(FEWEST_SUPPORTING, SUPPORTING_SHARE * rows)
    deciding = [name for name in varying if rows - distinct[name] >= least and _is_shown_by_rare_values(counts[name])]
    most_log_chance = np.log(MOST_CHANCE) - np.log(max(1, len(varying) * (len(varying) - 1)))
    decides: dict[Name, set[Name]] = {}
    for name in deciding:
        others = [other for other in varying if other != name and distinct[other] <= distinct[name]]
        held = _decided(codes, name, others)
        decides[name] = {other for other in held if _log_chance(counts[name], counts[other] / rows) <= most_log_chance}
    return tuple(
        Dependence(parent, name, distinct[parent], rows - distinct[parent])
        for name, parent in _parents(names, decides, distinct).items()
    )


def decided_by(own: np.ndarray, other: np.ndarray) -> bool:
    """Whether each value of one column has one value of another beside it.

    Args:
        own: whole numbers for the values of the one. Shape `(n,)`.
        other: for those of the other.
    """
    order = np.argsort(own, kind="stable")
    is_same = own[order][1:] == own[order][:-1]
    values = other[order]
    return not (is_same & (values[1:] != values[:-1])).any()


def value_codes(column: pd.Series) -> np.ndarray:
    """A whole number for each different value of a column, from 0, a missing one included. Int64 `(n,)`."""
    codes, values = pd.factorize(column)
    return np.where(codes < 0, len(values), codes).astype(np.int64)


def _is_shown_by_rare_values(counts: np.ndarray) -> bool:
    """Whether rows with rare values of a column repeat each other, too; true where they are few. Counts by value."""
    few = FREQUENT_SHARE * counts.sum()
    rare = counts[(counts > 0) & (counts <= few)]
    return bool(rare.sum() <= few or rare.sum() - len(rare) >= SUPPORTING_SHARE * rare.sum())


def _decided(codes: Mapping[Name, np.ndarray], name: Name, others: Sequence[Name]) -> list[Name]:
    """Those of the other columns that have one value for each value of `name`."""
    found = list(others)
    for rows in (FIRST_ROWS, None):
        own = codes[name][:rows]
        order = np.argsort(own, kind="stable")
        is_same = own[order][1:] == own[order][:-1]
        kept = []
        for other in found:
            values = codes[other][:rows][order]
            if not (is_same & (values[1:] != values[:-1])).any():
                kept.append(other)
        found = kept
        if not found or len(codes[name]) <= FIRST_ROWS:
            break
    return found


def _log_chance(counts: np.ndarray, shares: np.ndarray) -> float:
    """Log probability that rows whose second column is independent of the first agree within each of its values."""
    sizes, times = np.unique(counts[counts > 1], return_counts=True)
    logs = np.log(shares[shares > 0])
    return float(sum(times[k] * logsumexp(size * logs) for k, size in enumerate(sizes)))


def _parents(names: list[Name], decides: Mapping[Name, set[Name]], distinct: Mapping[Name, int]) -> dict[Name, Name]:
    """The one column that each decided column is read off from; following parents never leads in a circle."""
    place = {name: k for k, name in enumerate(names)}

    def stands_above(parent: Name, name: Name) -> bool:
        is_mutual = parent in decides.get(name, ())
        return name in decides.get(parent, ()) and (not is_mutual or place[parent] < place[name])

    above = {name: [parent for parent in decides if stands_above(parent, name)] for name in names}
    roots = {name for name in names if not above[name]}
    found = {}
    for name in names:
        # Where none of them is a root (the criteria are no transitive ones) the chain is longer, and ends all the same.
        candidates = [parent for parent in above[name] if parent in roots] or above[name]
        if candidates:
            found[name] = min(candidates, key=lambda parent: (distinct[parent], place[parent]))
    return found
