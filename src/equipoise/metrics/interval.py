r"""Intervals of scores: how much a score would move with other samples of the same two laws, by leaving groups out.

Both sides are cut into g groups; the i-th groups of both are left out together. With the scores
:math:`\theta_{(i)}` of what remains

.. math::
    s^2 = \frac{g - 1}{g} \sum_i (\theta_{(i)} - \bar\theta)^2, \qquad \theta \pm t_{0.975,\, g - 1}\, s

Since the sides are independent, what their i-th groups move adds up, and so do their variances. A score's bias, such as
that of the Frechet distance, depends on the number of samples and stays in: the interval is about what this many
samples score on average, and says nothing of two sets of another size.

Reference:
    Shao & Wu 1989, doi:10.1214/aos/1176347263 (leaving out groups is consistent where leaving out one is not).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

GROUPS = 10
"""g. More make the interval steadier and cost as many more scores; with 10 the t quantile is 2.26 in place of 1.96."""
CONFIDENCE = 0.95


def score_intervals(
    function: Callable[[Any, np.ndarray], Mapping[str, float]],
    real: Any,
    fake: np.ndarray,
    values: Mapping[str, float],
    *,
    bounds: tuple[float, float] = (-math.inf, math.inf),
    shares: Collection[str] = (),
) -> dict[str, tuple[float, float]]:
    """An interval of 95 % for each named number.

    Args:
        function: from both sides to the numbers.
        real: rows in a random order, shape `(n, d)`; what is no array (a density) is known and left whole.
        fake: rows in a random order, shape `(m, d)`.
        values: the numbers of all rows.
        bounds: of the numbers; an interval ends there.
        shares: the numbers that lie between 0 and 1.

    Returns:
        Low and high end, by name; nothing for a number that is not finite.
    """
    from scipy.stats import t

    found: dict[str, list[float]] = {name: [] for name in values}
    for group in range(GROUPS):
        rest = function(_without(real, group), _without(fake, group))
        for name in found:
            found[name].append(float(rest[name]))
    quantile = float(t.ppf((1 + CONFIDENCE) / 2, GROUPS - 1))
    intervals = {}
    for name, left_out in found.items():
        error = math.sqrt((GROUPS - 1) * float(np.var(left_out)))
        if math.isfinite(error) and math.isfinite(values[name]):
            low, high = values[name] - quantile * error, values[name] + quantile * error
            least, most = (0.0, 1.0) if name in shares else bounds
            intervals[name] = (max(least, low), min(most, high))
    return intervals


def _without(rows: Any, group: int) -> Any:
    if not isinstance(rows, np.ndarray):
        return rows
    return rows[np.arange(len(rows)) % GROUPS != group]
