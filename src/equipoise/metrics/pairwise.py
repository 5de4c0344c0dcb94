"""Distances between all pairs of two sets, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLOCK_ROWS = 1_000
_SAME = 1e-12
"""Squared distances below this share of the squared lengths are rounding, and count as 0: copies are at distance 0."""


def distance_blocks(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    r"""Distances of blocks of rows of `first` to all rows of `second`.

    .. math::
        \|x - y\|^2 = \|x\|^2 + \|y\|^2 - 2 x^\top y

    Args:
        first: shape `(n, d)`, float64.
        second: shape `(m, d)`, float64.

    Returns:
        Which rows of `first`, and their distances, shape `(rows, m)`.

    Numerics:
        Both sets are moved to the mean of `second` first. Distances below a millionth of the samples' lengths come
        out as 0.
    """
    centre = second.mean(axis=0)
    second = second - centre
    lengths = (second**2).sum(axis=1)
    for start in range(0, len(first), BLOCK_ROWS):
        block = first[start : start + BLOCK_ROWS] - centre
        sums = (block**2).sum(axis=1)[:, None] + lengths
        squares = sums - 2 * block @ second.T
        squares[squares < _SAME * sums] = 0.0
        yield slice(start, start + len(block)), np.sqrt(squares)
