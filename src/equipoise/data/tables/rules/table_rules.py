"""All rules of one table: found and stated, put in an order in which every target can be made again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from equipoise.data.dataset import RuleWishes
from equipoise.data.duplicates import row_keys
from equipoise.data.store.tables import Table
from equipoise.data.tables.column_type import ColumnType
from equipoise.data.tables.conditions.support import Support
from equipoise.data.tables.conditions.value_sets import ValueSet
from equipoise.data.tables.conditions.wishes import Wish
from equipoise.data.tables.rules.base import Rule, refuse_violations, rule_from_state
from equipoise.data.tables.rules.dependences import Dependence, decided_by, find_dependences, value_codes
from equipoise.data.tables.rules.kinds.at_most import AtMost, fit_at_most, fit_beyond
from equipoise.data.tables.rules.kinds.combination import fit_combination
from equipoise.data.tables.rules.kinds.lookup import Lookup, fit_lookup
from equipoise.data.tables.rules.kinds.total import fit_total
from equipoise.data.tables.rules.language import Equation, Name, Order, Statement, Unique, read_rule
from equipoise.errors import InputError

MOST_ROWS_SEARCHED = 200_000
"""Rows among which dependences are looked for; what is found there is checked on all rows."""


@dataclass(frozen=True)
class TableRules:
    """The rules of a table.

    Attributes:
        names: the table's columns, in its order.
        rules: in the order in which their targets are made again.
        unique: columns whose values no two rows of one sample share.
    """

    names: tuple[Name, ...]
    rules: tuple[Rule, ...]
    unique: tuple[tuple[Name, ...], ...] = ()

    def forward(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Rows of the table as the generator learns them."""
        frame = frame[list(self.names)].reset_index(drop=True)
        for rule in reversed(self.rules):
            frame = rule.forward(frame)
        return frame

    def inverse(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Rows of the table from those that the generator makes."""
        for rule in self.rules:
            frame = rule.inverse(frame)
        return frame[list(self.names)]

    def written(self, table: Table, rows: np.ndarray) -> tuple[Name, ...]:
        """The columns that the generator learns, in their order."""
        return tuple(self.forward(table[rows[:2]]).columns.tolist())

    def helpers(self, table: Table, rows: np.ndarray) -> pd.DataFrame:
        """The helper columns of the training rows; no column that takes part in none is read.

        Raises:
            DataError: a helper would be called as a column of the table is.
        """
        makers = [rule for rule in self.rules if not isinstance(rule, Lookup)]
        names = {name for rule in makers for name in (*rule.reads, *rule.targets)}
        frame = _frame(table, [name for name in self.names if name in names], rows) if makers else pd.DataFrame()
        before = set(self.names)
        for rule in reversed(makers):
            known = set(frame.columns)
            frame = rule.forward(frame)
            taken = before.intersection(set(frame.columns) - known)
            if taken:
                raise InputError(
                    f"rule '{rule.text}'",
                    f"a column of the table is called '{next(iter(taken))}', as a helper of the rule would be.",
                    "Expected that name to be free.",
                    "Rename the column.",
                )
        return frame[[name for name in frame.columns if name not in before]]

    def types(self, written: Sequence[ColumnType]) -> tuple[ColumnType, ...]:
        """What each column of the table holds, in its order, from what the columns that are written hold."""
        known = {kind.name: kind for kind in written} | {k: v for rule in self.rules for k, v in rule.types.items()}
        return tuple(known[name] for name in self.names)

    def supports(self, written: Mapping[Name, Support]) -> dict[Name, Support]:
        """Which values each column of the table can have."""
        known = dict(written)
        for rule in self.rules:
            known |= rule.supports(known)
        return {name: known[name] for name in self.names}

    def led_to(self, wishes: Mapping[Name, Sequence[Wish]]) -> dict[Name, list[Wish]]:
        """What wishes on columns of the table ask of the columns that the generator learns."""
        found = {name: list(asked) for name, asked in wishes.items()}
        for rule in reversed(self.rules):
            own = {name: found.pop(name) for name in rule.targets if name in found}
            for name, wish in (rule.led_to(own) if own else {}).items():
                found.setdefault(name, []).append(wish)
        return found

    def excluding(self, sets: Mapping[Name, ValueSet]) -> str | None:
        """A rule under which no row has these values; `None` where none is known to be so."""
        return next((rule.text for rule in self.rules if rule.excludes(sets)), None)

    def sentences(self) -> list[str]:
        """Each rule as a sentence."""
        found = [f"found: {rule.text}" if isinstance(rule, Lookup) else f"held: {rule.text}" for rule in self.rules]
        return [*dict.fromkeys(found), *(f"held: unique({', '.join(map(str, names))})" for names in self.unique)]

    def state(self) -> dict[str, Any]:
        """Plain values for `from_state`."""
        return {
            "names": list(self.names),
            "rules": [rule.state() for rule in self.rules],
            "unique": [list(names) for names in self.unique],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> TableRules:
        """The inverse of `state`."""
        return cls(
            tuple(state["names"]),
            tuple(rule_from_state(rule) for rule in state["rules"]),
            tuple(tuple(names) for names in state["unique"]),
        )


@dataclass(frozen=True)
class _Draft:
    """One way to hold a statement: which column is made again."""

    statement: Statement
    text: str
    targets: tuple[Name, ...]
    reads: tuple[Name, ...]


def fit_rules(
    table: Table,
    rows: np.ndarray,
    wishes: RuleWishes,
    *,
    type_of: Callable[[Name], ColumnType],
    source: str,
) -> TableRules | None:
    """The rules of a table; `None` where there are none.

    Args:
        table: all rows.
        rows: numbers of the training rows.
        wishes: what is stated, and whether dependences are looked for.
        type_of: what a column holds.
        source: for messages.

    Raises:
        InputError: a rule cannot be read, or the rules contradict each other.
        DataError: rows break a rule.
    """
    names = tuple(table.columns.tolist())
    stated = [(statement, text) for text in wishes.stated for statement in read_rule(text, names)]
    for statement, text in stated:
        _refuse_label(statement, text, wishes.label)
    drafts = _ordered([_ways(statement, text) for statement, text in stated if not isinstance(statement, Unique)])
    taken = {name for draft in drafts for name in draft.targets}
    found = _dependences(table, rows, wishes) if wishes.finds else ()
    kept: list[Dependence] = []
    for each in found:
        if each.dependent not in taken and not _leads_to(each.determinant, each.dependent, drafts, kept):
            kept.append(each)
    rules: list[Rule] = []
    for draft in drafts:
        rule = _fitted(draft, table, rows, type_of, source=source)
        rules += _chain(rule, draft, drafts, table, type_of, source=source) if isinstance(rule, AtMost) else [rule]
    for each in kept:
        pair = _frame(table, (each.determinant, each.dependent), rows)
        rules.append(fit_lookup(each, type_of(each.determinant), type_of(each.dependent), pair))
    unique = []
    for statement, text in stated:
        if isinstance(statement, Unique):
            frame = _frame(table, statement.columns, slice(None))
            refuse_violations(_repeated(frame), frame, text=text, where=source)
            unique.append(statement.columns)
    return TableRules(names, _restorable(rules), tuple(unique)) if rules or unique else None


def _ways(statement: Statement, text: str) -> list[_Draft]:
    """The ways in which a statement can be held, the most natural one first."""
    if isinstance(statement, Order):
        low, high = statement.low, statement.high
        return [_Draft(statement, text, (high,), (low,)), _Draft(statement, text, (low,), (high,))]
    if isinstance(statement, Equation):
        first = statement.total if statement.total is not None else statement.terms[-1]
        order = [first, *(name for name in statement.terms if name != first)]
        return [
            _Draft(statement, text, (name,), tuple(other for other in statement.terms if other != name))
            for name in order
        ]
    return [_Draft(statement, text, statement.columns, ())]


def _ordered(choices: list[list[_Draft]]) -> list[_Draft]:
    """One way for each statement, such that no column is made twice and none from itself.

    Raises:
        InputError: there is no such choice.
    """

    def search(chosen: list[_Draft]) -> list[_Draft] | None:
        if len(chosen) == len(choices):
            return chosen
        for draft in choices[len(chosen)]:
            taken = {name for other in chosen for name in other.targets}
            is_free = taken.isdisjoint(draft.targets)
            if is_free and not any(
                _leads_to(name, target, chosen, ()) for name in draft.reads for target in draft.targets
            ):
                found = search([*chosen, draft])
                if found is not None:
                    return found
        return None

    found = search([])
    if found is None:
        texts = "; ".join(dict.fromkeys(draft.text for ways in choices for draft in ways))
        raise InputError(
            "rules",
            f"they cannot all be held at once: {texts}.",
            "Expected rules of which each leaves a column that the others do not fix.",
            "Leave out a rule that follows from the others, or that closes a circle.",
        )
    return found


def _leads_to(name: Name, goal: Name, drafts: Sequence[_Draft], found: Sequence[Dependence]) -> bool:
    """Whether `goal` is needed to make `name` again."""
    needed: dict[Name, set[Name]] = {}
    for draft in drafts:
        for target in draft.targets:
            needed.setdefault(target, set()).update(draft.reads)
    for each in found:
        needed.setdefault(each.dependent, set()).add(each.determinant)
    waiting, seen = [name], set()
    while waiting:
        here = waiting.pop()
        if here == goal:
            return True
        if here not in seen:
            seen.add(here)
            waiting += needed.get(here, ())
    return False


def _restorable(rules: list[Rule]) -> tuple[Rule, ...]:
    """The rules in an order in which what each reads is there before it is read."""
    left, ordered = list(rules), []
    while left:
        waiting = {name for rule in left for name in rule.targets}
        ready = next(rule for rule in left if waiting.isdisjoint((*rule.reads, *rule.reads_made)))
        left.remove(ready)
        ordered.append(ready)
    return tuple(ordered)


def _fitted(
    draft: _Draft, table: Table, rows: np.ndarray, type_of: Callable[[Name], ColumnType], *, source: str
) -> Rule:
    statement, text = draft.statement, draft.text
    if isinstance(statement, Order):
        return fit_at_most(
            _frame(table, (statement.low, statement.high), slice(None)),
            type_of(statement.low),
            type_of(statement.high),
            is_strict=statement.is_strict,
            makes_high=draft.targets == (statement.high,),
            text=text,
            where=source,
        )
    if isinstance(statement, Equation):
        (target,) = draft.targets
        sign = -statement.signs[statement.terms.index(target)]
        rest = [(name, s * sign) for name, s in zip(statement.terms, statement.signs, strict=True) if name != target]
        return fit_total(
            _frame(table, statement.terms, slice(None)),
            [type_of(name) for name, _ in rest],
            [sign for _, sign in rest],
            type_of(target),
            text=text,
            where=source,
        )
    columns = [type_of(name) for name in statement.columns]
    return fit_combination(_frame(table, statement.columns, rows), columns, text=text, where=source)


def _chain(
    rule: AtMost,
    draft: _Draft,
    drafts: Sequence[_Draft],
    table: Table,
    type_of: Callable[[Name], ColumnType],
    *,
    source: str,
) -> list[Rule]:
    """The rule, and those that hold the rest of its chain where columns in between are missing."""
    assert isinstance(draft.statement, Order)
    farther = draft.statement.smaller if rule.makes_high else draft.statement.larger
    (target,), (other,) = draft.targets, draft.reads
    found: list[Rule] = [rule]
    frame = _frame(table, (target, other, *(name for name, _ in farther)), slice(None))
    for name, is_strict in farther:
        if _leads_to(name, draft.targets[0], drafts, ()):
            continue
        last = found[-1]
        assert isinstance(last, AtMost)
        beyond = fit_beyond(last, frame, type_of(name), is_strict=is_strict, where=source)
        if beyond is None:
            continue
        found[-1:] = beyond
        frame = frame[frame[other].isna()].rename(columns={target: last.helpers[1]})
        target, other = last.helpers[1], name
    return found


def _dependences(table: Table, rows: np.ndarray, wishes: RuleWishes) -> tuple[Dependence, ...]:
    """The dependences of the training rows; of many rows those of some, which hold in all."""
    some = rows[:: -(-len(rows) // MOST_ROWS_SEARCHED)]
    columns = {column.name: column for column in table.stored if str(column.name) != wishes.label}
    found = find_dependences(
        {name: value_codes(column.series(some, is_light=True)) for name, column in columns.items()}
    )
    if len(some) == len(rows):
        return found
    kept = []
    for each in found:
        pair = [value_codes(columns[name].series(rows, is_light=True)) for name in (each.determinant, each.dependent)]
        if decided_by(*pair):
            values = len(np.unique(pair[0]))
            kept.append(Dependence(each.determinant, each.dependent, values, len(rows) - values))
    return tuple(kept)


def _frame(table: Table, names: Sequence[Name], rows: Any) -> pd.DataFrame:
    """Some columns of a table."""
    columns = {column.name: column for column in table.stored}
    frame = pd.concat([columns[name].series(rows) for name in names], axis=1)
    frame.columns = pd.Index(list(names), dtype=object)
    return frame


def _repeated(frame: pd.DataFrame) -> np.ndarray:
    return pd.Series(row_keys([frame])).duplicated().to_numpy()


def _refuse_label(statement: Statement, text: str, label: str | None) -> None:
    named = {
        str(value) for each in vars(statement).values() for value in (each if isinstance(each, tuple) else (each,))
    }
    if label is not None and label in named:
        raise InputError(
            f"rule '{text}'",
            f"'{label}' holds the classes, which a sample is asked for and which are not made.",
            "Expected other columns.",
            "Leave the rule out, or train without data.labels.",
        )
