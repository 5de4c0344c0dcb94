"""The data of a playground game: points on the plane, from a density that is known or from rows that are there.

Built-in names are those of `equipoise train`, brought into a window of -3 to 3; drawn points are means of a mixture of
round Gaussians as wide as the brush, so that their density is known too; rows of a CSV are a finite set.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.data.builtin import GRID_SPREAD, RING_SPREAD, ROLL_SPREAD, grid_centres, ring_centres
from equipoise.errors import DataError, unknown_name
from equipoise.metrics.known import Mixture
from equipoise.randomness import Stream, numpy_stream

REACH = 3.0
"""The window shown: -3 to 3 on both axes."""
SPAN = 1.6
"""Built-in data and rows are scaled so that their larger standard deviation is this over sqrt(2): about two thirds of
the window."""
MOST_ROWS = 20_000
MOST_DRAWN = 600
MOST_CSV_BYTES = 4_000_000
LEAST_BRUSH, MOST_BRUSH = 0.02, 0.6
HELD_OUT = 0.25
"""Share of a CSV's rows that no player sees, for the referee."""
SPIRAL_MODES = 480


@dataclass(frozen=True)
class PlaneData:
    """Where real samples come from.

    Attributes:
        name: as a person calls it.
        density: in closed form, when there is one.
        rows: the finite set that real samples are drawn from, otherwise. Shape `(rows, 2)`.
        held_out: rows for the referee that no player sees; none where the density is known, which gives fresh ones.
        modes: groups that `balanced` sampling draws equally often: of each mean of the mixture. Shape `(means,)`.
        note: what was done to the numbers, in a sentence.
    """

    name: str
    density: Mixture | None
    rows: np.ndarray | None
    held_out: np.ndarray | None
    modes: np.ndarray | None
    note: str

    def draw(self, count: int, stream: np.random.Generator, *, balanced: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Real samples, float64 of shape `(count, 2)`, and their importance weights `(count,)`.

        Balanced draws give each mode the same share; the weight is the mode's own share over that, so that weighted
        means are those of the data's density.
        """
        if self.density is None:
            assert self.rows is not None
            return self.rows[stream.integers(len(self.rows), size=count)], np.ones(count)
        shares = self.density.weights
        drawn_by = self.balanced_shares() if balanced else shares
        chosen = stream.choice(self.density.modes, size=count, p=drawn_by)
        noise = self.density.standard_deviation * stream.standard_normal((count, 2))
        return self.density.means[chosen] + noise, shares[chosen] / drawn_by[chosen]

    def balanced_shares(self) -> np.ndarray:
        """The share of each mean when every mode comes equally often."""
        assert self.density is not None and self.modes is not None
        totals = np.bincount(self.modes, weights=self.density.weights)
        return self.density.weights / totals[self.modes] / len(totals)

    def sampled_density(self, *, balanced: bool) -> Mixture | None:
        """The density that real samples are drawn from, which V is about."""
        if self.density is None or not balanced:
            return self.density
        return Mixture(self.name, self.density.means, self.density.standard_deviation, self.balanced_shares())

    def quadrature(self, *, balanced: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Points and weights whose weighted sums are expectations under the law of the real samples.

        For a mixture the midpoint rule within 4.5 deviations of each mean, spectrally accurate on smooth functions;
        for rows the rows themselves, which is exact.
        """
        density = self.sampled_density(balanced=balanced)
        if density is None:
            assert self.rows is not None
            return self.rows, np.full(len(self.rows), 1 / len(self.rows))
        cells = int(np.clip(math.sqrt(3600 / density.modes), 6, 48))
        offsets, masses = normal_grid(cells)
        points = density.means[:, None, :] + density.standard_deviation * offsets[None, :, :]
        return points.reshape(-1, 2), (density.weights[:, None] * masses[None, :]).reshape(-1)


def normal_grid(cells: int, dimensions: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Midpoints of a grid over 4.5 standard deviations of a standard normal, and their masses, which sum to 1."""
    width = 9.0 / cells
    axis = -4.5 + width * (np.arange(cells) + 0.5)
    mass = np.exp(-(axis**2) / 2)
    mass /= mass.sum()
    if dimensions == 1:
        return axis[:, None], mass
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    return points, np.outer(mass, mass).reshape(-1)


def find_data(name: str) -> PlaneData:
    """Built-in data by name.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in BUILT_IN:
        raise unknown_name(
            "play.data", "data set", name[:60], BUILT_IN, "Choose one of these, draw points, or give a CSV."
        )
    return BUILT_IN[name]()


def drawn_data(points: Any, brush: Any) -> PlaneData:
    """Data drawn by hand: a round Gaussian at each point, as wide as the brush.

    Args:
        points: `[[x, y], ...]` in the window.
        brush: standard deviation of each.

    Raises:
        DataError: no point, too many, or numbers that are none.
    """
    try:
        means = np.asarray(points, dtype=np.float64)
        width = float(brush)
    except (TypeError, ValueError):
        means, width = np.empty((0, 0)), math.nan
    is_list = means.ndim == 2 and means.shape[1:] == (2,) and bool(np.isfinite(means).all())
    if not is_list or not 1 <= len(means) <= 10 * MOST_DRAWN or not math.isfinite(width):
        raise DataError(
            "drawn data",
            "there is no point." if means.size == 0 else f"an array of shape {means.shape} with a brush of {width:g}.",
            f"Expected 1 to {10 * MOST_DRAWN} points of two finite coordinates.",
            "Draw with the mouse or a finger inside the window.",
        )
    means = np.clip(means, -REACH, REACH)
    if len(means) > MOST_DRAWN:  # evenly along the strokes
        means = means[np.linspace(0, len(means) - 1, MOST_DRAWN).round().astype(int)]
    width = float(np.clip(width, LEAST_BRUSH, MOST_BRUSH))
    shares = np.full(len(means), 1 / len(means))
    density = Mixture("drawn", means, width, shares)
    return PlaneData(
        "drawn", density, None, None, np.arange(len(means)), f"{len(means)} points drawn, each {width:.2f} wide."
    )


def csv_data(content: bytes, name: str) -> PlaneData:
    """Two columns of a CSV, read as `equipoise train` reads one, centred and scaled alike on both axes.

    Raises:
        DataError: too large, not a table, or without exactly two columns of numbers.
    """
    import tempfile
    from pathlib import Path

    from equipoise.data.dataset import DataOptions
    from equipoise.data.formats.csv import read_csv

    called = Path(name).name[:80] or "data.csv"
    if len(content) > MOST_CSV_BYTES:
        raise DataError(
            called,
            f"{len(content) / 1e6:.1f} MB.",
            f"The playground reads up to {MOST_CSV_BYTES / 1e6:.0f} MB.",
            "Train on larger files with 'equipoise train'.",
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        path.write_bytes(content)
        try:
            read = read_csv(path, DataOptions())
        except DataError as error:
            raise DataError(error.where.replace(str(path), called), error.found, error.expected, error.advice) from None
    values = read.values
    numbers = values.select_dtypes("number") if hasattr(values, "select_dtypes") else None
    if numbers is None:
        matrix = np.asarray(values, dtype=np.float64)
    else:
        matrix = numbers.to_numpy(dtype=np.float64, na_value=math.nan)
    columns = list(values.columns) if numbers is not None else list(read.names or ())
    if matrix.ndim != 2 or matrix.shape[1] != 2 or len(columns) not in (0, 2):
        raise DataError(
            called,
            f"columns {', '.join(map(str, columns[:8]))[:200] or 'without names'}; "
            f"{matrix.shape[1] if matrix.ndim == 2 else 0} of them are numbers.",
            "Expected exactly two columns, both of numbers.",
            "Keep the two columns that you want to see, and upload the file again.",
        )
    return rows_data(matrix, called)


def rows_data(matrix: np.ndarray, name: str) -> PlaneData:
    """A finite set of points, of which some are kept for the referee. Rows that are not finite are refused."""
    if not np.isfinite(matrix).all():
        row = int(np.flatnonzero(~np.isfinite(matrix).all(axis=1))[0])
        raise DataError(
            name, f"row {row + 1} holds a gap or an infinity.", "Expected finite numbers.", "Remove such rows."
        )
    with np.errstate(over="ignore", invalid="ignore"):
        spread = float(matrix.std(axis=0).max()) if len(matrix) > 1 else 0.0
    if len(matrix) < 2 or not 0 < spread < math.inf:
        raise DataError(
            name,
            f"{len(matrix)} rows, with a spread of {spread:g}.",
            "Expected two different points at least.",
            "Add rows.",
        )
    stream = numpy_stream(0, Stream.PLAYGROUND, 0)
    matrix = matrix[stream.permutation(len(matrix))[:MOST_ROWS]]
    scaled = (matrix - matrix.mean(axis=0)) * (SPAN / math.sqrt(2) / spread)
    kept = int(len(scaled) * HELD_OUT) if len(scaled) >= 160 else 0
    told = f"{len(scaled)} rows of {name}, centred and divided by {spread / SPAN * math.sqrt(2):.4g} on both axes"
    told += f"; {kept} of them are kept for the referee." if kept else "; too few to keep any for the referee."
    return PlaneData(name, None, scaled[kept:], scaled[:kept], None, told)


def _mixture(
    name: str,
    means: Any,
    deviation: float,
    weights: Sequence[float] | None = None,
    *,
    scale: float = 1.0,
    note: str = "",
) -> PlaneData:
    centres = np.asarray(means, dtype=np.float64) * scale
    shares = np.full(len(centres), 1 / len(centres)) if weights is None else np.asarray(weights, dtype=np.float64)
    density = Mixture(name, centres, deviation * scale, shares)
    return PlaneData(name, density, None, None, np.arange(len(centres)), note)


def _grid25() -> PlaneData:
    return _mixture(
        "grid25", grid_centres(), GRID_SPREAD, scale=0.5, note="25 Gaussians on a grid, at half their size."
    )


def _ring8() -> PlaneData:
    return _mixture("ring8", ring_centres(), RING_SPREAD, note="8 narrow Gaussians on a ring of radius 2.")


def _swiss_roll() -> PlaneData:
    """The spiral of `data.builtin`, its angle at midpoints, as a mixture: exact up to the quadrature over the angle."""
    turn = 1.5 * math.pi * (1 + 2 * (np.arange(SPIRAL_MODES) + 0.5) / SPIRAL_MODES)
    spiral = np.column_stack([turn * np.cos(turn), turn * np.sin(turn)]) / 5
    return _mixture("swiss-roll", spiral, ROLL_SPREAD, note="Points around a spiral.")


BUILT_IN: dict[str, Callable[[], PlaneData]] = {
    "gaussian": lambda: _mixture("gaussian", [[0.0, 0.0]], 0.6, note="One round Gaussian in the middle."),
    "spot": lambda: _mixture("spot", [[0.0, 0.0]], 0.1, note="One small spot in the middle."),
    "two-modes": lambda: _mixture("two-modes", [[-1.4, 0.0], [1.4, 0.0]], 0.25, note="Two equal modes."),
    "unequal": lambda: _mixture(
        "unequal", [[-1.4, 0.0], [1.4, 0.0]], 0.25, [0.9, 0.1], note="Two modes, of 90 % and 10 %."
    ),
    "four-modes": lambda: _mixture(
        "four-modes", [[-1.3, -1.3], [-1.3, 1.3], [1.3, -1.3], [1.3, 1.3]], 0.3, note="Four equal modes."
    ),
    "ring8": _ring8,
    "grid25": _grid25,
    "swiss-roll": _swiss_roll,
}
"""Names from easy to hard; each is made when it is asked for."""
