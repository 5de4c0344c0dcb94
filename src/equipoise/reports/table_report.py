"""A table report as one HTML page, and as a section of a run's report, from the JSON that was measured.

The page is one file without any request to elsewhere. Its first screen answers whether the table can be used.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from equipoise.entries import entry_at, finite, listed, number_at
from equipoise.files import plain, write_text
from equipoise.plotting.number_text import encodable, number, percent
from equipoise.plotting.svg import to_svg
from equipoise.reports.evidence import Table
from equipoise.reports.plots import Plot
from equipoise.reports.rendering import environment
from equipoise.reports.table_report_plots import (
    SYNTHETIC,
    attack_plots,
    auc_plot,
    column_plots,
    pair_plots,
    relation_plots,
    useful_plot,
)
from equipoise.reports.wording import moment

MOST_ROWS_SHOWN = 200
NO_PROOF = (
    "It is no proof that nobody can be found in these rows. The figures see attacks of the kinds named here, on "
    "average over rows; they say nothing of any one person, of attackers who know more, or of what several releases "
    "say together. It is no differential privacy: that is a guarantee of the method that made the rows, which no "
    "look at the rows can give, and equipoise offers none."
)


def write_table_report(report: Mapping[str, Any], path: Path | str, *, title: str = "") -> Path:
    """Write the page of a measured report.

    Args:
        report: what `TableReport.to_json` gives.
        path: of the page.
        title: above it; the name of the synthetic side when left out.

    Raises:
        StorageError: the page could not be written; an older one is then untouched.
    """
    target = Path(path)
    write_text(target, render_table_report(report, title=title))
    return target


def render_table_report(report: Mapping[str, Any], *, title: str = "", now: float | None = None) -> str:
    """The page as text; `now` is the moment written on it."""
    from importlib.metadata import version

    report = plain(dict(report))
    template = environment().get_template("table_report.html.jinja")
    source = str(entry_at(report, "sources", "synthetic") or "")
    name = title or ("A synthetic table" if source in ("", "DataFrame") else source)
    section = table_section(report)
    context = {
        **section,
        "s": section,
        "title": Path(name).name or name,
        "written": moment(time.time() if now is None else now),
        "version": version("equipoise"),
    }
    return encodable(template.render(**context))


def table_section(report: Mapping[str, Any]) -> dict[str, Any]:
    """What the templates show of a report; the same on its own page and in a run's."""
    head, *parts = report["answers"]
    for answer in (head, *parts):
        missing = [key for key in ("question", "grade", "word", "sentence") if not isinstance(answer[key], str)]
        if missing:
            raise ValueError(f"an answer lacks {missing[0]}")
    return {
        "t_answer": head,
        "t_parts": parts,
        "t_basis": _basis(report),
        "t_overview": _overview(report),
        "t_auc": _drawn([auc_plot(report)]),
        "t_columns": _drawn(column_plots(report)),
        "t_column_table": _column_table(report),
        "t_pairs": _drawn(pair_plots(report)),
        "t_pair_table": _pair_table(report),
        "t_relations": _drawn(relation_plots(report)),
        "t_useful": _drawn([useful_plot(report)]),
        "t_attacks": _drawn(attack_plots(report)),
        "t_copies": _copies_table(report),
        "t_why_no_privacy": str(entry_at(report, "privacy", "why_not") or ""),
        "t_has_roles": entry_at(report, "privacy", "has_roles") is not False,
        "t_notes": [str(note) for note in listed(report.get("notes"))],
        "t_no_proof": NO_PROOF,
        "t_seconds": number(report.get("seconds"), 2),
    }


def section_of_run(report: Mapping[str, Any], *, command: str = "") -> dict[str, Any] | None:
    """What a run's report shows of `table_report.json`; without one the command that makes it, if there is any.

    Of one that is broken, and of a run that could not be measured, a sentence says so.
    """
    if not report:
        return {"command": command} if command else None
    if why_not := report.get("why_not"):
        return {"why_not": str(why_not)}
    try:
        return table_section(report)
    except (AttributeError, ArithmeticError, KeyError, IndexError, TypeError, ValueError):
        return {"broken": "table_report.json is not as it was written; 'equipoise report-table RUN' makes it anew."}


def _drawn(plots: Sequence[Plot]) -> list[tuple[Plot, str]]:
    return [
        (
            replace(plot, reading=plot.reading.replace(" %", "\N{NO-BREAK SPACE}%")),  # never '95' here, '%' below
            ""
            if plot.figure is None
            else to_svg(plot.figure, name=f"table-{plot.name}", label=f"{plot.title}. {plot.reading}"),
        )
        for plot in plots
    ]


def _basis(report: Mapping[str, Any]) -> str:
    """'8,000 synthetic rows beside as many real rows that were not trained on.'"""
    rows = report.get("rows") or {}
    sources = report.get("sources") or {}
    compared = number(rows.get("compared"), 12)
    listed_sources = [
        f"{role} {sources[role]} ({number(rows.get(role), 12)} rows)" for role in sources if rows.get(role)
    ]
    kind = (
        "real rows that were not trained on" if entry_at(report, "privacy", "has_roles") is not False else "real rows"
    )
    return f"{compared} rows of each were compared with as many {kind}. Read: {'; '.join(listed_sources)}."


def _overview(report: Mapping[str, Any]) -> Table:
    useful = report.get("usefulness") or {}
    private = report.get("privacy") or {}
    metric = {"R2": "R²"}.get(str(useful.get("metric")), str(useful.get("metric") or ""))
    target = entry_at(useful, "target", "name")
    header = [
        "rows",
        "columns",
        "pairs",
        "told from real (AUC)",
        f"useful: {metric} of '{target}'" if useful.get("scores") else "useful",
        "copies of training rows",
        "nearer to training rows",
        "attack (AUC)",
    ]
    rows = []
    for name in report.get("shapes_score") or {}:
        copies = number_at(private, "copies", name, "value")
        cells = (
            number_at(report, "shapes_score", name),
            number_at(report, "pairs_score", name),
            number_at(report, "aucs", name, "value"),
            number_at(useful, "scores", name, "value"),
            None,
            number_at(private, "nearer", name, "value"),
            number_at(private, "membership", name, "value"),
        )
        shown = [_fixed(cell) for cell in cells]
        shown[4] = "–" if copies is None else percent(copies, 2)
        rows.append((name, *shown))
    reading = (
        "Columns and pairs: 1 is the same. AUC: 0.5 is no better than guessing, 1 is always right. Independent columns "
        "show what comes of having every column right and no relation between them; a copy of the training rows looks "
        "perfect and gives everything away."
    )
    return Table("Beside three references", reading, tuple(header), tuple(rows))


def _column_table(report: Mapping[str, Any]) -> Table:
    unused = {row.get("column"): row for row in listed(entry_at(report, "shapes", "unused real rows"))}
    order = {name: place for place, name in enumerate(report.get("column_pictures") or {})}
    rows = sorted(
        listed(entry_at(report, "shapes", SYNTHETIC)), key=lambda row: order.get(row.get("column"), len(order))
    )
    return Table(
        "Every column in numbers",
        "The score is SDMetrics' KSComplement for amounts, TVComplement for levels. Unused real rows are not at 1 "
        "either.",
        ("column", "measured by", "score", "unused real rows", "AUC by itself", "missing, real", "missing, synthetic"),
        tuple(
            (
                str(row.get("column")),
                str(row.get("metric")),
                _fixed(finite(row.get("score"))),
                _fixed(number_at(unused.get(row.get("column")) or {}, "score")),
                _fixed(number_at(report, "column_aucs", str(row.get("column")), "value")),
                percent(row.get("real_missing"), 1),
                percent(row.get("fake_missing"), 1),
            )
            for row in rows[:MOST_ROWS_SHOWN]
        ),
    )


def _pair_table(report: Mapping[str, Any]) -> Table:
    unused = listed(report.get("pairs_of_unused"))
    rows = []
    for place, pair in enumerate(listed(report.get("pairs"))[:MOST_ROWS_SHOWN]):
        rows.append(
            (
                " and ".join(map(str, pair.get("columns") or ())),
                str(pair.get("metric")),
                _fixed(finite(pair.get("score"))),
                _fixed(finite(unused[place]) if place < len(unused) else None),
                str(pair.get("measure")),
                number(pair.get("real_strength"), 2),
                number(pair.get("fake_strength"), 2),
            )
        )
    return Table(
        "Pairs in numbers, the worst first",
        "SDMetrics' CorrelationSimilarity between amounts, ContingencySimilarity otherwise; then how strong it is.",
        ("columns", "measured by", "score", "unused real rows", "relation", "real", "synthetic"),
        tuple(rows),
    )


def _copies_table(report: Mapping[str, Any]) -> Table:
    private = report.get("privacy") or {}
    rows = []
    for name in private.get("copies") or {}:
        beyond = entry_at(private, "copies_beyond_chance", name) or {}
        distances = listed(entry_at(private, "distances", name)) or [None, None]
        rows.append(
            (
                name,
                percent(number_at(private, "copies", name, "value"), 2),
                "–"
                if finite(beyond.get("value")) is None
                else f"{percent(beyond.get('low'), 2)} to {percent(beyond.get('high'), 2)}".replace("-", "−"),
                number(distances[0], 2),
                number(distances[1], 2),
            )
        )
    return Table(
        "Copies and distances to the training rows",
        "Beyond chance: more than unused real rows that equal a training row, with a 95 % interval. Distance to the "
        "closest training row (Gower, from 0 to 1): the lowest 5 % of rows and the median.",
        ("rows", "equal a training row", "beyond chance", "distance, 5 %", "distance, median"),
        tuple(rows),
    )


def _fixed(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
