"""Which values of a column samples can have at all, and the refusal of conditions that none of them meets.

A generator of tables makes the values that the training rows had: levels, frequent numbers, and numbers between the
smallest and the largest, on their lattice. What lies elsewhere can be waited for in vain, so it is refused before the
first row is drawn, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.data.tables.column_encoder import ColumnEncoder
from equipoise.data.tables.column_type import ColumnType
from equipoise.data.tables.conditions.condition import AllOf, AnyOf, Condition, Name, Term, Within
from equipoise.data.tables.conditions.scales import Scale
from equipoise.data.tables.conditions.value_sets import ValueSet
from equipoise.data.tables.kinds.number import Number
from equipoise.data.tables.whole_numbers import WholeNumbers
from equipoise.errors import InputError

MOST_NAMED = 12


@dataclass(frozen=True)
class Support:
    """Values that a column of samples can have.

    Attributes:
        type: what the column holds.
        points: numeric codes of single values. Shape `(k,)`.
        span: smallest and largest numeric code of values in between, or `None`.
        has_missing: whether values can be missing.
    """

    type: ColumnType
    points: np.ndarray
    span: tuple[float, float] | None
    has_missing: bool

    def meets(self, wanted: ValueSet, scale: Scale) -> bool:
        """Whether some value of the column is in the set."""
        if wanted.has_missing and self.has_missing:
            return True
        points = scale.at(self.points) if len(self.points) else self.points
        if len(points) and wanted.contains(points, np.zeros(len(points), dtype=bool)).any():
            return True
        if self.span is None:
            return False
        low, high = (each.item() for each in scale.at(np.array(self.span)))
        return any(self._has_step(max(a, low), min(b, high)) for a, b in wanted.intervals)

    def _has_step(self, low: float, high: float) -> bool:
        """Whether a value of the column's lattice lies between two values of its scale."""
        if low > high:
            return False
        kind = self.type
        if isinstance(kind, WholeNumbers) and not kind.anchors:
            return kind.origin - (kind.origin - int(low)) // kind.step * kind.step <= high
        if isinstance(kind, Number) and kind.decimals is not None:
            near = np.round(low, kind.decimals) + np.array([0.0, 1.0]) * 10.0**-kind.decimals
            return bool(((np.round(near, kind.decimals) >= low) & (np.round(near, kind.decimals) <= high)).any())
        return True

    def text(self, scale: Scale) -> str:
        """The values, for messages."""
        missing = " Some values are missing." if self.has_missing else " None of its values is missing."
        if self.type.is_nominal:
            values = [scale.text(value) for value in scale.at(self.points)]
            shown = ", ".join(values[:MOST_NAMED]) + (", ..." if len(values) > MOST_NAMED else "")
            return f"Its {len(values):,} values in the training data: {shown}.{missing}"
        ends = scale.at(np.array([*self.points, *(self.span or ())]))
        if not len(ends):
            return f"It has no values.{missing}"
        step = self._step_text(scale)
        return f"In the training data it goes from {scale.text(ends.min())} to {scale.text(ends.max())}{step}.{missing}"

    def _step_text(self, scale: Scale) -> str:
        step = self.type.step if isinstance(self.type, WholeNumbers) and not self.type.anchors else 1
        if self.type.kind == "integer" and step > 1:
            return f" in steps of {step:,}"
        if self.span is None:
            values = [scale.text(value) for value in np.sort(scale.at(self.points))]
            return f" ({', '.join(values)})" if len(values) <= MOST_NAMED else f" ({len(values)} values)"
        decimals = getattr(self.type, "decimals", None)
        return f" with {decimals} decimals" if decimals else ""


def support_of(column: ColumnEncoder) -> Support:
    """What one column can have."""
    points = np.concatenate([column.levels, column.pooled]).astype(np.float64)
    span = None
    if column.numbers is not None:
        found = column.numbers
        if (found.high > found.low).all():  # each value is one of the knots, none lies between
            points = np.concatenate([points, found.values])
        else:
            span = float(found.values[0]), float(found.values[-1])
    return Support(column.type, points, span, column.has_missing)


def refuse_impossible(condition: Condition, supports: Mapping[Name, Support]) -> None:
    """Refuse a condition that no sample can meet.

    Raises:
        InputError: a column would need a value that it cannot have, or two that exclude each other.
    """
    parts: list[Term] = [*(Within(name, values) for name, values in condition.sets.items()), *condition.rest]
    _refuse(AllOf(tuple(parts)), condition, supports)


def refuse_contradiction(condition: Condition, supports: Mapping[Name, Support], columns: Sequence[Name]) -> None:
    """Refuse a condition that its columns meet one by one, and that what holds between columns excludes.

    Args:
        condition: that was asked for.
        supports: of all columns.
        columns: that have no value left; columns of the table, or helpers of rules.

    Raises:
        InputError: always.
    """
    asked = list(condition.sets)
    first = next((name for name in columns if name in condition.scales), asked[0])
    named = ", ".join(f"'{name}'" for name in asked)
    raise InputError(
        condition.scales[first].where,
        f"no row can have what is asked of {named} at once: in every row of the training data one column decides "
        "the other, or a rule binds them.",
        supports[first].text(condition.scales[first]),
        "Ask for values that go together; 'equipoise inspect' prints the rules.",
    )


def _refuse(term: Term, condition: Condition, supports: Mapping[Name, Support]) -> None:
    if isinstance(term, AllOf):
        for part in term.parts:
            _refuse(part, condition, supports)
        return
    if isinstance(term, AnyOf):
        faults = []
        for part in term.parts:
            try:
                _refuse(part, condition, supports)
                return
            except InputError as fault:
                faults.append(fault)
        raise faults[0]
    scale, support = condition.scales[term.column], supports[term.column]
    if term.values.is_empty:
        raise InputError(
            scale.where,
            "what is asked of it contradicts itself: no value is left.",
            support.text(scale),
            "Correct one of the comparisons; 'or' joins what need not hold at once.",
        )
    if support.meets(term.values, scale):
        return
    if term.values.has_missing and not term.values.intervals:
        raise InputError(
            scale.where,
            "a missing value is asked for, and in the training data none is missing.",
            support.text(scale),
            "Leave this part out.",
        )
    found = f"no row of the training data has such a value ({_said(term.values, scale)})."
    if support.type.is_nominal and _is_rest(term.values):
        found = "no value of the training data is left."
    raise InputError(
        scale.where,
        found,
        support.text(scale),
        "What was never seen cannot be generated; ask for values that were.",
    )


def _is_rest(values: ValueSet) -> bool:
    """Whether a set says what is not wanted."""
    return any(math.isinf(low) or math.isinf(high) for low, high in values.intervals)


def _said(values: ValueSet, scale: Scale) -> str:
    parts = []
    for low, high in values.intervals[:MOST_NAMED]:
        if low == high:
            parts.append(_end(low, scale))
        elif math.isinf(low):
            parts.append(f"up to {_end(high, scale)}")
        elif math.isinf(high):
            parts.append(f"from {_end(low, scale)}")
        else:
            parts.append(f"{_end(low, scale)} to {_end(high, scale)}")
    return ", or ".join([*parts, *(["missing"] if values.has_missing else [])]) or "none"


def _end(value: float, scale: Scale) -> str:
    try:
        return scale.text(value)
    except (OverflowError, IndexError, ValueError):  # a date or a level that there is none of
        return str(value)
