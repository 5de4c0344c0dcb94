"""Tables of records with types of their own: JSON lines, and the first sheet of an Excel file (extra `excel`)."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.formats.format import DataFormat, has_suffix
from equipoise.data.tables.frames import as_frame, from_frame
from equipoise.data.tables.reading import Remarks, TextRules, read_text
from equipoise.data.tables.times import is_times
from equipoise.documents import parse_json
from equipoise.documents import read_text as read_file
from equipoise.errors import ConfigError, DataError, MissingExtra
from equipoise.files import replacing
from equipoise.limits import limit, refuse_expansion

DATES = "mM"


def read_json_records(path: Path, options: DataOptions) -> Dataset:
    """One object a line; a key that a line lacks is missing there.

    Raises:
        DataError: a line is no JSON object.
    """
    records = []
    for number, line in enumerate(read_file(path, most="log_bytes", kind=DataError).splitlines(), start=1):
        if line.strip():
            try:
                record = parse_json(line)
                if not isinstance(record, dict):
                    raise ValueError("no object")
            except ValueError as error:
                raise DataError(
                    f"{path}, line {number}",
                    f"it cannot be read as a JSON object ({str(error)[:80]}).",
                    'Expected one object a line, such as {"age": 41, "tree": "oak"}.',
                    "Correct the line; a JSON document that spans lines is not read.",
                ) from error
            records.append(record)
    names = list(dict.fromkeys(name for record in records for name in record))
    if len(names) > limit("columns"):
        raise DataError(str(path), f"there are {len(names):,} columns.", f"Expected at most {limit('columns'):,}.")
    columns = {name: _column([record.get(name) for record in records]) for name in names}
    return _from_columns(columns, options, path)


def write_json_records(path: Path, batches: Iterable[Dataset], rows: int) -> None:
    """One object a line; missing values are null, dates and times of day are text."""
    del rows
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as stream:
        for batch in batches:
            text = io.StringIO()
            frame = as_frame(batch)
            for name in frame.columns:
                if frame[name].dtype.kind in DATES or is_times(frame[name]):
                    frame = frame.assign(**{str(name): frame[name].astype(str).where(frame[name].notna(), None)})
            frame.to_json(text, orient="records", lines=True, force_ascii=False, double_precision=15)
            stream.write(text.getvalue())


def read_excel(path: Path, options: DataOptions) -> Dataset:
    """The first sheet; its first line holds the names.

    Raises:
        DataError: it cannot be read as an Excel file.
        MissingExtra: the package that reads it is not installed.
    """
    _require_reader(path)
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            expanded = sum(entry.file_size for entry in archive.infolist())
        refuse_expansion(str(path), stored=path.stat().st_size, expanded=expanded)
        frame = pd.read_excel(path, dtype=object, keep_default_na=False, na_values=[""])
    except DataError:
        raise
    except Exception as error:  # whatever a package that is not ours raises over a damaged file
        raise DataError(
            str(path),
            f"it cannot be read as an Excel file ({(str(error).splitlines() or ['damaged'])[0][:120]}).",
            "Expected an .xlsx file.",
            "Save it again, or as 'CSV UTF-8'.",
        ) from error
    return _from_columns({name: _column(frame[name].tolist()) for name in frame.columns}, options, path)


def write_excel(path: Path, batches: Iterable[Dataset], rows: int) -> None:
    """One sheet."""
    del rows
    _require_reader(path)
    frame = pd.concat([as_frame(batch) for batch in batches], ignore_index=True)
    if any(str(dtype).startswith("datetime64") and "," in str(dtype) for dtype in frame.dtypes):
        raise ConfigError(
            str(path), "Excel knows no time zones.", "Expected another ending.", "Write .csv or .parquet."
        )
    with replacing(path) as temporary:
        frame.to_excel(temporary, index=False, engine="openpyxl")


def _require_reader(path: Path) -> None:
    if importlib.util.find_spec("openpyxl") is None:
        raise MissingExtra(f"reading and writing {path.name}", package="openpyxl", extra="excel")


def _column(values: list[Any]) -> pd.Series:
    """Values of Python in the type that all of them have; whole numbers exactly."""
    values = [None if value is None or value != value else value for value in values]
    there = [value for value in values if value is not None]
    are = {type(value) for value in there}
    if are == {bool}:
        return pd.Series(values, dtype="boolean" if len(there) < len(values) else bool)
    if are == {int} and all(-(2**63) <= value < 2**63 for value in there):
        return pd.Series(values, dtype="Int64" if len(there) < len(values) else "int64")
    if are and are <= {int, float}:
        return pd.Series([float("nan") if value is None else float(value) for value in values])
    return pd.Series(values) if are == {str} else pd.Series(values, dtype=object)


def _from_columns(columns: dict[Any, pd.Series], options: DataOptions, path: Path) -> Dataset:
    """A table; text that holds dates or times of day in every row is these, as in a CSV file."""
    rules, remarks = TextRules(frozenset(options.missing), options.day_first), Remarks()
    levels = [str(kind.name) for kind in options.stored if kind.compared_as == "level"]
    for name, column in columns.items():
        if pd.api.types.infer_dtype(column, skipna=True) == "string" and not options.like:
            said = Remarks()
            found = read_text(column, name=name, rules=rules, remarks=said, knows_times=str(name) not in levels)
            if found.dtype.kind in DATES or hasattr(found.dtype, "tz") or is_times(found):
                columns[name] = found
                remarks.found.update(said.found)
    frame = pd.DataFrame(columns)
    return from_frame(frame, options=options, source=str(path)).with_notes(*remarks.sentences())


FORMATS = {
    "jsonl": DataFormat(
        "JSON lines",
        (".jsonl", ".ndjson"),
        ("table",),
        has_suffix(".jsonl", ".ndjson"),
        read_json_records,
        write_json_records,
    ),
    "excel": DataFormat("Excel (extra 'excel')", (".xlsx",), ("table",), has_suffix(".xlsx"), read_excel, write_excel),
}
