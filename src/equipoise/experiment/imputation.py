r"""Gaps of given rows, filled by a generator that knows its density.

For each row, K candidates are drawn with the given cells held, and one of them is taken by their weights (see
`ColumnwiseGenerator.draw_given`): as K grows, it has the law of the generator under what is given. Where every given
column comes before every other, all weights are equal, and one candidate has that law exactly. Rows whose weights are
worth few candidates get more of them.

Reference:
    Sampling importance resampling: Rubin 1988, "Using the SIR algorithm to simulate posterior distributions", Bayesian
    Statistics 3, 395-402.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch

from equipoise.data.tables.encoder import TableEncoder
from equipoise.data.tables.partial_rows import PartialRows, partial_rows
from equipoise.errors import InputError
from equipoise.randomness import Stream, numpy_stream, torch_stream

CANDIDATES = (64, 512, 4096)
"""Of a row: first, and where they were worth fewer than `ENOUGH`."""
ENOUGH = 12.0
AT_ONCE = 8192
"""Candidates that are drawn together."""
MOST_SHOWN = 5


def imputed(
    gan: Any, rows: pd.DataFrame, *, seed: int, tell: Callable[[str], None] = lambda text: None
) -> pd.DataFrame:
    """The rows with every gap filled: all columns of the table in its order and types, and the index of the rows.

    Args:
        gan: a `Gan`, whose generator fills them.
        rows: with gaps; columns may be left out.
        seed: of the draws.
        tell: takes sentences for the person.

    Raises:
        InputError: the generator cannot hold columns, or the rows cannot be continued.
    """
    generator, encoder = gan.generator, gan.encoder
    _check(gan, rows)
    given = rows.reset_index(drop=True)
    partial = partial_rows(rows, encoder, gan.sample_raw(len(rows), seed=seed).values)
    chosen = np.zeros((len(rows), partial.encoded.shape[1]), dtype=np.float32)
    left = np.arange(len(rows))
    sure = np.zeros(len(rows))
    for level, count in enumerate(CANDIDATES):
        is_last = level == len(CANDIDATES) - 1
        worth = np.zeros(len(left))
        per_block = max(1, AT_ONCE // count)
        for block, at in enumerate(range(0, len(left), per_block)):
            mine = left[at : at + per_block]
            found, worth[at : at + per_block] = _drawn(
                generator, encoder, partial, mine, count, seed=(seed, level, block)
            )
            chosen[mine] = found
        sure[left] = worth
        left = left[(worth < (1e-9 if is_last else ENOUGH))]
        if not len(left):
            break
    if len(left):
        shown = ", ".join(str(rows.index[row]) for row in left[:MOST_SHOWN])
        raise InputError(
            "given rows",
            f"{len(left):,} of {len(rows):,} rows have cells that no row of the generator's has together, such as row "
            f"{shown}{', ...' if len(left) > MOST_SHOWN else ''}; {CANDIDATES[-1]:,} were drawn for each.",
            "Expected cells that go together. Of columns bound by a rule, give those that the others are made from.",
            "Leave a cell of these rows empty, or take them out.",
        )
    if partial.beyond:
        shown = f"{', '.join(partial.beyond[:MOST_SHOWN])}{', ...' if len(partial.beyond) > MOST_SHOWN else ''}"
        tell(
            f"{len(partial.beyond):,} cell{'s lie' if len(partial.beyond) > 1 else ' lies'} beyond all training rows "
            f"({shown}): what is given stays, and the rest of the row is drawn as beside the nearest value of training."
        )
    seldom = int((sure < ENOUGH).sum())
    if seldom:
        tell(f"{seldom:,} rows have cells that seldom go together; what fills them is less sure than elsewhere.")
    made = encoder.completed(encoder.decode(chosen))
    result = made.copy()
    for name in made.columns:
        if name in partial.is_given:
            is_given = partial.is_given[name].to_numpy()
            result[name] = _over(made[name], partial.frame[name], is_given)
        elif str(name) in {str(column) for column in given.columns}:  # made up, or given: keys and names
            own = given[next(column for column in given.columns if str(column) == str(name))]
            result[name] = made[name].astype(object).where(own.isna(), own).infer_objects()
    return result.set_axis(rows.index)


def _check(gan: Any, rows: Any) -> None:
    if gan.config.networks.conditional:
        raise InputError(
            "given rows",
            "the generator is asked for classes (data.labels).",
            "Expected one that learned every column alike.",
            "Train without data.labels; the column of the classes is then filled like any other.",
        )
    if not isinstance(gan.encoder, TableEncoder) or not hasattr(gan.generator, "draw_given"):
        raise InputError(
            "given rows",
            "the generator cannot hold columns at given values.",
            "Expected a generator of tables that draws column by column (networks.family=columnwise).",
            "Train with the preset for tables; of other generators, ask for rows under a condition (--where).",
        )
    if not isinstance(rows, pd.DataFrame) or not len(rows):
        found = "there are no rows" if isinstance(rows, pd.DataFrame) else f"it is of type {type(rows).__name__}"
        raise InputError("given rows", f"{found}.", "Expected a DataFrame with one row or more.", "Give some rows.")
    names = [str(name) for name in rows.columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError("given rows", f"two columns are called '{twice}'.", "Expected each name once.", "Rename one.")


def _drawn(
    generator: Any, encoder: TableEncoder, partial: PartialRows, mine: np.ndarray, count: int, *, seed: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """One candidate of each row, encoded, and how many the weights of all are worth; of equal weights, as if many."""
    place = np.repeat(np.arange(len(mine)), count)
    numbers = mine[place]
    stream = torch_stream(seed[0], Stream.IMPUTATION, *seed[1:])
    device = next(generator.parameters()).device
    latents = torch.randn(len(numbers), generator.latent_dimensions, generator=stream).to(device)
    allowed = {start: shares[numbers] for start, shares in partial.allowed.items()}
    with torch.no_grad():
        made, log_weights = generator.draw_given(
            latents,
            torch.from_numpy(partial.encoded[numbers]).to(device),
            torch.from_numpy(partial.held[numbers]).to(device),
            None,
            generator.restriction(allowed) if allowed else None,
        )
    rows = made.float().cpu().numpy()
    logs = log_weights.double().cpu().numpy().reshape(len(mine), count)
    logs = np.where(np.isnan(logs), -np.inf, logs)
    if partial.checked:  # what the held columns cannot say
        possible = np.flatnonzero(np.isfinite(logs.reshape(-1)))
        is_met = partial.met(encoder.decode(rows[possible]), numbers[possible]) if len(possible) else []
        logs.reshape(-1)[possible[~np.asarray(is_met, dtype=bool)]] = -np.inf
    top = logs.max(axis=1, keepdims=True)
    weights = np.where(np.isfinite(top), np.exp(logs - np.where(np.isfinite(top), top, 0.0)), 0.0)
    total = weights.sum(axis=1)
    worth = np.where(total > 0, total**2 / np.maximum((weights**2).sum(axis=1), 1e-300), 0.0)
    chance = numpy_stream(seed[0], Stream.IMPUTATION, *seed[1:]).random(len(mine)) * total
    taken = np.minimum((np.cumsum(weights, axis=1) <= chance[:, None]).sum(axis=1), count - 1)
    return rows.reshape(len(mine), count, -1)[np.arange(len(mine)), taken], worth


def _over(made: pd.Series, given: pd.Series, is_given: np.ndarray) -> pd.Series:
    """Given cells over made ones, in the type of the made ones."""
    if made.dtype == object:
        return made.where(~is_given, given)
    return made.where(~is_given, given.astype(made.dtype)).astype(made.dtype)
