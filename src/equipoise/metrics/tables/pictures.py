"""What the pictures of a table report are drawn from: shares in bins and of levels, never a row.

The bins of a column lie between the quantiles 0.005 and 0.995 of its real values; those of a pair are its deciles. A
picture of single rows would show real people to whoever reads the page.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from equipoise.data.tables.classifier_inputs import LevelColumn, MeasuredTable, NumberColumn
from equipoise.metrics.tables.pairs import Pair, binned_by
from equipoise.plotting.number_text import time_of_day

BINS = 30
MOST_LEVELS = 10
MOST_OF_A_PAIR = 8
OTHERS = "(any other)"
INSIDE = (0.005, 0.995)


def column_picture(real: NumberColumn | LevelColumn, fake: NumberColumn | LevelColumn) -> dict[str, Any]:
    """Shares of both sides in the same bins or levels; missing numbers are left out.

    Returns:
        `edges` of bins or `levels`, `is_date`, `is_time`, `real` and `fake` shares, and which share of the generated
        values lies outside the edges.
    """
    if isinstance(real, LevelColumn):
        names, (of_real, of_fake) = _levels(real, fake, MOST_LEVELS)
        shares = [np.bincount(codes, minlength=len(names)) / max(1, len(codes)) for codes in (of_real, of_fake)]
        return {"levels": names, "real": shares[0].tolist(), "fake": shares[1].tolist()}
    known = [side.values[np.isfinite(side.values)] for side in (real, fake)]
    edges = _edges(known[0] if len(known[0]) else known[1])
    heights = [np.histogram(side, edges)[0] / max(1, len(side)) for side in known]
    outside = float(((known[1] < edges[0]) | (known[1] > edges[-1])).mean()) if len(known[1]) else 0.0
    return {
        "edges": edges.tolist(),
        "is_date": real.is_date,
        "is_time": real.is_time,
        "real": heights[0].tolist(),
        "fake": heights[1].tolist(),
        "outside": outside,
    }


def pair_picture(pair: Pair, real: MeasuredTable, fake: MeasuredTable) -> dict[str, Any]:
    """Shares of both sides in a table of two columns: deciles of amounts, the commonest levels.

    Returns:
        `rows` and `columns`, names of the cells along each, and `real` and `fake` shares `(rows, columns)`.
    """
    axes = [_axis(real.columns[name], fake.columns[name]) for name in pair.columns]
    (rows, row_codes), (columns, column_codes) = axes
    shares = []
    for one, other in zip(row_codes, column_codes, strict=True):
        counts = np.zeros((len(rows), len(columns)))
        np.add.at(counts, (one, other), 1)
        shares.append((counts / max(1, len(one))).round(5).tolist())
    return {
        "names": list(pair.columns),
        "score": pair.score,
        "metric": pair.metric,
        "rows": rows,
        "columns": columns,
        "real": shares[0],
        "fake": shares[1],
    }


def _axis(
    real: NumberColumn | LevelColumn, fake: NumberColumn | LevelColumn
) -> tuple[list[str], tuple[np.ndarray, np.ndarray]]:
    if isinstance(real, LevelColumn):
        return _levels(real, fake, MOST_OF_A_PAIR)
    known = real.values[np.isfinite(real.values)]
    if not len(known):
        return ["missing"], (np.zeros(len(real.values), np.int64), np.zeros(len(fake.values), np.int64))
    edges = np.unique(np.quantile(known, np.linspace(0, 1, 11)))
    edges = edges if len(edges) > 1 else np.array([edges[0], np.nextafter(edges[0], np.inf)])
    codes = [binned_by(edges, side) for side in (real, fake)]
    names = ["below", *(_between(low, high, real) for low, high in pairwise(edges))]
    names += ["above", "missing"]
    used = np.flatnonzero(np.bincount(np.concatenate(codes), minlength=len(names)))
    place = np.zeros(len(names), dtype=np.int64)
    place[used] = np.arange(len(used))
    return [names[code] for code in used], (place[codes[0]], place[codes[1]])


def _levels(real: LevelColumn, fake: LevelColumn, most: int) -> tuple[list[str], tuple[np.ndarray, np.ndarray]]:
    """The commonest levels of the real side, then of the generated one; numbers in their order, others by frequency."""
    counts = [np.bincount(side.codes, minlength=len(real.levels)) for side in (real, fake)]
    order = np.lexsort((-counts[1], -counts[0]))
    order = order[(counts[0] + counts[1])[order] > 0]
    shown = order if len(order) <= most else order[: most - 1]
    names = [real.levels[code] for code in shown]
    place = np.full(len(real.levels), len(names), dtype=np.int64)
    place[shown] = np.arange(len(names))
    if len(shown) < len(order):
        names.append(OTHERS)
    return names, (place[real.codes], place[fake.codes])


def _edges(values: np.ndarray) -> np.ndarray:
    if not len(values):
        return np.array([0.0, 1.0])
    low, high = np.quantile(values, INSIDE)
    if high <= low:
        low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.array([low - 0.5, low + 0.5])
    distinct = np.unique(values[(values >= low) & (values <= high)])
    if len(distinct) <= BINS:  # one bin a value, so that no bin is empty for want of a value
        middles = (distinct[1:] + distinct[:-1]) / 2
        ends = distinct[0] - (middles[0] - distinct[0]), distinct[-1] + (distinct[-1] - middles[-1])
        return np.concatenate([[ends[0]], middles, [ends[1]]])
    return np.linspace(low, high, BINS + 1)


def _between(low: float, high: float, column: NumberColumn) -> str:
    if column.is_date:
        return f"{_day(low)} to {_day(high)}"
    if column.is_time:
        return f"{time_of_day(low)} to {time_of_day(high)}"
    return f"{low:.4g} to {high:.4g}"


def _day(seconds: float) -> str:
    return str(np.datetime64(int(seconds), "s").astype("datetime64[D]"))
