"""A column of numbers as standard normal numbers, and back: its quantile function, kept as a short list of knots.

    z = Phi^-1(F(x)),    x = F^-1(Phi(z))

F is the distribution function of the training values. A value that many rows share is a *point mass*: it owns the
whole interval of z that its share of the rows asks for. Encoding spreads its rows evenly over that interval, so the
encoded column is smoothly normal and point masses cannot be seen by their spikes; decoding returns the value itself.
Between point masses, F is a straight line in (x, z) from knot to knot.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

# A column of at most this many values, each shared by two rows or more on average, is made of point masses only.
MOST_POINT_MASSES = 1000
# Otherwise a value is a point mass when this share of the rows, and this many of them, have it.
POINT_MASS_SHARE = 1 / 500
FEWEST_IN_POINT_MASS = 10
KNOTS = 1000
# This many of the smallest and of the largest values are knots, so that an outlier does not bend its neighbours.
EDGE_KNOTS = 16
# Two float32 roundings of z; closer to a border than this, a value could fall on its other side.
FLOAT32_STEP = 2.5e-7


@dataclass(frozen=True)
class QuantileMap:
    """Knots of a quantile function.

    Attributes:
        values: the value at each knot, strictly increasing. Shape `(k,)`.
        low: twice the number of training rows below the knot. Whole numbers `(k,)`.
        high: twice the number up to the end of the knot; above `low` for a point mass, equal to it elsewhere.
        total: number of training rows.
    """

    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    total: int

    def encode(self, values: np.ndarray, jitter: np.ndarray) -> np.ndarray:
        """Normal numbers, float64; `jitter` in [0, 1) says where in a point mass's interval each row lies.

        Values outside the training range are moved to its end.

        Numerics:
            Rounded to float32 and decoded, a value that is a knot comes back exactly while a training set has at
            most a million rows; others within 1e-3 of the distance of their neighbouring knots.
        """
        z_of_knot, x_of_knot = self._path
        encoded = np.interp(values, x_of_knot, z_of_knot)
        knot = np.clip(np.searchsorted(self.values, values), 0, len(self.values) - 1)
        in_mass = (self.values[knot] == values) & (self.high[knot] > self.low[knot])
        mass = knot[in_mass]
        start, end = self._z(self.low)[mass], self._z(self.high)[mass]
        safe = 2 * FLOAT32_STEP * np.maximum(1, np.abs(start))
        margin = np.minimum(safe, (end - start) / 2)
        # Even in probability, hence normal in z.
        inside = ndtri(ndtr(start) + jitter[in_mass] * (ndtr(end) - ndtr(start)))
        encoded[in_mass] = np.clip(inside, start + margin, end - margin)
        return encoded

    def decode(self, encoded: np.ndarray) -> np.ndarray:
        """Values, float64, inside the range of the training values."""
        z_of_knot, x_of_knot = self._path
        encoded = np.asarray(encoded, dtype=np.float64)
        values = np.interp(encoded, z_of_knot, x_of_knot)
        after = np.clip(np.searchsorted(z_of_knot, encoded), 1, max(1, len(z_of_knot) - 1))
        for knot in (after - 1, np.minimum(after, len(z_of_knot) - 1)):
            # A knot is met exactly even where the line beside it is steep.
            at_knot = np.abs(encoded - z_of_knot[knot]) <= FLOAT32_STEP * np.maximum(1, np.abs(encoded))
            at_knot &= ~self._is_end_of_mass[knot]
            values[at_knot] = x_of_knot[knot[at_knot]]
        return values

    def state(self) -> dict[str, Any]:
        """Plain values for `from_state`."""
        return {
            "values": self.values.tolist(),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "total": self.total,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> QuantileMap:
        """The inverse of `state`."""
        return cls(
            np.array(state["values"], dtype=np.float64),
            np.array(state["low"], dtype=np.int64),
            np.array(state["high"], dtype=np.int64),
            int(state["total"]),
        )

    def _z(self, doubled: np.ndarray) -> np.ndarray:
        """Normal numbers at twice-counted rows; half a row is kept free at either end, where z would be infinite."""
        return ndtri(np.clip(doubled / 2, 0.25, self.total - 0.25) / self.total)

    @cached_property
    def _path(self) -> tuple[np.ndarray, np.ndarray]:
        """z and x along the quantile function: two points for a mass, one for another knot; z strictly increasing."""
        z = np.column_stack([self._z(self.low), self._z(self.high)]).reshape(-1)
        x = np.repeat(self.values, 2)
        kept = self._kept
        z, x = z[kept], x[kept]
        touching = np.flatnonzero(np.diff(z) <= 0) + 1
        z[touching] = np.nextafter(z[touching - 1], np.inf)
        return z, x

    @cached_property
    def _kept(self) -> np.ndarray:
        is_mass = self.high > self.low
        return np.column_stack([np.ones(len(is_mass), dtype=bool), is_mass]).reshape(-1)

    @cached_property
    def _is_end_of_mass(self) -> np.ndarray:
        return np.repeat(self.high > self.low, 2)[self._kept]


def fit_quantiles(values: np.ndarray, counts: np.ndarray) -> QuantileMap:
    """The quantile map of a column.

    Args:
        values: its distinct values, ascending, float64 `(u,)`.
        counts: rows that have each, int64 `(u,)`.
    """
    total = int(counts.sum())
    end = np.cumsum(counts)
    start = end - counts
    if len(values) <= MOST_POINT_MASSES and total >= 2 * len(values):
        is_mass = np.ones(len(values), dtype=bool)
    else:
        is_mass = counts >= max(FEWEST_IN_POINT_MASS, POINT_MASS_SHARE * total)
    low = np.where(is_mass, 2 * start, start + end)
    high = np.where(is_mass, 2 * end, start + end)
    kept = is_mass.copy()
    kept[:EDGE_KNOTS] = kept[-EDGE_KNOTS:] = True
    kept[1:] |= is_mass[:-1]
    kept[:-1] |= is_mass[1:]
    # Most knots even in probability, some even in z, which reaches into the tails.
    edge = ndtri(0.5 / total)
    targets = np.concatenate([np.linspace(0, 1, KNOTS * 4 // 5), ndtr(np.linspace(edge, -edge, KNOTS // 5))])
    kept[np.clip(np.searchsorted((start + end) / (2 * total), targets), 0, len(values) - 1)] = True
    return QuantileMap(values[kept], low[kept], high[kept], total)


def row_jitter(rows: int, *, column: int, offset: int = 0) -> np.ndarray:
    """A number in [0, 1) for each row of a column, the same every time: a hash of the two positions.

    Reference:
        Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators", the finaliser of SplitMix64.
    """
    with np.errstate(over="ignore"):
        state = (np.arange(offset, offset + rows, dtype=np.uint64) << np.uint64(20)) + np.uint64(column)
        state = (state + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    return (state >> np.uint64(11)) / float(1 << 53)
