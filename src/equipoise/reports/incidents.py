"""What happened to a run that its curves do not show: rollbacks, and changes that were forced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from equipoise.entries import listed
from equipoise.reports.reading import RunRecord

MOST_SENTENCES = 20
LONGEST = 400


def incident_sentences(run: RunRecord) -> list[str]:
    """A sentence for each rollback and each forced change that `status.json` tells of."""
    sentences = []
    for record in listed(run.status.get("rollbacks")):
        if isinstance(record, Mapping):
            step, to_step, lr_backoff = (record.get(name) for name in ("step", "to_step", "caution"))
            reason = str(record.get("message") or "training went wrong").strip().rstrip(".")[:LONGEST]
            if record.get("reason") == "rise":
                sentences.append(
                    f"At step {_number(step)} {reason}. Training went on from the best weights so far, those of step "
                    f"{_number(record.get('weights_of_step'))}, with {_number(lr_backoff)} of the planned learning "
                    "rates; later interim evaluations are descriptive. A second rise ends the run."
                )
                continue
            sentences.append(
                f"At step {_number(step)} {reason}. Training was put back to the checkpoint of step "
                f"{_number(to_step)} and went on with {_number(lr_backoff)} of the planned learning rates; what was "
                "written about the steps in between was taken out."
            )
    changes = [text for text in listed(run.status.get("forced_changes")) if isinstance(text, str)]
    if changes:
        sentences.append(
            "The run was continued by force after a change, so that it is not the run that its beginning describes: "
            + "; ".join(text[:LONGEST] for text in changes)
            + "."
        )
    return sentences[:MOST_SENTENCES]


def _number(value: Any) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if is_number else "unknown"
