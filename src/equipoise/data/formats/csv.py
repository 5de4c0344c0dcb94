"""CSV: rows of text, UTF-8, separated by commas, semicolons, tabs or bars, whichever the first line has most of.

The first line holds the names, unless every field of it is a number; then the columns are called x0, x1, ...
Blank fields are missing values. In a column that otherwise holds numbers, NA, NaN, N/A, null and None are missing,
too; elsewhere they are text like any other, and so is `?`. Whole numbers written with leading zeros are text. Text of
the form 2024-05-31 or 2024-05-31 12:30:00 is a date.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pandas as pd
from pandas.api import types

from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.formats.format import DataFormat, has_suffix
from equipoise.data.points.encoder import coordinate_names
from equipoise.data.tables.checks import check_names, too_many_columns
from equipoise.data.tables.frames import as_frame, exact_numbers, from_frame
from equipoise.errors import DataError
from equipoise.files import replacing
from equipoise.limits import limit, raise_it

SEPARATORS = (",", ";", "\t", "|")
MISSING_AMONG_NUMBERS = ("NA", "NaN", "nan", "N/A", "n/a", "null", "NULL", "None", "#N/A")
DATE = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?"
LEADING_ZERO = r"[+-]?0\d+"
# Codes with leading zeros show within so many rows; reading every column twice would double the time.
ROWS_TO_LOOK_AT = 10_000


@dataclass(frozen=True)
class Layout:
    """How the text of a CSV file is cut into fields."""

    separator: str
    names: tuple[str, ...]
    has_header: bool


def read_csv(path: Path, options: DataOptions) -> Dataset:
    """A table or points from a CSV file.

    Raises:
        DataError: bytes that are no UTF-8, a row with another number of fields than the first, names that repeat.
    """
    layout = _layout(path)
    if len(layout.names) > limit("columns"):
        raise too_many_columns(str(path), len(layout.names))
    check_names(list(layout.names), source=str(path))
    try:
        frame = _read(path, layout)
        _keep_leading_zeros(frame, path, layout)
    except (ValueError, OverflowError) as error:
        raise DataError(
            str(path),
            f"it cannot be read as CSV ({(str(error).splitlines() or ['damaged'])[0][:120]}).",
            "Expected rows of text with the same number of fields.",
            "Write the file again.",
        ) from error
    raw = from_frame(_with_types(frame), options=options, source=str(path), may_be_points=True)
    if layout.has_header:
        return raw
    return raw.with_notes("The first line holds numbers only, so it was read as data, and the columns were numbered.")


def write_csv(path: Path, batches: Iterable[Dataset], rows: int) -> None:
    """Names, then one line per row; missing values are blank."""
    del rows
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as stream:
        for number, batch in enumerate(batches):
            as_frame(batch).to_csv(stream, index=False, header=number == 0, sep=separator)


def _read(path: Path, layout: Layout, *, columns: list[str] | None = None, rows: int | None = None) -> pd.DataFrame:
    """The file as pandas understands it; `columns`, if given, as text."""
    return pd.read_csv(
        path,
        sep=layout.separator,
        header=0 if layout.has_header else None,
        names=list(layout.names),
        keep_default_na=False,
        na_values=[""],
        encoding="utf-8-sig",
        low_memory=False,
        index_col=False,
        dtype=None if columns is None else str,
        usecols=columns,
        nrows=rows,
        **exact_numbers(),
    )


def _layout(path: Path) -> Layout:
    """Cut the whole file into fields once, so that a line that does not fit is named before anything else happens."""
    line = rows = 0
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            separator = _separator(next(_lines(stream, path), ""))
            stream.seek(0)
            reader = csv.reader(_lines(stream, path), delimiter=separator)
            first = next((row for row in reader if row), None)
            if first is None:
                raise DataError(
                    str(path),
                    "the file is empty.",
                    "Expected a line of names, then rows.",
                    "Check that it was written to the end.",
                )
            line = reader.line_num
            for row in reader:
                line = reader.line_num
                if row and len(row) != len(first):
                    raise DataError(
                        f"{path}, line {line}",
                        f"the row has {len(row)} {'field' if len(row) == 1 else 'fields'}.",
                        f"Expected {len(first)}, as in the first line.",
                        "Correct or remove the line; a field that holds the separator needs quotes.",
                    )
                rows += bool(row)
    except UnicodeDecodeError as error:
        raise _undecodable(path, error) from error
    except csv.Error as error:
        raise DataError(
            f"{path}, line {line + 1}",
            f"it cannot be read as CSV ({error}).",
            "Expected rows of text.",
            "Look for a quote that is never closed, or check that this is a CSV file.",
        ) from error
    if all(_is_number(field) for field in first):
        return Layout(separator, coordinate_names(len(first)), has_header=False)
    if rows == 0:
        raise DataError(
            str(path),
            "there are names but no rows.",
            "Expected rows after the first line.",
            "Check that it was written to the end.",
        )
    unnamed = [position for position, name in enumerate(first) if not name.strip()]
    if unnamed == [0]:
        first[0] = "index"  # the column that pandas' own to_csv leaves without a name
    elif unnamed:
        raise DataError(
            f"{path}, line 1",
            f"column {unnamed[0]} has no name.",
            "Expected a name for every column.",
            "Name it in the first line.",
        )
    return Layout(separator, tuple(first), has_header=True)


def _lines(stream: TextIO, path: Path) -> Iterator[str]:
    """The lines one by one; one without an end would be read into memory whole."""
    longest = limit("line_bytes")
    while line := stream.readline(longest + 1):
        if len(line) > longest:
            raise DataError(
                str(path),
                f"a line has more than {longest:,} characters.",
                "Expected rows of text.",
                f"Check that this is a CSV file. {raise_it('line_bytes')}",
            )
        yield line


def _separator(first_line: str) -> str:
    outside_quotes = "".join(first_line.split('"')[::2])
    return max(SEPARATORS, key=outside_quotes.count)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _keep_leading_zeros(frame: pd.DataFrame, path: Path, layout: Layout) -> None:
    """Put the text back where whole numbers are codes: '00501' is not 501."""
    whole = [name for name in frame.columns if types.is_integer_dtype(frame[name].dtype)]
    if not whole:
        return
    head = _read(path, layout, columns=whole, rows=ROWS_TO_LOOK_AT)
    coded = [name for name in whole if head[name].str.fullmatch(LEADING_ZERO).any()]
    if coded:
        text = _read(path, layout, columns=coded)
        for name in coded:
            frame[name] = text[name]


def _with_types(frame: pd.DataFrame) -> pd.DataFrame:
    """Text columns that hold numbers, truth values or dates, in the types that these have."""
    for position in range(frame.shape[1]):
        column = frame.iloc[:, position]
        if not (types.is_object_dtype(column.dtype) or types.is_string_dtype(column.dtype)):
            continue
        if types.infer_dtype(column, skipna=True) == "boolean":  # truth values with gaps
            frame.isetitem(position, column.astype("boolean"))
            continue
        present = column.dropna().astype(str)
        says_missing = present.isin(MISSING_AMONG_NUMBERS)
        if len(present) and says_missing.any() and not says_missing.all():
            numbers = pd.to_numeric(present[~says_missing], errors="coerce")
            if not numbers.isna().any():
                frame.isetitem(position, numbers.reindex(column.index).astype("float64"))
        elif len(present) and present.str.fullmatch(DATE).all():
            has_zone = present.str.contains(r":.*(?:Z|[+-]\d{2}:?\d{2})$").any()
            dates = pd.to_datetime(column, format="ISO8601", errors="coerce", utc=bool(has_zone))
            if dates.notna().sum() == len(present):
                frame.isetitem(position, dates)
    return frame


def _undecodable(path: Path, error: UnicodeDecodeError) -> DataError:
    """Which line holds the first byte that is no UTF-8."""
    line = 0
    with open(path, "rb") as stream:
        for content in stream:
            line += 1
            try:
                content.decode("utf-8")
            except UnicodeDecodeError as found:
                error = found
                break
    return DataError(
        f"{path}, line {line}",
        f"the byte 0x{error.object[error.start]:02x} is no UTF-8 text.",
        "Expected a text file in UTF-8.",
        "Save it as 'CSV UTF-8', or convert it: iconv -f latin1 -t utf-8.",
    )


FORMATS = {
    "csv": DataFormat("CSV", (".csv", ".tsv"), ("points", "table"), has_suffix(".csv", ".tsv"), read_csv, write_csv)
}
