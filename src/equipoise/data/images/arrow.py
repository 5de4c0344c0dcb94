"""Images in a column of an Arrow table: Parquet, Arrow files, and the folders that Hugging Face's `datasets` saves.

A picture is the bytes of an image file, in a column of bytes or in the field `bytes` of a column of records, as
`datasets` writes them. Classes are in a column called label or class, or the one that `data.labels` names; where the
file's own account of itself names them (`ClassLabel`), these are their names.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.images.decode import ImageItem, UnusableImage, assemble
from equipoise.data.images.files import open_bytes
from equipoise.data.images.label_files import LABEL_COLUMNS
from equipoise.data.labels import encode_labels, without_empty_classes
from equipoise.errors import DataError, nearest

if TYPE_CHECKING:
    import pyarrow as pa

SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\x00", b"MM\x00*")
"""How files of the formats that are read begin."""
BYTES = "bytes"
FEWEST_BYTES = 26
"""No image file is shorter: the head of a BMP. Names in a column of bytes may begin as one does, such as 'BMW'."""
ROWS_LOOKED_AT = 256
BATCH_LOOKED_AT = 16
"""Rows that are read at once while a column of pictures is looked for: these may be large."""
ACCOUNT = b"huggingface"
"""Key of a schema's metadata under which `datasets` says what the columns are."""


def may_hold_pictures(kind: pa.DataType) -> bool:
    """Whether a column of this type could hold the bytes of image files."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(kind.field(place).name == BYTES for place in range(kind.num_fields))
    is_view = getattr(pa.types, "is_binary_view", None)  # older pyarrow has no such type
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or (is_view is not None and is_view(kind))


def image_column(schema: pa.Schema, batches: Iterable[pa.RecordBatch], *, account: Any = None) -> str | None:
    """The first column that holds pictures; `None` where there is none.

    It is found by its first rows, not by the first one alone: one empty or broken picture is skipped by name later on.
    Where none of them is a picture, what `datasets` says of the columns decides.

    Args:
        schema: of the columns that are asked about.
        batches: of their rows, a few each; `ROWS_LOOKED_AT` are looked at.
        account: what `datasets` says of the columns; by default what the schema's metadata say.
    """
    names, seen = [field.name for field in schema if may_hold_pictures(field.type)], 0
    for batch in batches:
        for name in names:
            column = batch.column(batch.schema.names.index(name))
            if any(_begins_as_a_picture(value) for value in column.to_pylist()):
                return name
        seen += batch.num_rows
        if seen >= ROWS_LOOKED_AT:
            break
    said = account or _account(schema)
    features = said if isinstance(said, dict) else {}
    return next((name for name in names if _is_image(features.get(name))), None)


def _begins_as_a_picture(value: Any) -> bool:
    content = value.get(BYTES) if isinstance(value, dict) else value
    return isinstance(content, bytes) and content.startswith(SIGNATURES) and len(content) >= FEWEST_BYTES


def _is_image(feature: Any) -> bool:
    return isinstance(feature, dict) and feature.get("_type") == "Image"


def images_from_table(
    table: pa.Table, column: str, *, options: DataOptions, source: str, key: str | None = None, account: Any = None
) -> Dataset:
    """The pictures of a table.

    Args:
        table: with the column, and those that may name classes.
        column: that holds the pictures.
        options: as for image files; `labels` names the column of the classes.
        source: for messages.
        key: name of the cache's entry for this table as it is.
        account: what `datasets` says of the columns; by default what the schema's metadata say.

    Raises:
        DataError: too many pictures cannot be read, or there is no such column of labels.
    """
    if options.kind not in (None, "images"):
        raise DataError(source, f"images cannot be read as {options.kind}.", "Expected kind images.")
    pictures = table.column(column)
    items = [ImageItem(f"row {row}", lambda row=row: _opened(pictures[row].as_py())) for row in range(len(pictures))]
    values, kept, notes = assemble(items, options=options, source=source, key=key)
    label = _label_column(table.column_names, options, column=column, source=source)
    labels, names, said = None, (), ()
    if label is not None:
        labels, names, said = _labels(table.column(label).to_pylist(), kept, label, source=source)
        names = _class_names(names, account or _account(table.schema), label)
    left = [name for name in table.column_names if name not in (column, label)]
    notes = (*notes, *said, *([f"Left alone: {', '.join(left)}."] if left else []))
    return Dataset("images", values, labels=labels, label_names=names, notes=notes, source=source)


def _opened(value: Any) -> Any:
    content = value.get(BYTES) if isinstance(value, dict) else value
    if not isinstance(content, bytes):
        raise UnusableImage("no picture, only the path of one" if isinstance(value, dict) else "no picture")
    return open_bytes(io.BytesIO(content))


def _label_column(columns: Sequence[str], options: DataOptions, *, column: str, source: str) -> str | None:
    if not options.use_labels:
        return None
    others = [name for name in columns if name != column]
    if options.labels is not None and options.labels not in others:
        raise DataError(
            f"{source}, data.labels",
            f"there is no column '{options.labels}'.{nearest(options.labels, others)}",
            f"The columns beside the pictures are: {', '.join(others) or 'none'}.",
            "Write one of them.",
        )
    return options.labels or next((name for name in LABEL_COLUMNS if name in others), None)


def _labels(
    found: list[Any], kept: np.ndarray, column: str, *, source: str
) -> tuple[np.ndarray | None, tuple[str, ...], tuple[str, ...]]:
    """Codes, names and notes; no codes where a picture has no class: `datasets` writes -1 where it is not known."""
    chosen = [found[row] for row in kept]
    unknown = sum(label is None or label == -1 for label in chosen)
    if unknown:
        return None, (), (f"{unknown} of {len(chosen)} pictures have no {column}, so there are no classes.",)
    if any(not isinstance(label, (int, str)) for label in chosen):
        return None, (), (f"'{column}' holds no classes.",)
    codes, names, notes = encode_labels(np.array(chosen), source=source)
    codes, names, _ = without_empty_classes(codes, names, source=source)
    return codes, names, notes


def _account(schema: pa.Schema) -> Any:
    try:
        return json.loads((schema.metadata or {}).get(ACCOUNT, b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _class_names(numbers: tuple[str, ...], account: Any, column: str) -> tuple[str, ...]:
    """The names that an account gives to classes of these numbers; the numbers where it gives none."""
    feature = account.get(column) if isinstance(account, dict) else None
    names = feature.get("names") if isinstance(feature, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return numbers
    fits = len(set(names)) == len(names) and all(text.isdecimal() and int(text) < len(names) for text in numbers)
    return tuple(names[int(text)] for text in numbers) if fits else numbers
