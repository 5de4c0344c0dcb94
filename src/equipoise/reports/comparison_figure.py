"""Curves of several runs together: one colour per configuration, one panel per quantity that may be compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from equipoise.entries import number_at
from equipoise.plotting.curves import MOST_BINS, NOISY_BINS, Series, binned, column, log_if_positive, steps_axis
from equipoise.plotting.number_text import encodable
from equipoise.plotting.style import INK, LINE_COLOURS, legend_key, page_figure, page_legend
from equipoise.reports.comparing import Comparison, Group, spread_limits
from equipoise.reports.reading import RunRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))


def draw_comparison(comparison: Comparison) -> Figure:
    """The panels one below the other, as wide as a phone shows without shrinking the letters.

    First the referee's bound, which is the same quantity for every run; then each objective's value on its own
    panel; then the gradients of both players.
    """
    objectives = list(dict.fromkeys(group.objective for group in comparison.groups))
    panels = 1 + len(objectives) + 2
    with page_figure(0.45 + 0.22 * len(comparison.groups) + 2.1 * panels) as figure:
        axes = list(figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0])
        evaluations = {group.letter: _evaluations(group) for group in comparison.groups}
        _panel(
            axes[0], comparison, comparison.groups, evaluations, "The referee's lower bound on JSD (nats)", dots=True
        )
        axes[0].axhline(0.0, color="#8a9099", linewidth=0.8)
        for panel, objective in zip(axes[1 : 1 + len(objectives)], objectives, strict=True):
            groups = [group for group in comparison.groups if group.objective == objective]
            values = {group.letter: _curves(group.runs, "value", most=MOST_BINS) for group in groups}
            _panel(panel, comparison, groups, values, f"Value of '{objective}' (not evidence)")
            line = next((run.equilibrium_value for group in groups for run in group.runs), None)
            if line is not None:
                panel.axhline(line, color=INK, linestyle=(0, (5, 3)), linewidth=1.1)
        for panel, player in zip(axes[-2:], ("discriminator", "generator"), strict=True):
            norms = {group.letter: _curves(group.runs, "gradient_norm", player) for group in comparison.groups}
            _panel(panel, comparison, comparison.groups, norms, f"Length of the {player}'s gradient")
            log_if_positive(panel, [curve for curves in norms.values() for curve in curves])
        steps_axis(axes[-1])
        keys = [legend_key(group.label, _colour(comparison, group)) for group in comparison.groups]
        for key, group in zip(keys, comparison.groups, strict=True):
            key.set_linestyle(_style(comparison, group))
        page_legend(figure, keys, across=1)
    return figure


def _panel(
    axes: Axes,
    comparison: Comparison,
    groups: Sequence[Group],
    curves: dict[str, list[Series]],
    title: str,
    *,
    dots: bool = False,
) -> None:
    """One quantity: a line per configuration, and a band where it has several runs."""
    axes.grid(True)
    axes.set_title(encodable(title), loc="left", parse_math=False)
    drawn = False
    for group in groups:
        found = [curve for curve in curves[group.letter] if not curve.is_empty]
        if not found:
            continue
        drawn = True
        steps, values = _on_common_steps(found)
        colour, style = _colour(comparison, group), _style(comparison, group)
        middle, low, high = spread_limits(values, comparison.groups)
        if len(found) > 1:
            axes.fill_between(steps, low, high, color=colour, alpha=0.18, linewidth=0)
        marker = "o" if dots or len(steps) == 1 else None
        axes.plot(steps, middle, color=colour, linestyle=style, marker=marker, markersize=4)
    if not drawn:
        axes.text(0.5, 0.5, "nothing was measured yet", ha="center", va="center", transform=axes.transAxes)


def _on_common_steps(curves: Sequence[Series]) -> tuple[np.ndarray, np.ndarray]:
    """All curves at the steps of any of them, by linear interpolation, and NaN outside each one's own range."""
    steps = np.unique(np.concatenate([curve.steps[np.isfinite(curve.mean)] for curve in curves]))
    if len(steps) > MOST_BINS:
        steps = np.linspace(steps[0], steps[-1], MOST_BINS)
    rows = []
    for curve in curves:
        present = np.isfinite(curve.mean)
        rows.append(np.interp(steps, curve.steps[present], curve.mean[present], left=np.nan, right=np.nan))
    return steps, np.array(rows)


def _curves(runs: Sequence[RunRecord], *keys: str, most: int = NOISY_BINS) -> list[Series]:
    return [binned(*column(run.metrics, *keys), most=most) for run in runs]


def _evaluations(group: Group) -> list[Series]:
    """The referee's bounds of each run, by step; the later of two evaluations at one step counts."""
    curves = []
    for run in group.runs:
        found = {
            step: bound
            for row in run.verdicts
            if (step := number_at(row, "step")) is not None
            and (bound := number_at(row, "jsd_lower_bound_nats")) is not None
        }
        curves.append(binned(np.array(sorted(found)), np.array([found[step] for step in sorted(found)])))
    return curves


def _colour(comparison: Comparison, group: Group) -> str:
    return LINE_COLOURS[comparison.groups.index(group) % len(LINE_COLOURS)]


def _style(comparison: Comparison, group: Group) -> object:
    """Lines of a second round of colours, and neighbours in colour, stay apart by their dashes."""
    return STYLES[comparison.groups.index(group) % len(STYLES)]
