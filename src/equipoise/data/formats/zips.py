"""Zip files from strangers: how long their list of files may be, and which methods of packing are read."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path

from equipoise.documents import open_regular
from equipoise.errors import DataError
from equipoise.limits import limit, raise_it

# Not LZMA: its decoder takes up to 4 GB of memory when a file asks for it.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
SHORTEST_ENTRY = 46
LONGEST_END = 22 + 65_535 + 76


def open_zip(path: Path) -> zipfile.ZipFile:
    """A zip whose list of files is of a bearable length: `zipfile` reads all of it into memory at once.

    Raises:
        DataError: it cannot be read as a zip, or lists too many files.
    """
    count = _listed_at_most(path)
    if count > limit("zip_entries"):
        raise DataError(
            str(path),
            f"it lists up to {count:,} files.",
            f"Expected at most {limit('zip_entries'):,}.",
            raise_it("zip_entries"),
        )
    try:
        return zipfile.ZipFile(path)
    except (
        zipfile.BadZipFile,
        OSError,
        ValueError,
        NotImplementedError,
        EOFError,
        struct.error,
        OverflowError,
        RuntimeError,
    ) as error:
        raise DataError(
            str(path),
            f"it cannot be read as a zip ({error}).",
            "Expected a zip file.",
            "Pack it again, or check that the copy is complete.",
        ) from error


def _listed_at_most(path: Path) -> int:
    """How many files the zip's list can hold, from its length in bytes at the end of the zip; 0 where there is none."""
    with open_regular(path, kind=DataError) as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - LONGEST_END))
        end = stream.read(LONGEST_END)
    place = end.rfind(b"PK\x05\x06")
    if place < 0 or len(end) < place + 22:
        return 0
    (length,) = struct.unpack_from("<L", end, place + 12)
    if place >= 76 and end[place - 20 : place - 16] == b"PK\x06\x07":  # the 64-bit end before it
        (length,) = struct.unpack_from("<Q", end, place - 76 + 40)
    return min(length, size) // SHORTEST_ENTRY
