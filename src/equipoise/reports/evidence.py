"""What lies behind a verdict, as tables: minimum detectable effects, the other checks' numbers, the most discriminative
samples, metrics; and what the interim evaluations were, cost and led to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from equipoise.entries import entry_at, finite, listed, number_at
from equipoise.plotting.number_text import duration, interval_text, number, percent, shortened
from equipoise.referee.verdict_text import detectable_effects
from equipoise.reports.reading import RunRecord

MOST_ROWS, MOST_COLUMNS, CELL_LENGTH = 24, 14, 40
CHECK_TITLES = {
    "coverage": "Coverage: is any region of the data missing?",
    "collapse": "Collapse: do generated samples repeat themselves?",
    "memorisation": "Memorisation: are training samples copied?",
    "classes": "Classes",
}
"""Checks whose numbers are shown, with the question each answers."""
DESCRIPTIVE = (
    "those after step {:,}: training was changed because of what an evaluation found, so that no confidence holds"
)


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
    """The minimum detectable effect of each kind of difference."""
    least, power = number_at(verdict, "sensitivity_theoretical_nats"), number_at(verdict, "sensitivity_power")
    if least is None:
        return None
    rows = [("any, in theory", number(least, 2), "computed")]
    for name, nats, ends in detectable_effects(verdict)[:MOST_ROWS]:
        size = number(nats, 2) if nats is not None else "not at any size"
        interval = "injected" if ends == (None, None) else " to ".join(number(end, 2) for end in ends)
        rows.append((_cell(name), size, interval.replace("–", "never")))
    sure = "" if power is None else f" {percent(power)} of the time"
    reading = (
        f"A difference of this size would have been found{sure}; a smaller one could have been missed. In theory: by a "
        "classifier that knows both densities."
    )
    if len(rows) == 1:
        reading += " Kinds of defects were not injected: 'equipoise judge RUN --margin NATS' does that."
    return Table(
        "Minimum detectable effects",
        reading,
        ("kind of difference", "smallest JSD, nats", "90 % interval"),
        tuple(rows),
    )


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
    """Columns and pairs that differ, and the samples that the classifier was surest of."""
    tables = []
    for finding in _findings(verdict, "where"):
        rows = [row for row in listed(finding.get("rows")) if isinstance(row, Mapping)][:MOST_ROWS]
        if not rows:
            continue
        keys = list(dict.fromkeys(key for row in rows for key in row))[:MOST_COLUMNS]
        is_samples = "side" in keys
        if is_samples and set(keys) <= {"side", "log_odds_of_real", "sample"}:
            continue  # images: their sample grid says it
        title = "The most discriminative samples" if is_samples else "Where the two sides differ"
        reading = (
            "Scored samples that the referee's classifier was surest of: log-odds above 0 look real to it."
            if is_samples
            else str(finding.get("statement") or "")[:400]
        )
        body = tuple(tuple(_cell(row.get(key)) for key in keys) for row in rows)
        tables.append(Table(title, reading, tuple(str(key).replace("_", " ")[:CELL_LENGTH] for key in keys), body))
    return tables


def evaluation_facts(run: RunRecord) -> list[tuple[str, str]]:
    """What the interim evaluations were, what they cost, and what followed from them; empty for a run without."""
    rows, plan = run.interim_evaluations, entry_at(run.evaluations, "plan")
    if not rows and not isinstance(plan, Mapping):
        return []
    planned = number_at(run.evaluations, "plan", "planned")
    share, seconds, played = (
        number_at(run.status, "look_time", key) for key in ("share", "look_seconds", "play_seconds")
    )
    spent = f"{percent(share, 1)}: {duration(seconds)} beside {duration(played)} of training"
    since = next((number_at(row, "descriptive_since") for row in rows if row.get("is_descriptive") is True), None)
    found = [
        ("made", number(len(rows), 12) + (f" of {number(planned, 12)} planned" if planned else "")),
        ("confidence of all of them together", percent(number_at(run.evaluations, "plan", "confidence"))),
        ("descriptive", "–" if since is None else DESCRIPTIVE.format(int(since))),
        ("real rows scored by each", number(number_at(rows[-1], "counts", "real_test") if rows else None, 12)),
        ("trend", str(run.status.get("trend") or "–")),
        ("ended because", str(run.status.get("ended_because") or "–")),
        ("best checkpoint", _best(run)),
        ("share of the time that they took", spent if share is not None else "–"),
    ]
    return [(name, text) for name, text in found if not text.startswith("–")]


def scores_table(run: RunRecord) -> Table | None:
    """What metrics said of the generator, for a run where somebody asked."""
    rows: list[tuple[str, ...]] = []
    for score in listed(run.scores.get("scores")):
        values = entry_at(score, "values") if isinstance(score, Mapping) else None
        for name, value in values.items() if isinstance(values, Mapping) else ():
            beside = (entry_at(score, "between_real_sets", name), score.get("fake_samples"))
            interval = interval_text(entry_at(score, "intervals", name))
            rows.append((_cell(name).replace("_", " "), number(value), interval, *(number(cell) for cell in beside)))
    if not rows:
        return None
    reading = (
        f"Scores of {run.scores.get('fake')} against {run.scores.get('real')}, "
        f"compared as {run.scores.get('compared')}. "
        "Intervals of 95 % are about the samples; two sets of real ones do not score 0 either, so that stands beside."
    )
    header = ("metric", "value", "95 % interval", "between real sets", "samples a side")
    return Table("Metrics", reading[:400], header, tuple(rows[:MOST_ROWS]))


def metrics_table(run: RunRecord) -> Table | None:
    """What the evaluations measured on the way, for a run that was asked to."""
    rows = [row for row in run.interim_evaluations if isinstance(row.get("scores"), Mapping)]
    names = list(dict.fromkeys(str(name) for row in rows for name in row["scores"]))[:MOST_COLUMNS]
    if not names:
        return None
    rows = rows[:: -(-len(rows) // MOST_ROWS)] if len(rows) > MOST_ROWS else rows
    by = entry_at(run.config, "evaluations", "features")
    reading = (
        "Of the averaged weights after each of these steps against held-out samples"
        f"{f', compared by {shortened(str(by), CELL_LENGTH)}' if isinstance(by, str) else ''}. Two sets of real ones "
        "do not score 0 either: 'equipoise metrics' measures that beside."
    )
    header = ("step", *(_cell(name).replace("_", " ") for name in names))
    cells = tuple(
        (number(number_at(row, "step"), 12), *(number(number_at(row, "scores", name)) for name in names))
        for row in rows
    )
    return Table("Metrics during training", reading, header, cells)


def _best(run: RunRecord) -> str:
    step, estimate = number_at(run.status, "best", "step"), number_at(run.status, "best", "jsd_estimate_nats")
    rounded = None if estimate is None else round(estimate, 9) + 0.0  # below it is rounding error: no "-1.11e-16"
    return "–" if step is None else f"step {int(step):,}, estimate {number(rounded, 3)} nats"


def _findings(verdict: Mapping[str, Any], check: str) -> list[Mapping[str, Any]]:
    return [
        finding
        for finding in listed(verdict.get("findings"))
        if isinstance(finding, Mapping) and finding.get("check") == check
    ]


def _numbers(numbers: Any) -> dict[str, tuple[str, ...]]:
    """Each number by name, with what two real sets reach beside it."""
    if not isinstance(numbers, Mapping):
        return {}
    rows = {}
    for name, value in numbers.items():
        if finite(value) is None or str(name).endswith("_floor_share"):
            continue
        is_share = str(name).endswith("_share")
        floor = numbers.get(str(name).replace("_share", "_floor_share")) if is_share else None
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
    return shortened(number(value, 4) if finite(value) is not None else str(value), CELL_LENGTH)
