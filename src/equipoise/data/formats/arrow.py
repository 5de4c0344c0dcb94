"""Arrow files with a column of images, and the folders that Hugging Face's `datasets` saves; without that package."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.formats.format import DataFormat, has_suffix
from equipoise.data.images.arrow import BATCH_LOOKED_AT, image_column, images_from_table
from equipoise.data.images.files import image_bytes
from equipoise.data.store.cache import cache_key, file_facts
from equipoise.errors import DataError
from equipoise.files import replacing

if TYPE_CHECKING:
    import pyarrow as pa

STATE, ACCOUNT, SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"
"""Files that `datasets` writes beside the rows: which files hold them, what the columns are, which parts there are."""
MOST_BYTES_OF_AN_ACCOUNT = 1 << 24


def is_saved_dataset(path: Path) -> bool:
    """Whether a folder is one that `Dataset.save_to_disk` or `DatasetDict.save_to_disk` made."""
    return (path / STATE).is_file() or (path / SPLITS).is_file()


def read_saved_dataset(path: Path, options: DataOptions) -> Dataset:
    """The pictures of a folder of `datasets`.

    Raises:
        DataError: it holds several parts, or no pictures, or it is damaged.
    """
    if (path / SPLITS).is_file():
        names = _strings(_document(path / SPLITS).get("splits"), where=path / SPLITS)
        if len(names) != 1:
            raise DataError(
                str(path),
                f"it holds parts of a data set: {', '.join(names)}.",
                "Expected one of them.",
                f"Give it, such as {path / names[0] if names else path}.",
            )
        return read_saved_dataset(path / names[0], options)
    files = _document(path / STATE).get("_data_files")
    files = [entry.get("filename") for entry in files if isinstance(entry, dict)] if isinstance(files, list) else None
    account = _document(path / ACCOUNT).get("features") if (path / ACCOUNT).is_file() else None
    places = [path / name for name in _strings(files, where=path / STATE)]
    return _read(places, options, source=str(path), account=account)


def read_arrow(path: Path, options: DataOptions) -> Dataset:
    """The pictures of one file, of Arrow's stream or file format."""
    return _read([path], options, source=str(path), account=None)


def _read(places: list[Path], options: DataOptions, *, source: str, account: Any) -> Dataset:
    import pyarrow as pa

    try:
        table = pa.concat_tables([_table(place) for place in places])
        column = image_column(table.schema, table.to_batches(max_chunksize=BATCH_LOOKED_AT), account=account)
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        raise DataError(
            source,
            f"it cannot be read as Arrow ({(str(error).splitlines() or ['damaged'])[0][:120]}).",
            "Expected Arrow files with rows of the same columns.",
            "Save it again, or check that the copy is complete.",
        ) from error
    if column is None:
        raise DataError(
            source,
            f"none of its columns holds pictures: {', '.join(table.column_names[:20])}.",
            "Expected a column with the bytes of image files.",
            "Save pictures with their bytes (datasets: embed_external_files), or tables as Parquet.",
        )
    key = cache_key(
        "arrow",
        *(fact for place in places for fact in file_facts(place)),
        options.target_size,
        options.max_bad_share,
        *options.pixels,
    )
    return images_from_table(table, column, options=options, source=source, key=key, account=account)


def _table(path: Path) -> pa.Table:
    """The rows of a file, which stay on the disk."""
    import pyarrow as pa

    mapped = pa.memory_map(str(path))
    try:
        table = pa.ipc.open_stream(mapped).read_all()
    except pa.ArrowInvalid:
        mapped.seek(0)
        table = pa.ipc.open_file(mapped).read_all()
    table.validate(full=True)
    return table


def _document(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES_OF_AN_ACCOUNT + 1)
        found = json.loads(content) if len(content) <= MOST_BYTES_OF_AN_ACCOUNT else None
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise DataError(
            str(path), "it is no readable JSON object.", "Expected what datasets writes.", "Save the data set again."
        )
    return found


def _strings(found: Any, *, where: Path) -> list[str]:
    """Names of files or folders beside an account, none of which leads elsewhere."""
    names = found if isinstance(found, list) else []
    is_plain = names and all(isinstance(name, str) and PurePosixPath(name).name == name != ".." for name in names)
    if not is_plain:
        raise DataError(
            str(where), "it names no files beside it.", "Expected what datasets writes.", "Save the data set again."
        )
    return names


def write_arrow(path: Path, batches: Iterable[Dataset], rows: int) -> None:
    """Images as PNG files in a column that `datasets` takes for images, with their classes beside them."""
    import pyarrow as pa

    del rows
    with replacing(path) as temporary, ExitStack() as stack:
        writer = None
        for batch in batches:
            table = pa.Table.from_pylist(list(_rows(batch)), schema=_schema(batch))
            if writer is None:
                writer = stack.enter_context(pa.ipc.new_stream(str(temporary), table.schema))
            writer.write_table(table)


def _rows(batch: Dataset) -> Iterator[dict[str, Any]]:
    for row, image in enumerate(batch.values):
        picture = {"image": {"bytes": image_bytes(image), "path": None}}
        yield picture if batch.labels is None else {**picture, "label": int(batch.labels[row])}


def _schema(batch: Dataset) -> pa.Schema:
    import pyarrow as pa

    fields = [pa.field("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))]
    features: dict[str, Any] = {"image": {"_type": "Image"}}
    if batch.labels is not None:
        fields.append(pa.field("label", pa.int64()))
        features["label"] = {"names": list(batch.label_names), "_type": "ClassLabel"}
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})


FORMATS = {
    "arrow": DataFormat(
        "an Arrow file of images", (".arrow",), ("images",), has_suffix(".arrow"), read_arrow, write_arrow
    )
}
