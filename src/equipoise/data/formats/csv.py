"""CSV: rows of text, UTF-8, separated by commas, semicolons, tabs or bars, whichever the first line has most of.

The first line holds the names, unless every field of it is a number; then the columns are called x0, x1, ...
Blank fields are missing values. In a column that otherwise holds numbers, NA, NaN, N/A, null and None are missing,
too; elsewhere they are text like any other, and so is `?`. Text of the form 2024-05-31 or 2024-05-31 12:30:00 is a
date. A file is points when every column holds real numbers, written with a decimal point or an exponent, and none
is missing; otherwise it is a table.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from equipoise.data.codecs import coordinate_names
from equipoise.data.format import DataFormat, has_suffix
from equipoise.data.raw import DataOptions, RawData
from equipoise.data.tables import check_names, from_columns
from equipoise.errors import DataError
from equipoise.files import replacing

SEPARATORS = (",", ";", "\t", "|")
MISSING_AMONG_NUMBERS = ("NA", "NaN", "nan", "N/A", "n/a", "null", "NULL", "None", "#N/A")
DATE = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?"


def read_csv(path: Path, options: DataOptions) -> RawData:
    """A table or points from a CSV file.

    Raises:
        DataError: bytes that are no UTF-8, a row with another number of fields than the first, names that repeat.
    """
    separator, names, has_header = _check_shape(path)
    check_names(list(names), source=str(path))
    try:
        frame = pd.read_csv(
            path, sep=separator, header=None, names=list(names), skiprows=_lines_before_rows(path, has_header),
            keep_default_na=False, na_values=[""], encoding="utf-8-sig", low_memory=False, skip_blank_lines=True,
            index_col=False, on_bad_lines="error",
        )  # fmt: skip
    except (ValueError, pd.errors.ParserError, OverflowError) as error:
        raise DataError(
            str(path), f"it cannot be read as CSV ({str(error).splitlines()[0][:120]}).",
            "Expected rows of text with the same number of fields.", "Write the file again.",
        ) from error  # fmt: skip
    return from_columns(_with_types(frame), options=options, source=str(path))


def write_csv(path: Path, data: RawData) -> None:
    """Names, then one line per row; missing values are blank."""
    frame = data.values if data.kind == "table" else pd.DataFrame(data.values, columns=list(data.names))
    with replacing(path) as temporary:
        frame.to_csv(temporary, index=False, encoding="utf-8")


def _check_shape(path: Path) -> tuple[str, tuple[str, ...], bool]:
    """Separator, column names, and whether the first line gave them; every line has as many fields."""
    line = 0
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            separator = _separator(stream.readline())
            stream.seek(0)
            reader = csv.reader(stream, delimiter=separator)
            first = next((row for row in reader if row), None)
            if first is None:
                raise DataError(str(path), "the file is empty.", "Expected a line of names, then rows.")
            line, rows = reader.line_num, 0
            for row in reader:
                line = reader.line_num
                if not row:
                    continue
                rows += 1
                if len(row) != len(first):
                    raise DataError(
                        f"{path}, line {line}", f"the row has {len(row)} fields.",
                        f"Expected {len(first)}, as in the first line.",
                        "Correct or remove the line; a field that holds the separator needs quotes.",
                    )  # fmt: skip
    except UnicodeDecodeError as error:
        raise _undecodable(path, error) from error
    except csv.Error as error:
        raise DataError(
            f"{path}, line {line + 1}", f"it cannot be read as CSV ({error}).", "Expected rows of text.",
            "Look for a quote that is never closed, or check that this is a CSV file.",
        ) from error  # fmt: skip
    has_header = not all(_is_number(field) for field in first)
    if not has_header:
        return separator, coordinate_names(len(first)), False
    if rows == 0:
        raise DataError(str(path), "there are names but no rows.", "Expected rows after the first line.")
    unnamed = [position for position, name in enumerate(first) if not name.strip()]
    if unnamed == [0]:
        first[0] = "index"  # what pandas' own to_csv leaves blank
    elif unnamed:
        raise DataError(
            f"{path}, line 1", f"column {unnamed[0]} has no name.", "Expected a name for every column.",
            "Name it in the first line.",
        )  # fmt: skip
    return separator, tuple(first), True


def _lines_before_rows(path: Path, has_header: bool) -> int:
    """Physical lines that the names take, blank lines before them included."""
    if not has_header:
        return 0
    with open(path, encoding="utf-8-sig", newline="") as stream:
        separator = _separator(stream.readline())
        stream.seek(0)
        reader = csv.reader(stream, delimiter=separator)
        next(row for row in reader if row)
        return reader.line_num


def _separator(first_line: str) -> str:
    outside_quotes = "".join(first_line.split('"')[::2])
    return max(SEPARATORS, key=outside_quotes.count)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _with_types(frame: pd.DataFrame) -> pd.DataFrame:
    """Text columns that hold numbers, truth values or dates, in the types that these have."""
    for position in range(frame.shape[1]):
        column = frame.iloc[:, position]
        if not (pd.api.types.is_object_dtype(column.dtype) or pd.api.types.is_string_dtype(column.dtype)):
            continue
        if pd.api.types.infer_dtype(column, skipna=True) == "boolean":  # truth values with gaps
            frame.isetitem(position, column.astype("boolean"))
            continue
        present = column.dropna().astype(str)
        said_missing = present.isin(MISSING_AMONG_NUMBERS)
        numbers = pd.to_numeric(present[~said_missing], errors="coerce")
        if len(numbers) and said_missing.any() and not numbers.isna().any():
            frame.isetitem(position, numbers.reindex(column.index).astype("float64"))
        elif len(present) and present.str.fullmatch(DATE).all():
            dates = pd.to_datetime(column, format="ISO8601", errors="coerce", utc=bool(present.iloc[0][-1] == "Z"))
            if dates.notna().sum() == len(present) and pd.api.types.is_datetime64_any_dtype(dates.dtype):
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
        f"{path}, line {line}", f"the byte 0x{error.object[error.start]:02x} is no UTF-8 text.",
        "Expected a text file in UTF-8.", "Save it as 'CSV UTF-8', or convert it: iconv -f latin1 -t utf-8.",
    )  # fmt: skip


FORMATS = {
    "csv": DataFormat("CSV", (".csv", ".tsv"), ("points", "table"), has_suffix(".csv", ".tsv"), read_csv, write_csv)
}
