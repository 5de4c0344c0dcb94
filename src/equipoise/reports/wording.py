"""Sentences and numbers as a person reads them: the state of a run, and the referee's verdict without statistics.

A sentence never says more than was shown: a positive lower bound proves a difference; finding none proves nothing
beyond the smallest difference that would have been found.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from equipoise.reports.reading import RunRecord, finite, look, number_at

LOG_2 = math.log(2.0)
SILENT_AFTER_SECONDS = 600.0  # arbitrary; a run writes its status far more often
NO_VERDICT = "No referee has looked yet"
CONCLUSIONS = {
    "distinguished": "Distinguished",
    "not_distinguished": "Not distinguished",
    "equivalent": "Equivalent",
    "too_little_data": "Too little data",
}


def conclusion_of(verdict: Mapping[str, Any]) -> str:
    """The conclusion in two or three words."""
    conclusion = str(verdict.get("conclusion") or "")
    return CONCLUSIONS.get(conclusion, conclusion or "–")


def number(value: Any, digits: int = 4) -> str:
    """`value` with `digits` significant digits; a dash when it is no finite number."""
    found = finite(value)
    if found is None:
        return "–"
    if abs(found) < 1e15 and (found == int(found) or abs(found) >= 10_000):
        return f"{found:,.0f}"
    return f"{found:.{digits}g}".replace("e-0", "e-").replace("e+0", "e+")


def encodable(text: str) -> str:
    """`text` without the halves of characters that JSON can hold and neither UTF-8 nor a font can."""
    return text.encode("utf-8", "replace").decode("utf-8")


def percent(value: Any, digits: int = 0) -> str:
    """A share as '95 %'; as many digits as needed to keep 0.975 from becoming 98 %, up to one more than asked."""
    found = finite(value)
    if found is None:
        return "–"
    digits += not math.isclose(found * 100, round(found * 100, digits), abs_tol=1e-9) and digits == 0
    return f"{found * 100:.{digits}f} %"


def duration(seconds: Any) -> str:
    """'45 s', '3 min 20 s', '2 h 5 min', '3 days'."""
    found = finite(seconds)
    if found is None or found < 0:
        return "–"
    whole = round(found)
    if whole < 60:
        return f"{found:.1f} s" if found < 10 and found != whole else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 and whole < 600 else "")
    if whole < 2 * 86_400:
        return f"{whole // 3600} h" + (f" {whole % 3600 // 60} min" if whole % 3600 >= 60 and whole < 36_000 else "")
    return f"{whole // 86_400} days"


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
    took = f" after {duration(seconds)} of play" if seconds else ""
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


def verdict_sentence(verdict: Mapping[str, Any] | None, *, command: str = "equipoise judge RUN") -> str:
    """The verdict in one sentence that needs no statistics to read."""
    if verdict is None:
        return f"{NO_VERDICT}; run '{command}'."
    conclusion = verdict.get("conclusion")
    sure = percent(verdict.get("confidence") if finite(verdict.get("confidence")) is not None else 0.95)
    bound = finite(verdict.get("jsd_lower_bound_nats"))
    margin = finite(verdict.get("margin_nats"))
    if conclusion == "distinguished":
        if bound is not None and bound > 0:
            return (
                f"Generated samples can still be told from real ones: with {sure} confidence they are at least "
                f"{number(bound, 3)} nats apart, {far(bound)} of the way from identical (0) to never alike (0.693)."
            )
        return (
            f"Generated samples can still be told from real ones, with {sure} confidence; "
            "how far they are apart could not be bounded from below."
        )
    if conclusion == "not_distinguished":
        return (
            "The referee could not tell generated samples from real ones that it had never seen; "
            f"that is no proof that they agree{_sight(verdict)}."
        )
    if conclusion == "equivalent":
        within = f" of {number(margin, 3)} nats" if margin is not None else " of the stated margin"
        return f"No difference was found, and a difference{within} would have been found."
    if conclusion == "too_little_data":
        return "There are too few held-out samples for a verdict: a difference that matters could have gone unseen."
    return f"The referee's conclusion '{conclusion}' is not one this version of equipoise knows."


def verdict_basis(verdict: Mapping[str, Any]) -> str:
    """On which rows, at which step and with what counts the verdict was reached; one sentence."""
    part = verdict.get("part")
    rows = {
        "final": "the final part of the data, which nothing has touched before",
        "selection": "the selection part of the data (a look during training; the final part is still untouched)",
    }.get(str(part), "held-out data")
    step = finite(verdict.get("step"))
    at = f"At step {int(step):,}, on" if step is not None else "On"
    counts = scored_counts(verdict)
    counted = f", scored on {counts[0]:,} real and {counts[1]:,} generated samples" if counts else ""
    member = verdict.get("member") or verdict.get("member_chosen") or look(verdict, "chosen", "name")
    by = f" The member of the referee that was chosen: {member}." if isinstance(member, str) else ""
    return f"{at} {rows}{counted}.{by}"


def scored_counts(verdict: Mapping[str, Any]) -> tuple[int, int] | None:
    """Real and generated samples in the part that was scored, where the verdict says."""
    for path in (("counts", "score"), ("counts", "test")):
        found = look(verdict, *path)
        if isinstance(found, Mapping):
            pair = (finite(found.get("real")), finite(found.get("fake")))
        elif isinstance(found, (list, tuple)) and len(found) == 2:
            pair = (finite(found[0]), finite(found[1]))
        else:
            continue
        if None not in pair:
            return int(pair[0]), int(pair[1])
    real, fake = number_at(verdict, "counts", "real", "score"), number_at(verdict, "counts", "fake", "score")
    if real is None or fake is None:
        return None
    return int(real), int(fake)


def far(bound: float) -> str:
    """A divergence as a share of log 2, which is as far as two distributions can be apart."""
    share = bound / LOG_2
    return percent(round(share, 2)) if share >= 0.01 else "less than 1 %"


def _sight(verdict: Mapping[str, Any]) -> str:
    """The smallest difference that would have been seen, where the verdict has it as one number."""
    resolution = verdict.get("resolution_nats", verdict.get("resolution"))
    smallest = finite(resolution) if not isinstance(resolution, Mapping) else number_at(resolution, "jsd_nats")
    if smallest is None:
        return ""
    return f" (differences below about {number(smallest, 2)} nats would have gone unseen)"
