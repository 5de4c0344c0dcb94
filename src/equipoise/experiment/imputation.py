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

from equipoise.data.duplicates import row_keys
from equipoise.data.tables.encoder import TableEncoder
from equipoise.data.tables.partial_rows import PartialRows, partial_rows
from equipoise.errors import InputError
from equipoise.randomness import Stream, numpy_stream, torch_stream

CANDIDATES = (64, 512, 4096)
"""Of a row: first, and where they were worth fewer than `ENOUGH`."""
ENOUGH = 12.0
MOST_ATTEMPTS = 20
"""To fill rows so that what a rule keeps apart is apart."""
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
    unique = () if encoder.rules is None else encoder.rules.unique
    _refuse_repeated(partial, unique, rows.index)
    sure = np.zeros(len(rows))
    left = np.arange(len(rows))
    for attempt in range(MOST_ATTEMPTS):
        chosen[left], sure[left] = _filled(generator, encoder, partial, left, seed=(seed, attempt), index=rows.index)
        result = _completed(encoder.completed(encoder.decode(chosen)), partial, given)
        left = _repeated(result, partial, unique)
        if not len(left):
            break
    if len(left):
        raise InputError(
            "given rows",
            f"{len(left):,} of {len(rows):,} rows repeat what 'unique' holds apart, such as row "
            f"{_shown(left, rows.index)}; they were filled {MOST_ATTEMPTS} times.",
            "Expected rows that leave enough values to choose from.",
            "Fill fewer rows at once, or train without the rule.",
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
    return result.set_axis(rows.index)


def _filled(
    generator: Any,
    encoder: TableEncoder,
    partial: PartialRows,
    wanted: np.ndarray,
    *,
    seed: tuple[int, int],
    index: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """One row for each of the wanted ones, encoded, and how many candidates it was taken from are worth.

    Raises:
        InputError: given cells never go together.
    """
    chosen = np.zeros((len(wanted), partial.encoded.shape[1]), dtype=np.float32)
    sure = np.zeros(len(wanted))
    left = np.arange(len(wanted))
    for level, count in enumerate(CANDIDATES):
        is_last = level == len(CANDIDATES) - 1
        worth = np.zeros(len(left))
        per_block = max(1, AT_ONCE // count)
        for block, at in enumerate(range(0, len(left), per_block)):
            mine = left[at : at + per_block]
            # The first filling has the numbers that it had before rows were filled again.
            own = (seed[0], level, block, *(seed[1:] if seed[1] else ()))
            found, worth[at : at + per_block] = _drawn(generator, encoder, partial, wanted[mine], count, seed=own)
            chosen[mine] = found
        sure[left] = worth
        left = left[(worth < (1e-9 if is_last else ENOUGH))]
        if not len(left):
            return chosen, sure
    raise InputError(
        "given rows",
        f"{len(left):,} of {len(index):,} rows have cells that no row of the generator's has together, such as row "
        f"{_shown(wanted[left], index)}; {CANDIDATES[-1]:,} were drawn for each.",
        "Expected cells that go together. Of columns bound by a rule, give those that the others are made from.",
        "Leave a cell of these rows empty, or take them out.",
    )


def _completed(made: pd.DataFrame, partial: PartialRows, given: pd.DataFrame) -> pd.DataFrame:
    """Made rows with what is given in its place."""
    result = made.copy()
    for name in made.columns:
        if name in partial.is_given:
            is_given = partial.is_given[name].to_numpy()
            result[name] = _over(made[name], partial.frame[name], is_given)
        elif str(name) in {str(column) for column in given.columns}:  # made up, or given: keys and names
            own = given[next(column for column in given.columns if str(column) == str(name))]
            result[name] = made[name].astype(object).where(own.isna(), own).infer_objects()
    return result


def _refuse_repeated(partial: PartialRows, unique: tuple[tuple[Any, ...], ...], index: Any) -> None:
    """Refuse rows that are given what a rule keeps apart."""
    for names in unique:
        if not set(names) <= set(partial.is_given.columns):
            continue
        whole = np.flatnonzero(partial.is_given[list(names)].all(axis=1).to_numpy())
        again = whole[_are_repeated(partial.frame.iloc[whole], names)]
        if len(again):
            raise InputError(
                "given rows",
                f"{len(again):,} row{' repeats' if len(again) == 1 else 's repeat'} what "
                f"'unique({', '.join(map(str, names))})' holds apart: row {_shown(again, index)}.",
                "Expected rows that obey the rules of the table.",
                "Take them out, or leave one of these cells empty.",
            )


def _repeated(result: pd.DataFrame, partial: PartialRows, unique: tuple[tuple[Any, ...], ...]) -> np.ndarray:
    """Numbers of the rows that have to be filled again, so that what is unique is; those that are given stay."""
    found: list[np.ndarray] = []
    for names in unique:
        is_given = partial.is_given.reindex(columns=list(names), fill_value=False).all(axis=1).to_numpy()
        order = np.argsort(~is_given, kind="stable")
        found.append(order[_are_repeated(result.iloc[order], names)])
    return np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)


def _are_repeated(frame: pd.DataFrame, names: tuple[Any, ...]) -> np.ndarray:
    """Which rows have the values of one before them. Boolean `(n,)`."""
    return pd.Series(row_keys([frame[list(names)].reset_index(drop=True)])).duplicated().to_numpy()


def _shown(rows: np.ndarray, index: Any) -> str:
    shown = ", ".join(str(index[row]) for row in rows[:MOST_SHOWN])
    return f"{shown}{', ...' if len(rows) > MOST_SHOWN else ''}"


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
