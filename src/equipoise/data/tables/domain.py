"""Tables: what is done differently with rows of columns that each have a type of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from equipoise.data.base import Domain, nothing_varies
from equipoise.data.dataset import Aligned, Dataset
from equipoise.data.digest import Digest
from equipoise.data.duplicates import Groups, row_groups
from equipoise.data.store.cache import Draft, Entry
from equipoise.data.store.tables import table_of
from equipoise.data.tables.aligning import aligned_tables
from equipoise.data.tables.column_encoder import ColumnEncoder, fit_numeric
from equipoise.data.tables.column_type import ColumnType
from equipoise.data.tables.compact import compact_rows, keep_compact
from equipoise.data.tables.encoder import TableEncoder
from equipoise.data.tables.judging import TableJudging
from equipoise.data.tables.made_up.finding import from_state
from equipoise.data.tables.rules.table_rules import TableRules, fit_rules
from equipoise.data.tables.schema import infer_type
from equipoise.data.tables.times import as_times, is_times
from equipoise.data.training_rows import TrainingRows
from equipoise.files import replacing
from equipoise.plotting.samples import plot_table
from equipoise.plotting.style import save_figure
from equipoise.spaces import TableSpace

STORED_ROWS = 100
"""Rows stored beside each plot."""


class TableDomain(TableJudging, Domain):
    """See `Domain`."""

    kind = "table"
    phrase = "a table"
    file_name = "samples.csv"

    def preset_name(self, space: TableSpace) -> str:
        # Real numbers alone are learned as points are: measured on a spiral and on a ring of Gaussians, 2,000 steps.
        return self.kind if any(block.is_one_hot for block in space.blocks) else "points"

    def fit(self, raw: Dataset, rows: np.ndarray) -> TableEncoder:
        table = table_of(raw.values)
        stored = {column.name: column for column in table.stored}
        type_of = cache(lambda name: infer_type(stored[name].evidence(rows), name=name, source=raw.source))
        rules = fit_rules(table, rows, raw.rules, type_of=type_of, source=raw.source)
        helpers = pd.DataFrame() if rules is None else rules.helpers(table, rows)

        def numeric(name: Any) -> tuple[ColumnType, np.ndarray, np.ndarray]:
            """What `fit_numeric` needs of a column. The column itself is let go before it is fitted: it is as large."""
            if name in stored:
                kind, column = type_of(name), stored[name].series(rows, is_light=True)
            else:
                column = helpers[name]
                kind = infer_type(column, name=name, source=raw.source)
            return kind, *kind.to_numeric(column)

        written = stored if rules is None else rules.written(table, rows)
        columns = [fit_numeric(*numeric(name)) for name in written]
        encoder = TableEncoder(tuple(columns), rules, raw.made_up, raw.repeated)
        if encoder.space.shape == (0,):
            raise nothing_varies(raw.source)
        return encoder

    def encoder_from_state(self, state: dict[str, Any]) -> TableEncoder:
        columns = tuple(ColumnEncoder.from_state(column) for column in state["columns"])
        rules = TableRules.from_state(state["rules"]) if "rules" in state else None
        made_up = tuple(from_state(made) for made in state.get("made_up", ()))
        repeated = tuple((str(name), str(written)) for name, written in state.get("repeated", ()))
        return TableEncoder(columns, rules, made_up, repeated)

    def groups(self, values: Any) -> Groups:
        return row_groups(table_of(values).chunks())

    def keep_rows(self, draft: Draft, raw: Dataset, rows: np.ndarray, encoder: TableEncoder) -> None:
        keep_compact(draft, table_of(raw.values).chunks(rows), encoder, rows=len(rows))

    def training_rows(self, raw: Dataset, rows: np.ndarray, encoder: TableEncoder, entry: Entry) -> TrainingRows:
        del raw, rows
        return compact_rows(entry.array("one_hot"), entry.array("continuous"), encoder.space)

    def add_to(self, digest: Digest, values: Any) -> None:
        digest.add_facts([str(name) for name in values.columns], len(values))
        for column in table_of(values).stored:
            column.add_to(digest)

    def aligned(self, real: Dataset, fake: Dataset) -> Aligned:
        return aligned_tables(real, fake)

    def with_classes(self, values: pd.DataFrame, column: str | None, classes: Sequence[str]) -> pd.DataFrame:
        if column in values.columns:
            values[column] = _typed(list(classes), like=values[column])
        return values

    def save_shown(
        self,
        values: pd.DataFrame,
        path: Path,
        *,
        read_real: Callable[[], pd.DataFrame] | None = None,
        values_are_real: bool = False,
    ) -> None:
        real = None if read_real is None else read_real()
        save_figure(plot_table(values, real, values_are_real=values_are_real), path)
        with replacing(path.with_suffix(".csv")) as temporary:
            values.head(STORED_ROWS).to_csv(temporary, index=False, encoding="utf-8")


def types_of(data: Dataset) -> tuple[ColumnType, ...]:
    """What the columns of a table hold, from all rows; nothing of a column without any value, or of other data."""
    if data.kind != "table":
        return ()
    return tuple(
        infer_type(column.series(), name=column.name, source=data.source)
        for column in table_of(data.values).stored
        if column.missing < len(column)
    )


def _typed(names: list[str], *, like: pd.Series) -> pd.Series:
    """Class names as values of the column that the classes were read from."""
    if isinstance(like.dtype, pd.CategoricalDtype):
        known = {str(level): level for level in like.dtype.categories}
        return pd.Series([known[name] for name in names], index=like.index, dtype=like.dtype)
    if is_times(like):
        form = getattr(like.dropna().iloc[0], "form", "")
        return as_times(pd.Series(names, index=like.index), form).astype(like.dtype)
    if pd.api.types.is_bool_dtype(like.dtype):
        return pd.Series([name == "True" for name in names], index=like.index, dtype=like.dtype)
    return pd.Series(names, index=like.index).astype(like.dtype)


TABLE = TableDomain()
