"""Parquet: columns with types, a table; or a column of images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.formats.format import DataFormat, has_suffix
from equipoise.data.formats.parquet_checks import check_parquet
from equipoise.data.images.arrow import BATCH_LOOKED_AT, image_column, images_from_table, may_hold_pictures
from equipoise.data.store.cache import cache_key, file_facts, map_above_bytes
from equipoise.data.store.tables import BYTES_PER_VALUE, keep_table
from equipoise.data.tables.checks import distinct_names
from equipoise.data.tables.frames import as_frame, from_frame, from_table
from equipoise.errors import DataError
from equipoise.files import replacing
from equipoise.limits import refuse_expansion

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.parquet

ROWS_OF_A_GROUP = 100_000
PICTURES_OF_A_BATCH = 256


def read_parquet(path: Path, options: DataOptions) -> Dataset:
    """A table, points or images; whole numbers and truth values with gaps keep their type as pandas' nullable ones."""
    import pyarrow.parquet

    with ExitStack() as stack:
        with faults_named(str(path)):
            file = stack.enter_context(pyarrow.parquet.ParquetFile(path))
            pictures = _read_images(file, path, options)
            if pictures is not None:
                return pictures
            check_parquet(file, path, options)
        return read_rows(file, [path], options, source=str(path))


def read_rows(file: Any, places: Sequence[Path], options: DataOptions, *, source: str) -> Dataset:
    """A table or points, by way of the cache where there are many.

    Args:
        file: an open file, or several as one.
        places: where they lie.
        options: how to understand them.
        source: for messages.
    """
    with faults_named(source):
        raw = _read_large(file, places, options, source=source)
        if raw is not None:
            return raw
        table = file.read()
        names, notes = distinct_names(table.column_names)
        if notes:
            table = table.rename_columns(names).replace_schema_metadata(None)
        frame = _as_frame(table)
    return from_frame(frame, options=options, source=source).with_notes(*notes)


@contextmanager
def faults_named(source: str) -> Iterator[None]:
    """Say of whatever pyarrow finds wrong which file it is.

    Raises:
        DataError: something is.
    """
    import pyarrow as pa

    try:
        yield
    except DataError:
        raise
    except (
        pa.ArrowException,
        OSError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise DataError(
            source,
            f"it cannot be read as Parquet ({(str(error).splitlines() or ['damaged'])[0][:120]}).",
            "Expected a Parquet file.",
            "Write it again, or check that the copy is complete.",
        ) from error


def _read_images(file: Any, path: Path, options: DataOptions) -> Dataset | None:
    """The pictures of a file that has a column of them, by its first rows; `None` of any other file."""
    column = column_of_pictures(file, options)
    if column is None:
        return None
    key = cache_key("parquet images", *file_facts(path), options.target_size, options.max_bad_share, *options.pixels)
    return images_from_table(rows_of(file, path), column, options=options, source=str(path), key=key)


def column_of_pictures(file: pyarrow.parquet.ParquetFile, options: DataOptions) -> str | None:
    """The column of a file that holds pictures, of those that are not dropped; `None` where there is none."""
    import pyarrow as pa

    schema = file.schema_arrow
    can_hold = [field.name for field in schema if may_hold_pictures(field.type) and field.name not in options.drop]
    if not can_hold or options.kind not in (None, "images") or file.metadata.num_rows == 0:
        return None
    asked = pa.schema([field for field in schema if field.name in can_hold], metadata=schema.metadata)
    return image_column(asked, file.iter_batches(batch_size=BATCH_LOOKED_AT, columns=can_hold))


def rows_of(file: pyarrow.parquet.ParquetFile, path: Path) -> pyarrow.Table:
    """All rows of a file with pictures.

    Raises:
        DataError: they take far more memory than the file has bytes.
    """
    import pyarrow as pa

    stored, parts, expanded = path.stat().st_size, [], 0
    for batch in file.iter_batches(batch_size=PICTURES_OF_A_BATCH):
        parts.append(batch)
        expanded += batch.nbytes  # equal pictures are stored once, and would fill any memory
        refuse_expansion(str(path), stored=stored, expanded=expanded)
    table = pa.Table.from_batches(parts, schema=file.schema_arrow)
    table.validate(full=True)
    return table


def _read_large(file: Any, places: Sequence[Path], options: DataOptions, *, source: str) -> Dataset | None:
    """The rows by way of the cache, if there are enough for it."""
    rows, columns = file.metadata.num_rows, file.metadata.num_columns
    repeats = len(set(file.schema_arrow.names)) < len(file.schema_arrow.names)
    if rows == 0 or repeats or rows * columns * BYTES_PER_VALUE < map_above_bytes():
        return None
    names = file.schema_arrow.empty_table().to_pandas().columns.tolist()  # without an index that pandas stored

    def read(name: Any) -> pd.Series:
        return _as_frame(file.read(columns=[str(name)]))[name].reset_index(drop=True)

    as_it_is = bool(options.stored)
    key = cache_key("parquet", *(fact for place in places for fact in file_facts(place)), as_it_is)
    found = keep_table(key, names, read, rows=rows, source=source, as_it_is=as_it_is)
    if found is None:
        return None
    table, notes = found
    return from_table(table, options=options, source=source, may_be_points=False).with_notes(*notes)


def _as_frame(table: Any) -> pd.DataFrame:
    """The columns in pandas' types; whole numbers and truth values with gaps in its nullable ones.

    Raises:
        ArrowInvalid: the columns contradict themselves, or text is no UTF-8.
    """
    import pyarrow as pa

    table.validate(full=True)  # pyarrow reads text as it stands, and fails where somebody looks at it
    frame = table.to_pandas()
    for name in table.column_names:
        if name not in frame.columns:
            continue  # an index that pandas stored
        kind = table.schema.field(name).type
        if (
            table.column(name).null_count
            and pa.types.is_integer(kind)
            and pd.api.types.is_float_dtype(frame[name].dtype)
        ):
            nullable = f"{'UInt' if str(kind).startswith('u') else 'Int'}{kind.bit_width}"
            frame[name] = table.column(name).to_pandas(types_mapper={kind: pd.array([], dtype=nullable).dtype}.get)
        elif pa.types.is_boolean(kind) and pd.api.types.is_object_dtype(frame[name].dtype):
            frame[name] = frame[name].astype("boolean")
    return frame


def write_parquet(path: Path, batches: Iterable[Dataset], rows: int) -> None:
    """The columns with their types, which are those of the first batch, in groups of many rows."""
    import pyarrow as pa
    import pyarrow.parquet

    del rows
    schema = None
    with replacing(path) as temporary, ExitStack() as stack:
        for frame in _grouped(as_frame(batch) for batch in batches):
            table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
            if schema is None:
                schema = table.schema
                writer = stack.enter_context(pyarrow.parquet.ParquetWriter(temporary, schema))
            writer.write_table(table)


def _grouped(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Neighbouring frames joined, up to about `ROWS_OF_A_GROUP` rows each: readers are slow on many small groups."""
    held: list[pd.DataFrame] = []
    for frame in frames:
        held.append(frame.rename(columns=str))
        if sum(map(len, held)) >= ROWS_OF_A_GROUP:
            yield pd.concat(held, ignore_index=True)
            held = []
    if held:
        yield pd.concat(held, ignore_index=True)


FORMATS = {
    "parquet": DataFormat(
        "Parquet", (".parquet", ".pq"), ("points", "table"), has_suffix(".parquet", ".pq"), read_parquet, write_parquet
    )
}
