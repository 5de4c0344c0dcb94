"""CSV: rows of text, UTF-8, separated by commas, semicolons, tabs or bars, whichever the first line has most of.

The first line holds the names, unless every field of it is a number; then the columns are called x0, x1, ...
Excel's line `sep=;` before it names the separator; in a `.tsv` file it is the tab. What the text of a column means is
decided in `equipoise.data.tables.reading`, from all rows. Two columns of one name are made distinct as pandas does:
`name` and `name.1`. A file with names is a table; numbers without names are points.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import pandas as pd

from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.formats.format import DataFormat, has_suffix
from equipoise.data.points.encoder import coordinate_names
from equipoise.data.tables.checks import check_names, distinct_names, too_many_columns
from equipoise.data.tables.frames import as_frame, from_frame
from equipoise.data.tables.like import holds_of, level_text
from equipoise.data.tables.overrides import DROP, HOLDS
from equipoise.data.tables.reading import Remarks, TextRules, number_of, read_like, read_text
from equipoise.errors import DataError
from equipoise.files import replacing
from equipoise.limits import limit, raise_it, refuse_expansion

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
SEPARATORS = (",", ";", "\t", "|")
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\r?\n?')
UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Layout:
    """How the text of a CSV file is cut into fields.

    Attributes:
        separator: between the fields.
        names: of the columns, each of its own.
        has_header: whether they stand in the file.
        lines_before: lines before the names.
        notes: sentences for the person.
        repeated: columns with the name of an earlier one: their own name here, and that in the file.
    """

    separator: str
    names: tuple[str, ...]
    has_header: bool
    lines_before: int = 0
    notes: tuple[str, ...] = ()
    repeated: tuple[tuple[str, str], ...] = ()


def read_csv(path: Path, options: DataOptions) -> Dataset:
    """A table or points from a CSV file.

    Raises:
        DataError: bytes that are no UTF-8, or a row with another number of fields than the first.
    """
    layout = _layout(path)
    if len(layout.names) > limit("columns"):
        raise too_many_columns(str(path), len(layout.names))
    check_names(list(layout.names), source=str(path))
    try:
        text = _read(path, layout)
    except (ValueError, OverflowError) as error:
        raise DataError(
            str(path),
            f"it cannot be read as CSV ({(str(error).splitlines() or ['damaged'])[0][:120]}).",
            "Expected rows of text with the same number of fields.",
            "Write the file again.",
        ) from error
    frame, notes = _understood(text, layout, options)
    may_be_points = not layout.has_header
    try:
        raw = from_frame(frame, options=options, source=str(path), may_be_points=may_be_points)
    except DataError as error:
        # How a column was read may be what is wrong with it.
        about = [note for note in notes if error.where.partition(", column ")[2].partition(", row")[0] in note]
        if ", column " not in error.where or not about:
            raise
        raise DataError(error.where, error.found, error.expected, " ".join([error.advice, *about])) from None
    return replace(raw.with_notes(*layout.notes, *notes), repeated=layout.repeated)


def write_csv(path: Path, batches: Iterable[Dataset], rows: int) -> None:
    """Names, then one line per row; missing values are blank."""
    del rows
    name = path.name.lower()
    separator = "\t" if ".tsv" in Path(name).suffixes else ","
    with replacing(path) as temporary, ExitStack() as stack:
        raw = stack.enter_context(open(temporary, "wb"))
        if name.endswith(".gz"):  # without the time in its head, equal samples give equal files
            raw = stack.enter_context(gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0))
        stream = stack.enter_context(io.TextIOWrapper(raw, encoding="utf-8", newline=""))
        for number, batch in enumerate(batches):
            frame, written = as_frame(batch), dict(batch.repeated)
            header = [written.get(str(name), str(name)) for name in frame.columns]
            frame.to_csv(stream, index=False, header=header if number == 0 else False, sep=separator)


def _understood(text: pd.DataFrame, layout: Layout, options: DataOptions) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The columns in the types of what they hold, or of the data that they are to be compared with; and notes."""
    rules = TextRules(frozenset(options.missing), options.day_first, decimal_comma=layout.separator != ",")
    stated = {
        name: "level" if " " in kind else HOLDS.get(kind, "level")
        for name, kind in options.columns.items()
        if kind != DROP
    }
    known = {**stated, **{str(kind.name): holds_of(kind) for kind in (*options.like, *options.stored)}}
    kept = {str(kind.name): getattr(kind, "levels", ()) for kind in (*options.like, *options.stored)}
    remarks = Remarks()

    def read(name: str) -> pd.Series:
        if known.get(name, "level") != "level":
            return read_like(text[name], known[name], name=name, rules=rules, remarks=remarks)
        if name not in known:
            return read_text(text[name], name=name, rules=rules, remarks=remarks)
        found = read_text(text[name], name=name, rules=rules, remarks=Remarks(), knows_times=False)
        # Text as it stands; what is missing is decided as for any other column, but for what is a level already.
        return text[name].mask(found.isna() & ~text[name].isin([level_text(level) for level in kept.get(name, ())]))

    columns = [read(name) for name in layout.names if name not in options.drop]
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=text.index)
    frame.columns = [name for name in layout.names if name not in options.drop]
    for name in options.drop:  # what is left out is named where it is checked
        if name in layout.names:
            frame[name] = text[name]
    return frame[list(layout.names)], remarks.sentences()


def _read(path: Path, layout: Layout) -> pd.DataFrame:
    """Every field as text."""
    return pd.read_csv(
        path,
        sep=layout.separator,
        header=0 if layout.has_header else None,
        names=list(layout.names),
        skiprows=layout.lines_before,
        keep_default_na=False,
        na_filter=False,
        encoding="utf-8-sig",
        index_col=False,
        dtype=str,
        compression="gzip" if path.name.lower().endswith(".gz") else None,
    )


def _opened(path: Path) -> TextIO:
    """The text of the file, unpacked if it is packed."""
    if not path.name.lower().endswith(".gz"):
        return open(path, encoding="utf-8-sig", newline="")
    return io.TextIOWrapper(gzip.open(path), encoding="utf-8-sig", newline="")


def _layout(path: Path) -> Layout:
    """Cut the whole file into fields once, so that a line that does not fit is named before anything else happens."""
    line = rows = 0
    try:
        with _opened(path) as stream:
            lines = _lines(stream, path)
            begin = next(lines, "")
            named = SEPARATOR_LINE.fullmatch(begin)
            separator = named[1] if named else _separator(begin, path)
            if not named:
                stream.seek(0)
                lines = _lines(stream, path)
            reader = csv.reader(lines, delimiter=separator)
            first = next((row for row in reader if row), None)
            if first is None:
                raise DataError(
                    str(path),
                    "the file is empty.",
                    "Expected a line of names, then rows.",
                    "Check that it was written to the end.",
                )
            before = 1 if named else 0
            line = reader.line_num + before
            for row in reader:
                line = reader.line_num + before
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
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            str(path),
            f"it cannot be unpacked ({(str(error).splitlines() or ['damaged'])[0][:120]}).",
            "Expected a file that gzip packed.",
            "Check that the copy is complete.",
        ) from error
    except csv.Error as error:
        raise DataError(
            f"{path}, line {line + 1}",
            f"it cannot be read as CSV ({error}).",
            "Expected rows of text.",
            "Look for a quote that is never closed, or check that this is a CSV file.",
        ) from error
    if all(number_of(field.strip(), decimal_comma=separator != ",") is not None for field in first):
        note = "The first line holds numbers only, so it was read as data, and the columns were numbered."
        return Layout(separator, coordinate_names(len(first)), False, before, (note,))
    if rows == 0:
        raise DataError(
            str(path),
            "there are names but no rows.",
            "Expected rows after the first line.",
            "Check that it was written to the end.",
        )
    return _named(first, separator, before, path)


def _named(first: list[str], separator: str, before: int, path: Path) -> Layout:
    """The layout of a file whose first line holds these names."""
    unnamed = [position for position, name in enumerate(first) if not name.strip()]
    if unnamed == [0]:
        first[0] = "index"  # the column that pandas' own to_csv leaves without a name
    elif unnamed:
        raise DataError(
            f"{path}, line 1",
            f"column {unnamed[0]} has no name; {len(unnamed)} of {len(first)} columns have none.",
            "Expected a name for every column (counted from 0), except the first.",
            "Write the names in the first line.",
        )
    names, notes = distinct_names(first)
    repeated = tuple((str(new), old) for new, old in zip(names, first, strict=True) if new != old)
    return Layout(separator, tuple(names), True, before, notes, repeated)


def _lines(stream: TextIO, path: Path) -> Iterator[str]:
    """The lines one by one; one without an end would be read into memory whole, and so would a packed file."""
    longest, stored, read = limit("line_bytes"), path.stat().st_size, 0
    while line := stream.readline(longest + 1):
        if len(line) > longest:
            raise DataError(
                str(path),
                f"a line has more than {longest:,} characters.",
                "Expected rows of text.",
                f"Check that this is a CSV file. {raise_it('line_bytes')}",
            )
        read += len(line)
        if read > stored:
            refuse_expansion(str(path), stored=stored, expanded=read)
        yield line


def _separator(first_line: str, path: Path) -> str:
    outside_quotes = "".join(first_line.split('"')[::2])
    if ".tsv" in path.name.lower() and "\t" in outside_quotes:
        return "\t"
    return max(SEPARATORS, key=outside_quotes.count)


def _undecodable(path: Path, error: UnicodeDecodeError) -> DataError:
    """Which line holds the first byte that is no UTF-8."""
    line = 0
    with gzip.open(path) if path.name.lower().endswith(".gz") else open(path, "rb") as stream:
        for content in stream:
            line += 1
            if line == 1 and content.startswith(UTF16):
                return DataError(
                    str(path),
                    "its text is UTF-16, as Excel's 'Unicode text' is.",
                    "Expected a text file in UTF-8.",
                    "Save it as 'CSV UTF-8', or convert it: iconv -f utf-16 -t utf-8.",
                )
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


FORMATS = {"csv": DataFormat("CSV", SUFFIXES, ("points", "table"), has_suffix(*SUFFIXES), read_csv, write_csv)}
