"""Columns as tables or points.

Columns with names are a table. Those of a file without names are points where every column holds real numbers, written
with a decimal point or an exponent, and none is missing. `options.kind` overrides both.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from equipoise.data.dataset import DataOptions, Dataset, RuleWishes
from equipoise.data.points.numbers import points_from_array
from equipoise.data.row_groups import row_owners
from equipoise.data.sample_weights import OPTION, checked_weights
from equipoise.data.store.arrow import StackedColumns
from equipoise.data.store.tables import Column, OnDiskTable, Table, table_of
from equipoise.data.tables.checks import (
    check_coordinate,
    check_names,
    check_rows,
    distinct_names,
    leave_out,
    no_column,
)
from equipoise.data.tables.like import restored
from equipoise.data.tables.made_up.base import MadeUpColumn
from equipoise.data.tables.made_up.finding import MADE_UP, taken_out
from equipoise.data.tables.native import natural
from equipoise.data.tables.overrides import DROP, stated
from equipoise.errors import DataError

REAL_NUMBERS = "All columns are real numbers. They are read as a table; --kind points (data.kind=points) reads points."


def from_frame(frame: pd.DataFrame, *, options: DataOptions, source: str, may_be_points: bool = False) -> Dataset:
    """A table, or points, from a frame.

    Raises:
        DataError: as `from_table`, or names that repeat.
    """
    check_names(frame.columns.tolist(), source=source)
    frame = frame.reset_index(drop=True)
    frame.columns, named = distinct_names(frame.columns.tolist())
    left = [name for name, kind in options.columns.items() if kind == DROP]
    if left:
        options = replace(options, drop=(*options.drop, *left))
    if options.stored:
        frame, notes = _restored(frame, options), ()
    else:
        frame, notes = natural(frame, drop=options.drop, source=source)
        frame = _stated(frame, options, source=source)
    raw = from_table(table_of(frame), options=options, source=source, may_be_points=may_be_points)
    return raw.with_notes(*named, *notes)


def from_table(table: Table, *, options: DataOptions, source: str, may_be_points: bool) -> Dataset:
    """A table, or points, from columns in memory or on disk.

    Args:
        table: the columns.
        options: how to understand them.
        source: for messages.
        may_be_points: whether real numbers without gaps are points where nobody says what they are.

    Raises:
        DataError: an option names no column, or there are too few rows, or a column cannot be learned.
    """
    if options.kind == "images":
        raise DataError(source, "a table holds no images.", "Expected kind points or table.")
    weights, labels, label_names, notes = None, None, (), ()
    if options.sample_weight is not None:
        column = _named(table, options.sample_weight, source=source, option=OPTION)
        weights = checked_weights(_weights(column.series()), options.sample_weight, source=source)
        table = table.without([column.name])
    groups, before = None, table
    if options.group is not None:
        column = _named(table, options.group, source=source, option="data.group")
        groups = row_owners(column.series(), options.group, source=source)
        table = table.without([column.name])
    dropped = [name for name in options.drop if name != options.group]
    table = table.without([_named(before, name, source=source, option="data.drop").name for name in dropped])
    table, made_up, notes = _without_made_up(table, options, source=source)
    left = table
    if options.labels is not None and options.use_labels:
        column = _named(table, options.labels, source=source, option="data.labels")
        labels, label_names, more = _labels(column, source=source)
        notes = (*notes, *more)
        left = table.without([column.name])
    if not table.stored:
        raise DataError(
            source,
            "there are no columns to learn.",
            "Expected one or more beside those that are dropped, group rows or weigh them.",
            "Give a table that has, or drop fewer columns.",
        )
    is_guessed = options.kind is None and options.labels is None and _looks_like_points(table)
    is_points = may_be_points and is_guessed
    if is_guessed and not is_points and not options.stored and not options.like:
        notes = (*notes, REAL_NUMBERS)
    values: Any = table.values
    names: tuple[str, ...] = ()
    if (is_points or options.kind == "points") and options.rules:
        raise DataError(
            source,
            f"the rule '{options.rules[0]}' is stated for points.",
            "Expected a table.",
            "Add --kind table, or leave the rule out.",
        )
    if is_points or options.kind == "points":
        values = _points(left, source=source, keep_gaps=options.keep_gaps)
        names = tuple(str(column.name) for column in left.stored)
    else:
        check_rows(len(table), source=source, fewest=1 if options.keep_gaps else 2)
        if not options.like:
            _check_all(table, options=options, source=source)
    return Dataset(
        "points" if names else "table",
        values,
        labels=labels,
        label_names=label_names,
        names=names,
        notes=notes,
        source=source,
        weights=weights,
        groups=groups,
        group_name=options.group or "",
        rules=RuleWishes() if names else RuleWishes(options.rules, options.dependences, options.labels),
        made_up=made_up,
    )


def as_frame(data: Dataset) -> pd.DataFrame:
    """A table, or points with the names of their coordinates, as a frame."""
    return data.values if data.kind == "table" else pd.DataFrame(data.values, columns=list(data.names))


def exact_numbers() -> dict[str, str]:
    """Arguments under which `pandas.read_csv` reads every number exactly, as it does by itself from pandas 3 on."""
    return {"float_precision": "round_trip"} if int(pd.__version__.split(".")[0]) < 3 else {}


def _stated(frame: pd.DataFrame, options: DataOptions, *, source: str) -> pd.DataFrame:
    """The frame with the columns that the person states in the types of these kinds."""
    known = {str(name): name for name in frame.columns}
    for wanted, kind in options.columns.items():
        if wanted not in known:
            raise no_column(wanted, frame.columns, source=source, option="data.columns")
        if wanted not in options.drop and not options.like and kind not in MADE_UP:
            frame = frame.copy(deep=False)
            frame[known[wanted]] = stated(frame[known[wanted]], kind, name=wanted, source=source)
    return frame


def _without_made_up(
    table: Table, options: DataOptions, *, source: str
) -> tuple[Table, tuple[MadeUpColumn, ...], tuple[str, ...]]:
    """The table less the columns that are made up in samples, these, and a note on those that are found now."""
    if options.stored or options.like:
        known = {str(made.name) for made in options.made_up}
        return table.without([each.name for each in table.stored if str(each.name) in known]), options.made_up, ()
    if options.kind == "points":
        return table, (), ()
    stated = dict(options.columns)
    for name in (options.labels, options.sample_weight):
        if name is not None:  # whatever it holds, it is asked for
            stated.setdefault(name, "category")
    return taken_out(table, stated=stated, source=source, keeps_empty=options.keep_gaps)


def _check_all(table: Table, *, options: DataOptions, source: str) -> None:
    """Refuse columns that cannot be learned, all of them in one message.

    Raises:
        DataError: there are some.
    """
    faults: list[tuple[Column, DataError]] = []
    for column in table.stored:
        is_stated = str(column.name) in options.columns
        if not is_stated and not (options.keep_gaps and column.missing == len(column)):
            try:
                column.check(source=source)
            except DataError as error:
                faults.append((column, error))
    if len(faults) == 1:
        raise faults[0][1]
    if faults:
        found = "; ".join(f"'{column.name}': {error.found.rstrip('.')}" for column, error in faults)
        raise DataError(
            source,
            f"{len(faults)} columns cannot be generated. {found}.",
            "Expected columns of numbers, dates, truth values, or categories that many rows share.",
            f"Leave them out: {leave_out([column.name for column, _ in faults])}.",
        )


def _restored(frame: pd.DataFrame, options: DataOptions) -> pd.DataFrame:
    """The columns in the types that an earlier reading of the same data gave them."""
    kinds = {str(kind.name): kind for kind in options.stored}
    columns = [
        restored(column, kinds[str(name)]) if str(name) in kinds else column
        for name, (_, column) in zip(frame.columns.tolist(), frame.items(), strict=True)
    ]
    result = pd.concat(columns, axis=1) if columns else frame
    result.columns = frame.columns
    return result


def _looks_like_points(table: Table) -> bool:
    return all(types.is_float_dtype(column.dtype) and not column.missing for column in table.stored)


def _points(table: Table, *, source: str, keep_gaps: bool) -> np.ndarray | StackedColumns:
    """The columns as coordinates; with `keep_gaps` missing values stay as NaN."""
    check_rows(len(table), source=source, fewest=1 if keep_gaps else 2)
    is_on_disk = isinstance(table, OnDiskTable)
    for column in table.stored:  # on disk every number is looked at, one column at a time
        series = column.series()
        check_coordinate(series, name=column.name, source=source, keep_gaps=keep_gaps)
        if is_on_disk:
            points_from_array(_numbers(series), source=source, keep_gaps=keep_gaps)
    if is_on_disk:
        return StackedColumns(list(table.stored), key=table.key)
    return points_from_array(_numbers(table.values), source=source, keep_gaps=keep_gaps)


def _numbers(columns: pd.Series | pd.DataFrame) -> np.ndarray:
    return columns.to_numpy(dtype=np.float64, na_value=np.nan)


def _weights(column: pd.Series) -> np.ndarray:
    return _numbers(column) if types.is_numeric_dtype(column.dtype) else column.to_numpy()


def _named(table: Table, name: str, *, source: str, option: str) -> Column:
    found = next((column for column in table.stored if str(column.name) == name), None)
    if found is None:
        raise no_column(name, table.columns, source=source, option=option)
    return found


def _labels(column: Column, *, source: str) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    if column.missing:
        raise DataError(
            f"{source}, column '{column.name}'",
            f"{column.missing} labels are missing.",
            "Expected a class for every row.",
            "Fill them in, or choose another column.",
        )
    return column.labels(source=source)
