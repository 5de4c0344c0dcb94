"""`fixed(a, b, c)`: only the combinations of values that the training rows had; one column says which it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from equipoise.data.tables.column_type import ColumnType
from equipoise.data.tables.conditions.support import Support
from equipoise.data.tables.conditions.wishes import Wish, among_codes
from equipoise.data.tables.rules.base import Name, Rule, replaced, with_column
from equipoise.data.tables.schema import type_from_state
from equipoise.errors import DataError

MOST_COMBINATIONS = 100_000


@dataclass(frozen=True)
class Combination(Rule):
    """See `Rule`.

    Attributes:
        columns: what each column holds.
        codes: numeric codes of each combination, NaN where a value is missing. Shape `(k, columns)`.
    """

    columns: tuple[ColumnType, ...]
    codes: np.ndarray
    kind: ClassVar[str] = "combination"

    @property
    def reads(self) -> tuple[Name, ...]:
        return ()

    @property
    def targets(self) -> tuple[Name, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def types(self) -> Mapping[Name, ColumnType]:
        return {column.name: column for column in self.columns}

    @property
    def helper(self) -> str:
        """Name of the column that says which combination it is."""
        return " + ".join(str(name) for name in self.targets)

    def forward(self, frame: pd.DataFrame) -> pd.DataFrame:
        found = coded(frame, self.columns)
        # A combination that training did not have gets none, and is encoded as the encoder does with such names.
        known = pd.MultiIndex.from_arrays(list(_filled(self.codes).T))
        place = known.get_indexer(pd.MultiIndex.from_arrays(list(_filled(found).T)))
        names = pd.CategoricalDtype([str(k) for k in range(len(self.codes))])
        helper = pd.Series(pd.Categorical.from_codes(place, dtype=names))
        first, *rest = self.targets
        return replaced(frame.drop(columns=rest), first, [(self.helper, helper)])

    def inverse(self, frame: pd.DataFrame) -> pd.DataFrame:
        place = frame[self.helper].astype("Int64").fillna(0).to_numpy(dtype=np.int64)
        result = frame.drop(columns=[self.helper])
        for column, codes in zip(self.columns, self.codes.T, strict=True):
            missing = np.isnan(codes[place])
            result = with_column(result, column.name, column.values(np.nan_to_num(codes[place]), missing))
        return result

    def supports(self, known: Mapping[Name, Support]) -> dict[Name, Support]:
        del known
        return {
            column.name: Support(column, np.unique(codes[~np.isnan(codes)]), None, bool(np.isnan(codes).any()))
            for column, codes in zip(self.columns, self.codes.T, strict=True)
        }

    def led_to(self, wishes: Mapping[Name, Sequence[Wish]]) -> dict[Name, Wish]:
        leads = np.ones(len(self.codes), dtype=bool)
        for column, codes in zip(self.columns, self.codes.T, strict=True):
            for wish in wishes.get(column.name, ()):
                leads &= wish.allows(codes)
        return {self.helper: among_codes(np.flatnonzero(leads).astype(np.float64), has_missing=False)}

    def state(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "text": self.text,
            "columns": [column.state() for column in self.columns],
            "codes": [[None if np.isnan(code) else code for code in row] for row in self.codes.tolist()],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        codes = [[np.nan if code is None else code for code in row] for row in state["codes"]]
        columns = tuple(type_from_state(column) for column in state["columns"])
        return cls(state["text"], columns, np.array(codes, dtype=np.float64).reshape(-1, len(columns)))


def coded(frame: pd.DataFrame, columns: tuple[ColumnType, ...]) -> np.ndarray:
    """Numeric codes of each row, NaN where a value is missing. Shape `(n, columns)`."""
    parts = [column.to_numeric(frame[column.name]) for column in columns]
    return np.column_stack([np.where(missing, np.nan, codes) for codes, missing in parts])


def _filled(codes: np.ndarray) -> np.ndarray:
    """NaN as a number that no code is: it is compared with itself."""
    return np.where(np.isnan(codes), -2.0, codes)


def fit_combination(frame: pd.DataFrame, columns: list[ColumnType], *, text: str, where: str) -> Combination:
    """The combinations of the training rows.

    Args:
        frame: the columns of the training rows.
        columns: what they hold.
        text: as the person wrote it.
        where: the data.

    Raises:
        DataError: nearly every row has a combination of its own.
    """
    codes = coded(frame, tuple(columns))
    known = np.unique(_filled(codes), axis=0)
    if len(known) > min(MOST_COMBINATIONS, max(2, len(codes) // 2)):
        raise DataError(
            f"{where}, rule '{text}'",
            f"the {len(codes):,} training rows have {len(known):,} combinations of these columns.",
            f"Expected {min(MOST_COMBINATIONS, len(codes) // 2):,} or fewer: the samples would repeat real rows.",
            "Name columns of few values, or leave the rule out.",
        )
    return Combination(text, tuple(columns), np.where(known == -2.0, np.nan, known))


RULES = {"combination": Combination}
