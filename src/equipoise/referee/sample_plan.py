r"""How many samples a verdict needs: the minimum detectable effect, turned round.

In theory. With n samples a side the least JSD that is found 95 % of the time is `theoretical_nats`; it falls as n
rises, and the least n at which it is no more than a margin is found by bisection. A verdict calls its data too few when
twice that, about what a smooth difference needs, is above the margin.

With data. Defects of known size are injected into one half of the data and looked for beside the other, as for a
verdict (`sensitivity`). What is needed for another size follows from the one that was tried: evidence grows by as much
as there are samples, so the least JSD falls like 1 / n. That leaves out that classifiers learn more from more samples,
and is rough.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from equipoise.data.judging import Values
from equipoise.errors import ConfigError
from equipoise.files import plain
from equipoise.plotting.number_text import number, percent, text_table
from equipoise.referee.base import Tell
from equipoise.referee.chunks import FIRST_SHARE
from equipoise.referee.classifiers import classifiers_for
from equipoise.referee.detectable_effect import POWER, Sensitivity, theoretical_nats
from equipoise.referee.sensitivity import sensitivity_of
from equipoise.referee.two_sample_test import samples_needed
from equipoise.referee.verdict import Counts
from equipoise.spaces import SpaceKind

MARGINS = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
"""What is shown beside the margin asked for, in nats."""
MOST_PER_SIDE = 2000
"""Samples a side into which defects are injected: more take minutes, and the rest follows by 1 / n."""
_MOST = 10**12


@dataclass(frozen=True)
class PlanRow:
    """Samples a side for one margin.

    Attributes:
        margin_nats: the JSD.
        least: below so many, nobody finds it 95 % of the time.
        enough: from so many on, a verdict that finds nothing does not call its data too few.
    """

    margin_nats: float
    least: int
    enough: int


@dataclass(frozen=True)
class SamplePlan:
    """How many samples a side a verdict needs.

    Attributes:
        confidence: of the verdict.
        margin_nats: that was asked for; `None` if none was.
        rows: in theory, from the largest margin to the smallest.
        measured: the sensitivity that was measured on data; `None` without data.
        needed: by defect, about how many samples a side show it at the margin; infinite where none was found.
    """

    confidence: float
    margin_nats: float | None
    rows: tuple[PlanRow, ...]
    measured: Sensitivity | None = None
    needed: Mapping[str, float] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The number for the margin that was asked for."""
        row = next((row for row in self.rows if row.margin_nats == self.margin_nats), None)
        if row is None:
            return "Samples a side that a verdict needs, by the smallest difference that matters (its margin)."
        said = (
            f"To speak of differences of {number(row.margin_nats, 3)} nats a verdict needs at least {row.enough:,} "
            "samples on each side"
        )
        if not self.needed:
            return f"{said}; for 'equivalent' usually more, which depends on the data."
        most = max(self.needed.values())
        if math.isinf(most):
            return f"{said}; for 'equivalent' more than can be said from these data."
        return f"{said}; for 'equivalent' about {_rounded(max(most, row.enough)):,} of data like these."

    def to_text(self) -> str:
        """The sentence, a table of margins and samples, and what was measured."""
        header = ("margin, nats", "nobody finds it below", "enough for a verdict")
        body = [
            (
                number(row.margin_nats, 3) + (" *" if row.margin_nats == self.margin_nats else ""),
                f"{row.least:,}",
                f"{row.enough:,}",
            )
            for row in self.rows
        ]
        parts = [
            self.sentence,
            text_table(header, body),
            f"Samples on each side, at {percent(self.confidence)} confidence; 'finds' means {percent(POWER)} of the "
            "time.\nBelow the first number even somebody who knew both densities would miss it now and then; from the "
            "second on,\na verdict that finds nothing is not called 'too little data'.",
        ]
        if self.measured is not None:
            parts.append(self._measured_text())
        elif self.margin_nats is not None:
            parts.append("With data the kinds of differences are tried one by one: judge --plan --margin NATS DATA")
        return "\n\n".join(parts)

    def _measured_text(self) -> str:
        assert self.measured is not None
        found = self.measured
        body = [
            (
                name,
                number(ends[1], 2) if math.isfinite(ends[1]) else "not at any size",
                f"{_rounded(self.needed[name]):,}" if math.isfinite(self.needed.get(name, math.inf)) else "more",
            )
            for name, ends in found.intervals_nats.items()
        ]
        header = (
            "injected into these data",
            f"found with {found.per_side:,} a side from, nats",
            f"samples a side for {number(self.margin_nats, 3)}",
        )
        rough = "The last column assumes that the least difference falls like 1 / n; it is rough."
        if found.absent:
            rough += f"\nNothing to break in these data, or nothing that is seen: {', '.join(found.absent)}."
        return f"{text_table(header, body)}\n{rough}"

    def to_json(self) -> dict[str, Any]:
        """One dictionary of plain values; what no number of samples was seen to show is `None`."""
        return {
            "sentence": self.sentence,
            **plain(
                {
                    "confidence": self.confidence,
                    "power": POWER,
                    "margin_nats": self.margin_nats,
                    "rows": [vars(row) for row in self.rows],
                    "measured": None if self.measured is None else self.measured.to_json(),
                    "needed": dict(self.needed),
                }
            ),
        }


def plan_samples(margin_nats: float | None = None, *, confidence: float = 0.95) -> SamplePlan:
    """How many samples a side are needed in theory, for the usual margins and the one asked for.

    Raises:
        ConfigError: the margin or the confidence is out of range.
    """
    if not 0.5 <= confidence < 1:
        raise ConfigError(
            "judge --plan, confidence", f"it is {confidence}.", "Expected at least 0.5 and below 1.", "Try 0.95."
        )
    if margin_nats is not None and not 1e-6 <= margin_nats < math.log(2):
        raise ConfigError(
            "judge --plan, margin",
            f"it is {margin_nats}.",
            "Expected nats from 0.000001 to below log 2 = 0.693.",
            "A margin of 0.01 calls a generator good enough that misses 3 % of the data.",
        )
    margins = sorted({*MARGINS, *(() if margin_nats is None else (margin_nats,))}, reverse=True)
    rows = tuple(
        PlanRow(
            margin,
            _fewest(lambda n, at=margin: detectable_nats(n, confidence=confidence) <= at, confidence),
            _fewest(lambda n, at=margin: 2 * detectable_nats(n, confidence=confidence) <= at, confidence),
        )
        for margin in margins
    )
    return SamplePlan(confidence, margin_nats, rows)


def plan_with_data(
    values: Values, *, kind: SpaceKind, margin_nats: float, confidence: float = 0.95, tell: Tell | None = None
) -> SamplePlan:
    """The same, and how many samples like these show each kind of injected defect.

    Args:
        values: real samples; each trial has both of its sides from them.
        kind: of the data.
        margin_nats: that matters.
        confidence: of the verdict.
        tell: is told what is injected.

    Raises:
        ConfigError: as `plan_samples`, or there are too few samples.
    """
    planned = plan_samples(margin_nats, confidence=confidence)
    per_side = min(MOST_PER_SIDE, len(values) // 2)
    fewest = samples_needed(confidence)
    if per_side < fewest:
        raise ConfigError(
            "judge --plan",
            f"there are {len(values):,} samples, and each trial cuts two sides out of them.",
            f"Expected at least {2 * fewest}.",
            "Leave the data out for the numbers in theory.",
        )
    counts = _counts(per_side)
    found = sensitivity_of(
        values,
        counts,
        kind=kind,
        classifiers=classifiers_for(kind),
        confidence=confidence,
        repeats=1,
        is_in_turn=True,
        has_companion=True,
        least_nats=detectable_nats(per_side, confidence=confidence),
        tell=tell,
    )
    needed = {name: found.per_side * ends[1] / margin_nats for name, ends in found.intervals_nats.items()}
    return SamplePlan(confidence, margin_nats, planned.rows, found, needed)


def detectable_nats(per_side: int, *, confidence: float) -> float:
    """`theoretical_nats` of a verdict on two sets of so many samples each."""
    scored = _counts(per_side).real_test
    return theoretical_nats(scored, scored, confidence=confidence, whole=(per_side, per_side))


def _counts(per_side: int) -> Counts:
    fitted = round(FIRST_SHARE * per_side)
    return Counts(fitted, fitted, 0, 0, per_side - fitted, per_side - fitted)


def _fewest(is_enough: Callable[[int], bool], confidence: float) -> int:
    """The least number of samples a side for which this holds, by bisection; no fewer than a verdict needs at all."""
    low = samples_needed(confidence)
    if is_enough(low):
        return low
    high = 2 * low
    while not is_enough(high) and high < _MOST:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _rounded(count: float) -> int:
    """Two significant digits, upwards: more would be made up."""
    unit = 10 ** max(0, math.floor(math.log10(count)) - 1)
    return math.ceil(count / unit) * unit
