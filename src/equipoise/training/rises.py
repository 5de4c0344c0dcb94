r"""Rises of the distance to the data that chance does not explain, read from a run's interim evaluations.

One evaluation may be high by bad luck, and the least of many is low by good luck. So pairs of successive evaluations
are compared: with :math:`e_k` the estimate of evaluation k and :math:`s_k` its standard error,

.. math::
    m_k = \tfrac12 (e_{k-1} + e_k), \qquad u_k^2 = \tfrac14 (s_{k-1}^2 + s_k^2), \qquad
    T_k = \max_{i \le k - 2} \frac{m_k - m_i}{\sqrt{u_k^2 + u_i^2}} .

Evaluation k finds a rise if :math:`T_k \ge c_n`, where n evaluations of a generator that stays as it is, with
independent normal errors, reach :math:`c_n` at any k in 5 % of runs. **So the chance that a run whose distance never
rises is told that it has is at most 5 %**: a distance that falls makes it rarer, and so do errors that evaluations
share, because they score the same real rows. :math:`c_n` is simulated. It is 2.7 for 10 evaluations, where Bonferroni's
inequality over all pairs would ask for 2.9.

Near the data the standard errors are themselves noise (a classifier that finds nothing says the same of all rows, and
its estimate is 0 with an error of 0), and estimates scatter around 0. So a rise has to be at least the sensitivity of
the evaluations besides, the smallest distance that they would find by theory, and estimates below 0 count as 0.

Once training has been changed at an evaluation, no pair straddles it. A run that is made longer than planned counts its
evaluations anew at each, and the chance is that of each count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from equipoise.training.trend import estimate_error, sensitivity

FALSE_ALARM = 0.05
"""Chance that a run whose distance stays as it is is told that it has risen."""
_SIMULATED = 20_000
"""Runs behind a limit; its own standard error is then below 0.02."""
FEWEST = 4
"""Evaluations before which no pair has an earlier one beside it."""


def significant_rise(
    evaluations: Sequence[Mapping[str, Any]], *, planned: int, changed_at: Sequence[int] = ()
) -> dict[str, Any] | None:
    """What the last of `evaluations` finds: a rise that chance does not explain, or `None`.

    Args:
        evaluations: in order of their steps.
        planned: evaluations in the whole run.
        changed_at: steps after which training went on with other weights or rates; the evaluation of that step was
            before the change.

    Returns:
        The rise in nats, its standard error, the limit that it exceeds in standard errors, and the steps of both pairs.
    """
    rows = [row for row in evaluations if math.isfinite(_estimate(row)) and math.isfinite(estimate_error(row))]
    if len(rows) < 2 or rows[-1] is not evaluations[-1]:
        return None
    pairs = [
        (first, second)
        for first, second in pairwise(rows)
        if not any(first["step"] <= step < second["step"] for step in changed_at)
    ]
    if not pairs or pairs[-1][1] is not rows[-1]:
        return None
    last, limit = pairs[-1], rise_limit(max(planned, len(rows)))
    best: tuple[float, float, float] | None = None
    of = None
    for pair in pairs[:-1]:
        if pair[1] is last[0]:
            continue
        rise = _mean(last) - _mean(pair)
        error = math.hypot(_error(last), _error(pair))
        score = rise / error if error > 0 else math.inf if rise > 0 else 0.0
        if best is None or score > best[0]:
            best, of = (score, rise, error), pair
    if best is None or of is None or best[0] < limit or best[1] < max(map(sensitivity, last)):
        return None
    return {
        "nats": best[1],
        "standard_error_nats": best[2],
        "limit_standard_errors": limit,
        "steps": [row["step"] for row in last],
        "since_steps": [row["step"] for row in of],
    }


@lru_cache(maxsize=64)
def rise_limit(evaluations: int) -> float:
    r""":math:`c_n`: what `evaluations` independent equal normal estimates exceed at any pair in 5 % of runs.

    Fewer than 4 have no two pairs apart, and nothing is beyond the limit.
    """
    if evaluations < FEWEST:
        return math.inf
    # Always the same draws: the limit is a number of the method, and a run that is resumed meets the same.
    noise = np.random.default_rng(0).standard_normal((_SIMULATED, evaluations))
    means = (noise[:, 1:] + noise[:, :-1]) / 2
    least = np.minimum.accumulate(means, axis=1)
    # A mean of two has variance 1/2, and the difference of two such means that share no evaluation has variance 1.
    return float(np.quantile((means[:, 2:] - least[:, :-2]).max(axis=1), 1 - FALSE_ALARM))


def rise_sentence(rise: Mapping[str, Any]) -> str:
    """'the estimated distance has risen by 0.071 nats (standard error 0.020) since steps 4,067 and 5,084'."""
    since = " and ".join(f"{step:,}" for step in rise["since_steps"])
    return (
        f"the estimated distance has risen by {rise['nats']:.3f} nats since steps {since}, "
        f"{rise['nats'] / rise['standard_error_nats']:.1f} standard errors, where chance alone reaches "
        f"{rise['limit_standard_errors']:.1f} in {FALSE_ALARM:.0%} of runs"
        if rise["standard_error_nats"] > 0
        else f"the estimated distance has risen by {rise['nats']:.3f} nats since steps {since}"
    )


def _mean(pair: tuple[Mapping[str, Any], Mapping[str, Any]]) -> float:
    return (_estimate(pair[0]) + _estimate(pair[1])) / 2


def _error(pair: tuple[Mapping[str, Any], Mapping[str, Any]]) -> float:
    return math.hypot(estimate_error(pair[0]), estimate_error(pair[1])) / 2


def _estimate(row: Mapping[str, Any]) -> float:
    estimate = _number(row, "jsd_estimate_nats", math.nan)
    return 0.0 if estimate < 0 else estimate


def _number(row: Mapping[str, Any], key: str, otherwise: float) -> float:
    found = row.get(key)
    return float(found) if isinstance(found, (int, float)) and not isinstance(found, bool) else otherwise
