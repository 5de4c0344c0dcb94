"""How often each row is wanted: a column or array of numbers beside the data, taken out before anything is learned."""

from __future__ import annotations

import numpy as np

from equipoise.errors import DataError

OPTION = "data.sample_weight"


def checked_weights(values: np.ndarray, name: str, *, source: str) -> np.ndarray:
    """Weights as float64 `(n,)`.

    Raises:
        DataError: they are no numbers, or one is missing, infinite or negative, or all are zero.
    """
    where = f"{source}, sample weights '{name}'"
    expected = "Expected one number of 0 or more per row, and at least one above 0."
    try:
        weights = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            where, f"they are no numbers ({values.dtype}).", expected, "Choose a column of numbers."
        ) from error
    if weights.ndim == 2 and 1 in weights.shape:
        weights = weights.reshape(-1)
    bad = ~np.isfinite(weights)
    if weights.ndim != 1:
        found = f"they have the shape {weights.shape}."
    elif bad.any():
        found = f"row {int(bad.argmax())} is missing or infinite ({int(bad.sum())} of {len(weights)} are)."
    elif (weights < 0).any():
        found = f"row {int((weights < 0).argmax())} is negative ({weights.min():g} is the least)."
    elif not weights.any():
        found = "all are zero."
    else:
        return weights
    raise DataError(where, found, expected, "A row of weight 2 is drawn twice as often as one of weight 1; 0 is never.")
