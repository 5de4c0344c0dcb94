"""Rows of which some cells are given, as a generator takes them: encoded, with what is held in each row.

Where rules write the table anew, a given cell of a column that is made again holds what it is made from: all that a
rule binds where all of it is given; where a part is, what the given part leaves (a town of its postcodes). What cannot
be said so is left to a check of the finished rows.

What is not given is filled with a value: no column that may be missing is drawn so, but one that a rule of the training
rows makes missing (looked up in another one, or part of a combination).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from equipoise.data.tables.column_type import ColumnType
from equipoise.data.tables.conditions.condition import Name
from equipoise.data.tables.conditions.scales import Scale
from equipoise.data.tables.conditions.support import Support
from equipoise.data.tables.conditions.wishes import IS_THERE, Wish, among_codes, as_measured
from equipoise.data.tables.encoder import TableEncoder
from equipoise.data.tables.kinds.number import Number
from equipoise.data.tables.like import comparable, restored
from equipoise.data.tables.rules.base import Rule
from equipoise.data.tables.rules.kinds.total import Total
from equipoise.errors import InputError, nearest

MOST_SHOWN = 3
BEYOND = 0.1
"""Share of the range of a column by which a given number may lie outside of it."""


@dataclass(frozen=True)
class PartialRows:
    """Rows with gaps.

    Attributes:
        frame: every column of the table in its own type; where nothing is given, some value.
        is_given: which cells are given. Boolean, the same columns.
        encoded: as the generator has rows; only columns that are held count.
        held: which of its columns are. Boolean `(n, columns that are learned)`.
        allowed: by the first entry of a one-hot block, what each row may be where the column is not held, `(n, width)`.
        checked: columns that are made again, and in which rows they are given and not by what they are made from.
        beyond: cells below or above every training row, as texts; the columns are held at their nearest end.
    """

    frame: pd.DataFrame
    is_given: pd.DataFrame
    encoded: np.ndarray
    held: np.ndarray
    allowed: Mapping[int, np.ndarray]
    checked: tuple[tuple[ColumnType, np.ndarray], ...]
    beyond: tuple[str, ...] = ()

    def met(self, made: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
        """Which finished rows have what is given of columns that are made again. Boolean `(n,)`.

        Args:
            made: finished rows.
            rows: the number of the partial row that each stands for.
        """
        found = np.ones(len(made), dtype=bool)
        for kind, is_asked in self.checked:
            codes, missing = kind.to_numeric(made[kind.name])
            given, _ = kind.to_numeric(self.frame[kind.name].iloc[rows].reset_index(drop=True))
            found &= ~is_asked[rows] | ((codes == given) & ~missing)
        return found


def partial_rows(rows: pd.DataFrame, encoder: TableEncoder, some: pd.DataFrame) -> PartialRows:
    """The given cells of rows, checked.

    Args:
        rows: with gaps; columns may be left out.
        encoder: of the rows.
        some: as many rows of the generator's, whose values stand where nothing is given.

    Raises:
        InputError: a column is unknown, a value is none of its column's or was never seen, or rows contradict a rule.
    """
    supports = encoder.supports()
    given = _typed(rows, encoder)
    nothing = pd.Series(np.zeros(len(rows), dtype=bool))
    is_given = pd.DataFrame({name: given[name].notna() if name in given else nothing for name in supports})
    # A number between those of the training rows can be held where there are so many that it is no name of its own.
    learned = {column.type.name: column.numbers is not None for column in encoder.columns}
    beyond: list[str] = []
    for name, column in given.items():
        beyond += _refuse_unseen(
            column,
            supports[name],
            rows.index,
            between=name not in learned or learned[name],
            is_free=learned.get(name, False) and not _is_bound(name, encoder),
        )
    frame = some[list(supports)].reset_index(drop=True).copy()
    for name, column in given.items():
        frame[name] = _overlaid(frame[name], column, is_given[name].to_numpy())
    frame, is_given = _solved(frame, is_given, encoder)
    rules = () if encoder.rules is None else encoder.rules.rules
    everywhere = np.arange(len(frame))
    for rule in rules:
        _refuse_contradiction(rule, frame, is_given, rows.index)
    known: dict[Name, np.ndarray] = {name: is_given[name].to_numpy() for name in supports}
    gappy = [column.type.name for column in encoder.columns if column.has_missing and column.type.name in supports]
    wishes: dict[Name, list[tuple[np.ndarray, Wish]]] = {name: [(everywhere, IS_THERE)] for name in gappy}
    for rule in rules:
        for name, found in rule.wishes_to_be_there().items():
            wishes.setdefault(name, []).append((everywhere, found))
    written, checked = frame, []
    for rule in reversed(rules):
        before = set(written.columns)
        own = np.logical_and.reduce([known[name] for name in (*rule.targets, *rule.reads)])
        for place, wish in _led_to(rule, written, known):
            for name, found in wish.items():
                wishes.setdefault(name, []).append((place, found))
        asked = {name: known[name] & ~own for name in rule.types if name in supports}
        checked += [(rule.types[name], place) for name, place in asked.items() if place.any()]
        written = rule.forward(written)
        for name in set(written.columns) - before:
            known[name] = own
    columns = [column.type.name for column in encoder.columns]
    parts = [column.encode(written[column.type.name], position=k) for k, column in enumerate(encoder.columns)]
    held = np.column_stack([known[name] for name in columns])
    return PartialRows(
        frame,
        is_given,
        np.concatenate(parts, axis=1),
        held,
        _allowed(encoder, wishes, held),
        tuple(checked),
        tuple(beyond),
    )


def _is_bound(name: Name, encoder: TableEncoder) -> bool:
    """Whether a rule speaks of the column."""
    rules = () if encoder.rules is None else encoder.rules.rules
    return any(name in (*rule.reads, *rule.targets) for rule in rules)


def _typed(rows: pd.DataFrame, encoder: TableEncoder) -> dict[Name, pd.Series]:
    """The columns of the rows in the types of the table's."""
    kinds = {str(kind.name): kind for kind in encoder.types}
    made_up = {str(made.name) for made in encoder.made_up}
    found: dict[Name, pd.Series] = {}
    for name in rows.columns:
        if str(name) in made_up:
            continue
        if str(name) not in kinds:
            raise InputError(
                "given rows",
                f"no column is called '{name}'.{nearest(str(name), kinds)}",
                f"Its columns: {', '.join(list(kinds)[:30])}{', ...' if len(kinds) > 30 else ''}.",
                "Rename it, or leave it out.",
            )
        kind, column = kinds[str(name)], rows[name].reset_index(drop=True)
        if column.isna().all():
            continue
        values, strange = comparable(column, kind.compared_as)
        if kind.kind == "integer" and values.dtype.kind == "f":
            strange = strange | (values.notna() & (values != values.round())).to_numpy()
        if strange.any():
            row = int(np.argmax(strange))
            raise InputError(
                f"given rows, column '{name}', row {rows.index[row]}",
                f"{_plain(column.iloc[row])!r} is no value of this column, which holds the kind '{kind.kind}'; "
                f"{int(strange.sum())} rows have such values.",
                "Expected values such as those in the training data, or gaps.",
                "Correct them, or leave them empty.",
            )
        found[kind.name] = restored(column, kind)
    return found


def _refuse_unseen(column: pd.Series, support: Support, index: pd.Index, *, between: bool, is_free: bool) -> list[str]:
    """Refuse values that no row of the generator's has; where a number is free, those just beyond its ends are named.

    A fifth or more of a person's rows were held out of training, and the largest of all may be among these.
    """
    kind = support.type
    there = column.notna().to_numpy()
    outside = np.zeros(len(column), dtype=bool)
    codes, _ = kind.to_numeric(column)
    if kind.is_nominal:
        is_seen = np.isin(codes, support.points)
    else:
        # Codes of what lies below the smallest value are its own: the values themselves are compared.
        scale = Scale(kind, "given rows")
        values = scale.measure(column)[0]
        ends = scale.at(np.array([*support.points, *(support.span or ())]))
        is_seen = (values >= ends.min()) & (values <= ends.max())
        if is_free:
            reach = BEYOND * (ends.max() - ends.min())
            outside = there & ~is_seen & (values >= ends.min() - reach) & (values <= ends.max() + reach)
            is_seen |= outside
        if support.span is None and not between:
            is_seen &= np.isin(values, ends)
    bad = there & ~is_seen
    if not bad.any():
        return [f"{kind.name} = {_plain(column.iloc[row])}" for row in np.flatnonzero(outside)]
    row = int(np.argmax(bad))
    scale = Scale(kind, "given rows")
    value = _plain(column.iloc[row])
    close = nearest(str(value), [str(level) for level in kind.levels]) if hasattr(kind, "levels") else ""
    raise InputError(
        f"given rows, column '{kind.name}', row {index[row]}",
        f"no row of the training data has the value {value!r}; {int(bad.sum())} rows have such values.{close}",
        support.text(scale),
        "What was never seen cannot be continued; give values that were, or leave them empty.",
    )


def _plain(value: Any) -> Any:
    """A value as Python's own, for messages."""
    return value.item() if isinstance(value, np.generic) else value


def _overlaid(some: pd.Series, given: pd.Series, is_given: np.ndarray) -> pd.Series:
    """Given cells over those of a column of the same type."""
    if isinstance(some.dtype, pd.CategoricalDtype):
        given = given.astype(some.dtype)
    if some.dtype != given.dtype and is_given.all():
        return given.astype(some.dtype)
    return some.where(~is_given, given).astype(some.dtype) if some.dtype != object else some.where(~is_given, given)


def _solved(frame: pd.DataFrame, is_given: pd.DataFrame, encoder: TableEncoder) -> tuple[pd.DataFrame, pd.DataFrame]:
    """With the one column of a sum that is not given worked out from the others."""
    for rule in () if encoder.rules is None else encoder.rules.rules:
        if not isinstance(rule, Total):
            continue
        names = [term.name for term in rule.terms]
        for place, term in enumerate(rule.terms):
            others = [name for name in names if name != term.name]
            mine = is_given[[*others, rule.total.name]].all(axis=1) & ~is_given[term.name]
            if not mine.any():
                continue
            rest = sum(
                sign * rule.common.numbers(frame[other.name], other)[0]
                for sign, other in zip(rule.signs, rule.terms, strict=True)
                if other.name != term.name
            )
            total, _ = rule.common.numbers(frame[rule.total.name], rule.total)
            numbers = rule.common.rounded(rule.signs[place] * (total - rest))
            solved = rule.common.column(numbers, np.zeros(len(frame), dtype=bool), term)
            frame, is_given = frame.copy(), is_given.copy()
            frame[term.name] = _overlaid(frame[term.name], solved, mine.to_numpy())
            is_given.loc[mine, term.name] = True
    return frame, is_given


def _refuse_contradiction(rule: Rule, frame: pd.DataFrame, is_given: pd.DataFrame, index: pd.Index) -> None:
    names = [*dict.fromkeys((*rule.reads, *rule.targets))]
    if not set(names) <= set(is_given.columns):  # of a helper column, which nobody gives
        return
    whole = is_given[names].all(axis=1).to_numpy()
    if not whole.any():
        return
    places = np.flatnonzero(whole)
    own = frame.loc[places, names].reset_index(drop=True)
    again = rule.inverse(rule.forward(own))
    broken = np.zeros(len(own), dtype=bool)
    for name, kind in rule.types.items():
        codes, missing = kind.to_numeric(again[name])
        real, _ = kind.to_numeric(own[name])
        near = np.abs(codes - real) <= 1e-9 * np.maximum(np.abs(real), 1) if isinstance(kind, Number) else codes == real
        broken |= missing | ~near
    if not broken.any():
        return
    rows = np.flatnonzero(broken)[:MOST_SHOWN]
    shown = "; ".join(
        f"row {index[places[row]]} ({', '.join(f'{name} = {own[name].iloc[row]}' for name in names)})" for row in rows
    )
    raise InputError(
        "given rows",
        f"{int(broken.sum())} rows break what holds in every row of the training data, {rule.text}: {shown}.",
        "Expected cells that go together.",
        "Correct them, or leave one of them empty.",
    )


def _led_to(
    rule: Rule, frame: pd.DataFrame, known: Mapping[Name, np.ndarray]
) -> list[tuple[np.ndarray, dict[Name, Wish]]]:
    """What given targets ask of the columns that the rule makes them from: rows, and the wish of these."""
    every = np.logical_and.reduce([known[name] for name in (*rule.targets, *rule.reads)])
    some = np.logical_or.reduce([known[name] for name in rule.targets])
    if rule.reads:
        some &= ~np.logical_and.reduce([known[name] for name in rule.reads])
    rows = np.flatnonzero(some & ~every)
    if not len(rows):
        return []
    pattern = np.column_stack(
        [np.where(known[name], kind.to_numeric(frame[name])[0], np.nan) for name, kind in rule.types.items()]
    )[rows]
    values, place = np.unique(np.nan_to_num(pattern, nan=np.inf), axis=0, return_inverse=True)
    found = []
    for number, codes in enumerate(values):
        asked = {
            name: [_only(kind, code)]
            for (name, kind), code in zip(rule.types.items(), codes, strict=True)
            if not np.isinf(code)
        }
        wish = rule.led_to(asked)
        if wish:
            found.append((rows[place.reshape(-1) == number], wish))
    return found


def _only(kind: ColumnType, code: float) -> Wish:
    """The wish for one numeric code."""
    if kind.is_nominal:
        return among_codes(np.array([code]), has_missing=False)
    measure = as_measured(kind)
    value = float(measure(np.array([code]))[0])
    return Wish(measure, ((value, value),), False)


def _allowed(
    encoder: TableEncoder, wishes: Mapping[Name, list[tuple[np.ndarray, Wish]]], held: np.ndarray
) -> dict[int, np.ndarray]:
    """Shares of the entries of one-hot blocks that wishes leave to each row; numbers beside them are left free."""
    found: dict[int, np.ndarray] = {}
    start = 0
    for place, column in enumerate(encoder.columns):
        asked = wishes.get(column.type.name, [])
        if asked and column.one_hot_width > 1:
            shares = np.ones((len(held), column.one_hot_width))
            for rows, wish in asked:
                own = [1.0] if column.numbers is not None else []
                own += wish.allows(column.levels).astype(float).tolist()
                if len(column.pooled):
                    counts = column.pooled_counts
                    own += [float((counts * wish.allows(column.pooled)).sum() / counts.sum())]
                own += [float(wish.has_missing)] if column.has_missing else []
                shares[rows] *= np.array(own)
            shares[held[:, place]] = 1.0
            found[start] = shares
        start += column.width
    return found
