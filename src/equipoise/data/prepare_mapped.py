"""Large data, split and fitted: the steps of `prepare` on rows that stay on disk, kept for the next start.

Split, fingerprint and choice of blocks are those of data in memory, bit for bit. A second entry of the cache holds
them, under the name of the first, the seed, and what the options make of the columns.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from equipoise.data.cache import Entry, building, built, cache_key, open_entry
from equipoise.data.codecs import (
    Codec,
    ImageCodec,
    PointCodec,
    TableCodec,
    codec_from_state,
    levels_of,
    nothing_varies,
)
from equipoise.data.column_types import ColumnType, infer_type
from equipoise.data.columns import ColumnCodec, fit_plain
from equipoise.data.fingerprint import fingerprint
from equipoise.data.grouping import find_groups
from equipoise.data.mapped import is_mapped, save_array
from equipoise.data.raw import RawData
from equipoise.data.split import PARTS, Split, split_groups
from equipoise.data.stored_table import StoredColumn, StoredTable
from equipoise.data.training_rows import (
    TrainingRows,
    encoded_parts,
    image_rows,
    point_rows,
    table_rows,
    write_compact,
)
from equipoise.spaces import ImageSpace

CHUNK_ROWS = 100_000


def is_large(raw: RawData) -> bool:
    """Whether the data stay on disk."""
    return is_mapped(raw.values) or isinstance(raw.values, StoredTable)


def prepared_parts(raw: RawData, *, seed: int) -> tuple[Split, Codec, str, TrainingRows]:
    """Split, codec, fingerprint and training rows of data on disk.

    Raises:
        DataError: as for data in memory.
    """
    key = cache_key("prepared", raw.values.key, raw.kind, _facts(raw), seed)
    entry = open_entry(key)
    if entry is None:
        with building(key, needs_bytes=_room(raw)) as (folder, facts):
            split = split_groups(find_groups(raw), seed=seed, source=raw.source)
            codec = fit_mapped(raw, split.train)
            facts["fingerprint"] = fingerprint(raw)
            facts["split"] = {"rule": split.rule, "groups": split.groups, "largest_group": split.largest_group}
            facts["codec"] = codec.state()
            for name in PARTS:
                save_array(folder / f"{name}.npy", split.part(name))
            if isinstance(codec, TableCodec):
                parts = encoded_parts(raw.values, split.train, codec)
                write_compact(folder, parts, codec.space, rows=len(split.train))
        entry = built(key)
    split = Split(*(entry.loaded(name) for name in PARTS), seed=seed, **entry.facts["split"])
    codec = codec_from_state(entry.facts["codec"])
    return split, codec, entry.facts["fingerprint"], _training_rows(raw, split, codec, entry)


def fit_mapped(raw: RawData, train: np.ndarray) -> Codec:
    """As `fit_codec` on the rows at `train`."""
    values = raw.values
    if raw.kind == "images":
        _, channels, height, width = values.shape
        stretches = (values[train[start : start + 1024]] for start in range(0, len(train), 1024))
        return ImageCodec(ImageSpace(channels, height, width), levels_of(stretches))
    if raw.kind == "points":
        codec: Codec = _fit_points(values, train)
        varies = bool(codec.spread.any())
    else:
        codec = TableCodec(tuple(_fit_column(column, train, source=raw.source) for column in values.stored))
        varies = codec.space.shape != (0,)
    if not varies:
        raise nothing_varies(raw.source)
    return codec


def _fit_points(values: Any, train: np.ndarray) -> PointCodec:
    """As `codecs.fit_codec` to rounding: the sums are taken coordinate by coordinate."""
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
    return PointCodec(np.array(means), np.array(spreads))


def _fit_column(column: StoredColumn, train: np.ndarray, *, source: str) -> ColumnCodec:
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


def _training_rows(raw: RawData, split: Split, codec: Codec, entry: Entry) -> TrainingRows:
    if raw.kind == "images":
        return image_rows(raw.values, split.train)
    if raw.kind == "points":
        return point_rows(raw.values, split.train, codec)
    return table_rows(entry.mapped("choices"), entry.mapped("numbers"), codec.space)


def _facts(raw: RawData) -> list[Any]:
    """What the options make of the stored data."""
    columns = [str(name) for name in raw.values.columns] if raw.kind == "table" else list(raw.names)
    digests = [
        None if entry is None else hashlib.blake2b(np.ascontiguousarray(entry).tobytes(), digest_size=16).hexdigest()
        for entry in (raw.labels, raw.weights)
    ]
    return [columns, list(raw.label_names), digests]


def _room(raw: RawData) -> int:
    """Bytes that the entry may take: eight per row for the split, and the compact rows of a table."""
    width = raw.values.shape[1] * 6 if raw.kind == "table" else 0
    return len(raw) * (8 + width)
