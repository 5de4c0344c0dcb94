"""What the companion found: its p-value, and the differences behind it in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from equipoise.referee.base import Finding

MOST_DIFFERENCES = 5


@dataclass(frozen=True)
class Difference:
    """One statistic in which the two sides differ.

    Attributes:
        family: the kind of statistic, such as "mean" or "correlation".
        statement: one sentence in plain words, with the estimate and its interval.
        columns: the columns that it is about; empty where it is about whole samples.
        real: the statistic on the real side, in the units of the data; `None` where it has no value on one side.
        fake: on the generated side.
        estimate: of the difference, generated minus real; `None` where there is none to state.
        low: lower end of its interval. The intervals of all statistics hold together, each at its share of the level.
        high: upper end.
        p_value: adjusted for all statistics that were looked at.
    """

    family: str
    statement: str
    columns: tuple[str, ...]
    real: float | None
    fake: float | None
    estimate: float | None
    low: float | None
    high: float | None
    p_value: float


@dataclass(frozen=True)
class Companion:
    """The result of the permutation test.

    Attributes:
        p_value: chance of a maximum as large as this one or larger if the sides were alike; exact at any count.
        level: the test's own share of the error.
        permutations: how often labels were permuted.
        statistics: how many the maximum was taken over.
        margin: by how many standard deviations the strongest statistic lies beyond what would just have been rejected;
            below 0 where it is not.
        differences: strongest first. Others than the first are there if they reject by themselves.
        compared: real and generated samples that were compared; `None` of earlier versions.
        given: how many there were.
    """

    p_value: float
    level: float
    permutations: int
    statistics: int
    margin: float
    differences: tuple[Difference, ...]
    compared: tuple[int, int] | None = None
    given: tuple[int, int] | None = None

    @property
    def rejects(self) -> bool:
        """Whether "one distribution" is rejected at the test's level."""
        return self.p_value <= self.level

    def finding(self) -> Finding | None:
        """The differences as a finding of the verdict; `None` where nothing is rejected."""
        if not self.rejects or not self.differences:
            return None
        first, *others = self.differences
        rows = tuple(
            {name: value for name, value in vars(each).items() if name not in ("statement", "columns")}
            | {"columns": ", ".join(each.columns), "statement": each.statement}
            for each in (first, *others)
        )
        return Finding("companion", first.statement, True, {"p_value": self.p_value}, rows)

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` reads them back."""
        return {
            **vars(self),
            "differences": [{**vars(each), "columns": list(each.columns)} for each in self.differences],
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Companion:
        """The inverse of `to_json`."""
        differences = tuple(Difference(**{**each, "columns": tuple(each["columns"])}) for each in state["differences"])
        counts = {name: tuple(state[name]) for name in ("compared", "given") if state.get(name) is not None}
        return cls(**{**state, "differences": differences, **counts})
