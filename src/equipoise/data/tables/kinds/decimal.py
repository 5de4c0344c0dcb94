"""Exact decimals: Arrow's decimal128 and Python's `decimal.Decimal`, as whole numbers of their last digit."""

from __future__ import annotations

import decimal
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from equipoise.data.tables.column_type import pandas_type, with_gaps
from equipoise.data.tables.whole_numbers import WholeNumbers
from equipoise.errors import DataError

EXACT = decimal.Context(prec=100)


@dataclass(frozen=True)
class Decimal(WholeNumbers):
    """See `ColumnType`.

    Attributes:
        decimals: digits after the point.
    """

    decimals: int = 0
    kind: ClassVar[str] = "decimal"
    compared_as: ClassVar[str] = "amount"

    @classmethod
    def holds(cls, column: pd.Series, found: str) -> bool:
        return found == "decimal" or str(column.dtype).startswith("decimal")

    @classmethod
    def infer(cls, column: pd.Series, *, name: str | int, where: str) -> Self:
        numbers = [value for value in pd.unique(column.dropna()) if isinstance(value, decimal.Decimal)]
        strange = next((value for value in numbers if not value.is_finite()), None)
        digits = 0 if strange is not None else max((-int(value.as_tuple().exponent) for value in numbers), default=0)
        digits = max(digits, 0)
        if strange is not None or any(abs(_unscaled(value, digits)) >= 2**63 for value in numbers):
            value = strange if strange is not None else max(numbers, key=abs)
            raise DataError(
                where,
                f"it holds the decimal {str(value)[:60]}.",
                f"Expected decimals of at most 18 digits in all, {digits} of them after the point.",
                "Make them real numbers (float64), or leave the column out with data.drop.",
            )
        found = super().infer(_scaled(column, digits), name=name, where=where)
        return cls(name, str(column.dtype), found.origin, found.step, found.top, found.anchors, digits)

    @classmethod
    def whole(cls, column: pd.Series, missing: np.ndarray, *, fill: int) -> np.ndarray:
        return column.where(~missing, fill).to_numpy(dtype=np.int64)

    def codes(self, column: pd.Series, missing: np.ndarray) -> np.ndarray:
        return super().codes(_scaled(column, self.decimals), missing)

    def typed(self, whole: np.ndarray) -> pd.Series:
        values = np.empty(len(whole), dtype=object)
        values[:] = [decimal.Decimal(int(value)).scaleb(-self.decimals, EXACT) for value in whole.view(np.int64)]
        return pd.Series(values, dtype=object)

    def values(self, codes: np.ndarray, missing: np.ndarray) -> pd.Series:
        found = self.stepped(codes)
        return (
            with_gaps(found, missing, nullable=object, dtype=None).where(~missing, None).astype(pandas_type(self.dtype))
        )


def _unscaled(value: decimal.Decimal, digits: int) -> int:
    return int(value.scaleb(digits, EXACT).to_integral_value())


def _scaled(column: pd.Series, digits: int) -> pd.Series:
    """Whole numbers of the last digit; a number that has more digits is rounded."""
    codes, values = pd.factorize(column.astype(object))
    whole = np.array([_unscaled(decimal.Decimal(value), digits) for value in values] + [0], dtype=np.int64)
    return pd.Series(whole[codes]).astype("Int64").mask(codes < 0)


KINDS = {"decimal": Decimal}
