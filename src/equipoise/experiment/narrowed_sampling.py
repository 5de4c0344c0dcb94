r"""Rows under a condition from a generator that knows its density: held to it column by column, and resampled.

Each row is drawn among what is allowed, and comes with the weight w that brings rows to the law of the condition (see
`networks.columnwise_restriction`). It is kept N times, where

.. math::
    N = \lfloor w / c + U \rfloor, \qquad \mathbb{E} N = w / c,

with U even in (0, 1): whatever c is, rows have the right law. c is so large that by the weights of a pilot at most one
row in 500 is a copy of another, and mostly none. A row takes c / E[w] draws, where drawing without holding takes
1 / E[w]; where that is no more, it is done instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.data import Dataset
from equipoise.data.tables.conditions.condition import Condition
from equipoise.data.tables.conditions.support import refuse_contradiction
from equipoise.data.tables.encoder import TableEncoder
from equipoise.experiment.conditional_sampling import Draws, Held, Wanted
from equipoise.randomness import Stream, derived_seed, numpy_stream

WORTH_IT = 0.75
"""Draws a row, of those that it takes without holding: holding columns makes a draw dearer."""
WORTH_TILTING, TILTS = 4.0, 3
"""Draws a row from which the columns before the held ones are tilted towards what goes with them, and how often."""
FIRST_PILOT, MOST_PILOT = 4, 64
"""Batches from which c is found: more where few rows have nearly all of the weight."""
ENOUGH = 50.0
"""Rows that the pilot's weights are worth at least, if `MOST_PILOT` batches give so many."""
MOST_DRAWS_A_ROW = 2000.0
"""Where a row would take more draws, c is smaller, and rows of large weight are kept more than once."""
MOST_COPIES = 0.002
"""Share of rows that are copies of another, by the weights of the pilot."""
ROOM = 1.1
"""c is that much above what the pilot asks for: not all weights are in it."""

WORTH_TELLING = 0.01
"""Share of the generator's rows that obey, below which a person is told."""
AT_ONCE, MOST_BATCHES = 128, 32
"""Rows that are decoded together, and batches after which fewer are."""
MOST_VALUES, RARE = 50, 0.3
"""Of a balanced column: values that are held, each by itself; and the share of what is needed of one, below which."""
Draw = Callable[..., Tensor]


@dataclass(frozen=True)
class Narrowing:
    """How rows under one condition are drawn.

    Attributes:
        draw: as a generator; the last column of what it makes is the logarithm of the weight.
        pooled: which of the rare categories that share an entry are allowed, as `TableEncoder.decode` takes it.
        log_bound: the logarithm of c.
        share: of the generator's rows that obey, as far as columns can be held: the mean weight.
    """

    draw: Draw
    pooled: dict[int, np.ndarray]
    log_bound: float
    share: float

    @property
    def draws_a_row(self) -> float:
        """How many draws one row takes."""
        return float(np.exp(self.log_bound)) / self.share

    def kept(self, made: Tensor, *, seed: int, batch: int) -> tuple[Tensor, Tensor]:
        """The rows of a batch that are kept, in their order, and their numbers in it."""
        times = made[:, -1].double().numpy() - self.log_bound
        chance = numpy_stream(seed, Stream.RESAMPLING, batch).random(len(made))
        counts = np.floor(np.exp(times) + chance).astype(np.int64)
        numbers = torch.from_numpy(np.repeat(np.arange(len(made)), counts))
        return made[numbers, :-1], numbers

    def text(self) -> str:
        """What a person is told."""
        return (
            f"About one row in {1 / self.share:,.0f} of the generator's obeys; columns are held at what is asked, and "
            f"{self.draws_a_row:,.1f} draws give a row."
        )


@dataclass(frozen=True)
class Source:
    """Where rows come from.

    Attributes:
        generator: of encoded rows.
        encoder: of the rows.
        batches: makes batches without end from `draw`, which is called as a generator is, `seed`, and their `purpose`.
        dataset: from encoded rows to rows of the table.
    """

    generator: Any
    encoder: TableEncoder
    batches: Callable[..., Iterator[tuple[Tensor, Tensor | None]]]
    dataset: Callable[..., Dataset]


def narrowed_draws(source: Source, wanted: Wanted, *, seed: int) -> Draws | None:
    """Rows for `conditional_rows` that are drawn under the condition; of a balanced column, of each value by itself.

    Args:
        source: of rows.
        wanted: what they are to be.
        seed: of the draws.

    Returns:
        `None` where drawing without holding is as cheap, or all that can be done.

    Raises:
        InputError: rules between columns leave no value that obeys.
    """
    if not hasattr(source.generator, "draw_within"):
        return None
    if wanted.balance is not None:
        return _by_value(source, wanted, seed=seed)
    found = None if wanted.condition is None else narrowing_of(source, wanted.condition)
    if found is None:
        return None
    if found.share < WORTH_TELLING:
        wanted.tell(found.text())
    return held_rows(source, found, seed=seed)


def held_rows(source: Source, narrowing: Narrowing, *, seed: int) -> Iterator[Held]:
    """Rows under a condition without end, some at a time; of long stretches in which none is kept, the draws alone."""
    drawn = offset = number = 0
    rows: list[Tensor] = []
    labels: list[Tensor] = []
    for batch, (made, asked) in enumerate(source.batches(draw=narrowing.draw, seed=seed, purpose=Stream.SAMPLES)):
        kept, numbers = narrowing.kept(made, seed=seed, batch=batch)
        rows.append(kept)
        labels += [] if asked is None else [asked[numbers]]
        drawn += len(made)
        number += len(kept)
        if number < AT_ONCE and len(rows) < MOST_BATCHES:
            continue
        found = None
        if number:
            given = torch.cat(labels) if labels else None
            found = source.dataset(torch.cat(rows), given, offset=offset, pooled=narrowing.pooled)
        yield Held(found, drawn)
        offset, drawn, number, rows, labels = offset + number, 0, 0, [], []


def _by_value(source: Source, wanted: Wanted, *, seed: int) -> list[Iterator[Held]] | None:
    """Rows of each value of a balanced column; `None` where each comes often enough, or there are too many of them."""
    shares = wanted.balance
    if len(shares.values) > MOST_VALUES:
        return None
    sources = []
    is_worth_it = False
    for place, own in enumerate(shares.conditions()):
        condition = own if wanted.condition is None else wanted.condition & own
        found = narrowing_of(source, condition, always=True)
        if found is None:
            return None
        is_worth_it |= found.share / shares.shares[place] < RARE
        sources.append(held_rows(source, found, seed=derived_seed(seed, Stream.RESAMPLING, place)))
    return sources if is_worth_it else None


def narrowing_of(source: Source, condition: Condition, *, always: bool = False) -> Narrowing | None:
    """How to draw under a condition; `None` where drawing and keeping what obeys is as cheap, or all that can be done.

    Args:
        source: of rows.
        condition: that every row is to obey.
        always: also where it is no cheaper.

    Raises:
        InputError: rules between columns leave no value that obeys.
    """
    if not condition.sets:
        return None
    allowed = source.encoder.allowed(condition)
    restriction = source.generator.restriction(allowed.blocks)
    if allowed.empty or restriction.is_empty:
        refuse_contradiction(condition, source.encoder.supports(), allowed.empty)

    best = _piloted(source, restriction, allowed.pooled)
    for _ in range(TILTS):
        if best is None or best[0].draws_a_row < WORTH_TILTING:
            break
        _, rows, weights = best
        restriction = restriction.tilted(rows, weights)
        other = _piloted(source, restriction, allowed.pooled)
        if other is None or other[0].draws_a_row > best[0].draws_a_row:
            break
        best = other
    if best is None or not (always or best[0].draws_a_row < WORTH_IT / best[0].share):
        return None
    return best[0]


def _piloted(
    source: Source, restriction: Any, pooled: Mapping[int, np.ndarray]
) -> tuple[Narrowing, Tensor, Tensor] | None:
    """How to draw, as a pilot says, and its rows and weights; `None` where none of them has any weight."""

    def draw(latents: Tensor, labels: Tensor | None = None) -> Tensor:
        rows, log_weights = source.generator.draw_within(latents, restriction, labels)
        return torch.cat([rows, log_weights[:, None].to(rows.dtype)], dim=1)

    parts: list[Tensor] = []
    for number, (made, _) in enumerate(source.batches(draw=draw, seed=0, purpose=Stream.RESAMPLING), 1):
        parts.append(made)
        weights = torch.cat([part[:, -1] for part in parts]).double().exp()
        is_enough = number >= FIRST_PILOT and weights.sum() ** 2 >= ENOUGH * weights.square().sum() > 0
        if is_enough or number >= MOST_PILOT:
            break
    mean = float(weights.mean())
    if not mean > 0:
        return None
    bound = ROOM * min(bound_of(weights.numpy()), MOST_DRAWS_A_ROW * mean)
    return Narrowing(draw, dict(pooled), float(np.log(bound)), mean), torch.cat(parts)[:, :-1], weights


def bound_of(weights: np.ndarray) -> float:
    """The smallest of the weights w' beyond which at most `MOST_COPIES` of all weight lies: of each w, w - w'."""
    ordered = np.sort(weights)
    above = np.cumsum(ordered[::-1])[::-1] - ordered * np.arange(len(ordered), 0, -1)
    return float(ordered[np.argmax(above <= MOST_COPIES * ordered.sum())])
