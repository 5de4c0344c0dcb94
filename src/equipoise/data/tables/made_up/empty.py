"""Columns without any value: there is nothing to learn, and samples have the column, without any value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from equipoise.data.tables.made_up.base import MadeUpColumn, stored_type


@dataclass(frozen=True)
class Empty(MadeUpColumn):
    """See `MadeUpColumn`; `missing` is 1."""

    kind: ClassVar[str] = "empty"

    @classmethod
    def fitted(cls, column: pd.Series, *, name: str | int, place: int) -> Self | None:
        return cls(name, stored_type(column), place, 1.0) if column.isna().all() else None

    @property
    def pattern(self) -> str:
        return "no value"

    def made(self, rows: np.ndarray) -> list[Any]:
        return [None] * len(rows)
