"""A condition on rows: which values some columns may have, joined by 'and' and 'or', and which rows obey.

'not' is carried out on the sets themselves, so that a condition has 'and', 'or' and sets alone. Nothing that is said
of a missing value is true but 'is missing': `age < 30` and `not age < 30` are both false where the age is missing, as
in SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import pandas as pd

from equipoise.data.tables.conditions.scales import Scale
from equipoise.data.tables.conditions.value_sets import ValueSet

Name = str | int


@dataclass(frozen=True)
class Within:
    """The value of a column is in a set."""

    column: Name
    values: ValueSet


@dataclass(frozen=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple[Term, ...]


@dataclass(frozen=True)
class AllOf:
    """Every part holds."""

    parts: tuple[Term, ...]


Term = Within | AnyOf | AllOf


@dataclass(frozen=True)
class Condition:
    """What rows are asked for.

    Attributes:
        sets: for each column that is restricted whatever else holds, the values that it may have.
        rest: what has to hold besides: choices between several columns.
        scales: of every column that is spoken of.
        text: as the person wrote it.
    """

    sets: Mapping[Name, ValueSet]
    rest: tuple[AnyOf, ...]
    scales: Mapping[Name, Scale]
    text: str

    @property
    def columns(self) -> tuple[Name, ...]:
        """Every column that is spoken of."""
        return tuple(self.scales)

    def obeyed(self, frame: pd.DataFrame) -> np.ndarray:
        """Which rows obey. Boolean `(n,)`.

        Args:
            frame: rows of the table; it has every column that is spoken of.
        """
        measured = {name: scale.measure(frame[name]) for name, scale in self.scales.items()}
        whole = AllOf((*(Within(name, values) for name, values in self.sets.items()), *self.rest))
        return _holds(whole, measured, len(frame))

    def __and__(self, other: Condition) -> Condition:
        """Both."""
        sets = dict(self.sets)
        for name, values in other.sets.items():
            sets[name] = sets[name] & values if name in sets else values
        text = f"({self.text}) and ({other.text})"
        return Condition(sets, (*self.rest, *other.rest), {**self.scales, **other.scales}, text)

    def on(self, columns: Sequence[Name]) -> Condition:
        """The part that speaks of these columns alone; what it asks follows from the whole."""
        chosen = set(columns)
        rest = tuple(part for part in self.rest if columns_of(part) <= chosen)
        sets = {name: values for name, values in self.sets.items() if name in chosen}
        used = {*sets, *(name for part in rest for name in columns_of(part))}
        return replace(
            self, sets=sets, rest=rest, scales={name: scale for name, scale in self.scales.items() if name in used}
        )


def condition_of(term: Term, scales: Mapping[Name, Scale], text: str) -> Condition:
    """A term in the form in which it is checked and sampled: one set a column, and the choices that are left."""
    found = simplified(term)
    parts = found.parts if isinstance(found, AllOf) else (found,)
    sets = {part.column: part.values for part in parts if isinstance(part, Within)}
    rest = tuple(part for part in parts if isinstance(part, AnyOf))
    used = columns_of(found)
    return Condition(sets, rest, {name: scale for name, scale in scales.items() if name in used}, text)


def negated(term: Term) -> Term:
    """What holds where the term is false, and not merely unknown."""
    if isinstance(term, Within):
        if term.values.has_missing and not term.values.intervals:  # 'is missing'
            return Within(term.column, replace(term.values, has_missing=False).complement())
        if not term.values.has_missing and term.values == replace(term.values, intervals=()).complement():
            return Within(term.column, ValueSet((), True, term.values.is_whole))  # 'is not missing'
        return Within(term.column, term.values.complement())
    parts = tuple(negated(part) for part in term.parts)
    return AllOf(parts) if isinstance(term, AnyOf) else AnyOf(parts)


def simplified(term: Term) -> Term:
    """The same with one set for each column in every 'and' and every 'or', and none of them within its like."""
    if isinstance(term, Within):
        return term
    kind = type(term)
    parts: list[Term] = []
    for part in map(simplified, term.parts):
        parts += part.parts if isinstance(part, kind) else [part]
    sets: dict[Name, list[ValueSet]] = {}
    for part in parts:
        if isinstance(part, Within):
            sets.setdefault(part.column, []).append(part.values)
    join = ValueSet.__and__ if kind is AllOf else ValueSet.__or__
    joined = [Within(name, reduce(join, values)) for name, values in sets.items()]
    left = [*joined, *(part for part in parts if not isinstance(part, Within))]
    return left[0] if len(left) == 1 else kind(tuple(left))


def columns_of(term: Term) -> set[Name]:
    """The columns that a term speaks of."""
    if isinstance(term, Within):
        return {term.column}
    return {name for part in term.parts for name in columns_of(part)}


def _holds(term: Term, measured: Mapping[Name, tuple[np.ndarray, np.ndarray]], rows: int) -> np.ndarray:
    if isinstance(term, Within):
        return term.values.contains(*measured[term.column])
    found = [_holds(part, measured, rows) for part in term.parts]
    start = np.full(rows, isinstance(term, AllOf))
    return reduce(np.logical_and if isinstance(term, AllOf) else np.logical_or, found, start)
