"""Numbers, spans of time and the state of a run, as a person reads them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from equipoise.entries import finite, number_at
from equipoise.plotting.number_text import duration
from equipoise.reports.reading import RunRecord

SILENT_AFTER_SECONDS = 600.0  # arbitrary; a run writes its status far more often


def moment(value: Any) -> str:
    """Seconds since 1970, or text, as '2025-03-01 14:05 UTC'; text that is no number is kept as it is."""
    found = finite(value)
    if found is None:
        return str(value) if isinstance(value, str) else "–"
    try:
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(found))
    except (ValueError, OverflowError, OSError):
        return "–"


def silence(status: Mapping[str, Any], *, now: float | None = None) -> float | None:
    """Seconds since a run that says it is training last gave a sign of life; None while that is no worry."""
    updated = finite(status.get("updated"))
    if status.get("state") != "training" or updated is None:
        return None
    quiet = (time.time() if now is None else now) - updated
    return quiet if quiet > SILENT_AFTER_SECONDS else None


def state_phrase(status: Mapping[str, Any], *, now: float | None = None) -> str:
    """'finished', 'training', or 'training (no sign of life for 2 h)'."""
    state = str(status.get("state") or "unknown")
    quiet = silence(status, now=now)
    return state if quiet is None else f"{state} (no sign of life for {duration(quiet)})"


def progress(step: int, steps: int | None) -> str:
    """'step 400 of 3,000'."""
    return f"step {step:,}" + (f" of {steps:,}" if steps else "")


def state_sentence(run: RunRecord, *, now: float | None = None) -> str:
    """One sentence on where the run stands."""
    where = progress(run.step, run.steps)
    seconds = number_at(run.metrics[-1], "seconds") if run.metrics else None
    took = f" after {duration(seconds)} of training" if seconds else ""
    message = str(run.status.get("message") or "").strip()
    trend = str(run.status.get("trend") or "").strip()
    trended = f" Trend: {trend}." if trend else ""
    quiet = silence(run.status, now=now)
    if run.state == "finished":
        return f"Finished at {where}{took}.{trended}"
    if run.state == "stopped":
        return f"Stopped at {where}{took}; 'equipoise resume {run.folder.path}' goes on from there.{trended}"
    if run.state == "failed":
        return f"Failed at {where}{took}" + (f": {message}" if message else "; no message was left.")
    if run.state == "training" and quiet is not None:
        return (
            f"Says it is training, at {where}, and has given no sign of life for {duration(quiet)}; if nothing is "
            f"running, 'equipoise resume {run.folder.path}' goes on from the last checkpoint."
        )
    if run.state == "training":
        return f"Training: {where}{took} when this page was written.{trended}"
    return f"The state of this run is not known; the last step seen is {run.step:,}."
