"""Whether synthetic rows give away the rows that the generator was trained on.

Four questions, each beside what unused real rows score. Are rows exact copies of training rows, more often than unused
real rows are? How far is the closest training row? Is it nearer than the closest of as many unused rows, which half of
the rows should say? And does an attacker who has a row and the synthetic table find out whether the row was trained on?

Distance is Gower's: the mean over columns of the difference in rank among the training rows for amounts, 0 or 1 for
levels, 1 where one of two values is missing. The attacks are by distance alone, without access to the generator: a row
is taken for a training row the nearer its closest synthetic row is (the black-box attack of GAN-Leaks, Chen et al.
2020), and the same relative to its closest reference row of real data (their calibrated attack).

None of it is a proof of privacy. It sees attacks of this kind only, on average over rows, and says nothing of any one
person. It is no differential privacy, and equipoise offers none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from equipoise.data.tables.classifier_inputs import LevelColumn, MeasuredTable, NumberColumn
from equipoise.metrics.tables.auc import (
    UNKNOWN,
    Estimate,
    auc_estimate,
    difference_of_shares,
    share_estimate,
)
from equipoise.metrics.tables.sides import COPY, SYNTHETIC, UNUSED, Sides

MOST_ROWS = 5_000
MOST_COMPARISONS = 400_000_000
"""Differences of single values in one pass over two sets: a second or two."""
CHUNK = 500
FEWEST_ROWS = 50
MISSING_RANK = 2.0
"""At least 1 away from every rank, which are from 0 to 1."""
TIE = 1e-6
"""Distances that differ by less are the same: they are sums of float32."""


@dataclass(frozen=True)
class Privacy:
    """What was measured of each set of released rows.

    Attributes:
        copies: share of released rows that equal a training row.
        copies_beyond_chance: the same less the share of unused real rows that do.
        distances: 5 % quantile and median distance to the closest training row.
        nearer: share of released rows that are nearer to the training rows than to as many unused rows; 0.5 is chance.
        membership: AUC of the attack by distance; 0.5 is chance.
        calibrated: AUC of the attack by distance relative to reference rows.
        rows: training rows and unused rows that distances are taken to, each.
        released: released rows that distances are taken from, at most.
        has_roles: whether it is known which rows were trained on; else only copies and distances are known.
        why_not: why nothing was measured; '' where it was.
    """

    copies: dict[str, Estimate] = field(default_factory=dict)
    copies_beyond_chance: dict[str, Estimate] = field(default_factory=dict)
    distances: dict[str, tuple[float, float]] = field(default_factory=dict)
    nearer: dict[str, Estimate] = field(default_factory=dict)
    membership: dict[str, Estimate] = field(default_factory=dict)
    calibrated: dict[str, Estimate] = field(default_factory=dict)
    rows: int = 0
    released: int = 0
    has_roles: bool = True
    why_not: str = ""


def privacy(sides: Sides, *, stream: np.random.Generator) -> Privacy:
    """Every question of every set of released rows; `stream` draws the rows that distances are taken between."""
    members = sides.train if sides.has_roles else sides.real
    others = sides.unused
    most = min(MOST_ROWS, max(FEWEST_ROWS, int(np.sqrt(MOST_COMPARISONS / len(sides.names)))))
    count = min(len(members), len(others), most)
    if count < FEWEST_ROWS:
        return Privacy(has_roles=sides.has_roles, why_not=f"Fewer than {FEWEST_ROWS} rows could be compared.")
    # Unused rows stand for a release that knows nothing of the training rows; they are those of `real`, since `unused`
    # is what nearness is measured against. Without roles `real` is what copies are looked for in.
    released = {**sides.sets, UNUSED: sides.real if sides.has_roles else sides.sets[UNUSED]}
    copies = {name: _equal_to_any(table, members) for name, table in released.items() if name != SYNTHETIC}
    copies[SYNTHETIC] = _equal_to_any(sides.fake, members)
    if not sides.has_roles:
        copies[COPY] = np.ones(len(sides.real))
    found = Privacy(
        copies={name: share_estimate(copies[name]) for name in released},
        copies_beyond_chance={name: difference_of_shares(copies[name], copies[UNUSED]) for name in released},
        rows=count,
        released=min(most, max(len(table) for table in released.values())),
        has_roles=sides.has_roles,
    )
    member_rows, other_rows = (_drawn(len(table), count, stream) for table in (members, others))
    rank = _ranks(members)
    codes_of_members, codes_of_others = rank(members[member_rows]), rank(others[other_rows])
    nearest: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name, table in released.items():
        own = codes_of_members if name == COPY else rank(table[_drawn(len(table), most, stream)])
        to_members, from_members = closest(own, codes_of_members)
        found.distances[name] = _quantiles(to_members)
        if sides.has_roles:
            to_others, from_others = closest(own, codes_of_others)
            found.nearer[name] = share_estimate(_nearer(to_members, to_others))
            found.membership[name] = auc_estimate(-from_members, -from_others)
            nearest[name] = (from_members, from_others)
    reference = nearest.get(UNUSED)
    for name, (of_members, of_others) in nearest.items():
        found.calibrated[name] = (
            UNKNOWN
            if reference is None or name == UNUSED
            else auc_estimate(reference[0] - of_members, reference[1] - of_others)
        )
    return found


def closest(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Gower's distance of each row to its closest row of the other set, both ways.

    Args:
        one: ranks float32 `(columns, m)` and codes int32 `(columns, m)`, as `_ranks` gives them.
        other: the same of `n` rows.

    Returns:
        Float32 `(m,)` and `(n,)`.
    """
    numbers, codes = one
    columns = len(numbers) + len(codes)
    count, others = (max(part.shape[1] for part in side) for side in (one, other))
    nearest, back = np.empty(count, dtype=np.float32), np.full(others, np.inf, dtype=np.float32)
    work = np.empty((CHUNK, others), dtype=np.float32)
    for start in range(0, count, CHUNK):
        stop = min(start + CHUNK, count)
        total = np.zeros((stop - start, others), dtype=np.float32)
        part = work[: stop - start]
        for own, theirs in zip(numbers, other[0], strict=True):
            np.subtract(own[start:stop, None], theirs[None, :], out=part)
            np.abs(part, out=part)
            np.minimum(part, 1.0, out=part)
            total += part
        for own, theirs in zip(codes, other[1], strict=True):
            total += own[start:stop, None] != theirs[None, :]
        nearest[start:stop] = total.min(axis=1)
        np.minimum(back, total.min(axis=0), out=back)
    return nearest / columns, back / columns


def _ranks(members: MeasuredTable):
    """A function from a table to the codes that distances are taken between; ranks are those among `members`."""
    names = list(members.columns)
    numbers = [name for name in names if isinstance(members.columns[name], NumberColumn)]
    known = {name: np.sort(_finite(members.columns[name].values)) for name in numbers}

    def coded(table: MeasuredTable) -> tuple[np.ndarray, np.ndarray]:
        ranks = np.empty((len(numbers), len(table)), dtype=np.float32)
        for place, name in enumerate(numbers):
            values, values_known = table.columns[name].values, known[name]
            ends = [np.searchsorted(values_known, values, side=side) for side in ("left", "right")]
            rank = (ends[0] + ends[1]) / (2.0 * max(1, len(values_known)))
            ranks[place] = np.where(np.isfinite(values), rank, MISSING_RANK)
        levels = [table.columns[name] for name in names if name not in known]
        codes = [column.codes.astype(np.int32) for column in levels if isinstance(column, LevelColumn)]
        return ranks, np.stack(codes) if codes else np.zeros((0, len(table)), dtype=np.int32)

    return coded


def _equal_to_any(rows: MeasuredTable, of: MeasuredTable) -> np.ndarray:
    """1 for each row that equals one of another table in every column, else 0."""
    keys = [_row_keys(table) for table in (rows, of)]
    return np.isin(*keys).astype(np.float64)


def _row_keys(table: MeasuredTable) -> np.ndarray:
    columns = {
        str(place): column.values + 0.0 if isinstance(column, NumberColumn) else column.codes
        for place, column in enumerate(table.columns.values())
    }
    return pd.util.hash_pandas_object(pd.DataFrame(columns), index=False).to_numpy()


def _nearer(to_members: np.ndarray, to_others: np.ndarray) -> np.ndarray:
    """1 where the training rows are nearer, 0 where the others are, 1/2 where both are as near."""
    gap = to_others - to_members
    return np.where(np.abs(gap) < TIE, 0.5, (gap > 0).astype(np.float64))


def _quantiles(distances: np.ndarray) -> tuple[float, float]:
    low, middle = np.quantile(distances, (0.05, 0.5))
    return float(low), float(middle)


def _finite(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)]


def _drawn(rows: int, count: int, stream: np.random.Generator) -> np.ndarray:
    return np.arange(rows) if rows <= count else np.sort(stream.choice(rows, size=count, replace=False))
