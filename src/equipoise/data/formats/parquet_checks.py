"""What a Parquet file promises, checked by its own account of itself before its columns are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from equipoise.data.dataset import DataOptions
from equipoise.data.tables.checks import too_many_columns
from equipoise.errors import DataError
from equipoise.limits import HARMLESS_BYTES, limit, refuse_expansion

if TYPE_CHECKING:
    import pyarrow.parquet

BYTES_OF_A_NUMBER = 8


def check_parquet(file: pyarrow.parquet.ParquetFile, path: Path, options: DataOptions) -> None:
    """Look at the names, types and sizes that the file states.

    Raises:
        DataError: too many columns, lists or records in a column that is not left out, or a size that the file's own
            size does not explain.
    """
    import pyarrow as pa

    schema, facts = file.schema_arrow, file.metadata
    if max(facts.num_columns, len(schema.names)) > limit("columns"):
        raise too_many_columns(str(path), max(facts.num_columns, len(schema.names)))
    kept = [field for field in schema if pa.types.is_nested(field.type) and field.name not in options.drop]
    if kept:
        raise DataError(
            f"{path}, column '{kept[0].name}'",
            f"it holds {str(kept[0].type)[:60]}.",
            "Expected one number, text, truth value or date in each row.",
            "Split it into columns of their own, or leave it out with data.drop.",
        )
    stored = path.stat().st_size
    refuse_expansion(str(path), stored=stored, expanded=facts.num_rows * facts.num_columns * BYTES_OF_A_NUMBER)
    _refuse_long_texts(file, path)


def _refuse_long_texts(file: pyarrow.parquet.ParquetFile, path: Path) -> None:
    """Refuse texts that are stored once and repeated so often that they would not fit: a million times a megabyte.

    What is stored bounds the longest text. Only where that bound leaves room for mischief are the texts counted, in
    the form in which each is held once.
    """
    import pyarrow.compute
    import pyarrow.parquet

    facts = file.metadata
    texts = [
        name
        for place, name in enumerate(file.schema.names)
        if facts.num_row_groups
        and file.schema.column(place).physical_type == "BYTE_ARRAY"
        and file.schema.column(place).path == name
    ]
    # Of whole row groups: pyarrow ends the process over the facts of a single column that contradict themselves.
    groups = [facts.row_group(place) for place in range(facts.num_row_groups)] if texts else []
    bound = sum(group.num_rows * group.total_byte_size for group in groups)
    if bound <= HARMLESS_BYTES:
        return
    total = 0
    held_once = pyarrow.parquet.ParquetFile(path, read_dictionary=texts)
    for batch in held_once.iter_batches(columns=texts):
        for column in batch.columns:
            if not hasattr(column, "dictionary"):
                total += column.nbytes
                continue
            lengths = pyarrow.compute.binary_length(column.dictionary)
            total += pyarrow.compute.sum(lengths.take(column.indices.drop_null())).as_py() or 0
    refuse_expansion(str(path), stored=path.stat().st_size, expanded=total)
