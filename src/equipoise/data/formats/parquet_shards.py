"""A folder of Parquet files with pictures, as it is downloaded from a hub: the files of one split are one data set.

`data/train-00000-of-00002.parquet` and `data/train-00001-of-00002.parquet` are the split train in two shards, and so
are `train/0000.parquet` and `train/0001.parquet`. Files of one split are those of one folder with the same name before
the number of the shard.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.formats.parquet import column_of_pictures, rows_of
from equipoise.data.images.arrow import images_from_table
from equipoise.data.store.cache import cache_key, file_facts
from equipoise.errors import DataError
from equipoise.limits import limit, raise_it

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".parquet", ".pq")
SHARD = re.compile(r"(^(part-)?\d+|-\d{5,}(-of-(?P<count>\d+))?)(-[0-9a-f]{16})?$")
"""The end of a shard's name: its number, that of all shards, and the digits that `push_to_hub` once added. Other
numbers belong to the name: mnist10 and mnist100 are two data sets."""
SPLITS_SHOWN = 10


def is_shard(name: str) -> bool:
    """Whether a file, relative to the folder, is one of Parquet; hidden ones do not count."""
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in path.parts)


def read_shards(folder: Path, names: Sequence[str], options: DataOptions) -> Dataset:
    """The pictures of the Parquet files in a folder, which are one split.

    Args:
        folder: the person's.
        names: the Parquet files, relative to it.
        options: as for image files.

    Raises:
        DataError: the files are of several splits, hold no pictures, or cannot be read as one.
    """
    splits: dict[str, list[str]] = {}
    for name in sorted(names):
        splits.setdefault(_split(name), []).append(name)
    if len(splits) > 1:
        raise _several(folder, splits)
    ((split, shards),) = splits.items()
    places = [folder / name for name in shards]
    table, column = _read(folder, places, options)
    key = cache_key(
        "parquet shards",
        *(fact for place in places for fact in file_facts(place)),
        options.target_size,
        options.max_bad_share,
        *options.pixels,
    )
    raw = images_from_table(table, column, options=options, source=str(folder), key=key)
    return raw.with_notes(*_missing(split, shards))


def _split(name: str) -> str:
    """The folder of a shard and the beginning of its name, such as 'data/train'."""
    path = PurePosixPath(name)
    beginning = SHARD.sub("", path.stem)
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


def _read(folder: Path, places: Sequence[Path], options: DataOptions) -> tuple[pa.Table, str]:
    import pyarrow as pa
    import pyarrow.parquet

    column, tables, expanded = None, [], 0
    try:
        for place in places:
            with pyarrow.parquet.ParquetFile(place) as file:
                column = column or column_of_pictures(file, options)
                if column is None and file.metadata.num_rows:
                    raise _no_pictures(folder, place, file.schema_arrow.names)
                tables.append(rows_of(file, place))
            expanded += tables[-1].nbytes
            if expanded > limit("expanded_bytes"):
                most = f"Expected at most {limit('expanded_bytes'):,} bytes."
                raise DataError(str(folder), "its Parquet files become more.", most, raise_it("expanded_bytes"))
        if column is None:
            raise _no_pictures(folder, places[0], [])
        return pa.concat_tables(tables), column
    except DataError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, LookupError, ArithmeticError, RuntimeError) as error:
        raise DataError(
            str(folder),
            f"its Parquet files cannot be read as one ({(str(error).splitlines() or ['damaged'])[0][:120]}).",
            "Expected files with rows of the same columns.",
            "Check that the copy is complete, or give one of the files.",
        ) from error


def _no_pictures(folder: Path, place: Path, names: Sequence[str]) -> DataError:
    columns = f"none of its columns holds pictures: {', '.join(names[:20])}." if names else "it has no rows."
    return DataError(
        str(folder),
        f"{place.name}: {columns}",
        "Expected images, or Parquet files with a column of image files.",
        "A table is given as one file: write its Parquet files as one.",
    )


def _missing(split: str, shards: Sequence[str]) -> list[str]:
    """A note where fewer files are there than their names say."""
    found = SHARD.search(PurePosixPath(shards[0]).stem)
    said = int(found["count"]) if found is not None and found["count"] else len(shards)
    return [f"Of the {said} files of {split}, {len(shards)} are here."] if len(shards) < said else []
