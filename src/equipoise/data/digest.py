"""A BLAKE2b hash of values with their types, the same on every machine and wherever the values lie."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pandas as pd

CHUNK_BYTES = 1 << 24


class Digest:
    """32 hexadecimal digits that grow with everything that is added.

    Numbers enter as little-endian bytes and text as UTF-8. Text columns enter as text whether pandas calls them
    `object`, `str` or `string`.
    """

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)

    def digits(self) -> str:
        return self._hash.hexdigest()

    def add_facts(self, *facts: object) -> None:
        """Text with its length before it, so that neighbours cannot run into each other."""
        text = json.dumps(facts, ensure_ascii=True).encode()
        self._hash.update(len(text).to_bytes(8, "little") + text)

    def add_array(self, values: Any) -> None:
        """An array in memory or on disk, a stretch of rows at a time."""
        little = values.dtype.newbyteorder("<")
        self.add_facts(little.str, list(values.shape))
        step = max(1, CHUNK_BYTES // max(1, values[:1].nbytes))
        for start in range(0, len(values), step):
            self._hash.update(np.ascontiguousarray(values[start : start + step], dtype=little).tobytes())

    def add_column(self, column: pd.Series) -> None:
        """A column of a table."""
        kind = column.dtype
        if isinstance(kind, pd.CategoricalDtype):
            codes, levels = column.cat.codes.to_numpy(dtype=np.int64), list(column.cat.categories)
            self.add_facts("category", bool(kind.ordered), [_text(level) for level in levels])
            self.add_array(codes)
        elif isinstance(kind, np.dtype) and kind.kind in "biuf":
            self.add_array(column.to_numpy())
        elif isinstance(kind, np.dtype) and kind.kind in "mM":
            self.add_facts(kind.str[1:])
            self.add_array(column.to_numpy().view(np.int64))
        else:
            codes, levels = pd.factorize(column)
            text = pd.api.types.is_string_dtype(column) or pd.api.types.is_object_dtype(column)
            self.add_levels("text" if text else str(kind), levels, codes)

    def add_levels(self, kind: str, levels: Any, codes: np.ndarray) -> None:
        """A column as codes into the list of its values, in the order of their first appearance."""
        self.add_facts(kind, [_text(level) for level in levels])
        self.add_array(codes.astype(np.int64))


def _text(level: object) -> str:
    return f"{type(level).__name__}:{level}"
