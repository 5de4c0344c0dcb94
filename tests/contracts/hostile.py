"""Files that mean harm, and what every reader owes the person who was given one."""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from equipoise.errors import EXIT_BAD_INPUT, EquipoiseError

FIXTURE = Path(__file__).parent.parent / "fixtures" / "format1"


class Payload:
    """An object whose pickle makes a file when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (Path.touch, (self.mark,))


def pickled(mark: Path) -> bytes:
    """A pickle that makes the file `mark`; the tests make sure that it would."""
    content = pickle.dumps(Payload(mark))
    pickle.loads(content)
    assert mark.exists()
    mark.unlink()
    return content


def refused(act: Callable[[], Any], *words: str) -> EquipoiseError:
    """Run `act`, which must end with an error of bad input whose message holds all `words`."""
    with pytest.raises(EquipoiseError) as caught:
        act()
    assert caught.value.exit_code == EXIT_BAD_INPUT
    for word in words:
        assert word in str(caught.value), str(caught.value)
    return caught.value


def everything_below(folder: Path) -> dict[str, bytes | None]:
    """All names below a folder with the contents of its files."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }


def png_of_size(width: int, height: int) -> bytes:
    """A PNG of a hundred bytes that says it has so many pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">L", len(content)) + name + content + struct.pack(">L", zlib.crc32(name + content))

    head = struct.pack(">LLBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def npy_of_shape(shape: str, dtype: str = "'<f8'", body: bytes = b"") -> bytes:
    """An `.npy` file with such a head."""
    head = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + body


def zip_of(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip with these names as they are."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return path
