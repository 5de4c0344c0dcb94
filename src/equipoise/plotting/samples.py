"""Samples for people to look at: images in a grid, points and table rows generated beside real.

All functions take natural values (what a person would read in the file).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from equipoise.errors import InputError
from equipoise.plotting.curves import draw_histogram
from equipoise.plotting.number_text import shortened
from equipoise.plotting.style import FAKE_COLOUR, REAL_COLOUR, new_figure, sides_legend, write_in_middle

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_POINTS = 5_000  # drawn per side; more only darken a plot of this size
MOST_COLUMNS = 12
MOST_LEVELS = 8  # categories drawn by name; the rest are summed as "others"
MARGIN = 0.12  # of the real range, left free around it
LEGIBLE_SIDE = 32  # pixels to which small images are enlarged
GAP, BACKGROUND = 2, 255


def image_grid(images: np.ndarray, *, columns: int | None = None) -> Image.Image:
    """Images side by side on white, with a thin gap; small ones enlarged by whole factors to 32 pixels or more.

    Args:
        images: uint8 `(n, channels, height, width)`.
        columns: images in a row; `None` makes the grid about square.
    """
    count, channels, height, width = images.shape
    columns = max(1, min(count, columns or math.ceil(math.sqrt(count))))
    rows = max(1, math.ceil(count / columns))
    factor = max(1, math.ceil(LEGIBLE_SIDE / min(height, width)))
    tile_height, tile_width = height * factor, width * factor
    shape = (channels, rows * (tile_height + GAP) + GAP, columns * (tile_width + GAP) + GAP)
    grid = np.full(shape, BACKGROUND, dtype=np.uint8)
    for position, image in enumerate(images):
        top = GAP + (position // columns) * (tile_height + GAP)
        left = GAP + (position % columns) * (tile_width + GAP)
        grid[:, top : top + tile_height, left : left + tile_width] = image.repeat(factor, axis=1).repeat(factor, axis=2)
    return to_image(grid)


def surest_grid(
    sides: tuple[np.ndarray, np.ndarray], logits: tuple[np.ndarray, np.ndarray], *, columns: int
) -> Image.Image:
    """Two rows of images: real ones that a classifier was surest are real, and generated ones that it was surest are
    not.

    Args:
        sides: real and generated images, uint8 `(n, channels, height, width)`.
        logits: what the classifier said of them, positive for real.
        columns: images of each side; the row of a side with fewer ends in white.
    """
    shown = []
    for images, own, sign in zip(sides, logits, (1, -1), strict=True):
        surest = np.argsort(-sign * own, kind="stable")[:columns]
        blank = np.full((columns - len(surest), *images.shape[1:]), BACKGROUND, dtype=np.uint8)
        shown += [images[surest], blank]
    return image_grid(np.concatenate(shown), columns=columns)


def to_image(image: np.ndarray) -> Image.Image:
    """A PIL image of uint8 `(channels, height, width)`."""
    return Image.fromarray(image[0] if len(image) == 1 else np.ascontiguousarray(np.moveaxis(image, 0, -1)))


def plot_points(values: np.ndarray, real: np.ndarray | None = None, *, values_are_real: bool = False) -> Figure:
    """Generated points over real ones.

    One coordinate is drawn as a histogram, two as a scatter plot, more as a scatter plot of the first two
    principal components of the real data (of the values themselves when no real data are given). The frame is that
    of the real data, so that plots of one run can be compared; what falls outside is counted below the plot.

    Args:
        values: points to show, shape `(n, d)`.
        real: real points to show them over, shape `(m, d)`.
        values_are_real: `values` are themselves real, and drawn in that colour (the plot of the data alone).

    Returns:
        A figure 4.8 inches wide. At most 5,000 points of each side are drawn, evenly spaced through the rows.
    """
    fake, fake_dropped = _finite_rows(values)
    reference, _ = (fake, 0) if real is None else _finite_rows(real)
    if fake.shape[1] != reference.shape[1]:
        raise InputError(
            "plot_points",
            f"points of {fake.shape[1]} and of {reference.shape[1]} coordinates.",
            "Expected the same number on both sides.",
        )
    colours = _side_colours(values_are_real)
    with new_figure(4.8, 4.8 if fake.shape[1] > 1 else 3.2) as figure:
        axes = figure.add_subplot()
        axes.grid(True)
        if fake.shape[1] == 1:
            outside = _draw_density(axes, reference[:, 0] if real is not None else None, fake[:, 0], colours)
            axes.set_xlabel("value")
            axes.set_ylabel("density")
        else:
            outside = _draw_scatter(axes, reference, fake, colours, has_real=real is not None)
        if real is not None:
            sides_legend(figure)
        notes = [f"outside the frame: {outside:,} of {len(fake):,}"] if outside else []
        notes += [f"not finite and not drawn: {fake_dropped:,}"] if fake_dropped else []
        if notes:
            figure.supxlabel("; ".join(notes), fontsize=8)
    return figure


def plot_table(frame: pd.DataFrame, real: pd.DataFrame | None = None, *, values_are_real: bool = False) -> Figure:
    """Each column's distribution, generated beside real: the first 12 columns, one small plot each.

    Numbers are histograms over the middle 99 % of the real values (the outermost bars take in all that lies beyond);
    whole numbers of few values, booleans and categories are bars of shares. Shares of missing values stand in the
    titles. Marginals that agree say nothing about how columns depend on each other.

    Args:
        frame: rows to show, with the table's own columns and dtypes.
        real: real rows with the same columns, to show them beside.
        values_are_real: `frame` is itself real, and drawn in that colour (the plot of the data alone).
    """
    columns = list(frame.columns)[:MOST_COLUMNS]
    if not columns:
        raise InputError("plot_table", "the table has no columns.", "Expected at least one.")
    across = min(2, len(columns))  # more would make letters too small to read on a phone
    down = -(-len(columns) // across)
    with new_figure(2.7 * across, 1.65 * down + 0.5) as figure:
        for place, column in enumerate(columns, start=1):
            axes = figure.add_subplot(down, across, place)
            reference = None if real is None or column not in real else real[column]
            _draw_column(axes, frame[column], reference, _side_colours(values_are_real))
            axes.set_title(shortened(str(column), 26) + _missing(frame, real, column), parse_math=False, loc="left")
        if real is not None:
            sides_legend(figure)
        if len(columns) < frame.shape[1]:
            figure.supxlabel(f"the first {len(columns)} of {frame.shape[1]} columns", fontsize=8)
    return figure


def _finite_rows(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Rows of float64 without NaN or infinity, and how many rows were left out."""
    rows = np.asarray(values, dtype=np.float64)
    rows = rows.reshape(len(rows), math.prod(rows.shape[1:]))
    finite = np.isfinite(rows).all(axis=1)
    return rows[finite], int((~finite).sum())


def _thinned(rows: np.ndarray) -> np.ndarray:
    """At most `MOST_POINTS` rows, evenly spaced."""
    if len(rows) <= MOST_POINTS:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MOST_POINTS).astype(np.int64)]


def _frame_of(values: np.ndarray) -> tuple[float, float]:
    """The range of the real data with a margin; a range around a constant."""
    if len(values) == 0:
        return -1.0, 1.0
    low, high = float(values.min()), float(values.max())
    spread = high - low
    if spread <= 1e-12 * max(abs(low), abs(high), 1e-300):
        half = max(0.5, 1e-3 * abs(low))
        return low - half, high + half
    return low - MARGIN * spread, high + MARGIN * spread


def _draw_scatter(axes: Axes, real: np.ndarray, fake: np.ndarray, colours: tuple[str, str], *, has_real: bool) -> int:
    """Draw both sides in the plane; the number of generated points outside the frame of the real ones."""
    labels = ("first coordinate", "second coordinate")
    if real.shape[1] > 2:
        directions, centre, shares = _principal_directions(real)
        real, fake = (real - centre) @ directions, (fake - centre) @ directions
        of_what = "of the real data" if has_real else "of these points"
        labels = tuple(
            f"{rank} principal component {of_what} ({share * 100:.0f} % of the variance)"
            for rank, share in zip(("1st", "2nd"), shares, strict=True)
        )
    frame = [_frame_of(real[:, axis]) for axis in (0, 1)]
    axes.set_xlim(frame[0])
    axes.set_ylim(frame[1])
    if np.isclose(frame[0][1] - frame[0][0], frame[1][1] - frame[1][0], rtol=1.0):
        axes.set_aspect("equal", adjustable="box")
    if has_real:
        _draw_cloud(axes, _thinned(real), frame, colours[0])
    _draw_cloud(axes, _thinned(fake), frame, colours[1])
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    inside = np.ones(len(fake), dtype=bool)
    for axis in (0, 1):
        inside &= (fake[:, axis] >= frame[axis][0]) & (fake[:, axis] <= frame[axis][1])
    return int((~inside).sum())


def _draw_cloud(axes: Axes, rows: np.ndarray, frame: list[tuple[float, float]], colour: str) -> None:
    """Points whose opacity falls with the square root of how crowded their neighbourhood is.

    At a fixed opacity either a dense mode is a flat blot or lone points vanish; both are what people look for.
    """
    from matplotlib.colors import to_rgb

    if len(rows) == 0:
        return
    bins = 48
    crowd, x_edges, y_edges = np.histogram2d(rows[:, 0], rows[:, 1], bins=bins, range=frame)
    column = np.clip(np.searchsorted(x_edges, rows[:, 0]) - 1, 0, bins - 1)
    row = np.clip(np.searchsorted(y_edges, rows[:, 1]) - 1, 0, bins - 1)
    opacity = np.clip(0.9 / np.sqrt(np.maximum(crowd[column, row], 1.0) / 2.0), 0.08, 0.8)
    colours = np.column_stack([np.tile(to_rgb(colour), (len(rows), 1)), opacity])
    axes.scatter(rows[:, 0], rows[:, 1], s=9 if len(rows) < 1_500 else 5, c=colours, linewidths=0, rasterized=True)


def _principal_directions(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two directions of largest variance as columns `(d, 2)`, the mean, and the shares of variance.

    The sign of a direction is arbitrary; its largest entry is made positive, so that plots of one run agree.
    """
    if len(rows) < 2:
        return np.eye(rows.shape[1], 2), np.zeros(rows.shape[1]), np.zeros(2)
    centre = rows.mean(axis=0)
    variances, vectors = np.linalg.eigh(np.cov(rows, rowvar=False))
    directions = vectors[:, ::-1][:, :2]
    largest = directions[np.abs(directions).argmax(axis=0), [0, 1]]
    total = max(float(variances.sum()), np.finfo(np.float64).tiny)
    return directions * np.where(largest < 0, -1.0, 1.0), centre, variances[::-1][:2] / total


def _draw_density(axes: Axes, real: np.ndarray | None, fake: np.ndarray, colours: tuple[str, str]) -> int:
    """Histograms of one coordinate on shared bins; the number of generated values outside the real frame."""
    low, high = _frame_of(fake if real is None else real)
    edges = np.linspace(low, high, 61)
    for values, colour in zip((real, fake), colours, strict=True):
        if values is not None and len(values):
            heights = np.histogram(values, edges)[0] / (len(values) * np.diff(edges))
            draw_histogram(axes, heights, edges, colour)
    axes.set_xlim(low, high)
    return int(((fake < low) | (fake > high)).sum())


def _side_colours(values_are_real: bool) -> tuple[str, str]:
    """The colours of the reference and of the values shown."""
    return REAL_COLOUR, REAL_COLOUR if values_are_real else FAKE_COLOUR


def _draw_column(axes: Axes, fake: pd.Series, real: pd.Series | None, colours: tuple[str, str]) -> None:
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    reference = fake if real is None else real
    if _is_continuous(reference) and _is_continuous(fake, least_distinct=0):
        _draw_numbers(axes, None if real is None else _numbers(real), _numbers(fake), colours)
    elif reference.notna().any() or fake.notna().any():
        _draw_levels(axes, fake, real, colours)
    else:
        axes.set_xticks([])
        write_in_middle(axes, "no values")


def _is_continuous(column: pd.Series, *, least_distinct: int = MOST_LEVELS + 1) -> bool:
    from pandas.api import types

    numeric = types.is_numeric_dtype(column) or types.is_datetime64_any_dtype(column)
    return numeric and not types.is_bool_dtype(column) and column.nunique(dropna=True) >= least_distinct


def _numbers(column: pd.Series) -> np.ndarray:
    """Finite values as float64; dates as years, so that the axis can be read."""
    from pandas.api import types

    present = column.dropna()
    if types.is_datetime64_any_dtype(present):
        numbers = (present.dt.year + (present.dt.day_of_year - 1) / 365.25).to_numpy(dtype=np.float64)
    else:
        numbers = present.to_numpy(dtype=np.float64)
    return numbers[np.isfinite(numbers)]


def _draw_numbers(axes: Axes, real: np.ndarray | None, fake: np.ndarray, colours: tuple[str, str]) -> None:
    reference = fake if real is None or len(real) == 0 else real
    if len(reference) == 0:
        return
    low, high = np.quantile(reference, [0.005, 0.995])
    edges = np.linspace(low, high, 33) if high > low else np.linspace(low - 0.5, low + 0.5, 3)
    for values, colour in zip((real, fake), colours, strict=True):
        if values is not None and len(values):
            heights = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / len(values)
            draw_histogram(axes, heights, edges, colour)
    axes.locator_params(axis="x", nbins=4)


def _draw_levels(axes: Axes, fake: pd.Series, real: pd.Series | None, colours: tuple[str, str]) -> None:
    """Bars of shares of the present values: the most frequent real levels first, a few numbers in their own order."""
    sides = [(side, colour) for side, colour in zip((real, fake), colours, strict=True) if side is not None]
    shares = [side.dropna().astype(str).value_counts(normalize=True) for side, _ in sides]
    names = list(shares[0].index)
    names += [name for name in shares[-1].index if name not in shares[0].index]
    if len(names) <= MOST_LEVELS:
        names = sorted(names, key=_level_order)
    shown = names[: MOST_LEVELS if len(names) <= MOST_LEVELS else MOST_LEVELS - 1]
    labels = [shortened(name, 10) for name in shown] + (["others"] if len(shown) < len(names) else [])
    places = np.arange(len(labels))
    width = 0.8 / len(sides)
    for index, (share, (_, colour)) in enumerate(zip(shares, sides, strict=True)):
        heights = [float(share.get(name, 0.0)) for name in shown]
        if len(shown) < len(names):
            heights.append(max(0.0, float(share.sum()) - sum(heights)))
        offset = (index - (len(sides) - 1) / 2) * width
        axes.bar(places + offset, heights, width=width, color=colour, alpha=0.85, linewidth=0)
    axes.set_xticks(places)
    axes.set_xticklabels(
        labels,
        parse_math=False,
        rotation=35 if max(map(len, labels), default=0) > 3 else 0,
        ha="right" if max(map(len, labels), default=0) > 3 else "center",
    )


def _level_order(name: str) -> tuple[int, float]:
    """Numbers by their value; other names stay in their order, behind them."""
    try:
        return 0, float(name)
    except ValueError:
        return 1, 0.0


def _missing(frame: pd.DataFrame, real: pd.DataFrame | None, column: Any) -> str:
    """' (missing 3 % / 2 %)': shares of missing values, real before generated; empty when there are none."""
    sides = [side[column].isna().mean() for side in (real, frame) if side is not None and column in side]
    if not any(share > 0 for share in sides):
        return ""
    return f" (missing {' / '.join(f'{share * 100:.0f} %' for share in sides)})"
