r"""Rows that obey a condition, from any generator of tables, in the law that the generator gives them.

Rows are drawn, and those that obey are kept. What is kept has exactly the generator's law under the condition,

.. math::
    q(x \mid C) = q(x) \, 1[x \in C] \,/\, q(C),

whatever the condition, and each of n rows takes 1 / q(C) draws. q(C), the *acceptance*, is measured on the rows drawn
so far. Once it is known well enough that the rest would take more draws than are allowed, drawing ends with a message
that says so: a condition that one row in a million meets is no job for this.

Row i does not depend on how many rows are asked for, and the same seed gives the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from equipoise.data import Dataset, TableEncoder
from equipoise.data.duplicates import row_keys
from equipoise.data.tables.conditions.condition import Condition, Name
from equipoise.data.tables.conditions.language import Where, read_condition
from equipoise.data.tables.conditions.support import refuse_impossible
from equipoise.errors import InputError
from equipoise.experiment.balance import Balance, Shares, shares_of
from equipoise.experiment.sample_parts import SamplePart
from equipoise.randomness import Stream, numpy_stream

MOST_DRAWS = 10_000_000
"""Rows drawn for one request, unless more are allowed."""
FIRST_DRAWS = 20_000
"""After so many the acceptance is told, and whether the rest can be had."""
BLOCK = 1024
"""Rows in which the shares of a balanced column hold exactly."""
MOST_WAITING = 2 * BLOCK
"""Rows of a frequent value that wait for rarer ones; more are let go."""


class Tell(Protocol):
    """Takes sentences for the person, while rows are drawn."""

    def __call__(self, text: str, /) -> None: ...


class Filter(Protocol):
    """Says which rows of a batch are kept; see `equipoise.experiment.rejection`."""

    def places(self, values: pd.DataFrame, *, seed: int, source: int, batch: int) -> np.ndarray:
        """Their numbers, for the batch of that number from one of several sources."""
        ...


@dataclass(frozen=True)
class Held:
    """Rows whose columns were held, of which most are gone already.

    Attributes:
        rows: that are left, or `None`.
        draws: that they took.
    """

    rows: Dataset | None
    draws: int


Draws = Iterator[Dataset | Held] | list[Iterator[Dataset | Held]]


@dataclass
class Acceptance:
    """How many of the rows drawn were kept so far.

    Attributes:
        drawn: rows drawn.
        kept: rows of them that were kept.
    """

    drawn: int = 0
    kept: int = 0

    @property
    def share(self) -> float:
        """The share that was kept; 0 before the first row."""
        return self.kept / self.drawn if self.drawn else 0.0

    def most(self, confidence: float = 0.95) -> float:
        """Upper bound on the acceptance, one-sided, exact (Clopper and Pearson 1934, doi:10.2307/2331986)."""
        return 1.0 if self.kept >= self.drawn else float(betaincinv(self.kept + 1, self.drawn - self.kept, confidence))

    def text(self) -> str:
        """Both numbers in words."""
        return f"{self.kept:,} of {self.drawn:,} rows drawn ({100 * self.share:.3g} %) were kept"


@dataclass(frozen=True)
class Wanted:
    """What rows are asked for.

    Attributes:
        condition: that each obeys; `None` for any.
        balance: how often each value of a column comes, or `None`: as the generator makes them.
        unique: groups of columns whose values no two rows share.
        rejection: which of the rows that obey are kept, or `None` for all.
        most_draws: rows that may be drawn for it.
        tell: takes sentences on how many rows are kept.
        acceptance: is counted here.
    """

    condition: Condition | None = None
    balance: Shares | None = None
    unique: tuple[tuple[Name, ...], ...] = ()
    rejection: Filter | None = None
    most_draws: int = MOST_DRAWS
    tell: Tell = lambda text: None
    acceptance: Acceptance = field(default_factory=Acceptance)


def wanted_rows(
    encoder: Any,
    *,
    where: Where | None = None,
    balance: Balance | None = None,
    most_draws: int | None = None,
    rejection: Filter | None = None,
    tell: Tell = lambda text: None,
    option: str = "where",
) -> Wanted | None:
    """What is asked for, checked against what the columns hold; `None` where nothing is.

    Args:
        encoder: of the samples.
        where: a condition on each row; see `conditions.language`.
        balance: the name of a column whose values are to come equally often; or a mapping of one column to the share
            of each value.
        most_draws: rows that may be drawn.
        rejection: of the same generator; see `equipoise.experiment.rejection`.
        tell: takes sentences on how many rows are kept.
        option: what the condition is called in messages.

    Raises:
        InputError: the samples are no rows of a table, or no sample can meet what is asked.
    """
    unique = encoder.rules.unique if isinstance(encoder, TableEncoder) and encoder.rules is not None else ()
    if where is None and balance is None and rejection is None and not unique:
        return None
    if not isinstance(encoder, TableEncoder):
        raise InputError(
            option if where is not None else "rejection" if balance is None else "balance",
            f"it was given for samples that are {encoder.space.kind}.",
            "Expected a generator of tables.",
            "Leave it out; of labelled data one class is asked for by label (--class).",
        )
    if most_draws is not None and most_draws < 1:
        raise InputError("most_draws", f"it is {most_draws}.", "Expected 1 or more.", "Leave it out for the usual one.")
    supports = encoder.supports()
    types = [support.type for support in supports.values()]
    made_up = [str(made.name) for made in encoder.made_up]
    condition = None if where is None else read_condition(where, types, option=option, made_up=made_up)
    if condition is not None:
        refuse_impossible(condition, supports)
        _refuse_excluded(condition, encoder)
    shares = None if balance is None else shares_of(balance, encoder, condition)
    return Wanted(condition, shares, unique, rejection, most_draws or MOST_DRAWS, tell)


def _refuse_excluded(condition: Condition, encoder: TableEncoder) -> None:
    text = None if encoder.rules is None else encoder.rules.excluding(condition.sets)
    if text is not None:
        raise InputError(
            next(iter(condition.scales.values())).where,
            f"no row can have what is asked: in every row {text}.",
            "Expected a condition that goes together with the rules of the table.",
            "Ask for values that do; 'equipoise inspect' prints the rules.",
        )


def conditional_rows(
    draws: Draws, n: int, wanted: Wanted, *, seed: int, part: SamplePart = SamplePart()
) -> Iterator[Dataset]:
    """`n` rows that obey, batch by batch.

    Args:
        draws: rows without end, in batches; all rows of a batch are drawn from one law. Of a balanced column, they may
            come by value: rows of each of `wanted.balance.values`.
        n: how many are wanted.
        wanted: what they obey.
        seed: decides the order in which a balanced column's values come, and which rows are rejected.
        part: of all rows that these are: what is unique is so among all parts.

    Raises:
        InputError: they would take more draws than are allowed.
    """
    seen: list[set[int]] = [set() for _ in wanted.unique]
    if wanted.balance is not None:
        by_value = draws if isinstance(draws, list) else [draws]
        sources = [_obeying(each, wanted, part, seen, seed=seed, source=at) for at, each in enumerate(by_value)]
        return _balanced(sources, n, wanted, seed=seed)
    return _first(_counted(_obeying(draws, wanted, part, seen, seed=seed), n, wanted), n)


def _obeying(
    draws: Iterator[Dataset | Held],
    wanted: Wanted,
    part: SamplePart,
    seen: list[set[int]],
    *,
    seed: int,
    source: int = 0,
) -> Iterator[Dataset | None]:
    """Of each batch the rows that obey and are not rejected; possibly none."""
    for number, drawn in enumerate(draws):
        wanted.acceptance.drawn += len(drawn) if isinstance(drawn, Dataset) else drawn.draws
        batch = drawn if isinstance(drawn, Dataset) else drawn.rows
        if batch is None:
            yield None
            continue
        condition = wanted.condition
        if condition is not None:
            batch = batch.rows(np.flatnonzero(condition.obeyed(batch.values)))
        if wanted.rejection is not None and len(batch):
            places = wanted.rejection.places(batch.values, seed=seed, source=source, batch=number)
            batch = batch.rows(places)
        if seen and len(batch):
            keys = [row_keys([batch.values[list(names)]]) for names in wanted.unique]
            batch = batch.rows(_new(keys, seen, part))
        yield batch


def _new(keys: list[np.ndarray], seen: list[set[int]], part: SamplePart) -> np.ndarray:
    """Which rows have values that no row before had; of many parts, each has the values of its own hashes."""
    found = []
    for row, each in enumerate(zip(*(key.tolist() for key in keys), strict=True)):
        is_mine = each[0] % part.of == part.number - 1
        if is_mine and not any(key in known for key, known in zip(each, seen, strict=True)):
            found.append(row)
            for key, known in zip(each, seen, strict=True):
                known.add(key)
    return np.array(found, dtype=np.int64)


def _counted(batches: Iterator[Dataset | None], n: int, wanted: Wanted) -> Iterator[Dataset]:
    """The batches, while the rest can still be had; says how many rows are kept."""
    watch = _Watch(n, wanted)
    for batch in batches:
        if batch is not None and len(batch):
            wanted.acceptance.kept += len(batch)
            yield batch
        watch.look()


def _balanced(sources: Sequence[Iterator[Dataset | None]], n: int, wanted: Wanted, *, seed: int) -> Iterator[Dataset]:
    """Blocks of rows in which each value has its share, in random order; of all values, or of each by itself."""
    shares, watch = wanted.balance, _Watch(n, wanted)
    waiting: list[list[Dataset]] = [[] for _ in shares.values]
    for block, start in enumerate(range(0, n, BLOCK)):
        rows = min(BLOCK, n - start)
        # A whole block is made and cut: row i does not depend on how many rows are asked for.
        needed = shares.counts(BLOCK, seed=seed, block=block)
        while short_of := [k for k, count in enumerate(needed) if sum(map(len, waiting[k])) < count]:
            batch = next(sources[short_of[0] if len(sources) > 1 else 0])
            if batch is None:
                watch.look()
                continue
            level = shares.level_of(batch.values)
            for place, held in enumerate(waiting):
                found = np.flatnonzero(level == place)
                if len(found) and sum(map(len, held)) < MOST_WAITING:
                    held.append(batch.rows(found))
            # A value of which rows are waiting already costs draws and gives nothing: the rarest decides.
            short = [sum(map(len, held)) / share for held, share in zip(waiting, shares.shares, strict=True)]
            wanted.acceptance.kept = start + int(min(short))
            watch.look()
        taken = []
        for place, count in enumerate(needed):
            if count:
                found = joined_data(waiting[place])
                taken.append(found.rows(np.arange(count)))
                waiting[place] = [found.rows(np.arange(count, len(found)))]
        order = numpy_stream(seed, Stream.BALANCE_ORDER, block).permutation(BLOCK)[:rows]
        yield joined_data(taken).rows(order)


def _first(batches: Iterator[Dataset], n: int) -> Iterator[Dataset]:
    left = n
    for batch in batches:
        yield batch if len(batch) <= left else batch.rows(np.arange(left))
        left -= len(batch)
        if left <= 0:
            return


class _Watch:
    """Says the acceptance once, and ends drawing that cannot end by itself."""

    def __init__(self, n: int, wanted: Wanted) -> None:
        self.n, self.wanted, self.has_told = n, wanted, False

    def look(self) -> None:
        found, n = self.wanted.acceptance, self.n
        if found.drawn < FIRST_DRAWS or found.kept >= n:
            return
        if not self.has_told:
            self.has_told = True
            rest = f"; {n:,} take about {n / found.share:,.0f} draws" if found.kept else ""
            self.wanted.tell(f"{found.text()}{rest}.")
        fewest = found.drawn + (n - found.kept) / found.most()
        if fewest <= self.wanted.most_draws:
            return
        forecast = f"{n / found.share:,.0f}" if found.kept else f"more than {fewest:,.0f}"
        raise InputError(
            "sample",
            f"{found.text()}: {n:,} such rows would take {'about ' if found.kept else ''}{forecast} draws.",
            f"Expected at most {self.wanted.most_draws:,} draws.",
            f"{self._fewer()}loosen the condition, or allow more draws (--most-draws, most_draws=).",
        )

    def _fewer(self) -> str:
        enough = int(self.wanted.most_draws * self.wanted.acceptance.share / 2)
        return f"Ask for fewer rows ({enough:,} or so), " if enough else "Ask for what is less rare: "


def joined_data(parts: list[Dataset]) -> Dataset:
    """Batches of one kind, one after the other, as one."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    labels = None if first.labels is None else np.concatenate([part.labels for part in parts])
    values = pd.concat([part.values for part in parts], ignore_index=True)
    return replace(first, values=values, labels=labels, places=None)
