"""Several runs beside each other: what was set differently, how they went, what the referee said.

Runs that differ only in their seed are one group, shown as a spread: between runs of one configuration chance alone
makes differences, and a difference between configurations means nothing until it is larger than that.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.entries import number_at
from equipoise.errors import InputError
from equipoise.files import plain, write_text
from equipoise.plotting.number_text import encodable, number, text_table
from equipoise.referee.verdict_text import conclusion_of
from equipoise.reports import known_density
from equipoise.reports.groups import Group, spread_limits, spread_name
from equipoise.reports.reading import RunRecord, flatten, read_run
from equipoise.reports.wording import moment, progress, state_phrase

if TYPE_CHECKING:
    from matplotlib.figure import Figure

IGNORED_SETTINGS = ("seed", "outdir")
ABSENT = "(not set)"
NOT_COMPARABLE = (
    "Values of different objectives are different quantities and are not compared; each has its own panel. "
    "Compare runs by the referee's bound."
)


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes:
        groups: configurations in the order given.
        differing: names of the settings that are not the same in all groups.
        notes: sentences on what may not be compared, and on what is shown.
    """

    groups: tuple[Group, ...]
    differing: tuple[str, ...]
    notes: tuple[str, ...]

    def to_text(self) -> str:
        """The tables for a terminal."""
        parts = [
            "\n".join([title, *(f"  {line}" for line in text_table(header, rows, longest=48).splitlines())])
            for title, header, rows in self.tables()
        ]
        return "\n\n".join([*parts, *self.notes]) + "\n"

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return plain(
            {
                "differing": list(self.differing),
                "groups": [
                    {
                        "letter": group.letter,
                        "label": group.label,
                        "settings": dict(group.settings),
                        "objective": group.objective,
                        "jsd_lower_bound_nats": _spread(group.bounds, self.groups),
                        "runs": [_run_json(run) for run in group.runs],
                    }
                    for group in self.groups
                ],
                "notes": list(self.notes),
            }
        )

    def figure(self) -> Figure:
        """The referee's bound over steps, each objective's value, and both players' gradients."""
        from equipoise.reports.comparison_figure import draw_comparison

        return draw_comparison(self.groups)

    def tables(self) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
        """Title, header and rows: settings that differ, runs with their verdicts, the spread over seeds, and true
        distances of runs on a toy density where a sweep has computed them."""
        settings = [(key, *(group.settings[key] for group in self.groups)) for key in self.differing]
        header = ("", "run", "seed", "verdict", "JSD bound", "estimate", "at step", "part", "objective", "state")
        runs = [_run_row(group.letter, run) for group in self.groups for run in group.runs]
        spreads = [self._spread_row(group) for group in self.groups]
        has_spread = any(len(group.runs) > 1 for group in self.groups)
        spread_header = ("configuration", "runs", "median JSD bound", spread_name(self.groups), "verdicts")
        densities = known_density.density_rows(
            [
                (group.label, [known_density.read_scores(run.folder.path) for run in group.runs])
                for group in self.groups
            ],
            lambda values: spread_limits(values, self.groups),
        )
        tables = [
            ("Settings that differ", ("setting", *(group.letter for group in self.groups)), settings),
            ("Verdicts side by side", header, runs),
            ("Spread over seeds", spread_header, spreads if has_spread else []),
            (known_density.TITLE, known_density.HEADER, densities),
        ]
        return [table for table in tables if table[2]]

    def _spread_row(self, group: Group) -> tuple[str, ...]:
        spread = _spread(group.bounds, self.groups) or {}
        low, middle, high = (number(spread.get(key), 3) for key in ("low", "median", "high"))
        conclusions = Counter(conclusion_of(run.verdict).lower() for run in group.runs if run.verdict)
        said = ", ".join(f"{count} {conclusion}" for conclusion, count in conclusions.most_common())
        reach = f"{low} to {high}" if spread else "–"
        return group.label, str(len(group.runs)), middle, reach, said or "no verdict yet"

    def _repr_html_(self) -> str:
        from equipoise.reports.rendering import environment

        template = environment().get_template("comparison_tables.html.jinja")
        return template.render(tables=self.tables(), notes=self.notes)


def compare(folders: Sequence[Path | str], *, reads_metrics: bool = True) -> Comparison:
    """Read run folders and set them beside each other.

    Args:
        folders: run folders, at least one; naming one twice is an error, because it would be counted twice.
        reads_metrics: whether the measured steps are read, which figures need and tables do not.

    Raises:
        InputError: no folder, or one of them twice.
        RunFolderError: one of them is no run folder.
    """
    if not folders:
        raise InputError(
            "compare",
            "no run folder was given.",
            "Expected at least one.",
            "Try: equipoise compare runs/first runs/second",
        )
    repeated = [name for name, count in Counter(str(Path(path).resolve()) for path in folders).items() if count > 1]
    if repeated:
        raise InputError(
            "compare",
            f"'{repeated[0]}' was given more than once.",
            "Expected each run folder once.",
            "Leave the second one out.",
        )
    runs = [read_run(path, reads_metrics=reads_metrics) for path in folders]
    configurations = [_configuration(run) for run in runs]
    keys = sorted({key for configuration in configurations for key in configuration})
    differing = tuple(key for key in keys if len({found.get(key, ABSENT) for found in configurations}) > 1)
    by_settings: dict[tuple[str, ...], list[RunRecord]] = {}
    for run, found in zip(runs, configurations, strict=True):
        by_settings.setdefault(tuple(found.get(key, ABSENT) for key in differing), []).append(run)
    groups = tuple(
        Group(letter, _label(letter, settings, runs), tuple(runs), settings)
        for letter, settings, runs in (
            (_letter(index), dict(zip(differing, values, strict=True)), runs)
            for index, (values, runs) in enumerate(by_settings.items())
        )
    )
    return Comparison(groups, differing, _notes(groups))


def write_comparison(folders: Sequence[Path | str], path: Path | str) -> Path:
    """Compare run folders and write the comparison as one self-contained HTML file."""
    import time

    from equipoise.plotting.svg import to_svg
    from equipoise.reports.rendering import environment

    comparison = compare(folders)
    template = environment().get_template("comparison.html.jinja")
    label = "Curves of the compared runs; the tables have the numbers."
    svg = to_svg(comparison.figure(), name="comparison", label=label)
    page = template.render(
        comparison=comparison,
        tables=comparison.tables(),
        notes=comparison.notes,
        figure=svg,
        written=moment(time.time()),
    )
    write_text(path, encodable(page))
    return Path(path)


def _configuration(run: RunRecord) -> dict[str, str]:
    """Flattened settings as text, without empty sections and those that only name a repetition."""
    flat = flatten(run.config)
    return {
        key: _as_text(value)
        for key, value in flat.items()
        if value != {} and key.rsplit(".", 1)[-1] not in IGNORED_SETTINGS
    }


def _as_text(value: Any) -> str:
    """A setting as a person would write it: parts by their names, with the options they have."""
    if isinstance(value, Mapping) and set(value) <= {"name", "options"} and "name" in value:
        options = value.get("options") or {}
        return f"{value['name']}({json.dumps(options, default=str)})" if options else str(value["name"])
    if isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value):
        return " + ".join(_as_text(entry) for entry in value)
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _letter(index: int) -> str:
    """A to Z, then AA, AB ..."""
    text = ""
    index += 1
    while index:
        index, place = divmod(index - 1, 26)
        text = chr(ord("A") + place) + text
    return text


def _label(letter: str, settings: Mapping[str, str], runs: Sequence[RunRecord]) -> str:
    """The letter with up to two settings, or with the first folder's name where more differ."""
    seeds = f" ({len(runs)} runs)" if len(runs) > 1 else ""
    if 0 < len(settings) <= 2:
        named = {key.removesuffix(".name").rsplit(".", 1)[-1]: value for key, value in settings.items()}
        said = ", ".join(f"{name} = {value[:30]}" for name, value in named.items() if value != ABSENT) or runs[0].name
    else:
        said = runs[0].name[:60]
    return f"{letter} · {said}{seeds}"


def _notes(groups: Sequence[Group]) -> tuple[str, ...]:
    notes = []
    if len({group.objective for group in groups}) > 1:
        notes.append(NOT_COMPARABLE)
    data = {(run.data_source, str(run.data.get("fingerprint"))) for group in groups for run in group.runs}
    if len(data) > 1:
        notes.append(
            "These runs did not learn from the same data (source or fingerprint differ), so not even "
            "their bounds can be compared."
        )
    if any(len(group.runs) > 1 for group in groups):
        notes.append(
            f"Runs that differ only in their seed are one configuration: lines are medians, bands "
            f"{spread_name(groups)}."
        )
    unread = [f"{run.name}: {trouble}" for group in groups for run in group.runs for trouble in run.troubles]
    return (*notes, *unread)


def _spread(bounds: Sequence[float], groups: Sequence[Group]) -> dict[str, Any] | None:
    """Median and limits of one number per run; None without any."""
    if not bounds:
        return None
    middle, low, high = (float(limit) for limit in spread_limits(np.asarray(bounds), groups))
    return {"runs": len(bounds), "median": middle, "low": low, "high": high, "limits": spread_name(groups)}


def _run_row(letter: str, run: RunRecord) -> tuple[str, ...]:
    verdict = run.verdict or {}
    numbers = (number(number_at(verdict, key), 3) for key in ("jsd_lower_bound_nats", "jsd_estimate_nats"))
    return (
        letter,
        run.name,
        str(run.seed),
        conclusion_of(verdict).lower() if verdict else "no verdict yet",
        *numbers,
        number(number_at(verdict, "step"), 12),
        str(verdict.get("part") or "–"),
        run.objective,
        f"{state_phrase(run.status)}, {progress(run.step, run.steps)}",
    )


def _run_json(run: RunRecord) -> dict[str, Any]:
    last = run.metrics[-1] if run.metrics else {}
    return {
        "folder": str(run.folder.path),
        "seed": run.seed,
        "state": run.state,
        "step": run.step,
        "steps": run.steps,
        "objective": run.objective,
        "value": last.get("value"),
        "value_standard_error": last.get("value_standard_error"),
        "equilibrium_value": run.equilibrium_value,
        "verdict": None if run.verdict is None else dict(run.verdict),
        "known_density": dict(known_density.read_scores(run.folder.path)) or None,
    }
