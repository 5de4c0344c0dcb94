r"""Where a run is heading, read from the interim evaluations: improving, plateaued, collapsed or diverged.

A description of point estimates, made for a person who watches; it carries no error control and decides nothing by
itself. With :math:`e_k` the estimate of evaluation k (a lower limit of the JSD, in nats) and :math:`s_k` its standard
error, the first of these that holds is the trend:

1. `diverged`: training left the finite numbers, or the last estimate is far above the best one:
   :math:`e_{last} - \min_k e_k` is above :math:`3 \sqrt{s_{last}^2 + s_{min}^2}` and above `SUDDEN_NATS`, or above
   `RISE_NATS` now and at the evaluation before.
2. `collapsed`: the last evaluation found that samples repeat themselves more than real ones do, exactly or nearly, or
   that they reach fewer than half the regions that real samples reach while most of them are close to real ones and
   they are crowded, nearer to each other than real ones are beyond chance; and this is new (some evaluation before did
   not find it) or stays (the evaluation before found it too). Without the crowd, few regions are no collapse: in many
   dimensions the wide balls of a few outliers hold samples that lie far from each other.
3. `improving`: :math:`e_{last}` is below the estimate `WINDOW` evaluations earlier (or the first one) by more than 2
   standard errors of the difference.
4. `plateaued`: otherwise.

One evaluation alone has no trend. The evaluations share their real rows, so that their errors go up and down together
and the standard error of a difference is rather too large: a trend is said late rather than wrongly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from equipoise.referee.checks.collapse import STRIKING_Z

Trend = Literal["improving", "plateaued", "collapsed", "diverged"]

WINDOW = 3
"""Evaluations over which an improvement is sought. Arbitrary."""
RISE_NATS, SUDDEN_NATS = 0.1, 0.3
"""Rises above the best estimate that count as divergence when they stay and at once, a seventh and nearly half of the
largest distance there is. Arbitrary: ordinary training wanders by a few hundredths of a nat between evaluations, and
with 180 test rows the referee's discriminators vary by more than the standard error says."""
_SURE_RISE, _SURE_FALL = 3.0, 2.0
_HALF = 0.5


def trend_of(evaluations: Sequence[Mapping[str, Any]]) -> Trend | None:
    """The trend after these evaluations, in order; `None` for fewer than two that gave an estimate.

    Args:
        evaluations: rows of `verdicts.jsonl` on the selection part.
    """
    rows = [row for row in evaluations if _finite(row.get("jsd_estimate_nats"))]
    if len(rows) < 2:
        return None
    last, best = rows[-1], min(rows, key=lambda row: row["jsd_estimate_nats"])
    if _rises(last, best, SUDDEN_NATS) or all(_rises(row, best, RISE_NATS) for row in rows[-2:]):
        return "diverged"
    signs = [shows_collapse(row) for row in rows]
    if signs[-1] and (signs[-2] or not all(signs)):
        return "collapsed"
    earlier = rows[max(0, len(rows) - 1 - WINDOW)]
    fall = earlier["jsd_estimate_nats"] - last["jsd_estimate_nats"]
    return "improving" if fall > _SURE_FALL * _error(last, earlier) else "plateaued"


def shows_collapse(row: Mapping[str, Any]) -> bool:
    """Whether an evaluation found repeats, or good samples that crowd in few regions."""
    findings = row.get("findings") or ()
    numbers = [finding.get("numbers") or {} for finding in findings]
    if any(finding.get("check") == "collapse" and finding.get("is_problem") for finding in findings):
        return True
    return any(map(_few_regions, numbers)) and any(map(_is_crowded, numbers))


def _few_regions(numbers: Mapping[str, Any]) -> bool:
    scores = [numbers.get(f"{name}_{of}") for name in ("coverage", "precision") for of in ("share", "floor_share")]
    if not all(_finite(score) for score in scores):
        return False
    coverage, coverage_floor, precision, precision_floor = scores
    return coverage < _HALF * coverage_floor and precision >= _HALF * precision_floor


def _is_crowded(numbers: Mapping[str, Any]) -> bool:
    score = numbers.get("crowding_z_score")
    return _finite(score) and score > STRIKING_Z


def _rises(row: Mapping[str, Any], best: Mapping[str, Any], nats: float) -> bool:
    rise = row["jsd_estimate_nats"] - best["jsd_estimate_nats"]
    return rise > max(nats, _SURE_RISE * _error(row, best))


def estimate_error(row: Mapping[str, Any]) -> float:
    """Standard error of an evaluation's estimate in nats: half that of V; infinite where there is none."""
    error = row.get("value_standard_error")
    return error / 2 if _finite(error) else math.inf


def sensitivity(row: Mapping[str, Any]) -> float:
    """The difference in nats that an evaluation sees in theory; 0 where none is stored."""
    found = row.get("sensitivity_theoretical_nats")
    return float(found) if _finite(found) else 0.0


def _error(first: Mapping[str, Any], second: Mapping[str, Any]) -> float:
    return math.hypot(estimate_error(first), estimate_error(second))


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
