"""What a run page says, as plain values: the report's sentences and tables, and what only a page that follows has."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from equipoise.entries import entry_at, finite, number_at
from equipoise.files import plain
from equipoise.live.charts import curve_charts, gap_chart, referee_chart
from equipoise.live.control import control_json
from equipoise.live.metrics_log import MetricsLog
from equipoise.plotting.number_text import duration, encodable, number, percent, shortened
from equipoise.referee.verdict_text import CONCLUSIONS
from equipoise.reports.page import key_numbers, report_texts
from equipoise.reports.reading import RunRecord
from equipoise.reports.wording import moment, state_phrase, state_sentence
from equipoise.run_requests import EVALUATIONS, rows_of

MOST_EVENTS = 100
LONGEST_EVENT = 400
SPEED_ROWS = 40
"""Measured steps over which the present speed is taken."""


def run_json(record: RunRecord | None, log: MetricsLog, trouble: str, *, name: str) -> dict[str, Any]:
    """All words, tables and charts of a run.

    Args:
        record: its small files, with the measured steps that words are made from; `None` where it cannot be opened.
        log: its measured steps.
        trouble: why it cannot be opened, or no longer.
        name: of the folder.
    """
    if record is None:
        return {"name": encodable(name), "trouble": encodable(trouble), "is_open": False}
    run = up_to_date(record, log)
    texts = report_texts(run, now=time.time())
    charts, errors = curve_charts(run, log.columns.columns)
    found = {
        "name": run.name,
        "trouble": trouble,
        "is_open": True,
        "objective": run.objective,
        "kind": run.kind,
        "sentence": state_sentence(run),
        "charts": charts,
        "keys": [line["key"] for chart in charts for panel in chart["panels"] for line in panel["lines"]],
        "errors": errors,
        "referee": referee_chart(run, asked=rows_of(run.folder.path, EVALUATIONS)),
        "gap": gap_chart(run),
        "events": event_sentences(run),
        "samples": sample_facts(run),
        "control": control_json(run.folder.path),
        "histograms": sorted(log.histograms),
        "conclusions": list(CONCLUSIONS),
        **{key: value for key, value in texts.items() if key not in ("written", "config_text")},
        "config_text": texts["config_text"],
        "troubles": list(run.troubles),
    }
    if run.verdict is None and run.state == "training":
        found["verdict_sentence"] = before_the_first(run)
    return _as_json(found)


def with_measured_steps(record: RunRecord, log: MetricsLog) -> RunRecord:
    """A record that was read without its measured steps, with those that sentences need and the log's own troubles."""
    return replace(record, metrics=log.rows_for_words(), troubles=(*record.troubles, *log.troubles()))


def before_the_first(run: RunRecord) -> str:
    """What stands in the place of the verdict of a run that trains and has none yet."""
    planned = entry_at(run.evaluations, "plan", "steps")
    steps = [step for step in map(finite, planned) if step is not None] if isinstance(planned, list) else []
    if not steps:
        return "The referee has not spoken yet; this run plans no evaluation before its end."
    return f"The referee has not spoken yet; its first evaluation is planned after step {number(min(steps), 12)}."


def progress_json(record: RunRecord | None, log: MetricsLog, trouble: str) -> dict[str, Any]:
    """What changes with every measured step: how far, how fast, how long still, and the newest numbers."""
    if record is None:
        return {"trouble": encodable(trouble), "generation": log.generation, "rows": 0}
    run = replace(up_to_date(record, log), metrics=log.rows_for_words()[-1:])
    speed = present_speed(log)
    left = None if speed is None or run.steps is None or run.state != "training" else (run.steps - run.step) / speed
    return _as_json(
        {
            "trouble": trouble,
            "generation": log.generation,
            "rows": len(log.columns),
            "state": run.state,
            "condition": state_phrase(run.status),
            "trend": str(run.status.get("trend") or ""),
            "step": run.step,
            "steps": run.steps,
            "steps_per_second": None if run.state != "training" else speed,
            "trained": duration(number_at(log.last, "seconds")),
            "left": "" if left is None else duration(max(0.0, left)),
            "key_numbers": key_numbers(run),
            "weights": weights_in_words(run),
        }
    )


def weights_in_words(run: RunRecord) -> str:
    r"""Which weights samples are drawn from while a run trains: the EMA's, with how far back it reaches.

    The weights of step k count in proportion to :math:`k^{1/s - 1}`, so that the steps up to a fraction u of all have
    the share :math:`u^{1/s}` of the average: half of it lies after :math:`u = 2^{-s}`.
    """
    relative = number_at(run.config, "ema", "relative_length")
    if relative is None or not 0 <= relative <= 1:
        return ""
    if relative == 0:
        return "Samples and evaluations come from the last weights; this run averages none (EMA of relative length 0)."
    newest = 1 - 2**-relative
    steps = f", which now are {number(max(1, round(newest * run.step)), 12)}" if run.step else ""
    return (
        f"Samples and evaluations come from the averaged weights (EMA of relative length {number(relative)}): half of "
        f"the average is made of the last {percent(newest)} of the steps{steps}."
    )


def up_to_date(run: RunRecord, log: MetricsLog) -> RunRecord:
    """The record with the newest measured step: `status.json` is written at checkpoints only."""
    measured = finite(log.last.get("step"))
    if run.state != "training" or measured is None or measured <= (number_at(run.status, "step") or 0):
        return run
    return replace(run, status={**run.status, "step": int(measured)})


def present_speed(log: MetricsLog) -> float | None:
    """Steps per second of training over the last measured steps."""
    rows = len(log.columns)
    seconds = log.columns.columns.get("seconds")
    if rows == 0 or seconds is None:
        return None
    first = max(0, rows - 1 - SPEED_ROWS)
    taken = log.columns.steps[rows - 1] - log.columns.steps[first]
    spent = seconds[rows - 1] - seconds[first]
    return taken / spent if taken > 0 and spent > 0 else number_at(log.last, "steps_per_second")


def sample_facts(run: RunRecord) -> dict[str, Any]:
    """Which samples there are: steps with a picture, and whether there is one of real data and of the nearest ones."""
    try:
        folder = run.folder
        return {
            "steps": folder.sample_steps(".png"),
            "nearest": folder.nearest.stat().st_mtime_ns if folder.nearest.is_file() else None,
            "real": (folder.samples / "real.png").is_file(),
            "most_discriminative": folder.most_discriminative.is_file(),
        }
    except (OSError, ValueError):
        return {"steps": [], "nearest": None, "real": False, "most_discriminative": False}


def event_sentences(run: RunRecord) -> list[dict[str, str]]:
    """What happened to the run, the newest first: when, and a sentence."""
    try:
        rows = run.folder.read_event_log()[-MOST_EVENTS:]
    except Exception as error:  # a log that cannot be read is one more thing to say, and no reason to stop
        return [{"when": "", "text": shortened(" ".join(str(error).split()), LONGEST_EVENT)}]
    return [{"when": moment(row.get("time")), "text": event_sentence(row)} for row in reversed(rows)]


def event_sentence(row: Mapping[str, Any]) -> str:
    """One entry of the event log in words; an event of a later version by its own name."""
    event = str(row.get("event") or "something happened")
    step = number(row.get("step"), 12)
    files = entry_at(row, "files")
    listed = ", ".join(map(str, files[:5])) if isinstance(files, list) else ""
    changes = entry_at(row, "changes")
    changed = "; ".join(map(str, changes[:5])) if isinstance(changes, list) else ""
    message = str(row.get("message") or "").strip()
    to_step, share = number(row.get("to_step"), 12), number(row.get("caution"))
    said = {
        "resumed": f"Resumed at step {step} of {number(row.get('steps'), 12)}.",
        "rollback": f"At step {step} put back to the checkpoint of step {to_step}, at {share} of the learning rates: "
        f"{message}.",
        "learning rate lowered": f"At step {step} the learning rates were lowered to {share} of the planned ones: "
        f"{message}.",
        "forced": f"Continued by force after a change: {changed}.",
        "set aside": f"A broken checkpoint was set aside: {listed}.",
        "deleted half-written": f"Half-written files were deleted: {listed}.",
    }.get(event, f"{event} (step {step})" if step != "–" else event)
    return encodable(shortened(said, LONGEST_EVENT))


def _as_json(found: Any) -> Any:
    """Plain values, with records as dictionaries and text that every encoding can hold."""
    return plain(_opened(found))


def _opened(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _opened(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {encodable(str(key)): _opened(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_opened(entry) for entry in value]
    # A share keeps its sign on its line, as in the report.
    return encodable(value).replace(" %", "\N{NO-BREAK SPACE}%") if isinstance(value, str) else value
