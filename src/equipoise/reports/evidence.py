"""What lies behind a verdict, as tables: what would have been seen, the other checks' numbers, the samples that give
each side away; and what the referee's looks during training were, cost and led to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.entries import entry_at, finite, number_at
from equipoise.plotting.curves import TABLE_ROWS, steps_axis
from equipoise.plotting.number_text import duration, number, percent
from equipoise.plotting.style import (
    DISCRIMINATOR_COLOUR,
    GENERATOR_COLOUR,
    INK,
    legend_key,
    page_axes,
    page_legend,
)
from equipoise.referee.verdict_text import detectable_effects
from equipoise.reports.figures import Plot
from equipoise.reports.reading import RunRecord

MOST_ROWS, MOST_COLUMNS, CELL_LENGTH = 24, 14, 40
_95_PERCENT = 1.96
CHECK_TITLES = {
    "coverage": "Coverage: is any region of the data missing?",
    "collapse": "Collapse: do generated samples repeat themselves?",
    "memorisation": "Memorisation: are training samples copied?",
    "classes": "Classes",
}
"""Checks whose numbers are shown, with the question each answers."""


@dataclass(frozen=True)
class Table:
    """A table of a report with a sentence on how to read it."""

    title: str
    reading: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def evidence_tables(verdict: Mapping[str, Any] | None) -> list[Table]:
    """Every table that the verdict has the numbers for."""
    if verdict is None:
        return []
    found = [sensitivity_table(verdict), *check_tables(verdict), *where_tables(verdict)]
    return [table for table in found if table is not None and table.rows]


def sensitivity_table(verdict: Mapping[str, Any]) -> Table | None:
    """The smallest difference of each kind that would have been found."""
    least, power = number_at(verdict, "sensitivity_theoretical_nats"), number_at(verdict, "sensitivity_power")
    if least is None:
        return None
    rows = [("any, at best", number(least, 2), "computed")]
    for name, nats, ends in detectable_effects(verdict)[:MOST_ROWS]:
        size = number(nats, 2) if nats is not None else "not at any size"
        interval = "injected" if ends == (None, None) else " to ".join(number(end, 2) for end in ends)
        rows.append((_cell(name), size, interval.replace("–", "never")))
    sure = "" if power is None else f" {percent(power)} of the time"
    reading = (
        f"A difference of this size would have been found{sure}; a smaller one could have been missed. At best: by a "
        "classifier that knows both densities."
    )
    if len(rows) == 1:
        reading += " Kinds of defects were not injected: 'equipoise judge RUN --margin NATS' does that."
    header = ("kind of difference", "minimum detectable JSD, nats", "90 % interval")
    return Table("Sensitivity: what would have been found", reading, header, tuple(rows))


def check_tables(verdict: Mapping[str, Any]) -> list[Table]:
    """The numbers of the other checks, with what two real sets reach beside them where that was measured."""
    tables = []
    for check, title in CHECK_TITLES.items():
        rows: dict[str, tuple[str, ...]] = {}
        reading = ""
        for finding in _findings(verdict, check):
            reading = reading or str(finding.get("statement") or "")[:400]
            rows |= _numbers(finding.get("numbers"))
        if rows:
            header = ("what", "found", "between real sets")
            width = 3 if any(row[2] for row in rows.values()) else 2
            body = tuple(row[:width] for row in rows.values())[:MOST_ROWS]
            tables.append(Table(title, reading, header[:width], body))
    return tables


def where_tables(verdict: Mapping[str, Any]) -> list[Table]:
    """Columns and pairs that differ, and the samples that the discriminator was surest of."""
    tables = []
    for finding in _findings(verdict, "where"):
        rows = [row for row in finding.get("rows") or () if isinstance(row, Mapping)][:MOST_ROWS]
        if not rows:
            continue
        keys = list(dict.fromkeys(key for row in rows for key in row))[:MOST_COLUMNS]
        is_samples = "side" in keys
        if is_samples and set(keys) <= {"side", "log_odds_of_real", "sample"}:
            continue  # images: their picture says it
        title = "The samples that give each side away most" if is_samples else "Where the two sides differ"
        reading = (
            "Scored samples that the referee's discriminator was surest of: log-odds above 0 look real to it."
            if is_samples
            else str(finding.get("statement") or "")[:400]
        )
        body = tuple(tuple(_cell(row.get(key)) for key in keys) for row in rows)
        tables.append(Table(title, reading, tuple(str(key).replace("_", " ")[:CELL_LENGTH] for key in keys), body))
    return tables


def evaluation_rows(run: RunRecord) -> list[Mapping[str, Any]]:
    """The looks during training, in order."""
    return [row for row in run.verdicts if row.get("part") == "selection" and number_at(row, "step") is not None]


def evaluation_facts(run: RunRecord) -> list[tuple[str, str]]:
    """What the looks of the run were, what they cost, and what followed from them; empty for a run without."""
    rows, plan = evaluation_rows(run), entry_at(run.evaluations, "plan")
    if not rows and not isinstance(plan, Mapping):
        return []
    planned = entry_at(plan, "planned") if isinstance(plan, Mapping) else None
    cost = run.status.get("look_time")
    found = [
        ("looks made", number(len(rows), 12) + (f" of {number(planned, 12)} planned" if finite(planned) else "")),
        (
            "confidence of all looks together",
            percent(entry_at(plan, "confidence") if isinstance(plan, Mapping) else None),
        ),
        ("real rows scored at each look", number(number_at(rows[-1], "counts", "real_test") if rows else None, 12)),
        ("trend", str(run.status.get("trend") or "–")),
        ("ended because", str(run.status.get("ended_because") or "–")),
        ("best checkpoint", _best(run)),
    ]
    if isinstance(cost, Mapping):
        share, seconds, played = (number_at(cost, key) for key in ("share", "look_seconds", "play_seconds"))
        spent = f"{percent(share, 1)}: {duration(seconds)} beside {duration(played)} of play"
        found.append(("share of the time that the looks took", spent if share is not None else "–"))
    return [(name, text) for name, text in found if not text.startswith("–")]


def checkpoint_sentence(run: RunRecord, verdict: Mapping[str, Any] | None) -> str:
    """Which checkpoint samples and final verdict come from, for a run that keeps the best one; else empty."""
    best = number_at(run.status, "best", "step")
    if best is None or entry_at(run.config, "evaluations", "keep_best") is not True:
        return ""
    of = (
        ""
        if verdict is None or verdict.get("part") != "final"
        else (
            " This verdict is about it."
            if number_at(verdict, "step") == best
            else " This verdict is about another one."
        )
    )
    return (
        f"Samples come from step {int(best):,}, the look with the smallest estimated distance on the selection part; "
        f"the last step is {run.step:,} (option --last).{of}"
    )


def duality_gap_plot(run: RunRecord) -> Plot:
    """What either player could still gain alone, at each look."""
    title = "How much either player could still gain (duality gap)"
    rows = [row for row in evaluation_rows(run) if number_at(row, "duality_gap", "gap") is not None]
    steps_alone = number_at(rows[-1], "duality_gap", "steps") if rows else None
    count = "a few" if steps_alone is None else f"{int(steps_alone)}"
    reading = (
        f"A copy of one player goes on alone for {count} steps while the other stands still; at equilibrium neither "
        "gains, so that the lines lie at 0. They say whether the game has settled, not whether the samples are good."
    )
    if not rows:
        why = "The duality gap was not measured in this run."
        return Plot("gap", title, reading, None, (why,), "held-out evidence")
    steps = np.array([number_at(row, "step") for row in rows])
    lines = (
        ("gap", INK, "-"),
        ("discriminator_gain", DISCRIMINATOR_COLOUR, (0, (5, 1.5))),
        ("generator_gain", GENERATOR_COLOUR, (0, (2, 1.5))),
    )
    with page_axes() as (figure, axes):
        axes.axhline(0.0, color="#8a9099", linewidth=1.1, linestyle=(0, (5, 3)))
        handles = []
        for key, colour, style in lines:
            values, errors = (_column(rows, "duality_gap", name) for name in (key, f"{key}_standard_error"))
            if key == "gap":
                axes.fill_between(
                    steps,
                    values - _95_PERCENT * errors,
                    values + _95_PERCENT * errors,
                    color=colour,
                    alpha=0.15,
                    linewidth=0,
                )
            axes.plot(steps, values, color=colour, linestyle=style, marker="o" if key == "gap" else None, markersize=4)
            handles.append(legend_key(key.replace("_", "'s "), colour, style=(0, (4, 2)) if key != "gap" else "-"))
        axes.set_ylabel("the objective's own units")
        steps_axis(axes, last=float(max(steps.max(), run.step)))
        page_legend(figure, handles)
    notes = ("The band is 95 %, from paired differences on held-out rows.", "The dashed line marks equilibrium.")
    table = tuple(
        (
            number(row["step"], 12),
            *(number(number_at(row, "duality_gap", key), 3) for key, _, _ in lines),
            number(number_at(row, "duality_gap", "gap_standard_error"), 2),
        )
        for row in rows[-TABLE_ROWS:]
    )
    header = ("step", "gap", "discriminator's gain", "generator's gain", "standard error of the gap")
    return Plot("gap", title, reading, figure, notes, "held-out evidence", header, table)


def _best(run: RunRecord) -> str:
    step, estimate = number_at(run.status, "best", "step"), number_at(run.status, "best", "jsd_estimate_nats")
    return "–" if step is None else f"step {int(step):,}, estimate {number(estimate, 3)} nats"


def _column(rows: Sequence[Mapping[str, Any]], *keys: str) -> np.ndarray:
    return np.array([np.nan if (found := number_at(row, *keys)) is None else found for row in rows])


def _findings(verdict: Mapping[str, Any], check: str) -> list[Mapping[str, Any]]:
    findings = verdict.get("findings")
    listed = findings if isinstance(findings, (list, tuple)) else ()
    return [finding for finding in listed if isinstance(finding, Mapping) and finding.get("check") == check]


def _numbers(numbers: Any) -> dict[str, tuple[str, ...]]:
    """Each number by name, with its floor beside it."""
    if not isinstance(numbers, Mapping):
        return {}
    rows = {}
    for name, value in numbers.items():
        if finite(value) is None or str(name).endswith("_floor_share"):
            continue
        floor = numbers.get(str(name).replace("_share", "_floor_share")) if str(name).endswith("_share") else None
        is_share = str(name).endswith("_share")
        words = str(name).removesuffix("_share").replace("_", " ")
        rows[words] = (
            _cell(words),
            percent(value, 1) if is_share else number(value, 3),
            percent(floor, 1) if finite(floor) is not None else "",
        )
    return rows


def _cell(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no"}.get(value, "")
    text = number(value, 4) if finite(value) is not None else str(value)
    return text if len(text) <= CELL_LENGTH else text[: CELL_LENGTH - 1] + "…"
