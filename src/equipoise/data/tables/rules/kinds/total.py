"""`a + b = c`: c is left out and made as the sum of the others; dates and durations add as they should.

Where training rows say otherwise than "c is there exactly where all terms are", helper columns keep it: whether c is
missing although the terms are there, and c itself where a term is missing. Where c is never missing then and the
generator draws it so, it is the median of these rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from equipoise.data.tables.column_type import ColumnType
from equipoise.data.tables.conditions.support import Support
from equipoise.data.tables.conditions.wishes import Wish, among_codes
from equipoise.data.tables.kinds.integer import Integer
from equipoise.data.tables.rules.base import Name, Rule, refuse_violations, replaced, with_column
from equipoise.data.tables.rules.quantities import Common, common_unit, filled, median_if_never_missing
from equipoise.data.tables.schema import type_from_state
from equipoise.errors import DataError, InputError

WIDTHS = ("int8", "int16", "int32", "uint8", "uint16", "uint32")
TOLERANCE = 1e-9
"""Relative to the largest term: sums of floats in columns without a number of decimals."""


@dataclass(frozen=True)
class Total(Rule):
    """See `Rule`.

    Attributes:
        terms: what the columns of the sum hold.
        signs: 1 or -1 for each term.
        total: what the target holds.
        common: how they are computed with.
        ends: smallest and largest value of the target, in its numbers.
        has_missing: whether the target can be missing.
        has_gaps: whether it is missing in rows where all terms are there.
        has_own: whether it is there in rows where a term is missing.
        usual_own: its median in these rows, if it is never missing there.
    """

    terms: tuple[ColumnType, ...]
    signs: tuple[int, ...]
    total: ColumnType
    common: Common
    ends: tuple[float, float]
    has_missing: bool
    has_gaps: bool
    has_own: bool
    usual_own: float | None = None
    kind: ClassVar[str] = "total"

    @property
    def reads(self) -> tuple[Name, ...]:
        return tuple(term.name for term in self.terms)

    @property
    def targets(self) -> tuple[Name, ...]:
        return (self.total.name,)

    @property
    def types(self) -> Mapping[Name, ColumnType]:
        return {self.total.name: self.total}

    @property
    def _gaps(self) -> str:
        return f"{self.total.name} is missing"

    @property
    def _own(self) -> str:
        return f"{self.total.name} without its terms"

    def forward(self, frame: pd.DataFrame) -> pd.DataFrame:
        _, incomplete = summed(self, frame)
        target = frame[self.total.name]
        helpers = []
        if self.has_gaps:
            helpers.append((self._gaps, (target.isna() & ~incomplete)))
        if self.has_own:
            helpers.append((self._own, target.where(incomplete)))
        return replaced(frame, self.total.name, helpers)

    def inverse(self, frame: pd.DataFrame) -> pd.DataFrame:
        numbers, incomplete = summed(self, frame)
        missing = incomplete | frame[self._gaps].to_numpy(dtype=bool) if self.has_gaps else incomplete
        if self.has_own:
            own, no_own = filled(*self.common.numbers(frame[self._own], self.total), self.usual_own)
            numbers, missing = np.where(incomplete, own, numbers), np.where(incomplete, no_own, missing)
        result = frame.drop(columns=[name for name in (self._gaps, self._own) if name in frame.columns])
        return with_column(result, self.total.name, self.common.column(numbers, missing, self.total))

    def supports(self, known: Mapping[Name, Support]) -> dict[Name, Support]:
        del known
        numbers = np.array(self.ends, dtype=np.int64 if self.common.is_whole else np.float64)
        codes, _ = self.total.to_numeric(self.common.column(numbers, np.zeros(2, dtype=bool), self.total))
        support = Support(self.total, codes[:0], (float(codes[0]), float(codes[1])), self.has_missing)
        return {self.total.name: support}

    def wishes_to_be_there(self) -> dict[Name, Wish]:
        return {self._gaps: among_codes(np.zeros(1), has_missing=False)} if self.has_gaps else {}

    def state(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "text": self.text,
            "terms": [term.state() for term in self.terms],
            "signs": list(self.signs),
            "total": self.total.state(),
            "ends": list(self.ends),
            "has_missing": self.has_missing,
            "has_gaps": self.has_gaps,
            "has_own": self.has_own,
            "usual_own": self.usual_own,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        terms = tuple(type_from_state(term) for term in state["terms"])
        total = type_from_state(state["total"])
        common, _ = common_unit([*terms, total], where=state["text"])
        ends = tuple(int(end) if common.is_whole else float(end) for end in state["ends"])
        flags = {name: bool(state[name]) for name in ("has_missing", "has_gaps", "has_own")}
        signs = tuple(int(sign) for sign in state["signs"])
        usual = state.get("usual_own")  # earlier versions had none
        return cls(state["text"], terms, signs, total, common=common, ends=ends, **flags, usual_own=usual)


def summed(rule: Total, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The sum in each row, and in which a term is missing."""
    parts = [rule.common.numbers(frame[term.name], term) for term in rule.terms]
    numbers = sum(sign * values for sign, (values, _) in zip(rule.signs, parts, strict=True))
    return rule.common.rounded(numbers), np.logical_or.reduce([missing for _, missing in parts])


def fit_total(
    frame: pd.DataFrame,
    terms: list[ColumnType],
    signs: list[int],
    total: ColumnType,
    *,
    text: str,
    where: str,
) -> Total:
    """The rule, checked on all rows.

    Args:
        frame: the columns of all rows.
        terms: what the columns of the sum hold.
        signs: 1 or -1 for each.
        total: what the column that is made again holds.
        text: as the person wrote it.
        where: the data.

    Raises:
        DataError: rows break it, or sums of allowed terms may be too large for the column.
        InputError: the columns cannot be added.
    """
    place = f"{where}, rule '{text}'"
    common, units = common_unit([*terms, total], where=place)
    moments = [sign if unit.sort == "moment" else 0 for sign, unit in zip([*signs, -1], units, strict=True)]
    if any(unit.sort == "period" for unit in units) or sum(moments) != 0:
        raise InputError(
            place,
            "a sum of these kinds means nothing: "
            + ", ".join(f"'{kind.name}' ({kind.kind})" for kind in [*terms, total])
            + ".",
            "Expected numbers, durations, or a date and a duration that make a date.",
            "Write, for example, admitted + stay = discharged.",
        )
    numbers, missing = common.numbers(frame[total.name], total)
    draft = Total(text, tuple(terms), tuple(signs), total, common, (0, 0), False, False, False)
    found, incomplete = summed(draft, frame)
    is_known = ~incomplete & ~missing
    size = np.maximum.reduce([np.abs(common.numbers(frame[term.name], term)[0]) for term in terms])
    near = found == numbers if common.is_whole else np.abs(found - numbers) <= TOLERANCE * np.maximum(size, 1e-300)
    refuse_violations(is_known & ~near, frame, text=text, where=where)
    _refuse_overflow(draft, frame, place)
    present = numbers[~missing]
    ends = (present.min().item(), present.max().item()) if len(present) else (0, 0)
    return Total(
        text,
        tuple(terms),
        tuple(signs),
        total,
        common,
        ends,
        bool(missing.any()),
        bool((missing & ~incomplete).any()),
        bool((incomplete & ~missing).any()),
        median_if_never_missing(numbers[incomplete], missing[incomplete]),
    )


def _refuse_overflow(rule: Total, frame: pd.DataFrame, where: str) -> None:
    """Refuse a column that is too narrow for the largest sums of values that the terms can have."""
    dtype = rule.total.dtype.lower()
    if not isinstance(rule.total, Integer) or dtype not in WIDTHS:
        return
    sums = [0, 0]
    for term, sign in zip(rule.terms, rule.signs, strict=True):
        numbers, missing = rule.common.numbers(frame[term.name], term)
        ends = sorted(sign * value.item() for value in (numbers[~missing].min(), numbers[~missing].max()))
        sums = [total + end for total, end in zip(sums, ends, strict=True)]
    limits = np.iinfo(dtype)
    if sums[0] < limits.min or sums[1] > limits.max:
        raise DataError(
            where,
            f"sums of its terms go from {sums[0]:,} to {sums[1]:,}, and '{rule.total.name}' is of type {dtype}.",
            f"Expected a type that holds them: {dtype} holds {limits.min:,} to {limits.max:,}.",
            f"Widen it: frame['{rule.total.name}'] = frame['{rule.total.name}'].astype('int64').",
        )


RULES = {"total": Total}
