"""Numbers as points, and the refusal of numbers that are not finite."""

from __future__ import annotations

import numpy as np

from equipoise.errors import DataError

CHUNK_ROWS = 4096
# Squares of larger numbers leave the range in which a spread can be computed safely.
LARGEST_COORDINATE = 1e100
LARGEST_EXACT = 2**53


def points_from_array(values: np.ndarray, *, source: str, first_row: int = 0, keep_gaps: bool = False) -> np.ndarray:
    """Float64 `(n, d)`, every number finite unless gaps are kept; `first_row` is the number of the first one."""
    if values.ndim > 2:
        raise DataError(
            source,
            f"an array of shape {values.shape} is no list of points.",
            "Expected the shape (points, coordinates).",
            "Reshape it to two axes.",
        )
    if values.dtype.kind in "iu" and values.size and max(int(values.max()), -int(values.min())) > LARGEST_EXACT:
        raise DataError(
            source,
            f"it holds whole numbers above 2^53, such as {values.flat[np.argmax(np.abs(values.astype(np.float64)))]}.",
            "Expected numbers that are points exactly: real ones.",
            "Read them as a table, which keeps every digit (data.kind=table), or divide them.",
        )
    points = np.array(values.reshape(len(values), -1), dtype=np.float64)
    if points.shape[1] == 0:
        raise DataError(source, "the points have no coordinates.", "Expected the shape (points, coordinates).")
    if not keep_gaps:
        refuse_non_finite(points, source=source)
    sizes = np.where(np.isfinite(points), np.abs(points), 0.0) if keep_gaps else np.abs(points)
    if sizes.max() > LARGEST_COORDINATE:
        row, column = np.unravel_index(sizes.argmax(), points.shape)
        raise DataError(
            f"{source}, row {first_row + row}, column {column}",
            f"the value {points[row, column]:g} is too large.",
            f"Expected numbers up to {LARGEST_COORDINATE:g}.",
            "Rescale the data, or take the row out.",
        )
    return points


def refuse_non_finite(values: np.ndarray, *, source: str) -> None:
    """Raise a `DataError` that says how many numbers are NaN or infinite, and where the first is."""
    if values.dtype.kind != "f":
        return
    count, first = 0, None
    for start in range(0, len(values), CHUNK_ROWS):
        bad = ~np.isfinite(values[start : start + CHUNK_ROWS])
        found = int(bad.sum())
        if found and first is None:
            inside = np.argwhere(bad)[0]
            first = (start + int(inside[0]), *(int(axis) for axis in inside[1:]))
        count += found
    if first is not None:
        place = ", ".join(str(axis) for axis in first)
        raise DataError(
            f"{source}, entry [{place}]",
            f"the value is {values[first]}; {count} of {values.size} are not finite.",
            "Expected finite numbers.",
            "Take these rows out, or fill them in, before training.",
        )
