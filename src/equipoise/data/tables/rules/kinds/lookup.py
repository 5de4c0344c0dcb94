"""A column that another one decides: it is left out, and read off from a table of the values that go together.

A value of the determinant that training did not have (a number between two of them) is looked up at the nearest one
that it had; where the determinant is missing, the dependent column has what it had in such rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from equipoise.data.tables.column_type import ColumnType
from equipoise.data.tables.conditions.support import Support
from equipoise.data.tables.conditions.wishes import Wish, among_codes, as_measured
from equipoise.data.tables.rules.base import Name, Rule, with_column
from equipoise.data.tables.rules.dependences import Dependence
from equipoise.data.tables.schema import type_from_state


@dataclass(frozen=True)
class Lookup(Rule):
    """See `Rule`.

    Attributes:
        determinant: what the deciding column holds.
        dependent: what the decided column holds.
        keys: numeric codes of the determinant in the training rows, ascending. Shape `(k,)`.
        codes: numeric codes of the dependent column beside them, NaN where it is missing. Shape `(k,)`.
        of_missing: the same where the determinant is missing; `None` where it never is.
        support: rows that could have broken the dependence, and did not.
    """

    determinant: ColumnType
    dependent: ColumnType
    keys: np.ndarray
    codes: np.ndarray
    of_missing: float | None
    support: int
    kind: ClassVar[str] = "lookup"

    @property
    def reads(self) -> tuple[Name, ...]:
        return (self.determinant.name,)

    @property
    def targets(self) -> tuple[Name, ...]:
        return (self.dependent.name,)

    @property
    def types(self) -> Mapping[Name, ColumnType]:
        return {self.dependent.name: self.dependent}

    @property
    def made_as(self) -> str:
        return f"read off from {self.determinant.name}"

    def forward(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame.drop(columns=[self.dependent.name])

    def inverse(self, frame: pd.DataFrame) -> pd.DataFrame:
        codes, missing = self.determinant.to_numeric(frame[self.determinant.name])
        found = np.full(len(frame), np.nan if self.of_missing is None else self.of_missing)
        if len(self.keys):
            found = np.where(missing, found, self.codes[self._nearest(codes)])
        gone = np.isnan(found)
        values = self.dependent.values(np.where(gone, self._any, found), gone)
        return with_column(frame, self.dependent.name, values)

    def supports(self, known: Mapping[Name, Support]) -> dict[Name, Support]:
        del known
        codes = self.codes if self.of_missing is None else np.append(self.codes, self.of_missing)
        present = np.unique(codes[~np.isnan(codes)])
        return {self.dependent.name: Support(self.dependent, present, None, bool(np.isnan(codes).any()))}

    def led_to(self, wishes: Mapping[Name, Sequence[Wish]]) -> dict[Name, Wish]:
        asked = wishes[self.dependent.name]
        leads = np.all([wish.allows(self.codes) for wish in asked], axis=0)
        of_missing = np.array([] if self.of_missing is None else [self.of_missing])
        has_missing = bool(np.all([wish.allows(of_missing) for wish in asked])) and len(of_missing) > 0
        if self.determinant.is_nominal:
            return {self.determinant.name: among_codes(self.keys[leads], has_missing=has_missing)}
        # A value between two keys is looked up at the nearer one.
        borders = np.concatenate([[-np.inf], (self.keys[1:] + self.keys[:-1]) / 2, [np.inf]])
        places = np.flatnonzero(leads)
        runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(places) else []
        intervals = tuple((float(borders[run[0]]), float(borders[run[-1] + 1])) for run in runs)
        return {self.determinant.name: Wish(as_measured(self.determinant), intervals, has_missing)}

    def state(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "text": self.text,
            "determinant": self.determinant.state(),
            "dependent": self.dependent.state(),
            "keys": self.keys.tolist(),
            "codes": [None if np.isnan(code) else code for code in self.codes.tolist()],
            "of_missing": "never"
            if self.of_missing is None
            else None
            if np.isnan(self.of_missing)
            else self.of_missing,
            "support": self.support,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        of_missing = state["of_missing"]
        return cls(
            state["text"],
            type_from_state(state["determinant"]),
            type_from_state(state["dependent"]),
            np.array(state["keys"], dtype=np.float64),
            np.array([np.nan if code is None else code for code in state["codes"]], dtype=np.float64),
            None if of_missing == "never" else np.nan if of_missing is None else float(of_missing),
            int(state["support"]),
        )

    @property
    def _any(self) -> float:
        """A code for places where the value is missing anyway."""
        present = self.codes[~np.isnan(self.codes)]
        return float(present[0]) if len(present) else 0.0

    def _nearest(self, codes: np.ndarray) -> np.ndarray:
        above = np.clip(np.searchsorted(self.keys, codes), 0, len(self.keys) - 1)
        below = np.maximum(above - 1, 0)
        return np.where(np.abs(self.keys[below] - codes) < np.abs(self.keys[above] - codes), below, above)


def fit_lookup(found: Dependence, determinant: ColumnType, dependent: ColumnType, frame: pd.DataFrame) -> Lookup:
    """The table of a dependence, from the two columns on the training rows."""
    keys, no_key = determinant.to_numeric(frame[found.determinant])
    codes, missing = dependent.to_numeric(frame[found.dependent])
    codes = np.where(missing, np.nan, codes)
    known, first = np.unique(keys[~no_key], return_index=True)
    return Lookup(
        str(found),
        determinant,
        dependent,
        known,
        codes[~no_key][first],
        float(codes[no_key][0]) if no_key.any() else None,
        found.support,
    )


RULES = {"lookup": Lookup}
