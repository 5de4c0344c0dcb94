"""Statistics of one column at a time: mean, spread, shares of levels, gaps, steps of a lattice, quantiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.plotting.number_text import number, percent
from equipoise.referee.companion.columns import Column, cut, numeric
from equipoise.referee.companion.result import Difference
from equipoise.referee.companion.statistics import Family, Sides

MOST_LEVELS = 40
"""Levels of a column whose shares are compared one by one; rarer ones together."""
_LEAST_SEEN = 8
"""A level or a value seen less often on both sides together cannot be rejected beside hundreds of statistics."""
_CUTS = (0.05, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 0.95)
_STEPS = tuple(float(f"{digit}e{power}") for power in range(-6, 10) for digit in (1, 2, 2.5, 5))
_SPANS_OF_TIME = (
    ("at midnight", "a whole number of days", 86_400.0),
    ("at a full hour", "a whole number of hours", 3_600.0),
    ("at a quarter of an hour", "a whole number of quarters of an hour", 900.0),
    ("at a full minute", "a whole number of minutes", 60.0),
    ("at a full second", "a whole number of seconds", 1.0),
)
_MOST_STEPS = 6
_LEAST_SURPLUS = 0.02
"""Share of values that are multiples of a step beyond those that chance makes so."""
_MOST_OF_A_STEP = 0.9
_HOUR, _DAY = 3_600.0, 86_400.0


def means(columns: Sequence[Column], weight: float) -> Family | None:
    """Means of columns of numbers, of their values (outliers cut) and of their ranks' normal scores."""
    used = numeric(columns)
    features = [feature for column in used for feature in (column.scores, cut(column.values))]

    def describe(place: int, sides: Sides, deviations: float) -> Difference:
        column = used[place // 2]
        if place % 2 == 0:
            real, fake, error = sides.of(column.scores)
            raw = sides.of(column.values)
            if (raw[1] - raw[0]) * (fake - real) <= 0 or abs(raw[1] - raw[0]) <= deviations * raw[2]:
                return _of_ranks(column, real, fake, error, deviations)
        return _of_means(column, f"the mean of {column.title}", sides.of(column.values), deviations)

    return _family("mean", features, np.full(len(features), weight / max(1, len(used))), describe)


def spreads(columns: Sequence[Column], weight: float) -> Family | None:
    """Squares of normal scores, and of values, about the middle."""
    used = numeric(columns)
    features = [feature for column in used for feature in (column.scores**2, cut(column.values) ** 2)]

    def describe(place: int, sides: Sides, deviations: float) -> Difference:
        column = used[place // 2]
        centre = [sides.of(column.values)[side] for side in (0, 1)]
        squares = (column.values - np.where(sides.is_real, *centre)) ** 2
        real, fake, error = sides.of(squares)
        if min(real, fake) == 0 < max(real, fake):
            varies, never = ("generated", "real") if fake > 0 else ("real", "generated")
            width = column.text_of_difference(float(np.sqrt(max(real, fake))))
            statement = (
                f"{column.title} never changes on the {never} side, and varies on the {varies} one: standard deviation "
                f"{width}."
            )
            return _difference("spread", statement, column, None, None, None, None)
        ratio = np.sqrt(fake / real) if real > 0 else np.inf
        # The error of a log ratio of variances, each by the delta method.
        spread = deviations * error / (real + fake) if real + fake > 0 else np.nan
        low, high = (ratio * np.exp(sign * spread) for sign in (-1, 1))
        more = "more" if ratio > 1 else "less"
        statement = (
            f"{column.title} varies {more} on the generated side: standard deviation "
            f"{column.text_of_difference(float(np.sqrt(fake)))} beside "
            f"{column.text_of_difference(float(np.sqrt(real)))}, a ratio of {number(ratio, 3)} "
            f"({number(low, 3)} to {number(high, 3)})."
        )
        if not low <= 1 <= high:
            widths = float(np.sqrt(real)), float(np.sqrt(fake))
            return _difference("spread", statement, column, *widths, widths[0] * (low - 1), widths[0] * (high - 1))
        feature = features[place]
        found = sides.of(feature)
        word = "more" if found[1] > found[0] else "less"
        statement = f"Values of {column.title} lie {word} often far from its middle on the generated side."
        return _difference("spread", statement, column, None, None, None, None)

    return _family("spread", features, np.full(len(features), weight / max(1, len(used))), describe)


def shares(columns: Sequence[Column], weight: float) -> Family | None:
    """Shares of levels, of gaps, and of columns of two values."""
    found: list[_Share] = []
    weights: list[float] = []
    for column in columns:
        own = _shares_of(column)
        found += own
        weights += [weight / max(1, len(columns)) / max(1, len(own))] * len(own)
    return _share_family("share", found, np.asarray(weights))


def steps(columns: Sequence[Column], weight: float) -> Family | None:
    """Shares of multiples of a step: tens among whole numbers, cents among fractions, midnights among times."""
    used = numeric(columns)
    found = [(share, column) for column in used for share in _steps_of(column)]
    own = {id(column): sum(each is column for _, each in found) for column in used}
    weights = [weight / max(1, len(used)) / own[id(column)] for _, column in found]
    return _share_family("lattice", [share for share, _ in found], np.asarray(weights))


def cuts(columns: Sequence[Column], weight: float) -> Family | None:
    """Shares below quantiles of both sides together."""
    used = numeric(columns)
    found: list[_Share] = []
    weights: list[float] = []
    for column in used:
        finite = column.values[np.isfinite(column.values)]
        edges = np.unique(np.quantile(finite, _CUTS, method="lower"))
        for edge in edges:
            with np.errstate(invalid="ignore"):
                feature = np.where(np.isfinite(column.values), column.values <= edge, np.nan)
            found.append(_Share(column, feature, f"{column.title} is at most {column.text(float(edge))}"))
            weights.append(weight / len(used) / len(edges))
    return _share_family("quantile", found, np.asarray(weights))


@dataclass(frozen=True)
class _Share:
    column: Column
    feature: np.ndarray
    """1 where it is so, 0 where not, NaN where the sample cannot say."""
    words: str
    """`x` is 'a'."""


def _shares_of(column: Column) -> list[_Share]:
    found = []
    if column.levels:
        counts = np.bincount(column.values.astype(np.int64), minlength=len(column.levels))
        common = [code for code in np.argsort(-counts, kind="stable")[:MOST_LEVELS] if counts[code] >= _LEAST_SEEN]
        for code in common:
            found.append(_Share(column, column.values == code, f"{column.title} is {column.level(code)}"))
        rest = ~np.isin(column.values, common)
        if rest.sum() >= _LEAST_SEEN:
            found.append(_Share(column, rest, f"{column.title} is one of its rarer levels"))
        return found
    is_gap = ~np.isfinite(column.values)
    if is_gap.any():
        found.append(_Share(column, is_gap, f"{column.title} is missing"))
    return found


def _steps_of(column: Column) -> list[_Share]:
    finite = np.isfinite(column.values)
    values = column.values[finite]
    candidates: list[tuple[str, np.ndarray]] = []
    if column.unit == "number":
        candidates = _lattices(values)
    if column.unit == "date":
        hours, days = np.mod(values, _DAY) / _HOUR, np.floor(values / _DAY)
        # Day 0 was a Thursday.
        candidates = [
            ("is on a weekend", np.mod(days + 3, 7) >= 5),
            ("is in office hours", (hours >= 8) & (hours < 18)),
        ]
    if column.unit != "number":
        shares = {0.0}
        for of_date, of_duration, span in _SPANS_OF_TIME:
            is_multiple = np.mod(values, span) == 0
            if float(is_multiple.mean()) not in shares:
                shares.add(float(is_multiple.mean()))
                candidates.append((f"is {of_date if column.unit == 'date' else of_duration}", is_multiple))
    found = []
    for words, is_multiple in candidates:
        feature = np.full(len(column.values), np.nan)
        feature[finite] = is_multiple
        found.append(_Share(column, feature, f"{column.title} {words}"))
    return found


def _lattices(values: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Steps that more values are multiples of than chance would have it, given the finer steps.

    A step that hardly more values are multiples of than of a coarser one is not the lattice: that one is.
    """
    largest = float(np.max(np.abs(values)))
    steps = [step for step in _STEPS if largest * 1e-9 < step <= largest]
    hits = [_is_multiple(values, step) for step in steps]
    all_shares = [(step, float(hit.mean())) for step, hit in zip(steps, hits, strict=True)]
    found = []
    for (step, share), hit in zip(all_shares, hits, strict=True):
        coarser = [each for other, each in all_shares if other > step and _is_whole(other / step)]
        by_chance = [each * other / step for other, each in all_shares if other < step and _is_whole(step / other)]
        surplus = share - max(by_chance, default=0.0)
        is_known = max(coarser, default=0.0) > _MOST_OF_A_STEP * share
        if share * len(values) >= _LEAST_SEEN and surplus > _LEAST_SURPLUS and not is_known:
            found.append((surplus, f"is a multiple of {number(step, 3)}", hit))
    return [(words, hit) for _, words, hit in sorted(found, key=lambda each: -each[0])[:_MOST_STEPS]]


def _is_whole(ratio: float) -> bool:
    return abs(ratio - round(ratio)) < 1e-9


def _is_multiple(values: np.ndarray, step: float) -> np.ndarray:
    """Within the rounding of a float64 that was written with decimals."""
    quotients = values / step
    return np.abs(quotients - np.round(quotients)) <= 1e-9 + np.abs(quotients) * 4e-16


def _share_family(name: str, found: Sequence[_Share], weights: np.ndarray) -> Family | None:
    def describe(place: int, sides: Sides, deviations: float) -> Difference:
        share = found[place]
        real, fake, error = sides.of(share.feature.astype(np.float64))
        low, high = fake - real - deviations * error, fake - real + deviations * error
        more = "more" if fake > real else "less"
        ends = [low, high] if fake > real else [-high, -low]
        statement = (
            f"{share.words} {more} often on the generated side: {percent(fake, 1)} beside {percent(real, 1)}, "
            f"a difference of {number(100 * abs(fake - real), 2)} points ({number(100 * ends[0], 2)} to "
            f"{number(100 * ends[1], 2)})."
        )
        return _difference(name, statement, share.column, real, fake, low, high)

    return _family(name, [_gaps_at_the_mean(share.feature) for share in found], weights, describe)


def _interval(estimate: float, reach: float) -> tuple[list[float], list[float]]:
    """Ends of the interval around an estimate, and the same as a person reads them after "higher by" or "lower by"."""
    ends = [estimate - reach, estimate + reach]
    return ends, ends if estimate > 0 else [-ends[1], -ends[0]]


def _of_means(column: Column, words: str, found: tuple[float, float, float], deviations: float) -> Difference:
    real, fake, error = found
    estimate = fake - real
    ends, signed = _interval(estimate, deviations * error)
    statement = (
        f"{words[0].upper()}{words[1:]} is {'higher' if estimate > 0 else 'lower'} on the generated side by "
        f"{column.text_of_difference(abs(estimate))} ({column.text_of_difference(signed[0])} to "
        f"{column.text_of_difference(signed[1])}): {column.text(fake)} beside {column.text(real)}."
    )
    return _difference("mean", statement, column, real, fake, *ends)


def _of_ranks(column: Column, real: float, fake: float, error: float, deviations: float) -> Difference:
    """Where outliers hide what ranks show: by how many standard deviations normal scores differ."""
    estimate = fake - real
    ends, signed = _interval(estimate, deviations * error)
    statement = (
        f"Values of {column.title} are typically {'higher' if estimate > 0 else 'lower'} on the generated side: their "
        f"ranks differ by {number(abs(estimate), 2)} standard deviations ({number(signed[0], 2)} to "
        f"{number(signed[1], 2)})."
    )
    return _difference("mean", statement, column, real, fake, *ends)


def _difference(
    family: str,
    statement: str,
    column: Column,
    real: float | None,
    fake: float | None,
    low: float | None,
    high: float | None,
) -> Difference:
    estimate = None if real is None or fake is None else fake - real
    return Difference(family, statement, (column.name,), real, fake, estimate, low, high, 1.0)


def _family(
    name: str,
    features: Sequence[np.ndarray],
    weights: np.ndarray,
    describe: Callable[[int, Sides, float], Difference],
) -> Family | None:
    if not features:
        return None
    return Family(name, np.stack(features, axis=1).astype(np.float32), weights, describe)


def _gaps_at_the_mean(feature: np.ndarray) -> np.ndarray:
    """NaN replaced by the mean of the others, so that it counts for neither side."""
    feature = feature.astype(np.float64)
    gaps = np.isnan(feature)
    return np.where(gaps, np.mean(feature[~gaps]) if not gaps.all() else 0.0, feature)
