"""`metrics.jsonl` read as it grows: each time from where the last reading ended, never the whole file again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.documents import open_regular, parse_json
from equipoise.entries import entry_at, finite
from equipoise.errors import RunFolderError
from equipoise.limits import LIMITS, limit, raise_it
from equipoise.live.columns import GrowingColumns

AT_ONCE = 1 << 22
"""Bytes that one reading takes at most, so that the first page of a long run is soon there and fills up."""
FINGERPRINT = 256
"""Bytes before the place where reading ended. Where they are others now, the file was written anew."""
MOST_FLAGGED = 20_000


class MetricsLog:
    """The rows of one file so far.

    Attributes:
        columns: their numbers.
        generation: grows when the file was written anew: what was read of it before no longer counts.
        last: the newest row.
        monitored: rows on which saturation was measured, with their step and what was found alone.
        histograms: step of each row that has a histogram, with where it lies in the file.
        broken_lines: numbers of lines that could not be read, counted from 1.
        trouble: why the file cannot be read on; empty while it can.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.generation = 0
        self._forget()

    def _forget(self) -> None:
        self.columns = GrowingColumns()
        self.last: Mapping[str, Any] = {}
        self.monitored: list[dict[str, Any]] = []
        self.histograms: dict[int, tuple[int, int]] = {}
        self.broken_lines: list[int] = []
        self.trouble = ""
        self._place, self._lines, self._before, self._identity = 0, 0, b"", None

    def read_on(self) -> bool:
        """Read what has been added, `AT_ONCE` bytes at most; whether anything has changed."""
        try:
            with open_regular(self.path, kind=RunFolderError) as stream:
                found = os.fstat(stream.fileno())
                identity = (found.st_dev, found.st_ino)
                is_same = self._identity in (None, identity) and found.st_size >= self._place
                if is_same and self._before:
                    stream.seek(self._place - len(self._before))
                    is_same = stream.read(len(self._before)) == self._before
                if not is_same:
                    self._forget()
                    self.generation += 1
                self._identity = identity
                if found.st_size == self._place or self.trouble:
                    return not is_same
                if found.st_size > limit("log_bytes"):
                    self.trouble = self._too_large("log_bytes")
                    return True
                stream.seek(self._place)
                content = stream.read(AT_ONCE)
                if len(content) == AT_ONCE and b"\n" not in content:
                    content += stream.read(max(0, limit("log_line_bytes") + 1 - AT_ONCE))
                return self._take(content) or not is_same
        except FileNotFoundError:
            if not self._place:
                return False
            self._forget()
            self.generation += 1
            return True
        except (OSError, RunFolderError) as error:
            text = " ".join(str(error).split())
            was, self.trouble = self.trouble, text
            return was != text

    def _take(self, content: bytes) -> bool:
        end = content.rfind(b"\n") + 1  # a line that is being written is left for the next time
        if not end:
            if len(content) > limit("log_line_bytes"):
                self.trouble = self._too_large("log_line_bytes")
                return True
            return False
        is_sorted, start = True, 0
        while start < end:
            stop = content.index(b"\n", start) + 1
            is_sorted &= self._add(content[start:stop], self._place + start)
            start = stop
        self._before = (self._before + content[:end])[-FINGERPRINT:]
        self._place += end
        if not is_sorted:
            self.columns.put_in_order()
            self.generation += 1
        return True

    def _add(self, line: bytes, place: int) -> bool:
        """Add one line; whether its step is above those before."""
        self._lines += 1
        if not line.strip():
            return True
        try:
            row = parse_json(line)
            step = finite(row.get("step")) if isinstance(row, dict) and abs(row.get("step") or 0) < 2**62 else None
        except (ValueError, TypeError):
            row, step = None, None
        if step is None:
            self.broken_lines.append(self._lines)
            return True
        whole = int(step)
        before = self.columns.steps[-1] if len(self.columns) else float("-inf")
        self.columns.append(float(whole), row)
        self.last = {**row, "step": whole}
        if isinstance(row.get("histogram"), Mapping):
            self.histograms[whole] = (place, len(line))
        if isinstance(row.get("saturation"), Mapping) and len(self.monitored) < MOST_FLAGGED:
            self.monitored.append({"step": whole, "saturation": {"flags": entry_at(row, "saturation", "flags")}})
        return whole > before

    def rows_for_words(self) -> tuple[dict[str, Any], ...]:
        """The rows that sentences are made from: those on which saturation was measured, and the newest."""
        rows = [row for row in self.monitored if row["step"] != self.last.get("step")]
        return (*sorted(rows, key=lambda row: row["step"]), *([dict(self.last)] if self.last else []))

    def row_at(self, step: int) -> Mapping[str, Any] | None:
        """The whole row of a step that has a histogram, read again from its place; `None` if it is no longer there."""
        place = self.histograms.get(step)
        if place is None:
            return None
        try:
            with open_regular(self.path, kind=RunFolderError) as stream:
                stream.seek(place[0])
                row = parse_json(stream.read(place[1]))
        except (OSError, ValueError, RunFolderError):
            return None
        return {**row, "step": step} if isinstance(row, dict) and finite(row.get("step")) == step else None

    def troubles(self) -> list[str]:
        """A sentence for each thing that could not be read."""
        said = [self.trouble] if self.trouble else []
        if self.broken_lines:
            shown = ", ".join(f"{line:,}" for line in self.broken_lines[:5])
            more = f" and {len(self.broken_lines) - 5:,} more" if len(self.broken_lines) > 5 else ""
            one = len(self.broken_lines) == 1
            said.append(
                f"{self.path.name}, line{'' if one else 's'} {shown}{more}: not readable as a measured step; left out. "
                "A kill in the middle of writing leaves such a line; nothing needs to be done."
            )
        if self.columns.is_cut:
            kinds = len(self.columns.columns)
            said.append(f"{self.path.name}: of very many kinds of numbers in its rows, {kinds:,} are shown.")
        return said

    def _too_large(self, name: str) -> str:
        return (
            f"{self.path.name}: it is too large; expected at most {limit(name):,} {LIMITS[name].meaning}. "
            f"{raise_it(name)}"
        )
