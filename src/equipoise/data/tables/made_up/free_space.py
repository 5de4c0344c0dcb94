"""Which places of a space of keys no real key has, and a walk through them that meets each once.

The space is cut into blocks, and only blocks without any real key are used. What is stored are the blocks, and not the
keys: where keys are thinly spread it says little of any one of them.
"""

from __future__ import annotations

from math import gcd

import numpy as np

MOST_BLOCKS = 4096
FINEST = 65_536
GOLDEN = 0.6180339887498949

Intervals = tuple[tuple[int, int], ...]


def free_intervals(taken: np.ndarray, size: int, *, wanted: int) -> Intervals:
    """Stretches of blocks without a real key, from the first place to before the last.

    Args:
        taken: places of the real keys, int64.
        size: places in all.
        wanted: places that should be free; blocks are made finer until they are, down to single places.
    """
    block = max(1, -(-size // MOST_BLOCKS))
    while True:
        found = _of_blocks(np.unique(taken // block), block, size)
        if block == 1 or sum(stop - start for start, stop in found) >= wanted or -(-size // block) >= FINEST:
            return found
        block = max(1, block // 4)


def room(free: Intervals) -> int:
    """How many places are free."""
    return sum(stop - start for start, stop in free)


def walked(steps: np.ndarray, free: Intervals, *, in_order: bool) -> np.ndarray:
    """The free place at each step, int64 below `room(free)`: in order, or spread so that neighbours lie far apart."""
    total = room(free)
    if not in_order:
        stride = max(1, int(total * GOLDEN))
        while gcd(stride, total) != 1:
            stride += 1
        # Python's own numbers: the product may pass 64 bits.
        steps = np.array([(int(step) * stride + total // 3) % total for step in steps], dtype=np.int64)
    starts = np.array([start for start, _ in free], dtype=np.int64)
    ends = np.cumsum([stop - start for start, stop in free])
    interval = np.searchsorted(ends, steps, side="right")
    return starts[interval] + steps - (ends[interval] - (np.array([stop for _, stop in free]) - starts)[interval])


def _of_blocks(taken: np.ndarray, block: int, size: int) -> Intervals:
    """The stretches between blocks that hold a key; the last block may be shorter."""
    blocks = -(-size // block)
    edges = np.concatenate([[-1], taken, [blocks]])
    starts, stops = edges[:-1] + 1, edges[1:]
    return tuple(
        (int(start) * block, min(int(stop) * block, size))
        for start, stop in zip(starts, stops, strict=True)
        if stop > start
    )
