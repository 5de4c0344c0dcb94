"""A short name for exactly these values, labels and columns in exactly this order, wherever the files lie."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np

from equipoise.data.dataset import Dataset

if TYPE_CHECKING:
    import pandas as pd

    from equipoise.data.store.table import OnDiskColumn

CHUNK_BYTES = 1 << 24


def fingerprint(raw: Dataset) -> str:
    """32 hexadecimal digits of BLAKE2b over the values, their types, the labels, the weights and the names.

    Numbers enter as little-endian bytes and text as UTF-8, so the digits do not depend on the machine. Text columns
    enter as text whether pandas calls them `object`, `str` or `string`.
    """
    from equipoise.data.store.table import OnDiskTable

    digest = hashlib.blake2b(digest_size=16)
    _add_facts(digest, raw.kind, list(raw.names), list(raw.label_names))
    if raw.kind == "table":
        _add_facts(digest, [str(name) for name in raw.values.columns], len(raw.values))
        if isinstance(raw.values, OnDiskTable):
            for column in raw.values.stored:
                _add_stored(digest, column)
        else:
            for position in range(raw.values.shape[1]):
                _add_column(digest, raw.values.iloc[:, position])
    else:
        _add_array(digest, raw.values)
    if raw.labels is not None:
        _add_array(digest, raw.labels)
    if raw.weights is not None:
        _add_facts(digest, "weights")
        _add_array(digest, raw.weights)
    return digest.hexdigest()


def _add_facts(digest: hashlib.blake2b, *facts: object) -> None:
    """Text with its length before it, so that neighbours cannot run into each other."""
    text = json.dumps(facts, ensure_ascii=True).encode()
    digest.update(len(text).to_bytes(8, "little") + text)


def _add_array(digest: hashlib.blake2b, values: np.ndarray) -> None:
    little = values.dtype.newbyteorder("<")
    _add_facts(digest, little.str, list(values.shape))
    step = max(1, CHUNK_BYTES // max(1, values[:1].nbytes))
    for start in range(0, len(values), step):
        digest.update(np.ascontiguousarray(values[start : start + step], dtype=little).tobytes())


def _add_column(digest: hashlib.blake2b, column: pd.Series) -> None:
    import pandas as pd

    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype):
        codes, levels = column.cat.codes.to_numpy(dtype=np.int64), list(column.cat.categories)
        _add_facts(digest, "category", bool(kind.ordered), [_text(level) for level in levels])
        _add_array(digest, codes)
    elif isinstance(kind, np.dtype) and kind.kind in "biuf":
        _add_array(digest, column.to_numpy())
    elif isinstance(kind, np.dtype) and kind.kind in "mM":
        _add_facts(digest, kind.str[1:])
        _add_array(digest, column.to_numpy().view(np.int64))
    else:
        codes, levels = pd.factorize(column)
        text = pd.api.types.is_string_dtype(column) or pd.api.types.is_object_dtype(column)
        _add_facts(digest, "text" if text else str(kind), [_text(level) for level in levels])
        _add_array(digest, codes.astype(np.int64))


def _add_stored(digest: hashlib.blake2b, column: OnDiskColumn) -> None:
    """The same bytes as for the column in memory."""
    if column.form != "text":
        _add_column(digest, column.series())
        return
    _add_facts(digest, "text", [_text(level) for level in column.levels])
    _add_array(digest, column.values[:].astype(np.int64))


def _text(level: object) -> str:
    return f"{type(level).__name__}:{level}"
