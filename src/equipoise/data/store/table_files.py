"""Large tables: read column by column into the cache, and understood by the rules that hold for small ones.

Each column is read alone, checked alone and written, so that no more than one is in memory at a time. What is wrong
with a column is kept beside it and said only if the column is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from pandas.api import types

from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.labels import check_classes, encode_labels
from equipoise.data.sample_weights import OPTION, checked_weights
from equipoise.data.store.cache import Entry, building, built, open_entry
from equipoise.data.store.table import OnDiskColumn, OnDiskTable, Unstorable, read_column, store_column
from equipoise.data.tables.frames import check_columns, no_column, points_from_frame
from equipoise.errors import DataError

BYTES_PER_VALUE = 9
"""Room that is asked for: eight bytes a value, and a mask for some."""


def read_stored(
    key: str,
    read: Callable[[str | int], pd.Series],
    names: Sequence[str | int],
    *,
    rows: int,
    options: DataOptions,
    source: str,
) -> Dataset | None:
    """A table or points, from the cache's entry `key`, which is made if it is not there.

    Args:
        key: name of the entry; it stands for the file and its state.
        read: the column of a name, in memory.
        names: the columns, in their order.
        rows: how many rows there are, to see whether there is room.
        options: how to understand the table.
        source: for messages.

    Returns:
        `None` when a column is of a type that is not kept in the cache; read the file into memory then.

    Raises:
        DataError: as for a table in memory.
    """
    entry = open_entry(key)
    if entry is None:
        try:
            with building(key, needs_bytes=rows * len(names) * BYTES_PER_VALUE) as (folder, facts):
                facts["columns"] = []
                for position, name in enumerate(names):
                    column = read(name)
                    stored = store_column(column, folder, position)
                    facts["columns"].append({"name": name, **stored, "fault": _fault(column, name, source)})
                    del column
        except Unstorable:
            return None
        entry = built(key)
    return _understood(entry, options=options, source=source).with_notes(entry.note())


def _fault(column: pd.Series, name: str | int, source: str) -> list[str] | None:
    """What would be refused of the column in a table."""
    try:
        check_columns(pd.DataFrame({name: column}), source=source)
    except DataError as error:
        return [error.where, error.found, error.expected, error.advice]
    return None


def _understood(entry: Entry, *, options: DataOptions, source: str) -> Dataset:
    """As `tables.from_columns`."""
    faults = {facts["name"]: facts["fault"] for facts in entry.facts["columns"]}
    table = OnDiskTable(
        (read_column(entry, facts["name"], facts, k) for k, facts in enumerate(entry.facts["columns"])), key=entry.key
    )
    weights = None
    if options.sample_weight is not None:
        column = _named(table, options.sample_weight, source=source, option=OPTION)
        weights = checked_weights(column.series().to_numpy(), options.sample_weight, source=source)
        table = table.without([column.name])
    table = table.without([_named(table, name, source=source, option="data.drop").name for name in options.drop])
    if options.kind == "images":
        raise DataError(source, "a table holds no images.", "Expected kind points or table.")
    labels, label_names, notes, left = None, (), (), table
    if options.labels is not None and options.use_labels:
        column = _named(table, options.labels, source=source, option="data.labels")
        labels, label_names, notes = _labels(column, source=source)
        left = table.without([column.name])
    if not table.stored:
        raise DataError(source, "there are no columns.", "Expected a table.")
    if options.kind == "points" or (options.kind is None and options.labels is None and _looks_like_points(table)):
        for column in left.stored:  # one at a time: every number is looked at
            points_from_frame(pd.DataFrame({column.name: column.series()}), source=source)
        names = tuple(str(column.name) for column in left.stored)
        return Dataset(
            "points",
            left.points(),
            labels=labels,
            label_names=label_names,
            names=names,
            notes=notes,
            source=source,
            weights=weights,
        )
    for column in table.stored:
        if faults[column.name] is not None:
            raise DataError(*faults[column.name])
    return Dataset("table", table, labels=labels, label_names=label_names, notes=notes, source=source, weights=weights)


def _looks_like_points(table: OnDiskTable) -> bool:
    return all(types.is_float_dtype(types.pandas_dtype(c.dtype)) and not c.missing_count for c in table.stored)


def _named(table: OnDiskTable, name: str, *, source: str, option: str) -> OnDiskColumn:
    found = next((column for column in table.stored if str(column.name) == name), None)
    if found is None:
        raise no_column(name, table.columns, source=source, option=option)
    return found


def _labels(column: OnDiskColumn, *, source: str) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    if column.missing_count:
        raise DataError(
            f"{source}, column '{column.name}'",
            f"{column.missing_count} labels are missing.",
            "Expected a class for every row.",
            "Fill them in, or choose another column.",
        )
    if column.form != "text":
        return encode_labels(column.series().to_numpy(), source=source)
    # The same classes as from the text of every row, from the list of its values.
    names, place = np.unique(np.array(column.levels), return_inverse=True)
    codes = place.reshape(-1).astype(np.int64)[column.values[:]]
    classes = tuple(str(name) for name in names.tolist())
    return codes, classes, check_classes(codes, classes, source=source)
