r"""Distances to nearest samples, exact to the last bit whichever way they are found.

In few axes a kd-tree finds them. In many it visits most samples anyway, and a matrix product is faster: float32 squared
distances, whose error has a bound e,

.. math::
    |\tilde d^2(x, y) - d^2(x, y)| \le e(x) = c\, u\, (\|x\| + \max_y \|y\|)^2, \qquad u = 2^{-24},

say who may be among the k nearest: where t is the k-th smallest of the float32 numbers, k samples have
:math:`d^2 \le t + e`, so that a k-th nearest one or a nearer one has :math:`\tilde d^2 \le t + 2 e`. The distances to
these few are then computed in float64 from the differences themselves, summed in the order in which SciPy's kd-tree
sums them. What is returned does not depend on how many rows are multiplied at once: equal rows get equal distances on
either side.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_FEW_AXES = 6
"""In at most so many axes a kd-tree is faster."""
_BLOCK = 2**20
"""Float32 distances that are held at once."""
_MOST_CANDIDATES = 16
"""Times k, on average over a block: where more samples may be among the nearest, a tree is asked."""
_TINY, _HUGE = 1e-30, 1e30
"""Squares that float32 holds to its precision lie between, with room to spare."""
_OF_A_GROUP = 16
_GROUPS = 4
"""Times k, at least; with fewer, groups would hold several of the nearest."""


class Nearest:
    """Samples that distances are taken to.

    Args:
        points: Shape `(n, axes)`, finite.
    """

    def __init__(self, points: np.ndarray) -> None:
        self._points = np.ascontiguousarray(points, dtype=np.float64)
        self._made_tree: Any = None
        self._asks_tree = self._points.shape[1] <= _FEW_AXES or len(self._points) == 0
        if self._asks_tree:
            return
        self._centre = self._points.mean(axis=0)
        centred = self._points - self._centre
        squares = np.einsum("ij,ij->i", centred, centred)
        self._longest = float(np.sqrt(squares.max()))
        # One product gives |y|^2 - 2 x.y: |x|^2 is the same for all y.
        with np.errstate(over="ignore"):
            self._factors = np.concatenate([-2 * centred, squares[:, None]], axis=1).astype(np.float32).T.copy()
        self._columns = self._points.T.copy()

    def distances(self, at: np.ndarray, k: int) -> np.ndarray:
        """Distances from each row of `at` to its `k` nearest, the nearest first; infinite where there are fewer.

        Args:
            at: Shape `(rows, axes)`.
            k: 1 or more.

        Returns:
            Shape `(rows, k)`, float64.
        """
        at = np.ascontiguousarray(at, dtype=np.float64)
        if self._asks_tree:
            return self._of_tree(at, k)
        found = np.full((len(at), k), np.inf)
        rows = max(1, _BLOCK // len(self._points))
        for begin in range(0, len(at), rows):
            found[begin : begin + rows] = self._of_block(at[begin : begin + rows], k)
        return found

    def _of_block(self, at: np.ndarray, k: int) -> np.ndarray:
        centred = at - self._centre
        lengths = np.sqrt(np.einsum("ij,ij->i", centred, centred))
        # The terms of the product are rounded, multiplied and added: twice the usual bound on all of that, what is lost
        # by centring, and what is too small for float32.
        sizes, lost = lengths + self._longest, 2.0**-50 * float(np.abs(self._centre).max())
        errors = 2 * (at.shape[1] + 4) * (2.0**-24 * sizes**2 + lost * sizes + lost**2) + _TINY
        if not errors.max() < _HUGE:
            return self._of_tree(at, k)
        joined = np.concatenate([centred, np.ones((len(at), 1))], axis=1).astype(np.float32)
        squares = joined @ self._factors
        wanted = min(k, squares.shape[1])
        limits = _upper_limits(squares, wanted)
        limits = (limits.astype(np.float64) + 2 * errors).astype(np.float32)
        near = np.flatnonzero(squares <= np.nextafter(limits, np.float32(np.inf))[:, None])
        if len(near) > _MOST_CANDIDATES * k * len(at):
            return self._of_tree(at, k)
        row, column = np.divmod(near, squares.shape[1])
        exact = self._squares(at, row, column)
        counts = np.bincount(row, minlength=len(at))
        place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        padded = np.full((len(at), max(k, int(counts.max()))), np.inf)
        padded[row, place] = exact
        padded.sort(axis=1)
        return np.sqrt(padded[:, :k])

    def _squares(self, at: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Squared distances of pairs, summed like SciPy's: four sums side by side, then the axes that are left."""
        axes = at.shape[1]
        whole = axes - axes % 4
        sums = [np.zeros(len(row)) for _ in range(4)]
        columns = at.T.copy()
        for axis in range(whole):
            sums[axis % 4] += np.square(columns[axis][row] - self._columns[axis][column])
        total = sums[0] + sums[1] + sums[2] + sums[3]
        for axis in range(whole, axes):
            total += np.square(columns[axis][row] - self._columns[axis][column])
        return total

    def _of_tree(self, at: np.ndarray, k: int) -> np.ndarray:
        return self._tree().query(at, k=k)[0].reshape(len(at), k)

    def _tree(self) -> Any:
        if self._made_tree is None:
            from scipy.spatial import cKDTree

            self._made_tree = cKDTree(self._points)
        return self._made_tree


def _upper_limits(squares: np.ndarray, k: int) -> np.ndarray:
    """For each row a number that at least `k` of its columns do not exceed, and not many more."""
    groups = squares.shape[1] // _OF_A_GROUP
    if groups >= _GROUPS * k:
        # The k-th smallest of the minima of groups: a sixteenth of the numbers to look through.
        grouped = squares[:, : groups * _OF_A_GROUP].reshape(len(squares), _OF_A_GROUP, groups)
        squares = grouped.min(axis=1)
    return squares.min(axis=1) if k == 1 else np.partition(squares, k - 1, axis=1)[:, k - 1]
