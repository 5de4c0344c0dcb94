"""JSON and YAML documents from files that nobody vouches for: within limits, as plain values, with one kind of error.

Nothing here builds objects, follows YAML aliases or waits for a pipe. Text is UTF-8; a byte order mark is skipped.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from equipoise.errors import InputError, RunFolderError
from equipoise.limits import LIMITS, limit, raise_it

LONGEST_REASON = 200
LONGEST_NUMBER = 1000
NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def open_regular(path: Path | str, *, kind: type[InputError] = InputError) -> BinaryIO:
    """An ordinary file, open for reading; a pipe, a device or a folder in its place is refused, and never waited for.

    Raises:
        InputError: of the given kind: it is no ordinary file.
        OSError: it is not there or may not be read.
    """
    try:
        found = Path(path).stat().st_mode  # before it is opened: opening some devices does something
        if stat.S_ISREG(found):
            # Whatever takes its place meanwhile is not waited for either.
            stream = open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))
            found = os.fstat(stream.fileno()).st_mode
            if stat.S_ISREG(found):
                return stream
            stream.close()
    except ValueError as error:  # a NUL in the name
        raise FileNotFoundError(2, "no file can have this name", str(path)) from error
    raise not_regular(path, found, kind=kind)


def not_regular(path: Path | str, mode: int, *, kind: type[InputError] = InputError) -> InputError:
    """The error for something that has a name like a file and is none."""
    names = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    found = names.get(stat.S_IFMT(mode), "a device")
    return kind(str(path), f"it is {found}.", "Expected an ordinary file.", "Give the file itself, or a copy of it.")


def read_text(path: Path, *, most: str, kind: type[InputError] = RunFolderError) -> str:
    """A whole file as text.

    Args:
        path: the file.
        most: the name of the limit on its bytes.
        kind: of the error.

    Raises:
        InputError: of the given kind: no ordinary file, too large, or no UTF-8.
        OSError: it is not there or may not be read.
    """
    with open_regular(path, kind=kind) as stream:
        content = stream.read(limit(most) + 1)
    if len(content) > limit(most):
        raise kind(
            str(path),
            f"it has more than {limit(most):,} bytes.",
            f"Expected at most {limit(most):,} {LIMITS[most].meaning}.",
            raise_it(most),
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise kind(
            str(path),
            f"the byte 0x{content[error.start]:02x} at {error.start} is no UTF-8 text.",
            "Expected a text file in UTF-8.",
            "Restore it from a copy, or save it as UTF-8.",
        ) from error


def read_json(path: Path, *, kind: type[InputError] = RunFolderError) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        InputError: of the given kind: it cannot be read as JSON, or holds something else than an object.
        OSError: it is not there or may not be read.
    """
    text = read_text(path, most="json_bytes", kind=kind)
    try:
        content = parse_json(text)
    except ValueError as error:
        raise kind(
            str(path),
            f"not readable as JSON ({error}).",
            "Expected a file that equipoise wrote.",
            "Restore it from a copy, or start a new run.",
        ) from error
    if not isinstance(content, dict):
        raise kind(str(path), f"holds a {type(content).__name__}.", "Expected a JSON object.")
    return content


def parse_json(text: str | bytes) -> Any:
    """JSON as plain values. NaN and infinities, which JSON does not know and we never write, are refused.

    Raises:
        ValueError: it is no JSON, or too deeply nested.
    """
    try:
        return json.loads(text, parse_constant=_refused, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("too deeply nested") from error


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file of lines; broken lines, such as one cut short by a crash, are left out.

    Raises:
        RunFolderError: no ordinary file, or too large.
    """
    try:
        stream = open_regular(path, kind=RunFolderError)
    except FileNotFoundError:
        return
    longest, rest = limit("log_line_bytes"), limit("log_bytes")
    with stream:
        while line := stream.readline(longest + 1):
            rest -= len(line)
            if len(line) > longest or rest < 0:
                name = "log_line_bytes" if len(line) > longest else "log_bytes"
                raise RunFolderError(
                    str(path),
                    "it is too large.",
                    f"Expected at most {limit(name):,} {LIMITS[name].meaning}.",
                    raise_it(name),
                )
            try:
                row = parse_json(line)
            except ValueError:  # UnicodeDecodeError is one
                continue
            if isinstance(row, dict):
                yield row


def parse_yaml(text: str, *, lines: dict[str, int] | None = None) -> Any:
    """YAML as plain values; the line of each key is put into `lines`.

    Raises:
        yaml.YAMLError: it is no YAML, uses aliases, is nested too deeply, or a value is not what its tag says.
    """
    try:
        loader = _PlainLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            if lines is not None:
                _find_lines(node, "", lines)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        # The constructors of dates, numbers and truth values let such errors through: 2024-99-99, !!int x.
        reason = str(error)[:LONGEST_REASON] or type(error).__name__
        raise yaml.YAMLError(f"a value that cannot be read: {reason}") from error


class _PlainLoader(yaml.SafeLoader):
    """Plain values only, without aliases, which could make a small file explode, and of limited depth."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth, self._deepest = 0, limit("yaml_depth")

    def construct_scalar(self, node: yaml.Node) -> Any:
        # YAML reads 1:1:1 as a number to base 60: the time for one of a megabyte grows with its square.
        if node.tag in NUMBERS and len(node.value) > LONGEST_NUMBER:
            raise yaml.MarkedYAMLError(problem="a number of too many digits", problem_mark=node.start_mark)
        return super().construct_scalar(node)

    def compose_node(self, parent: Any, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem="the file uses YAML aliases; write the values out", problem_mark=mark)
        if self._depth >= self._deepest:
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem=f"more than {self._deepest} levels of nesting", problem_mark=mark)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def _find_lines(node: yaml.Node, prefix: str, found: dict[str, int]) -> None:
    pairs: list[tuple[str, int, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        pairs = [(str(key.value), key.start_mark.line, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        pairs = [(str(index), value.start_mark.line, value) for index, value in enumerate(node.value)]
    for key, line, value in pairs:
        path = f"{prefix}.{key}" if prefix else key
        found[path] = line + 1
        _find_lines(value, path, found)


def _refused(text: str) -> float:
    raise ValueError(f"{text} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    return value if abs(value) < float("inf") else _refused(text)
