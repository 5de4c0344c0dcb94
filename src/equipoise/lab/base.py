"""What an experiment of the lab is: a function that returns a result with a table, numbers and a picture."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, get_type_hints

from equipoise.errors import unknown_name
from equipoise.files import write_json, write_text
from equipoise.parts import discover
from equipoise.plotting.style import save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Result(Protocol):
    """What every experiment returns: a frozen record of plain numbers."""

    question: ClassVar[str]
    """What a person asks, which the result answers."""

    def to_text(self) -> str:
        """The answer as tables and sentences for a terminal."""

    def to_json(self) -> dict[str, Any]:
        """Every number behind the text and the picture."""

    def figure(self) -> Figure:
        """The picture."""


Experiment = Callable[..., Result]
"""Called without arguments by the command line; `seed` is keyword-only where chance plays a part."""


def available() -> tuple[str, ...]:
    """Names of all experiments, sorted."""
    return tuple(sorted(_table()))


def find(name: str, *, where: str = "equipoise lab") -> Experiment:
    """The experiment called `name`."""
    if name not in _table():
        raise unknown_name(where, "experiment", name, available())
    return _table()[name]


def question(name: str) -> str:
    """What the experiment called `name` answers, without running it: its result type says so."""
    return str(get_type_hints(find(name))["return"].question)


def write_result(result: Result, folder: Path | str, *, name: str) -> list[Path]:
    """Write `NAME.txt`, `NAME.json`, `NAME.png` and `NAME.svg` into `folder`; their paths.

    Raises:
        StorageError: the file system refused a write; each file is whole or absent.
    """
    base = Path(folder) / name
    write_text(base.with_suffix(".txt"), result.to_text() + "\n")
    write_json(base.with_suffix(".json"), result.to_json())
    pictures = [save_figure(result.figure(), base.with_suffix(suffix)) for suffix in (".png", ".svg")]
    return [base.with_suffix(".txt"), base.with_suffix(".json"), *pictures]


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows as columns that line up: the first to the left, the others, which are numbers, to the right."""
    lines = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    written = [
        "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]).rstrip()
        for line in lines
    ]
    return "\n".join([written[0], "-" * sum(widths, 2 * (len(widths) - 1)), *written[1:]])


@cache
def _table() -> Mapping[str, Experiment]:
    return discover(sys.modules["equipoise.lab"], "EXPERIMENTS")
