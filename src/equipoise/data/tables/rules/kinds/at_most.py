r"""`a <= b` or `a < b`: b is written as b - a, whose values are those of the training rows and never below 0.

.. math::
    d = b - a \ge 0, \qquad b = \min(a + d, \max_{training} b),

so that b keeps its own largest value; a never exceeds it, because a <= b held in training. Where a is missing and b is
not, b itself is kept in a second helper column. The other way round, a as b - d, serves where b cannot be made again.

A generator may draw a helper as missing where training never does. Where the target is never missing then, it is made
with the median of the helper in training. In a chain x <= a <= b the second helper obeys x <= b, by a rule of its own
whose target it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from equipoise.data.tables.column_type import ColumnType
from equipoise.data.tables.conditions.support import Support
from equipoise.data.tables.conditions.value_sets import ValueSet
from equipoise.data.tables.conditions.wishes import IS_THERE, Wish
from equipoise.data.tables.rules.base import Name, Rule, refuse_violations, replaced, with_column
from equipoise.data.tables.rules.quantities import Common, common_unit, filled, median_if_never_missing
from equipoise.data.tables.schema import type_from_state
from equipoise.errors import DataError, InputError


@dataclass(frozen=True)
class AtMost(Rule):
    """See `Rule`.

    Attributes:
        low: what the smaller column holds.
        high: what the larger one holds.
        makes_high: whether the larger one is the target, else the smaller one is.
        is_strict: whether they are never equal.
        common: how both are computed with.
        ends: smallest and largest value of the target, in its numbers.
        has_missing: whether the target can be missing.
        has_own: whether the target has values where the other column is missing, in a helper column.
        usual_gap: the median difference, if the target is never missing where the other column is there.
        usual_own: the target's median where the other column is missing, if it is never missing there.
        own_is_made: whether that helper column is made by another rule.
    """

    low: ColumnType
    high: ColumnType
    makes_high: bool
    is_strict: bool
    common: Common
    ends: tuple[float, float]
    has_missing: bool
    has_own: bool
    usual_gap: float | None = None
    usual_own: float | None = None
    own_is_made: bool = False
    kind: ClassVar[str] = "at_most"

    @property
    def reads(self) -> tuple[Name, ...]:
        return (self._other.name,)

    @property
    def reads_made(self) -> tuple[Name, ...]:
        return self.helpers[1:] if self.own_is_made else ()

    @property
    def targets(self) -> tuple[Name, ...]:
        return (self._target.name,)

    @property
    def types(self) -> Mapping[Name, ColumnType]:
        return {self._target.name: self._target}

    @property
    def _target(self) -> ColumnType:
        return self.high if self.makes_high else self.low

    @property
    def _other(self) -> ColumnType:
        return self.low if self.makes_high else self.high

    @property
    def helpers(self) -> tuple[str, ...]:
        """Names of the helper columns."""
        gap = f"{self.high.name} - {self.low.name}"
        return (gap, f"{self._target.name} without {self._other.name}") if self.has_own else (gap,)

    def excludes(self, sets: Mapping[Name, ValueSet]) -> bool:
        low, high = sets.get(self.low.name), sets.get(self.high.name)
        if any(side is None or side.has_missing or not side.intervals for side in (low, high)):
            return False
        least = self.common.bound(low.intervals[0][0], self.low)
        most = self.common.bound(high.intervals[-1][1], self.high)
        return least > most or (self.is_strict and least == most)

    def forward(self, frame: pd.DataFrame) -> pd.DataFrame:
        (low, no_low), (high, no_high) = (self.common.numbers(frame[kind.name], kind) for kind in (self.low, self.high))
        gap = self.common.difference(np.maximum(self.common.rounded(high - low), 0), no_low | no_high)
        columns = [gap]
        if self.has_own:
            is_known = (no_high if self.makes_high else no_low) | ~(no_low if self.makes_high else no_high)
            columns.append(frame[self._target.name].mask(is_known))
        return replaced(frame, self._target.name, list(zip(self.helpers, columns, strict=True)))

    def inverse(self, frame: pd.DataFrame) -> pd.DataFrame:
        common, target = self.common, self._target
        other, no_other = common.numbers(frame[self._other.name], self._other)
        gap, no_gap = filled(*common.from_difference(frame[self.helpers[0]]), self.usual_gap)
        sign = 1 if self.makes_high else -1
        made = np.clip(common.rounded(other + sign * gap), *(common_ends(common, self.ends)))
        # The clipped value may have crossed the other column only by rounding: the rule comes first.
        made = np.maximum(made, other) if self.makes_high else np.minimum(made, other)
        if self.is_strict:
            step = 1 if common.is_whole else 10.0**-common.size if common.size >= 0 else 0.0
            beyond = other + sign * step if step else np.nextafter(other, sign * np.inf)
            made = np.where(made == other, common.rounded(beyond) if step else beyond, made)
        missing = no_other | no_gap
        if self.has_own:
            own, no_own = filled(*common.numbers(frame[self.helpers[1]], target), self.usual_own)
            made, missing = np.where(no_other, own, made), np.where(no_other, no_own, missing)
        result = frame.drop(columns=list(self.helpers))
        return with_column(result, target.name, common.column(made, missing, target))

    def supports(self, known: Mapping[Name, Support]) -> dict[Name, Support]:
        del known
        numbers = np.array(self.ends, dtype=np.int64 if self.common.is_whole else np.float64)
        column = self.common.column(numbers, np.zeros(2, dtype=bool), self._target)
        codes, _ = self._target.to_numeric(column)
        support = Support(self._target, codes[:0], (float(codes[0]), float(codes[1])), self.has_missing)
        return {self._target.name: support}

    def wishes_to_be_there(self) -> dict[Name, Wish]:
        return {self.helpers[0]: IS_THERE}

    def state(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "text": self.text,
            "low": self.low.state(),
            "high": self.high.state(),
            "makes_high": self.makes_high,
            "is_strict": self.is_strict,
            "ends": list(self.ends),
            "has_missing": self.has_missing,
            "has_own": self.has_own,
            "usual_gap": self.usual_gap,
            "usual_own": self.usual_own,
            "own_is_made": self.own_is_made,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        low, high = type_from_state(state["low"]), type_from_state(state["high"])
        common, _ = common_unit([low, high], where=state["text"])
        ends = tuple(int(end) if common.is_whole else float(end) for end in state["ends"])
        flags = {name: bool(state[name]) for name in ("makes_high", "is_strict", "has_missing", "has_own")}
        usual = {name: state.get(name) for name in ("usual_gap", "usual_own")}  # earlier versions had none
        made = bool(state.get("own_is_made"))
        return cls(state["text"], low, high, common=common, ends=ends, **flags, **usual, own_is_made=made)


def common_ends(common: Common, ends: tuple[float, float]) -> tuple[Any, Any]:
    """The ends in the numbers' own type."""
    kind = np.int64 if common.is_whole else np.float64
    return kind(ends[0]), kind(ends[1])


def fit_at_most(
    frame: pd.DataFrame,
    low: ColumnType,
    high: ColumnType,
    *,
    is_strict: bool,
    makes_high: bool,
    text: str,
    where: str,
) -> AtMost:
    """The rule, checked on all rows.

    Args:
        frame: both columns of all rows.
        low: what the smaller one holds.
        high: what the larger one holds.
        is_strict: `<` in place of `<=`.
        makes_high: whether the larger one is made again from the smaller one.
        text: as the person wrote it.
        where: the data.

    Raises:
        DataError: rows break it.
        InputError: the columns cannot be compared.
    """
    common, units = common_unit([low, high], where=f"{where}, rule '{text}'")
    if len({unit.sort for unit in units}) > 1:
        raise InputError(
            f"{where}, rule '{text}'",
            f"'{low.name}' holds the kind '{low.kind}' and '{high.name}' '{high.kind}'.",
            "Expected two columns of one kind.",
            "Compare dates with dates and durations with durations.",
        )
    (a, no_a), (b, no_b) = common.numbers(frame[low.name], low), common.numbers(frame[high.name], high)
    refuse_violations(((a >= b) if is_strict else (a > b)) & ~no_a & ~no_b, frame, text=text, where=where)
    numbers, missing, other = (b, no_b, no_a) if makes_high else (a, no_a, no_b)
    present = numbers[~missing]
    ends = (present.min().item(), present.max().item()) if len(present) else (0, 0)
    has_own = bool((other & ~missing).any())
    gap = common.rounded(b - a)
    return AtMost(
        text,
        low,
        high,
        makes_high,
        is_strict,
        common,
        ends,
        bool(missing.any()),
        has_own,
        median_if_never_missing(gap[~other], missing[~other]),
        median_if_never_missing(numbers[other], missing[other]),
    )


def fit_beyond(
    rule: AtMost, frame: pd.DataFrame, far: ColumnType, *, is_strict: bool, where: str
) -> tuple[AtMost, AtMost] | None:
    """What a chain of three says of its ends in rows whose middle is missing: a rule of its own, and the given one with
    a helper column that this rule makes; `None` where no row needs it or rows say otherwise.

    Args:
        rule: of the chain's middle column and the target.
        frame: the target, the middle and the far column of all rows.
        far: what the far column holds: the one beyond the middle.
        is_strict: whether the ends are never equal.
        where: the data.
    """
    if not rule.has_own:
        return None
    target, other = (rule.high, rule.low) if rule.makes_high else (rule.low, rule.high)
    rows = frame[frame[other.name].isna().to_numpy()]
    if not (rows[target.name].notna() & rows[far.name].notna()).any():
        return None
    own = replace(target, name=rule.helpers[1])
    rows = pd.concat([rows[target.name].rename(own.name), rows[far.name]], axis=1).reset_index(drop=True)
    low, high = (far, own) if rule.makes_high else (own, far)
    try:
        found = fit_at_most(
            rows, low, high, is_strict=is_strict, makes_high=rule.makes_high, text=rule.text, where=where
        )
    except DataError:
        return None  # where the middle is missing, the data do not hold to the order of the ends
    return replace(rule, own_is_made=True), found


RULES = {"at_most": AtMost}
