"""What every rule between columns answers: how a table is written so that no row can break it, and back.

A rule takes some columns out of the table, its *targets*, and puts helper columns in their place, from which, with the
columns that it *reads*, the targets can be made again such that the rule holds for whatever values the others have. The
generator learns the table with the helper columns; every row that it makes then obeys. Each kind of rule is a subclass
in a file of its own, which declares `RULES = {"name": Class}`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from equipoise.data.tables.column_type import ColumnType
from equipoise.data.tables.conditions.support import Support
from equipoise.data.tables.conditions.value_sets import ValueSet
from equipoise.data.tables.conditions.wishes import Wish
from equipoise.errors import DataError
from equipoise.parts import discover

Name = str | int
SHOWN_ROWS = 3


@dataclass(frozen=True)
class Rule(ABC):
    """One rule, fitted on the training rows.

    Attributes:
        text: as a person writes it.
    """

    text: str
    kind: ClassVar[str]

    @property
    @abstractmethod
    def reads(self) -> tuple[Name, ...]:
        """Columns that have to be there before the targets can be made again."""

    @property
    def reads_made(self) -> tuple[Name, ...]:
        """Helper columns of its own that another rule makes first."""
        return ()

    @property
    @abstractmethod
    def targets(self) -> tuple[Name, ...]:
        """Columns that are taken out, and made again."""

    @property
    @abstractmethod
    def types(self) -> Mapping[Name, ColumnType]:
        """What the targets hold."""

    @property
    def made_as(self) -> str:
        """How the targets come about, in a few words."""
        return f"by the rule {self.text}"

    @abstractmethod
    def forward(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The table with helper columns in place of the targets; rows that break the rule get near values."""

    @abstractmethod
    def inverse(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The table with the targets made again, in any order of columns, and without the helpers."""

    @abstractmethod
    def supports(self, known: Mapping[Name, Support]) -> dict[Name, Support]:
        """Which values each target can have, from what is known of the columns that are read."""

    def led_to(self, wishes: Mapping[Name, Sequence[Wish]]) -> dict[Name, Wish]:
        """What wishes on the targets ask of the columns that they are made from; a rule may have nothing to say.

        Args:
            wishes: on targets of this rule.
        """
        del wishes
        return {}

    def excludes(self, sets: Mapping[Name, ValueSet]) -> bool:
        """Whether no row that obeys the rule has these values, as far as the rule can tell at once."""
        return False

    def wishes_to_be_there(self) -> dict[Name, Wish]:
        """What the columns that it writes are where no target is missing, as far as they alone say so."""
        return {}

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Plain values for `rule_from_state`; `kind` is the name of the rule."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """The inverse of `state`."""


@cache
def available_rules() -> Mapping[str, type[Rule]]:
    """All kinds of rules that are held by writing the table anew, by name."""
    import equipoise.data.tables.rules.kinds as package

    return discover(package, "RULES")


def rule_from_state(state: dict[str, Any]) -> Rule:
    """The rule that `Rule.state` described."""
    return available_rules()[state["kind"]].from_state(state)


def refuse_violations(broken: np.ndarray, frame: pd.DataFrame, *, text: str, where: str) -> None:
    """Refuse a rule that rows of the data break, with the first of them.

    Args:
        broken: which rows do. Boolean `(n,)`.
        frame: the columns that the rule speaks of.
        text: the rule.
        where: the data.

    Raises:
        DataError: some do.
    """
    count = int(broken.sum())
    if not count:
        return
    rows = np.flatnonzero(broken)[:SHOWN_ROWS]
    shown = "; ".join(
        f"row {row} ({', '.join(f'{name} = {frame[name].iloc[row]}' for name in frame.columns)})" for row in rows
    )
    raise DataError(
        f"{where}, rule '{text}'",
        f"{count:,} of {len(broken):,} rows break it: {shown}{'; ...' if count > len(rows) else ''}.",
        "Expected a rule that holds in every row where its columns are known.",
        "Correct these rows, or leave the rule out.",
    )


def replaced(frame: pd.DataFrame, target: Name, helpers: Sequence[tuple[Name, pd.Series]]) -> pd.DataFrame:
    """The frame with some columns at the place of one."""
    place = frame.columns.get_loc(target)
    kept = frame.drop(columns=[target])
    columns = [kept.iloc[:, :place], *(column.rename(name) for name, column in helpers), kept.iloc[:, place:]]
    names = [*kept.columns[:place], *(name for name, _ in helpers), *kept.columns[place:]]
    result = pd.concat([part.reset_index(drop=True) for part in columns], axis=1)
    result.columns = pd.Index(names, dtype=object) if any(isinstance(name, int) for name in names) else pd.Index(names)
    return result


def with_column(frame: pd.DataFrame, name: Name, values: pd.Series) -> pd.DataFrame:
    """The frame with one more column."""
    result = frame.copy(deep=False)
    result[name] = values.set_axis(frame.index)
    return result
