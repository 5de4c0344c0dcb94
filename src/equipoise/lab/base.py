"""What an experiment of the lab is: a function that returns a result with a table, numbers and a figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

from matplotlib.figure import Figure

from equipoise.files import write_json, write_text
from equipoise.parts import Parts
from equipoise.plotting.style import new_figure, save_figure


class Result:
    """What every experiment returns: a frozen dataclass of plain numbers, in a class of its own."""

    experiment: ClassVar[str]
    """Name of the experiment."""
    question: ClassVar[str]
    """What a person asks, which the result answers."""

    def to_text(self) -> str:
        """The answer as tables and sentences for a terminal."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """Every number behind the text and the figure."""
        return {"experiment": self.experiment, "question": self.question, **self.constants(), **asdict(self)}  # type: ignore[call-overload]

    def constants(self) -> dict[str, Any]:
        """Numbers that the fields rest on or that follow from them."""
        return {}

    def figure(self) -> Figure:
        """The figure."""
        raise NotImplementedError


Experiment = Callable[..., Result]
"""Called without arguments by the command line; `seed` is keyword-only where there are random numbers."""

_EXPERIMENTS: Parts[Experiment] = Parts(
    "equipoise.lab", "EXPERIMENTS", kind="experiment", where="equipoise lab", renamed={"turns": "update-rules"}
)
available, find = _EXPERIMENTS.available, _EXPERIMENTS.find


def question(name: str) -> str:
    """What the experiment called `name` answers, without running it: its result type says so."""
    return str(get_type_hints(find(name))["return"].question)


def drawn(
    width: float, height: float, *, title: str
) -> Callable[[Callable[[Any, Figure], None]], Callable[[Any], Figure]]:
    """Decorates a method that fills a figure, so that it makes one of this size, in inches, and returns it."""

    def decorate(fill: Callable[[Any, Figure], None]) -> Callable[[Any], Figure]:
        @wraps(fill)
        def figure(self: Any) -> Figure:
            with new_figure(width, height, title=title) as made:
                fill(self, made)
            return made

        return figure

    return decorate


def write_result(result: Result, folder: Path | str) -> list[Path]:
    """Write text, numbers and figure as `.txt`, `.json`, `.png` and `.svg` into `folder`; their paths.

    Raises:
        StorageError: the file system refused a write; each file is whole or absent.
    """
    base = Path(folder) / result.experiment
    text, numbers, *figures = (base.with_suffix(suffix) for suffix in (".txt", ".json", ".png", ".svg"))
    write_text(text, result.to_text() + "\n")
    write_json(numbers, result.to_json())
    return [text, numbers, *(save_figure(result.figure(), path) for path in figures)]


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows as columns that line up: the first to the left, the others, which are numbers, to the right."""
    lines = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    written = [
        "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]).rstrip()
        for line in lines
    ]
    return "\n".join([written[0], "-" * sum(widths, 2 * (len(widths) - 1)), *written[1:]])


def table_of(records: Iterable[Any], columns: Mapping[str, str | Callable[[Any], str]]) -> str:
    """Records as a table.

    Args:
        records: one for each row.
        columns: by header, a format of the record such as `"{.mean:.3f}"`, or a function of the record.
    """
    cells = [
        [of.format(record) if isinstance(of, str) else of(record) for of in columns.values()] for record in records
    ]
    return text_table(list(columns), cells)
