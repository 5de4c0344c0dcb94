"""How often each value of a balanced column comes, as a person asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from equipoise.data import TableEncoder
from equipoise.data.tables.conditions.condition import Condition, Name
from equipoise.data.tables.conditions.language import read_condition
from equipoise.data.tables.conditions.scales import Scale
from equipoise.data.tables.conditions.support import refuse_impossible
from equipoise.data.tables.conditions.value_sets import ValueSet, missing_only, only
from equipoise.errors import InputError, nearest
from equipoise.randomness import Stream, numpy_stream

MOST_BALANCED = 1000
"""Different values of a column that is balanced."""
Balance = str | int | Mapping[Any, Mapping[Any, float]]


@dataclass(frozen=True)
class Shares:
    """How often each value of one column comes.

    Attributes:
        column: its name.
        scale: on which its values differ.
        values: on that scale; `None` stands for missing.
        shares: of each, positive, sum 1. Shape `(len(values),)`.
    """

    column: Name
    scale: Scale
    values: tuple[int | float | None, ...]
    shares: np.ndarray

    def level_of(self, frame: pd.DataFrame) -> np.ndarray:
        """Which of the values each row has; -1 for another one. Int64 `(n,)`."""
        measured, missing = self.scale.measure(frame[self.column])
        found = np.full(len(frame), -1)
        for level, value in enumerate(self.values):
            found[missing if value is None else (measured == value) & ~missing] = level
        return found

    def conditions(self) -> list[Condition]:
        """For each value, the condition that a row has it."""
        return [
            Condition({self.column: self._set(value)}, (), {self.column: self.scale}, str(self.column))
            for value in self.values
        ]

    def _set(self, value: int | float | None) -> ValueSet:
        is_whole = self.scale.is_whole
        return missing_only(is_whole=is_whole) if value is None else only(value, is_whole=is_whole)

    def counts(self, rows: int, *, seed: int, block: int) -> np.ndarray:
        """How many of so many rows have each value: the shares, and the odd rows drawn by what is left of them."""
        exact = self.shares * rows
        counts = np.floor(exact).astype(np.int64)
        rest = rows - int(counts.sum())
        if rest:
            left = exact - counts
            stream = numpy_stream(seed, Stream.BALANCE, block)
            counts += stream.multinomial(rest, left / left.sum())
        return counts


def shares_of(balance: Balance, encoder: TableEncoder, condition: Condition | None) -> Shares:
    """The shares that were asked for; of a column alone each of its values that the condition allows has the same."""
    supports = encoder.supports()
    is_stated = isinstance(balance, Mapping)
    if is_stated and (len(balance) != 1 or not isinstance(next(iter(balance.values())), Mapping)):
        raise InputError(
            "balance",
            f"it is {str(balance)[:60]}.",
            "Expected a column, or one column with the share of each value.",
            "Write, for example, {'sex': {'Female': 0.5, 'Male': 0.5}}.",
        )
    name = next(iter(balance)) if is_stated else balance
    types = [support.type for support in supports.values()]
    found = next((kind for kind in types if str(kind.name) == str(name)), None)
    if found is None:
        known = [str(kind.name) for kind in types]
        raise InputError(
            "balance", f"no column is called '{name}'.{nearest(str(name), known)}", f"Its columns: {', '.join(known)}."
        )
    scale, support = Scale(found, f"balance, column '{name}'"), supports[found.name]
    if support.span is not None or len(support.points) > MOST_BALANCED:
        raise InputError(
            scale.where,
            "it has too many different values to come equally often.",
            support.text(scale),
            "Balance a column of few values, or give conditions with --where.",
        )
    if is_stated:
        return _stated(balance[name], scale, encoder)
    values: list[int | float | None] = [value.item() for value in scale.at(support.points)]
    values += [None] if support.has_missing else []
    allowed = None if condition is None else condition.sets.get(found.name)
    if allowed is not None:
        values = [value for value in values if _is_in(value, allowed)]
    return Shares(found.name, scale, tuple(values), np.full(len(values), 1 / len(values)))


def _stated(stated: Mapping[Any, float], scale: Scale, encoder: TableEncoder) -> Shares:
    shares = np.array([float(share) for share in stated.values()])
    if not len(shares) or not np.isfinite(shares).all() or (shares < 0).any() or shares.sum() <= 0:
        raise InputError(
            scale.where,
            f"its shares are {list(stated.values())}.",
            "Expected numbers of 0 or more, one of them above 0.",
            "Write, for example, {'Female': 0.5, 'Male': 0.5}.",
        )
    values: list[int | float | None] = []
    for value in stated:
        one = read_condition({scale.type.name: value}, [scale.type], option="balance")
        refuse_impossible(one, encoder.supports())
        allowed = one.sets[scale.type.name]
        values.append(None if allowed.has_missing else allowed.intervals[0][0])
    kept = shares > 0
    return Shares(
        scale.type.name,
        scale,
        tuple(value for value, is_kept in zip(values, kept, strict=True) if is_kept),
        shares[kept] / shares.sum(),
    )


def _is_in(value: int | float | None, allowed: ValueSet) -> bool:
    if value is None:
        return allowed.has_missing
    return any(low <= value <= high for low, high in allowed.intervals)
