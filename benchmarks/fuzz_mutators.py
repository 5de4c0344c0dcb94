"""Changes to files that keep what a stranger would keep: checksums, lengths and syntax, so that readers read on.

Bytes that are changed at random end at the first checksum. Here an image keeps the CRC of its chunks, a zip that of
its files, a checkpoint its lengths (`fuzz.in_run` gives it the checksum), the numbers of a checkpoint their seal, and
a JSON or YAML document stays one, with values in places where they do not belong. A mutator is given a file, a source
of randomness and libFuzzer's own way of changing bytes, and returns another file.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

Change = Callable[[bytes], bytes]
Mutator = Callable[[bytes, random.Random, Change], bytes]

ODD_NUMBERS = (0, -1, 1, 2, 3, 7, 255, 2**31, 2**63, -(2**63) - 1, 10**400, 0.0, -0.0, 0.5, 1e308, -1e-320, 1e5)
ODD_TEXTS = (
    "",
    "x",
    "nan",
    "inf",
    "1",
    "true",
    "null",
    "../../x",
    "\x00",
    "\x1b[2J",
    "\u202e",
    "\ud800",
    "é" * 300,
    "os:system",
    "a.b",
    "mlp",
    "points",
    "images",
    "table",
    "<b>",
    "1970-01-01",
    "9" * 5000,
)
CELLS = (
    b"",
    b"NA",
    b"nan",
    b"inf",
    b"-inf",
    b"1e999",
    b"0x10",
    b"007",
    b"1_000",
    b"True",
    b"2024-02-30",
    b"9999-12-31",
    b"2024-05-31T12:00:00+14:00",
    b'"',
    b'"a""b"',
    b"\xff",
    b"\x00",
    b"'",
    b"=1+1",
    b"1,5",
    b"9" * 400,
)
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
ZIP_NAMES = (
    "../x.png",
    "/x.png",
    "a\\..\\b.png",
    "x.png/",
    "a/.hidden.png",
    "__MACOSX/a.png",
    "sheet.png",
    "con.png",
    "a/b/c/d.png",
    "é.png",
    " .png",
    "." * 200 + ".png",
    "x.txt",
    "values.npy",
    "labels.npy",
)


def json_document(content: bytes, chance: random.Random, change: Change) -> bytes:
    """Another JSON document; of a file of lines, one line is another."""
    lines = content.split(b"\n") if content.count(b"\n{") else [content]
    place = chance.randrange(len(lines))
    try:
        value = json.loads(lines[place])
    except (ValueError, RecursionError):
        return change(content)
    lines[place] = dumped(changed_value(value, chance))
    if len(lines) > 1 and chance.random() < 0.2:
        lines.insert(chance.randrange(len(lines)), lines[chance.randrange(len(lines))])
    return b"\n".join(lines)


def sealed_numbers(content: bytes, chance: random.Random, change: Change) -> bytes:
    """Numbers of a checkpoint with the seal that they need."""
    from equipoise.training.checkpoints import sealed

    try:
        value = json.loads(json_document(content, chance, change))
        return dumped(sealed(value) if chance.random() < 0.9 else value)
    except (ValueError, RecursionError, AttributeError, TypeError, UnicodeEncodeError):
        return change(content)


def yaml_document(content: bytes, chance: random.Random, change: Change) -> bytes:
    """Another YAML document."""
    import yaml

    try:
        value = yaml.safe_load(content)
        return yaml.safe_dump(changed_value(value, chance), sort_keys=False, allow_unicode=True).encode()
    except Exception:  # whatever yaml does with it is for the target to find out
        return change(content)


def table_text(content: bytes, chance: random.Random, change: Change) -> bytes:
    """Another table: a cell, a line or a column of text is another."""
    del change
    rows = [line.split(b",") for line in content.split(b"\n")]
    row = chance.randrange(len(rows))
    column = chance.randrange(len(rows[row]))
    what = chance.randrange(5)
    if what == 0:
        rows[row][column] = chance.choice(CELLS)
    elif what == 1:
        for cells in rows[1:]:
            if len(cells) > column:
                cells[column] = chance.choice(CELLS)
    elif what == 2:
        rows.insert(row, list(chance.choice(rows)))
    elif what == 3:
        rows = [cells[:column] + cells[column + 1 :] for cells in rows] if len(rows[0]) > 1 else rows[:-1]
    else:
        rows = [[*cells, cells[min(column, len(cells) - 1)]] for cells in rows]
    return b"\n".join(b",".join(cells) for cells in rows)


def png(content: bytes, chance: random.Random, change: Change) -> bytes:
    """Another PNG whose chunks have their CRC; its pixels are sometimes packed anew."""
    chunks = png_chunks(content)
    if not chunks:
        return change(content)
    place = chance.randrange(len(chunks))
    kind, body = chunks[place]
    what = chance.randrange(6)
    if what == 0:
        chunks.insert(chance.randrange(len(chunks)), chunks[place])
    elif what == 1 and len(chunks) > 1:
        del chunks[place]
    elif what == 2:
        chunks.insert(1, (chance.choice([b"tRNS", b"PLTE", b"gAMA", b"eXIf", b"iCCP", b"tEXt", b"acTL"]), change(body)))
    elif kind == b"IDAT" and what < 5:
        with contextlib.suppress(zlib.error, MemoryError):
            body = zlib.compress(change(zlib.decompressobj().decompress(body, 1 << 16)))
        chunks[place] = (kind, body)
    elif kind == b"IHDR" and what < 5 and len(body) == 13:
        width, height, *rest = struct.unpack(">IIBBBBB", body)
        field = chance.randrange(5)
        rest[field] = chance.choice([0, 1, 2, 3, 4, 6, 8, 16, chance.randrange(256)])
        sizes = (0, 1, 3, 4, 9, 12, 100, 2**16, 2**31 - 1)
        shape = (chance.choice(sizes), chance.choice(sizes)) if chance.random() < 0.3 else (width, height)
        chunks[place] = (kind, struct.pack(">IIBBBBB", *shape, *rest))
    else:
        chunks[place] = (kind, change(body))
    return PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def png_chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    """Kind and body of every chunk; none of what is no PNG."""
    found, place = [], len(PNG_SIGNATURE)
    if not content.startswith(PNG_SIGNATURE):
        return []
    while place + 8 <= len(content):
        (length,) = struct.unpack_from(">I", content, place)
        found.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + length]))
        place += 12 + length
    return found


def npy(content: bytes, chance: random.Random, change: Change) -> bytes:
    """Another `.npy` file whose head has the length that it says."""
    if not content.startswith(b"\x93NUMPY\x01") or len(content) < 10:
        return change(content)
    (length,) = struct.unpack_from("<H", content, 8)
    head, body = content[10 : 10 + length].rstrip(), content[10 + length :]
    if chance.random() < 0.5:
        body = change(body)
    else:
        old = [b"<f8", b"|u1", b"<U1", b"True", b"False", b"(40, 2)", b"(30, 8, 8)", b"(18,)", b"(40,)", b"(30,)"]
        new = [
            b"<f4",
            b">f8",
            b"|b1",
            b"<i8",
            b"<u2",
            b"<f2",
            b"|O",
            b"<c16",
            b"<M8[s]",
            b"|S3",
            b"<f16",
            b"(0,)",
            b"()",
            b"(80,)",
            b"(20, 4)",
            b"(30, 64)",
            b"(30, 4, 4, 4)",
            b"(-1,)",
            b"(9999999999999,)",
            b"True",
        ]
        there = [text for text in old if text in head]
        head = head.replace(chance.choice(there), chance.choice(new), 1) if there else change(head)
    head = head[: 1 << 15] + b" " * (-(11 + len(head[: 1 << 15])) % 64) + b"\n"
    return content[:8] + struct.pack("<H", len(head)) + head + body


def zipped(inner: Mutator) -> Mutator:
    """Another zip, whose files have their CRC; `inner` changes what is in one of them."""

    def mutate(content: bytes, chance: random.Random, change: Change) -> bytes:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                entries = [(entry.filename, archive.read(entry), entry.compress_type) for entry in archive.infolist()]
        except Exception:  # zipfile lets many kinds out
            return change(content)
        if not entries:
            return change(content)
        place = chance.randrange(len(entries))
        name, body, method = entries[place]
        what = chance.randrange(10)
        if what == 0:
            entries[place] = (chance.choice(ZIP_NAMES), body, method)
        elif what == 1:
            entries[place] = (name, body, chance.choice(ZIP_METHODS))
        elif what == 2:
            entries.insert(chance.randrange(len(entries)), (name, entries[chance.randrange(len(entries))][1], method))
        elif what == 3:
            del entries[place]
        else:
            entries[place] = (name, inner(body, chance, change), method)
        buffer = io.BytesIO()
        try:
            with zipfile.ZipFile(buffer, "w") as archive:
                for name, body, method in entries:
                    archive.writestr(zipfile.ZipInfo(name), body, compress_type=method)
        except Exception:  # a name or a method that cannot be written
            return change(content)
        made = buffer.getvalue()
        # The lists around the files: sometimes these, without a care for what is in them.
        tail = min(len(made), 400)
        return made[:-tail] + change(made[-tail:])[:tail] if chance.random() < 0.1 else made

    return mutate


def safetensors(content: bytes, chance: random.Random, change: Change) -> bytes:
    """Another file of tensors whose head is JSON of the length that it says."""
    try:
        (length,) = struct.unpack_from("<Q", content)
        head = json.loads(content[8 : 8 + length])
        body = content[8 + length :]
        if chance.random() < 0.4:
            body = change(body)
        else:
            head = changed_value(head, chance)
        made = dumped(head)
        return struct.pack("<Q", len(made)) + made + body
    except (ValueError, struct.error, RecursionError, OverflowError, UnicodeError):
        return change(content)


def changed_value(value: Any, chance: random.Random) -> Any:
    """The same value with one part of it replaced, removed, doubled or moved."""
    if isinstance(value, dict) and value and chance.random() < 0.92:
        key = chance.choice(list(value))
        what = chance.random()
        if what < 0.1:
            return {name: entry for name, entry in value.items() if name != key}
        if what < 0.15:
            return {**value, chance.choice(ODD_TEXTS): value[key]}
        if what < 0.22:
            return {**value, key: value[chance.choice(list(value))]}
        return {**value, key: changed_value(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.92:
        place = chance.randrange(len(value))
        what = chance.random()
        if what < 0.1:
            return [*value[:place], *value[place + 1 :]]
        if what < 0.2:
            return [*value, *value[place:]][:2000]
        return [*value[:place], changed_value(value[place], chance), *value[place + 1 :]]
    if type(value) in (int, float) and chance.random() < 0.5:
        return type(value)(chance.choice([value + 1, value - 1, -value, value * 2, value * 1000]))
    return chance.choice(
        [
            chance.choice(ODD_NUMBERS),
            chance.choice(ODD_TEXTS),
            None,
            True,
            False,
            [],
            {},
            [value],
            {"x": value},
            [chance.choice(ODD_NUMBERS)] * 3,
        ]
    )


def dumped(value: Any) -> bytes:
    """JSON as other programs write it: with NaN and infinities, and characters as they are."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
