"""A plot of curves: panels, bands, lines to compare with, notes, and the same numbers as a table."""

from __future__ import annotations

import numpy as np
import pytest

from equipoise.plotting.curves import binned
from equipoise.reports.plots import NOT_MEASURED, Line, Panel, Plot, curves

EMPTY = binned(np.array([1.0, 2.0]), np.array([np.nan, np.nan]))
PLOT = Plot("name", "Title", "How to read it.", notes=("A note.",))


def line(name="line", **options):
    return Line(name, "#000000", binned(np.arange(5.0), np.arange(5.0) + 1.0), **options)


def test_a_band_reaches_so_many_errors_to_either_side():
    errors = np.full(5, 0.5)
    plot = curves(PLOT, [Panel((line(errors=errors, error_name="standard error", reach=2.0),))])
    (band,) = plot.figure.axes[0].collections
    corners = band.get_paths()[0].vertices
    for step, value in enumerate(np.arange(5.0) + 1.0):
        heights = corners[corners[:, 0] == step][:, 1]
        assert (heights.min(), heights.max()) == (value - 1.0, value + 1.0)
    assert plot.header == ("step", "line", "standard error") and plot.rows[0] == ("0", "1", "0.5")


def test_a_line_to_compare_with_is_drawn_and_named():
    plot = curves(PLOT, [Panel((line(),), reference=(2.5, "at equilibrium"))])
    drawn = [list(each.get_ydata()) for each in plot.figure.axes[0].lines]
    assert [2.5, 2.5] in drawn
    (legend,) = plot.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["line", "at equilibrium"]


@pytest.mark.parametrize(
    ("scale", "kind", "low"), [("log", "log", 1.0), ("zero", "linear", 0.0), ("probability", "linear", -0.03)]
)
def test_each_scale_is_what_it_is_called(scale, kind, low):
    values = binned(np.arange(3.0), np.array([1.0, 10.0, 100.0]))
    axes = curves(PLOT, [Panel((Line("line", "#000000", values),), scale=scale)]).figure.axes[0]
    assert axes.get_yscale() == kind
    assert axes.get_ylim()[0] == pytest.approx(low, abs=0.5 if kind == "log" else 1e-12)


def test_what_was_not_measured_is_said_and_what_was_is_drawn():
    plot = curves(PLOT, [Panel((line(), Line("other", "#000000", EMPTY)))])
    assert plot.notes == ("A note.", "Not measured: other.") and plot.figure is not None
    nothing = curves(PLOT, [Panel((Line("other", "#000000", EMPTY),))])
    assert nothing.figure is None and nothing.notes == ("A note.", NOT_MEASURED) and not nothing.rows


def test_lines_of_one_name_in_two_panels_are_one_entry_of_the_legend_and_two_columns():
    plot = curves(
        PLOT, [Panel((line("r1"),), "penalty"), Panel((line("r1"),), "weight")], columns=[("c", line().values)]
    )
    assert plot.header == ("step", "penalty r1", "weight r1", "c")
    assert len(plot.figure.axes) == 2 and len(plot.rows) == 5
