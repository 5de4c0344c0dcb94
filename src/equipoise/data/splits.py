"""One split for good: 80 % to train on, 10 % for the referee's interim evaluations, 10 % for the final verdict.

Groups of equal samples are put in an order that the seed decides, and cut at 80 % and 90 % of the samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from equipoise.data.duplicates import Groups
from equipoise.errors import DataError
from equipoise.randomness import Stream, numpy_stream

Part = Literal["train", "selection", "final"]
PARTS: tuple[Part, ...] = ("train", "selection", "final")
CUTS = (0.8, 0.9)
FEWEST_SAMPLES = 10


@dataclass(frozen=True)
class Split:
    """Row numbers of each part, int64, ascending; together they are every row once."""

    train: np.ndarray
    selection: np.ndarray
    final: np.ndarray
    seed: int
    rule: str
    groups: int
    largest_group: int

    def part(self, name: Part) -> np.ndarray:
        """Row numbers of one part."""
        return {"train": self.train, "selection": self.selection, "final": self.final}[name]

    def describe(self) -> dict[str, Any]:
        """What `data.json` tells of the split; the rows follow from the data, the seed and the rule."""
        return {
            "seed": self.seed,
            "rule": f"80 % train, 10 % selection, 10 % final, in an order drawn from the seed; {self.rule}",
            "groups": self.groups,
            "largest_group": self.largest_group,
            **{name: len(self.part(name)) for name in PARTS},
        }


def split_groups(groups: Groups, *, seed: int, source: str) -> Split:
    """Cut the samples into three parts that no group straddles.

    Raises:
        DataError: fewer than 10 samples, or fewer than 3 groups.
    """
    rows = len(groups.of_row)
    if rows < FEWEST_SAMPLES or groups.count < len(PARTS):
        what = _counted(rows, "sample") if rows < FEWEST_SAMPLES else _counted(groups.count, "different sample")
        raise DataError(
            source,
            f"{what} cannot be split into three parts.",
            f"Expected {FEWEST_SAMPLES} samples or more, so that some can be kept from training.",
            "Give more data; a generator learns little from fewer than some hundreds.",
        )
    order = numpy_stream(seed, Stream.SPLIT).permutation(groups.count)
    sizes = groups.sizes[order]
    middles = np.cumsum(sizes) - sizes / 2
    part_in_order = np.searchsorted(np.array(CUTS) * rows, middles, side="right")
    if len(np.unique(part_in_order)) < len(PARTS):
        part_in_order = _largest_first(sizes)
    part_of_group = np.empty(groups.count, dtype=np.int64)
    part_of_group[order] = part_in_order
    part_of_row = part_of_group[groups.of_row]
    train, selection, final = (np.flatnonzero(part_of_row == part) for part in range(len(PARTS)))
    return Split(
        train, selection, final, seed=seed, rule=groups.rule, groups=groups.count, largest_group=int(sizes.max())
    )


def _largest_first(sizes: np.ndarray) -> np.ndarray:
    """Part of each group where a cut would leave a part empty: each to the part that lacks most of its share."""
    part_of = np.zeros(len(sizes), dtype=np.int64)
    lacking = np.diff([0, *CUTS, 1]) * sizes.sum()
    empty = set(range(len(PARTS)))
    for group in np.argsort(-sizes, kind="stable"):
        part = max(empty or range(len(PARTS)), key=lambda candidate: lacking[candidate])
        part_of[group] = part
        lacking[part] -= sizes[group]
        empty.discard(part)
    return part_of


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
