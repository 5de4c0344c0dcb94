"""What a person should know of points before they train on them: lattices, copies and constants among coordinates."""

from __future__ import annotations

import numpy as np

LOOKED_AT = 10_000
"""Rows, evenly spaced, that remarks are made from."""
FEWEST_REPEATS = 10
"""Of each value on average, from which a coordinate is said to be on a lattice; also the fewest rows that are
looked at."""
FAR_DEVIATIONS = 1000.0
"""From the median, in widths of the middle half, from which a value is called an outlier."""


def remarks(values: np.ndarray, names: tuple[str, ...]) -> tuple[str, ...]:
    """A sentence for each thing about the coordinates that a network of real numbers learns badly.

    Args:
        values: finite points. Shape `(n, d)`.
        names: of the coordinates.
    """
    if len(values) < FEWEST_REPEATS:
        return ()
    rows = values[np.linspace(0, len(values) - 1, min(len(values), LOOKED_AT)).astype(int)]
    counts = np.array([len(np.unique(column)) for column in rows.T])
    called = [names[place] if place < len(names) else f"x{place}" for place in range(rows.shape[1])]
    said = []
    if constant := [called[place] for place in np.flatnonzero(counts == 1)]:
        said.append(f"{_named(constant)} {_is(constant)} constant: every sample will have that value.")
    is_lattice = (counts > 1) & (counts * FEWEST_REPEATS <= len(rows))
    if lattice := [called[place] for place in np.flatnonzero(is_lattice)]:
        said.append(
            f"{_named(lattice)} {_is(lattice)} on a lattice of few values: samples will lie between them. "
            "As a table they are drawn as whole values: --set data.kind=table."
        )
    if copies := _copies(rows, counts, called):
        said.append(
            f"{'; '.join(copies)}: the same coordinate but for scale and shift, which samples will only come close to. "
            "Leave one of the two out."
        )
    low, middle, high = np.quantile(rows, [0.25, 0.5, 0.75], axis=0)
    reach = np.abs(rows - middle).max(axis=0)
    is_far = (high > low) & (reach > FAR_DEVIATIONS * (high - low))
    if far := [called[place] for place in np.flatnonzero(is_far)]:
        said.append(
            f"{_named(far)} {_has(far)} values a thousand times as far out as most: they decide the scale, and what "
            "most rows look like is learned coarsely. Take the outliers out, or a logarithm."
        )
    return tuple(said)


def _copies(rows: np.ndarray, counts: np.ndarray, called: list[str]) -> list[str]:
    """Pairs of coordinates that are linear functions of each other, to rounding."""
    varying = np.flatnonzero(counts > 1)
    if len(rows) < 3 or len(varying) < 2:
        return []
    columns = rows[:, varying]
    standard = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    correlations = np.abs(standard.T @ standard) / len(rows)
    pairs = np.argwhere(np.triu(correlations > 1 - 1e-9, 1))
    return [f"{called[varying[first]]} and {called[varying[second]]}" for first, second in pairs[:5]]


def _named(names: list[str]) -> str:
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"Coordinate {shown}" if len(names) == 1 else f"Coordinates {shown}"


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _has(names: list[str]) -> str:
    return "has" if len(names) == 1 else "have"
