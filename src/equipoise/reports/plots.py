"""A plot of a report: a figure, one sentence on how to read it, and the same numbers as a short table.

Most plots are curves over steps: panels one below the other, each with its lines, a scale, and perhaps a line to
compare them with. `curves` makes a plot of such panels; every plot of a report has the same shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from equipoise.plotting.curves import (
    Series,
    draw_band,
    draw_line,
    log_if_positive,
    note_on_bins,
    note_on_missing,
    picked_bins,
    steps_axis,
    zoom,
)
from equipoise.plotting.number_text import number
from equipoise.plotting.style import (
    DASHES,
    DISCRIMINATOR_COLOUR,
    GENERATOR_COLOUR,
    INK,
    legend_key,
    page_figure,
    page_legend,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NOT_EVIDENCE = "the training discriminator's own view, which is not evidence"
EVIDENCE = "held-out evidence"
NOT_MEASURED = "Nothing was measured yet."
PLAYERS = (("discriminator", DISCRIMINATOR_COLOUR), ("generator", GENERATOR_COLOUR))


@dataclass(frozen=True)
class Plot:
    """One figure of a report.

    Attributes:
        name: identifier on the page.
        title: what it shows.
        reading: one sentence on how to read it.
        figure: None when there is nothing to draw; the last of `notes` then says why.
        notes: sentences on what was joined or left out.
        label: written above the figure, where it needs a warning.
        header, rows: the same numbers as a short table.
    """

    name: str
    title: str
    reading: str
    figure: Figure | None = None
    notes: tuple[str, ...] = ()
    label: str = ""
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, eq=False)
class Line:
    """One measured quantity.

    Attributes:
        name: in the legend and in the table.
        colour, style, marker: as matplotlib takes them.
        values: over steps.
        errors: of each bin's mean; drawn as a band of `reach` times as much on either side.
        error_name: what they are, such as 'standard error'.
        shows_range: whether the range within each bin is drawn.
    """

    name: str
    colour: str
    values: Series
    style: Any = "-"
    marker: str | None = None
    errors: np.ndarray | None = None
    error_name: str = ""
    reach: float = 1.0
    shows_range: bool = False


@dataclass(frozen=True)
class Panel:
    """Axes with their lines.

    Attributes:
        lines: those without any value are left out.
        axis: name of the vertical axis.
        scale: the middle 98 % of the values; logarithmic where that helps; from 0 on; or a probability's 0 to 1.
        reference: a value to compare with, and what the legend calls it; without a name it is an axis.
    """

    lines: tuple[Line, ...]
    axis: str = ""
    scale: Literal["zoom", "log", "zero", "probability"] = "zoom"
    reference: tuple[float, str] | None = None


def curves(
    plot: Plot,
    panels: Sequence[Panel],
    *,
    columns: Sequence[tuple[str, Series]] = (),
    absent: str = NOT_MEASURED,
    last: float | None = None,
) -> Plot:
    """`plot` with its figure, notes and table made from panels over steps; without any value, with a note instead.

    Args:
        plot: name, title, reading, label and notes.
        panels: from top to bottom, with lines over the same steps.
        columns: quantities that only the table shows.
        absent: the note where nothing was measured.
        last: the last step of the run, where the lines may end before it.
    """
    everything = [line for panel in panels for line in panel.lines]
    lines = [line for line in everything if not line.values.is_empty]
    if not lines:
        return replace(plot, notes=(*plot.notes, absent))
    first = lines[0].values
    notes = [*plot.notes, *note_on_bins(first, band=lines[0].shows_range), *note_on_missing(first)]
    keys: dict[str, Any] = {}
    with page_figure(3.0 if len(panels) == 1 else 1.0 + 1.6 * len(panels)) as figure:
        grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, panel in zip(grid, panels, strict=True):
            notes += _draw_panel(axes, panel, keys)
        steps_axis(grid[-1], last=last)
        if len(keys) > 1:
            page_legend(figure, list(keys.values()), across=2 if len(keys) > 3 else 3)
        elif not panels[0].axis:
            grid[0].set_ylabel(lines[0].name)
    notes += [f"Not measured: {line.name}." for line in everything if line.values.is_empty]
    shown = [(_heading(line, panels), line.values.mean) for line in lines]
    with_errors = [line for line in lines if line.errors is not None]
    for line in with_errors:
        shown.append((line.error_name if len(with_errors) == 1 else f"{line.error_name} of {line.name}", line.errors))
    shown += [(text, values.mean) for text, values in columns]
    rows = tuple(
        (number(first.steps[place], 6), *(number(float(values[place])) for _, values in shown))
        for place in picked_bins(first)
    )
    return replace(plot, figure=figure, notes=tuple(notes), header=("step", *(text for text, _ in shown)), rows=rows)


def note_on_errors(values: Series, errors: np.ndarray) -> tuple[str, ...]:
    """What a band of one standard error means; nothing without errors."""
    if not np.isfinite(errors).any():
        return ()
    return (f"The band is one standard error of {'that mean' if values.per_bin > 1 else 'one batch'} on either side.",)


def _draw_panel(axes: Axes, panel: Panel, keys: dict[str, Any]) -> tuple[str, ...]:
    """Draw one panel and put its lines into the legend; sentences on what its scale cuts off."""
    axes.grid(True)
    axes.set_ylabel(panel.axis)
    present = [line for line in panel.lines if not line.values.is_empty]
    for line in present:
        values = line.values
        if line.errors is not None and np.isfinite(line.errors).any():
            half = line.reach * line.errors
            draw_band(axes, values.steps, values.mean - half, values.mean + half, line.colour, alpha=0.25)
        draw_line(axes, values, line.colour, band=line.shows_range, style=line.style, marker=line.marker)
        keys.setdefault(line.name, legend_key(line.name, line.colour, style=line.style, marker=line.marker))
    extra: tuple[float, ...] = ()
    if panel.reference is not None:
        value, words = panel.reference
        extra = (value,)
        axes.axhline(value, color=INK, linestyle=DASHES, linewidth=1.1)
        keys[words] = legend_key(words, INK, style=DASHES)
    series = [line.values for line in present]
    if not series:
        return ()
    if panel.scale == "log":
        log_if_positive(axes, series)
    elif panel.scale == "zero":
        axes.set_ylim(0, 1.1 * max(float(np.nanmax(values.high)) for values in series) or 1.0)
    elif panel.scale == "probability":
        axes.set_ylim(-0.03, 1.03)
    else:
        return zoom(axes, *series, extra=extra)
    return ()


def _heading(line: Line, panels: Sequence[Panel]) -> str:
    """The line's name, with its panel's axis where several panels have a line of that name."""
    homes = [panel for panel in panels if any(other.name == line.name for other in panel.lines)]
    return line.name if len(homes) == 1 else f"{next(p for p in homes if line in p.lines).axis} {line.name}"
