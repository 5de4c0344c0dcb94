"""Large data, split and fitted: the steps of `prepare` on rows that stay on disk, kept for the next start.

Split, fingerprint and choice of blocks are those of data in memory, bit for bit. A second entry of the cache holds
them, under the name of the first, the seed, and what the options make of the columns.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from equipoise.data.dataset import Dataset
from equipoise.data.domain import domain_of, encoder_from_state
from equipoise.data.encoder import Encoder, nothing_varies
from equipoise.data.fingerprint import fingerprint
from equipoise.data.images.encoder import ImageEncoder, levels_of
from equipoise.data.points.encoder import PointEncoder
from equipoise.data.splits import PARTS, Split, split_groups
from equipoise.data.store.arrays import is_on_disk, save_array
from equipoise.data.store.cache import Entry, building, built, cache_key, open_entry
from equipoise.data.store.table import OnDiskColumn, OnDiskTable
from equipoise.data.store.training_rows import (
    TrainingRows,
    encoded_parts,
    image_rows,
    point_rows,
    table_rows,
    write_compact,
)
from equipoise.data.tables.column_encoder import ColumnEncoder, fit_plain
from equipoise.data.tables.encoder import TableEncoder
from equipoise.data.tables.schema import ColumnType, infer_type
from equipoise.spaces import ImageSpace

CHUNK_ROWS = 100_000


def is_large(raw: Dataset) -> bool:
    """Whether the data stay on disk."""
    return is_on_disk(raw.values) or isinstance(raw.values, OnDiskTable)


def prepared_parts(raw: Dataset, *, seed: int) -> tuple[Split, Encoder, str, TrainingRows]:
    """Split, codec, fingerprint and training rows of data on disk.

    Raises:
        DataError: as for data in memory.
    """
    key = cache_key("prepared", raw.values.key, raw.kind, _facts(raw), seed)
    entry = open_entry(key)
    if entry is None:
        with building(key, needs_bytes=_room(raw)) as (folder, facts):
            split = split_groups(domain_of(raw.kind).groups(raw.values), seed=seed, source=raw.source)
            encoder = fit_mapped(raw, split.train)
            facts["fingerprint"] = fingerprint(raw)
            facts["split"] = {"rule": split.rule, "groups": split.groups, "largest_group": split.largest_group}
            facts["codec"] = encoder.state()
            for name in PARTS:
                save_array(folder / f"{name}.npy", split.part(name))
            if isinstance(encoder, TableEncoder):
                parts = encoded_parts(raw.values, split.train, encoder)
                write_compact(folder, parts, encoder.space, rows=len(split.train))
        entry = built(key)
    split = Split(*(entry.loaded(name) for name in PARTS), seed=seed, **entry.facts["split"])
    encoder = encoder_from_state(entry.facts["codec"])
    return split, encoder, entry.facts["fingerprint"], _training_rows(raw, split, encoder, entry)


def fit_mapped(raw: Dataset, train: np.ndarray) -> Encoder:
    """As `fit_encoder` on the rows at `train`."""
    values = raw.values
    if raw.kind == "images":
        _, channels, height, width = values.shape
        stretches = (values[train[start : start + 1024]] for start in range(0, len(train), 1024))
        return ImageEncoder(ImageSpace(channels, height, width), levels_of(stretches))
    if raw.kind == "points":
        encoder: Encoder = _fit_points(values, train)
        varies = bool(encoder.spread.any())
    else:
        encoder = TableEncoder(tuple(_fit_column(column, train, source=raw.source) for column in values.stored))
        varies = encoder.space.shape != (0,)
    if not varies:
        raise nothing_varies(raw.source)
    return encoder


def _fit_points(values: Any, train: np.ndarray) -> PointEncoder:
    """As `codecs.fit_encoder` to rounding: the sums are taken coordinate by coordinate."""
    means, spreads = [], []
    for place in range(values.shape[1]):
        one = np.concatenate(
            [values[train[start : start + CHUNK_ROWS]][:, place] for start in range(0, len(train), CHUNK_ROWS)]
        )
        largest = np.abs(one).max()
        scale = np.exp2(np.floor(np.log2(largest if largest > 0 else 1.0)))
        scaled = one / scale
        spread = scaled.std() * scale if np.ptp(one) > 0 else 0.0
        means.append(scaled.mean() * scale if spread > 0 else one[0])
        spreads.append(spread)
    return PointEncoder(np.array(means), np.array(spreads))


def _fit_column(column: OnDiskColumn, train: np.ndarray, *, source: str) -> ColumnEncoder:
    if column.form != "text":
        series = column.series(train)
        kind = infer_type(series, name=column.name, source=source)
        return fit_plain(kind, *kind.to_plain(series))
    # What text holds is decided by its values alone; those of the training part, as for data in memory.
    light = column.series(train, is_light=True)
    codes = light.cat.codes.to_numpy()
    there = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(column.levels)))
    texts = pd.Series([column.levels[code] for code in there], dtype=column.dtype)
    kind: ColumnType = infer_type(texts, name=column.name, source=source)
    return fit_plain(kind, *kind.to_plain(light))


def _training_rows(raw: Dataset, split: Split, encoder: Encoder, entry: Entry) -> TrainingRows:
    if raw.kind == "images":
        return image_rows(raw.values, split.train)
    if raw.kind == "points":
        return point_rows(raw.values, split.train, encoder)
    return table_rows(entry.mapped("choices"), entry.mapped("numbers"), encoder.space)


def _facts(raw: Dataset) -> list[Any]:
    """What the options make of the stored data."""
    columns = [str(name) for name in raw.values.columns] if raw.kind == "table" else list(raw.names)
    digests = [
        None if entry is None else hashlib.blake2b(np.ascontiguousarray(entry).tobytes(), digest_size=16).hexdigest()
        for entry in (raw.labels, raw.weights)
    ]
    return [columns, list(raw.label_names), digests]


def _room(raw: Dataset) -> int:
    """Bytes that the entry may take: eight per row for the split, and the compact rows of a table."""
    width = raw.values.shape[1] * 6 if raw.kind == "table" else 0
    return len(raw) * (8 + width)
