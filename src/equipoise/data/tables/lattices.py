"""Lattices of numbers and dates: multiples of 10, cents, midnights, office hours, weekdays.

A generator that writes 4,987.31 where the data have 4,990 is given away by no distance and by no threshold on the
value. A trait here is a function of one value, such as "is a multiple of 10" or "has at most 2 decimals". Of a list of
traits those are kept in which the two sides differ, among the samples that features are fitted on, by more than chance
gives: a column without any costs nothing and distracts nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

MOST_TRAITS = 3
"""Of one column: the strongest that do not say what a stronger one says."""
_STRIKING = 4.0
"""Standard errors of a difference of two shares, for some hundred traits that are tried of a column."""
_MOST_TRIED = 1500
"""Samples of each side on which traits are compared; they are in random order."""
_MOST_DECIMALS = 9
_STEPS = (2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 12.0, 15.0, 24.0, 25.0)
_EXPONENTS = range(-2, 4)
_MINUTE, _HOUR, _DAY, _WEEK = 60.0, 3600.0, 86_400.0, 604_800.0
_THURSDAY = 3
"""1970 began on a Thursday; a week is counted from Monday."""
_TOLERANCE = 1e-6
"""Of a step, by which a value may miss a multiple of it: two decimals are no exact binary fractions."""


@dataclass(frozen=True)
class Trait:
    """A function of one value that is 1 or 0.

    Attributes:
        name: what a person calls it, after the column's name.
        step: of a lattice.
        low: the remainder at that step, as a share of the step, from which on it is 1.
        high: the remainder below which it is 1; where `low` equals `high` the value must be a multiple of the step.
    """

    name: str
    step: float
    low: float = 0.0
    high: float = 0.0

    def of(self, values: np.ndarray) -> np.ndarray:
        """1 where the value has it, 0 where it has not or is missing. Float64."""
        with np.errstate(invalid="ignore", over="ignore"):
            scaled = values / self.step
            if self.low == self.high:
                # Beyond 2^53 steps every double is a multiple, and says nothing.
                has = np.abs(scaled - np.round(scaled)) <= np.minimum(_TOLERANCE, 1e-15 * np.abs(scaled) + 1e-9)
            else:
                share = scaled - np.floor(scaled)
                has = (share >= self.low) & (share < self.high)
        return (has & np.isfinite(values)).astype(np.float64)


def telling_traits(real: np.ndarray, fake: np.ndarray, *, is_date: bool) -> tuple[Trait, ...]:
    """The traits of a column in which two sides differ, strongest first.

    Args:
        real: values of one side, NaN where missing; dates in seconds since 1970. Shape `(n_real,)`.
        fake: of the other side.
        is_date: whether times of day and weekdays are tried.
    """
    sides = [side[np.isfinite(side)][:_MOST_TRIED] for side in (real, fake)]
    if min(map(len, sides)) < 2:
        return ()
    found = []
    for trait in _tried(is_date):
        has = [trait.of(side) for side in sides]
        score = _score(*has)
        if score > _STRIKING:
            found.append((score, trait, np.concatenate(has)))
    kept: list[tuple[Trait, np.ndarray]] = []
    for _, trait, has in sorted(found, key=lambda each: -each[0]):
        if len(kept) < MOST_TRAITS and all(np.mean(has == other) < 0.98 for _, other in kept):
            kept.append((trait, has))
    return tuple(trait for trait, _ in kept)


def _score(real: np.ndarray, fake: np.ndarray) -> float:
    """The difference of two shares in standard errors of shares that are alike."""
    pooled = (real.sum() + fake.sum() + 1) / (len(real) + len(fake) + 2)
    return float(abs(real.mean() - fake.mean()) / np.sqrt(pooled * (1 - pooled) * (1 / len(real) + 1 / len(fake))))


def _tried(is_date: bool) -> Iterator[Trait]:
    if is_date:
        yield from _traits_of_dates()
        return
    for decimals in range(_MOST_DECIMALS):
        yield Trait(f"has at most {decimals} decimals" if decimals else "is whole", 10.0**-decimals)
    for zeros in range(1, 7):
        yield Trait(f"is a multiple of {10**zeros:,}", 10.0**zeros)
    for exponent in _EXPONENTS:
        for step in _STEPS:
            yield Trait(f"is a multiple of {step * 10.0**exponent:g}", step * 10.0**exponent)


def _traits_of_dates() -> Iterator[Trait]:
    for name, step in (("midnight", _DAY), ("a full hour", _HOUR), ("a full minute", _MINUTE), ("a full second", 1.0)):
        yield Trait(f"is {name}", step)
    yield from _spans("time of day", _DAY, [hour / 24 for hour in range(25)], shortest=2)
    names = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    for day, name in enumerate(names):
        start = ((day - _THURSDAY) % 7) / 7
        yield Trait(f"is a {name}", _WEEK, start, start + 1 / 7)
    saturday = ((5 - _THURSDAY) % 7) / 7
    yield Trait("is on a weekend", _WEEK, saturday, saturday + 2 / 7)


def _spans(name: str, step: float, edges: Sequence[float], *, shortest: int) -> Iterator[Trait]:
    for first in range(0, len(edges) - shortest, 1):
        for last in range(first + shortest, len(edges), 2):
            if last - first < len(edges) - 1:
                yield Trait(f"has a {name} from {first} to {last} h", step, edges[first], edges[last])


def values_of(traits: Sequence[Trait], values: np.ndarray) -> np.ndarray:
    """All traits of a column. Shape `(n, traits)`."""
    return np.stack([trait.of(values) for trait in traits], axis=1) if traits else np.zeros((len(values), 0))
