"""Curves of several runs together: one colour per configuration, one panel per quantity that may be compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.entries import number_at
from equipoise.plotting.curves import MOST_BINS, NOISY_BINS, Series, draw_band, log_if_positive, series, steps_axis
from equipoise.plotting.number_text import encodable
from equipoise.plotting.style import (
    AXIS,
    DASHES,
    INK,
    LINE_COLOURS,
    legend_key,
    page_figure,
    page_legend,
    write_in_middle,
)
from equipoise.reports.groups import Group, spread_limits
from equipoise.reports.plots import PLAYERS
from equipoise.reports.reading import RunRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
"""Lines of a second round of colours, and neighbours in colour, stay apart by their dashes."""


def draw_comparison(groups: Sequence[Group]) -> Figure:
    """The panels one below the other, as wide as a phone shows without shrinking the letters.

    First the referee's bound, which is the same quantity for every run; then each objective's value on its own
    panel; then the gradients of both players.
    """
    objectives = list(dict.fromkeys(group.objective for group in groups))
    panels = 1 + len(objectives) + len(PLAYERS)
    with page_figure(0.45 + 0.22 * len(groups) + 2.1 * panels) as figure:
        axes = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
        bounds = [[_bounds(run) for run in group.runs] for group in groups]
        _draw_panel(axes[0], groups, groups, bounds, "The referee's lower bound on JSD (nats)", marker="o")
        axes[0].axhline(0.0, color=AXIS, linewidth=0.8)
        for panel, objective in zip(axes[1:], objectives, strict=False):
            shown = [group for group in groups if group.objective == objective]
            values = [[series(run.metrics, "value") for run in group.runs] for group in shown]
            _draw_panel(panel, groups, shown, values, f"Value of '{objective}' (not evidence)")
            line = shown[0].runs[0].equilibrium_value
            if line is not None:
                panel.axhline(line, color=INK, linestyle=DASHES, linewidth=1.1)
        for panel, (player, _) in zip(axes[-len(PLAYERS) :], PLAYERS, strict=True):
            norms = [
                [series(run.metrics, "gradient_norm", player, most=NOISY_BINS) for run in group.runs]
                for group in groups
            ]
            _draw_panel(panel, groups, groups, norms, f"Length of the {player}'s gradient")
            log_if_positive(panel, [curve for curves in norms for curve in curves])
        steps_axis(axes[-1])
        lines = [(group.label, *_line_of(groups, group)) for group in groups]
        page_legend(figure, [legend_key(label, colour, style=style) for label, colour, style in lines], across=1)
    return figure


def _draw_panel(
    axes: Axes,
    groups: Sequence[Group],
    shown: Sequence[Group],
    curves: Sequence[Sequence[Series]],
    title: str,
    *,
    marker: str | None = None,
) -> None:
    """One quantity: a line per configuration that has it, and a band where there are several runs."""
    axes.grid(True)
    axes.set_title(encodable(title), loc="left", parse_math=False)
    for group, measured in zip(shown, curves, strict=True):
        found = [curve for curve in measured if not curve.is_empty]
        if not found:
            continue
        steps, values = _on_common_steps(found)
        colour, style = _line_of(groups, group)
        middle, low, high = spread_limits(values, groups)
        if len(found) > 1:
            draw_band(axes, steps, low, high, colour)
        dots = marker or ("o" if len(steps) == 1 else None)
        axes.plot(steps, middle, color=colour, linestyle=style, marker=dots, markersize=4)
    if not axes.lines:
        write_in_middle(axes, "nothing was measured yet")


def _on_common_steps(curves: Sequence[Series]) -> tuple[np.ndarray, np.ndarray]:
    """All curves at the steps of any of them, by linear interpolation, and NaN outside each one's own range."""
    present = [(curve.steps[finite], curve.mean[finite]) for curve in curves for finite in [np.isfinite(curve.mean)]]
    steps = np.unique(np.concatenate([own for own, _ in present]))
    if len(steps) > MOST_BINS:
        steps = np.linspace(steps[0], steps[-1], MOST_BINS)
    return steps, np.array([np.interp(steps, own, values, left=np.nan, right=np.nan) for own, values in present])


def _bounds(run: RunRecord) -> Series:
    """The referee's bounds, by step; the later of two evaluations at one step counts."""
    by_step = {step: row for row in run.verdicts if (step := number_at(row, "step")) is not None}
    return series([{**by_step[step], "step": step} for step in sorted(by_step)], "jsd_lower_bound_nats")


def _line_of(groups: Sequence[Group], group: Group) -> tuple[str, Any]:
    place = groups.index(group)
    return LINE_COLOURS[place % len(LINE_COLOURS)], STYLES[place % len(STYLES)]
