r"""Sums of features over one side, for the sides as they are and for permutations of their labels.

Exactness: the samples come in an order that was drawn at random, and whatever is computed from them does not know their
labels. If both sides have one distribution, the labels are then any arrangement with equal chance given all samples,
and so is every permutation of them: row 0, the real labels, is one of B + 1 rows that nobody could tell apart.
"""

from __future__ import annotations

import numpy as np

_BLOCK = 125
"""Rows of labels that are multiplied at once."""
_LARGE = 6_000
"""Units from which on equal sides are permuted by swaps within pairs, which takes a tenth of the time."""


def label_sums(units: np.ndarray, is_real: np.ndarray, *, permutations: int, stream: np.random.Generator) -> np.ndarray:
    r"""Standardised sums of the features over the real side, under the labels given and under permutations of them.

    Args:
        units: features of each unit, each column with mean 0. Shape `(units, features)`, float32.
        is_real: the label of each unit. Shape `(units,)`, bool.
        permutations: B.
        stream: draws the permutations.

    Returns:
        Row 0 belongs to `is_real`, the others to the permutations; over all permutations each column has mean 0 and
        deviation 1. Shape `(B + 1, features)`, float32.

    Numerics:
        float32 matrix products; a sum's rounding is about 1e-5 of its deviation over permutations.

    Reference:
        Hemerik and Goeman 2018, "Exact testing with random permutations", TEST 27, Theorem 2: any subgroup of the
        permutations will do, such as swaps within pairs.
    """
    real_count, count = int(is_real.sum()), len(is_real)
    if count == 2 * real_count and count > _LARGE:
        return _swapped(units, is_real, permutations, stream)
    blocks = [sums_under(is_real[None], units)]
    for begin in range(0, permutations, _BLOCK):
        # In blocks: all labels as float32 at once are 320 MB at 80,000 samples.
        labels = np.repeat(is_real[None].astype(np.uint8), min(_BLOCK, permutations - begin), axis=0)
        blocks.append(sums_under(stream.permuted(labels, axis=1), units))
    return np.concatenate(blocks)


def sums_under(labels: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Standardised sums of the features over the units labelled 1, one row for each row of labels.

    Args:
        labels: 0 or 1, equally many of these in every row. Shape `(rows, units)`.
        units: features of each unit, each column with mean 0. Shape `(units, features)`, float32.
    """
    count, real_count = labels.shape[1], int(labels[0].sum())
    squares = np.einsum("ij,ij->j", units, units, dtype=np.float64)
    # The variance of a sum over a simple random sample without replacement; columns have mean 0.
    scale = np.sqrt(squares * (real_count / count) * ((count - real_count) / max(1, count - 1)))
    return labels.astype(np.float32) @ units / np.where(scale > 0, scale, 1.0).astype(np.float32)


def _swapped(units: np.ndarray, is_real: np.ndarray, permutations: int, stream: np.random.Generator) -> np.ndarray:
    """Each real unit has a generated one as its partner, drawn at random; a permutation swaps some of the pairs."""
    # The side of the first unit comes first, whichever it is, so that the answer does not depend on the sides' names.
    first, second = np.flatnonzero(is_real == is_real[0]), np.flatnonzero(is_real != is_real[0])
    halves = units[first]
    halves -= units[stream.permutation(second)]
    halves /= 2
    bits = np.unpackbits(np.frombuffer(stream.bytes(permutations * -(-len(first) // 8)), np.uint8))
    signs = bits.reshape(permutations, -1)[:, : len(first)].astype(np.float32)
    signs *= 2
    signs -= 1
    sums = np.concatenate([halves.sum(axis=0, dtype=np.float64)[None].astype(np.float32), signs @ halves])
    scale = np.sqrt(np.einsum("ij,ij->j", halves, halves, dtype=np.float64)) * (1 if is_real[0] else -1)
    return sums / np.where(scale != 0, scale, 1.0).astype(np.float32)
