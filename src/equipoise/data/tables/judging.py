"""How tables are judged: column by column, pair by pair, and whole rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from equipoise.data.judging import JUDGING, Corruption, Preparation, Values
from equipoise.data.tables.classifier_inputs import (
    MeasuredTable,
    as_levels,
    as_numbers,
    is_number_column,
    measured,
    table_preparation,
)
from equipoise.data.tables.corruptions import ONE_COLUMN, independent_columns, table_corruptions
from equipoise.data.tables.differences_plot import draw_columns
from equipoise.data.tables.times import as_spans, is_times
from equipoise.errors import DataError

OF_ROWS = ("side", "log_odds_of_real", "sample", "file")
"""What a listed sample is described by, besides its values; columns that are called so are called 'column side' and so
on."""


class TableJudging:
    """What `equipoise.data.judging.Judging` asks, for tables."""

    columns_name = "columns"
    quick_classifiers = ("boosted trees", "quadratic")
    many_samples = 10_000
    sensitivity_cost = 60
    one_column_corruptions = ONE_COLUMN
    compared_as = "standardised columns, levels as columns of 0 and 1"

    def checked_sides(self, real: Any, fake: Any) -> tuple[Values, Values]:
        real, fake = _checked(real, "real"), _checked(fake, "generated")
        return real, _same_columns(real, fake)

    def columns(self, values: Values) -> pd.DataFrame:
        return values

    def row_keys(self, values: Values) -> np.ndarray:
        columns = (values.iloc[:, place] for place in range(values.shape[1]))
        frame = {
            str(place): as_numbers(column) if is_number_column(column) else as_levels(column).to_numpy()
            for place, column in enumerate(columns)
        }
        return pd.util.hash_pandas_object(pd.DataFrame(frame), index=False).to_numpy()

    def measured(self, values: Values) -> MeasuredTable:
        return measured(values)

    def preparation(self, real: Values, fake: Values) -> Preparation:
        return table_preparation(real, fake)

    def compared(self, real: Values, fake: Values) -> tuple[np.ndarray, np.ndarray]:
        prepare = table_preparation(real, fake)
        return prepare(real).numbers, prepare(fake).numbers

    def corruptions(self, values: Values) -> Mapping[str, Corruption]:
        return table_corruptions(values)

    def independent(self, values: Values, stream: np.random.Generator) -> pd.DataFrame:
        return independent_columns(values, stream)

    def described(self, values: Values, place: int) -> dict[str, object]:
        return {f"column {name}" if name in OF_ROWS else str(name): value for name, value in values.iloc[place].items()}

    def draw_differences(
        self,
        scored: tuple[Values, Values],
        scores: tuple[np.ndarray, np.ndarray],
        findings: Sequence[Mapping[str, Any]],
    ) -> Callable[[Any], None] | None:
        del scored, scores
        return draw_columns(findings)


def _checked(values: Any, side: str) -> pd.DataFrame:
    if not isinstance(values, pd.DataFrame):
        raise DataError(JUDGING, f"the {side} table is a {type(values).__name__}.", "Expected a pandas DataFrame.")
    if not values.columns.is_unique:
        twice = sorted({str(name) for name in values.columns[values.columns.duplicated()]})
        raise DataError(
            JUDGING,
            f"the {side} table has several columns called {', '.join(twice)}.",
            "Expected different names.",
            "Rename them.",
        )
    values = values.reset_index(drop=True)
    for name in [name for name in values.columns if is_times(values[name])]:
        values = values.copy(deep=False)
        values[name] = as_spans(values[name])  # they have an order, which names have not
    return values


def _same_columns(real: pd.DataFrame, fake: pd.DataFrame) -> pd.DataFrame:
    missing = [str(name) for name in real.columns if name not in set(fake.columns)]
    extra = [str(name) for name in fake.columns if name not in set(real.columns)]
    if missing or extra:
        parts = [f"only in the real table: {', '.join(missing)}"] if missing else []
        parts += [f"only in the generated table: {', '.join(extra)}"] if extra else []
        raise DataError(
            JUDGING,
            f"the columns differ; {'; '.join(parts)}.",
            "Expected the same columns on both sides.",
            "Drop or rename the columns listed here.",
        )
    fake = fake[list(real.columns)]
    clashes = [
        f"{name} ({real[name].dtype} and {fake[name].dtype})"
        for name in real.columns
        if is_number_column(real[name]) != is_number_column(fake[name])
        and real[name].notna().any()
        and fake[name].notna().any()
    ]
    if clashes:
        raise DataError(
            JUDGING,
            f"these columns hold amounts on one side and levels on the other: {', '.join(clashes)}.",
            "Expected the same kind of value on both sides (real type first, generated second).",
            "Read both files with the same types, for example by giving pandas a dtype for these columns.",
        )
    return fake
