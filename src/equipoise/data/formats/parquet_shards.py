"""A folder of Parquet files: those of one split, or of one table, are one data set.

`data/train-00000-of-00002.parquet` and `data/train-00001-of-00002.parquet`, as pictures are downloaded from a hub, are
the split train in two shards, and so are `train/0000.parquet` and `train/0001.parquet`; `part-00000-5e3.parquet` and
`part-00001-5e3.parquet` are a table as other programs write it. Files of one split are those of one folder with the
same name up to the first number that stands apart: mnist10 and mnist100 are two data sets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import TYPE_CHECKING

from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.formats.parquet import column_of_pictures, faults_named, read_rows, rows_of
from equipoise.data.formats.parquet_checks import check_parquet
from equipoise.data.images.arrow import images_from_table
from equipoise.data.store.cache import cache_key, file_facts
from equipoise.errors import DataError
from equipoise.limits import limit, raise_it

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet

SUFFIXES = (".parquet", ".pq")
SHARD = re.compile(r"-?\d+-of-(?P<count>\d+)(-[0-9a-f]{16})?$")
"""The end of a shard's name that says how many there are."""
SPLITS_SHOWN = 10


def is_shard(name: str) -> bool:
    """Whether a file, relative to the folder, is one of Parquet; hidden ones do not count."""
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in path.parts)


def read_shards(folder: Path, names: Sequence[str], options: DataOptions) -> Dataset:
    """The Parquet files in a folder, which are one split: its pictures, or its rows one file after the other.

    Args:
        folder: the person's.
        names: the Parquet files, relative to it.
        options: as for single files.

    Raises:
        DataError: the files are of several splits, or of tables with different columns, or cannot be read as one.
    """
    splits: dict[str, list[str]] = {}
    for name in sorted(names):
        splits.setdefault(_split(name), []).append(name)
    partition = next((part for name in names for part in PurePosixPath(name).parts[:-1] if "=" in part), None)
    if partition is not None:
        raise DataError(
            str(folder),
            f"it is partitioned: the folder '{partition}' says what its files leave out.",
            "Expected files that hold every column.",
            "Write the table without partitions, or give one of the folders.",
        )
    if len(splits) > 1:
        raise _several(folder, splits)
    ((split, shards),) = splits.items()
    places = [folder / name for name in shards]
    files = ParquetFiles(folder, places)
    column = files.column_of_pictures(options)
    if column is None and options.kind != "images":
        for place in places:
            with _opened(place) as file:
                check_parquet(file, place, options)
        return read_rows(files, places, options, source=str(folder)).with_notes(*_missing(split, shards))
    if column is None:
        raise _no_pictures(folder, places[0], files.schema_arrow.names)
    key = cache_key(
        "parquet shards",
        *(fact for place in places for fact in file_facts(place)),
        options.target_size,
        options.max_bad_share,
        *options.pixels,
    )
    raw = images_from_table(files.pictures(), column, options=options, source=str(folder), key=key)
    return raw.with_notes(*_missing(split, shards))


class ParquetFiles:
    """Parquet files with the same columns, behind each other, as far as one `ParquetFile` is asked here.

    Each is open only while it is read: a folder may have more files than a process may hold open.

    Attributes:
        schema_arrow: the columns, in the order of the first file, of types that hold the values of all files.
        metadata: how many rows and columns there are.

    Raises:
        DataError: a file cannot be read, or has other columns than the first one.
    """

    def __init__(self, folder: Path, places: Sequence[Path]) -> None:
        import pyarrow as pa

        self._folder, self._places = str(folder), places
        schemas, rows = [], 0
        for place in places:
            with _opened(place) as file:
                schemas.append(file.schema_arrow)
                rows += file.metadata.num_rows
                columns = file.metadata.num_columns
            _refuse_other_columns(schemas[0].names, schemas[-1].names, places[0], place)
        with faults_named(self._folder):
            first = schemas[0]
            same = (
                [pa.schema([each.field(name) for name in first.names]) for each in schemas] if _once(first) else schemas
            )
            self.schema_arrow = pa.unify_schemas(same, promote_options="permissive").with_metadata(first.metadata)
        self.metadata = SimpleNamespace(num_rows=rows, num_columns=columns)

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Some columns of all files."""
        import pyarrow as pa

        found = []
        for place in self._places:
            with _opened(place) as file:
                table = file.read(columns=None if columns is None else list(columns))
                found.append(table.select(columns or self.schema_arrow.names) if _once(table.schema) else table)
        joined = pa.concat_tables(found, promote_options="permissive")
        return joined.replace_schema_metadata(self.schema_arrow.metadata)

    def column_of_pictures(self, options: DataOptions) -> str | None:
        """The column that holds pictures, by the first file that has rows; `None` where there is none."""
        for place in self._places:
            with _opened(place) as file:
                if file.metadata.num_rows:
                    return column_of_pictures(file, options)
        return None

    def pictures(self) -> pa.Table:
        """All rows of all files, as long as they take no more memory than a limit."""
        import pyarrow as pa

        tables, expanded = [], 0
        for place in self._places:
            with _opened(place) as file:
                tables.append(rows_of(file, place))
            expanded += tables[-1].nbytes
            if expanded > limit("expanded_bytes"):
                most = f"Expected at most {limit('expanded_bytes'):,} bytes."
                raise DataError(self._folder, "its Parquet files become more.", most, raise_it("expanded_bytes"))
        with faults_named(self._folder):
            return pa.concat_tables(tables)


@contextmanager
def _opened(place: Path) -> Iterator[pyarrow.parquet.ParquetFile]:
    import pyarrow.parquet

    with faults_named(str(place)), pyarrow.parquet.ParquetFile(place) as file:
        yield file


def _once(schema: pa.Schema) -> bool:
    return len(set(schema.names)) == len(schema.names)


def _refuse_other_columns(first: Sequence[str], names: Sequence[str], place: Path, other: Path) -> None:
    if sorted(first) == sorted(names):
        return
    more, less = ([name for name in a if name not in b] for a, b in ((names, first), (first, names)))
    said = [f"{word} {', '.join(map(repr, found[:5]))}" for word, found in (("has", more), ("lacks", less)) if found]
    raise DataError(
        str(other),
        f"beside {place.name} it {' and '.join(said) or 'repeats a column'}.",
        "Expected files with the same columns: a folder of Parquet files is one table.",
        "Give one of the files, or move what does not belong to it.",
    )


def _split(name: str) -> str:
    """The folder of a file and the beginning of its name, such as 'data/train'."""
    path = PurePosixPath(name)
    beginning = re.split(r"(?:^|[-_. ]+)\d", path.stem, maxsplit=1)[0]
    return (path.parent / beginning if beginning else path.parent).as_posix()


def _several(folder: Path, splits: dict[str, list[str]]) -> DataError:
    shown = ", ".join(list(splits)[:SPLITS_SHOWN]) + (", ..." if len(splits) > SPLITS_SHOWN else "")
    first, shards = next(iter(splits.items()))
    home = PurePosixPath(shards[0]).parent
    others = [PurePosixPath(name) for split, names in splits.items() if split != first for name in names]
    if len(shards) == 1:
        advice = f"Give it, such as {folder / shards[0]}."
    elif not any(other.is_relative_to(home) for other in others):
        advice = f"Give its folder, such as {folder / home}."
    else:
        advice = f"Move its files to a folder of their own, such as the {len(shards)} of {first}, and give this one."
    return DataError(
        str(folder),
        f"its Parquet files are {len(splits)} parts of a data set: {shown}.",
        "Expected one of them.",
        advice,
    )


def _no_pictures(folder: Path, place: Path, names: Sequence[str]) -> DataError:
    columns = f"none of its columns holds pictures: {', '.join(names[:20])}."
    return DataError(
        str(folder),
        f"{place.name}: {columns}",
        "Expected images, or Parquet files with a column of image files.",
        "Leave data.kind out where they are a table.",
    )


def _missing(split: str, shards: Sequence[str]) -> list[str]:
    """A note where fewer files are there than their names say."""
    found = SHARD.search(PurePosixPath(shards[0]).stem)
    said = len(shards) if found is None else int(found["count"])
    return [f"Of the {said} files of {split}, {len(shards)} are here."] if len(shards) < said else []
