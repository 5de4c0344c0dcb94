"""Times of day, without a date: Arrow's time32 and time64, Python's `datetime.time`, and text, in microseconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from equipoise.data.tables.column_type import pandas_type, with_gaps
from equipoise.data.tables.times import DAY, as_objects, microseconds_of, time_in
from equipoise.data.tables.whole_numbers import WholeNumbers


@dataclass(frozen=True)
class Time(WholeNumbers):
    """See `ColumnType`.

    Attributes:
        form: how the times are written, such as H:MM PM, where they were read from text that has one form.
    """

    form: str = ""
    kind: ClassVar[str] = "time"
    compared_as: ClassVar[str] = "time"

    @classmethod
    def holds(cls, column: pd.Series, found: str) -> bool:
        return found == "time" or str(column.dtype).startswith(("time32[", "time64["))

    @classmethod
    def infer(cls, column: pd.Series, *, name: str | int, where: str) -> Self:
        forms = {getattr(time, "form", "") for time in column.dropna()}
        return replace(super().infer(column, name=name, where=where), form=forms.pop() if len(forms) == 1 else "")

    @classmethod
    def whole(cls, column: pd.Series, missing: np.ndarray, *, fill: int) -> np.ndarray:
        passed = (fill if gone else microseconds_of(time) for time, gone in zip(column, missing, strict=True))
        return np.fromiter(passed, dtype=np.int64, count=len(column))

    def typed(self, whole: np.ndarray) -> pd.Series:
        return pd.Series(as_objects([time_in(int(value) % DAY, self.form) for value in whole]), dtype=object)

    def values(self, codes: np.ndarray, missing: np.ndarray) -> pd.Series:
        found = self.stepped(codes)
        return (
            with_gaps(found, missing, nullable=object, dtype=None).where(~missing, None).astype(pandas_type(self.dtype))
        )

    def state(self) -> dict[str, Any]:
        """As `ColumnType.state`; the form only where there is one."""
        state = super().state()
        return state if self.form else {key: value for key, value in state.items() if key != "form"}


KINDS = {"time": Time}
