"""One split for good: 80 % to train on, 10 % for the referee's interim evaluations, 10 % for the final verdict.

Groups of equal samples are put in an order that the seed decides, and cut at 80 % and 90 % of the samples. Of little
data that are expensive to learn from, less is kept from training; see `small_share`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from equipoise.data.duplicates import Groups
from equipoise.errors import DataError
from equipoise.randomness import Stream, numpy_stream

Part = Literal["train", "selection", "final"]
PARTS: tuple[Part, ...] = ("train", "selection", "final")
SHARE = 0.1
"""Of the samples that each of the two held-out parts gets."""
LITTLE, LITTLE_SHARE, FEWEST_HELD_OUT = 1000, 0.05, 5
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
    share: float = SHARE

    def part(self, name: Part) -> np.ndarray:
        """Row numbers of one part."""
        return {"train": self.train, "selection": self.selection, "final": self.final}[name]

    def describe(self) -> dict[str, Any]:
        """What `data.json` tells of the split; the rows follow from the data, the seed and the rule."""
        return {
            "seed": self.seed,
            "rule": f"{1 - 2 * self.share:.3g} train, {self.share:.3g} selection, {self.share:.3g} final, in an order "
            f"drawn from the seed; {self.rule}",
            "held_out_share": self.share,
            "groups": self.groups,
            "largest_group": self.largest_group,
            **{name: len(self.part(name)) for name in PARTS},
        }


def small_share(rows: int) -> float:
    """Share of each held-out part where samples are dear: a twentieth below 1,000, but five samples (a tenth at most).

    With 100 pictures ten more to learn from are worth more than a verdict that sees a little more: see
    `unseen_nats`.
    """
    return SHARE if rows >= LITTLE else min(SHARE, max(LITTLE_SHARE, FEWEST_HELD_OUT / rows))


def unseen_nats(held_out: int, *, alpha: float = 0.05) -> float:
    r"""The least Jensen-Shannon divergence that a test on so many real samples and as many generated ones finds.

    Betting on which side a sample is of, the best classifier's wealth grows by the JSD a sample in the mean of its
    logarithm, and a rejection at level alpha needs a wealth of 1 / alpha:

    .. math::
        2 m \, \mathrm{JSD} \ge \log(1 / \alpha)

    Reference:
        Shafer 2021, doi:10.1111/rssa.12647, section 2.1 (expected log wealth as the power of a bet).
    """
    return math.log(1 / alpha) / (2 * held_out)


def split_groups(groups: Groups, *, seed: int, source: str, share: float = SHARE) -> Split:
    """Cut the samples into three parts that no group straddles.

    Args:
        groups: which samples are the same thing.
        seed: decides their order.
        source: for messages.
        share: of the samples, for each of the two held-out parts.

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
    cuts = (0.8, 0.9) if share == SHARE else (1 - 2 * share, 1 - share)  # as written: 1 - 0.2 is another number
    part_in_order = np.searchsorted(np.array(cuts) * rows, middles, side="right")
    if len(np.unique(part_in_order)) < len(PARTS):
        part_in_order = _largest_first(sizes, cuts)
    part_of_group = np.empty(groups.count, dtype=np.int64)
    part_of_group[order] = part_in_order
    part_of_row = part_of_group[groups.of_row]
    train, selection, final = (np.flatnonzero(part_of_row == part) for part in range(len(PARTS)))
    return Split(
        train,
        selection,
        final,
        seed=seed,
        rule=groups.rule,
        groups=groups.count,
        largest_group=int(sizes.max()),
        share=share,
    )


def _largest_first(sizes: np.ndarray, cuts: tuple[float, float]) -> np.ndarray:
    """Part of each group where a cut would leave a part empty: each to the part that lacks most of its share."""
    part_of = np.zeros(len(sizes), dtype=np.int64)
    lacking = np.diff([0, *cuts, 1]) * sizes.sum()
    empty = set(range(len(PARTS)))
    for group in np.argsort(-sizes, kind="stable"):
        part = max(empty or range(len(PARTS)), key=lambda candidate: lacking[candidate])
        part_of[group] = part
        lacking[part] -= sizes[group]
        empty.discard(part)
    return part_of


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
