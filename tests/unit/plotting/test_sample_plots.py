"""Plots of points and of tables: the frame is the real data's, and what is left out is counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from equipoise.errors import InputError
from equipoise.plotting.samples import MOST_POINTS, plot_points, plot_table
from equipoise.plotting.style import FAKE_COLOUR, REAL_COLOUR, save_figure

STREAM = np.random.default_rng(0)


def colours_of(figure):
    return [tuple(cloud.get_facecolor()[0][:3]) for cloud in figure.axes[0].collections]


def test_generated_points_lie_over_real_ones_in_the_frame_of_the_real_ones():
    real = STREAM.uniform(-1, 1, (300, 2))
    figure = plot_points(np.array([[0.0, 0.0], [50.0, 0.0], [np.nan, 0.0]]), real)
    assert colours_of(figure) == [to_rgb(REAL_COLOUR), to_rgb(FAKE_COLOUR)]
    assert figure.axes[0].get_xlim()[1] < 2
    assert figure.get_supxlabel() == "outside the frame: 1 of 2; not finite and not drawn: 1"


def test_a_plot_of_the_data_alone_is_in_the_colour_of_real():
    assert colours_of(plot_points(STREAM.normal(size=(50, 2)), values_are_real=True)) == [to_rgb(REAL_COLOUR)]


def test_more_than_two_dimensions_are_shown_on_the_principal_components_of_the_real_data():
    real = STREAM.normal(size=(500, 5)) * [1, 1, 10, 5, 1]
    axes = plot_points(STREAM.normal(size=(100, 5)), real).axes[0]
    # Variances 100 and 25 of 128: 78 % and 20 %, within the sampling error of 500 rows.
    assert axes.get_xlabel().startswith("1st principal component of the real data (7")
    # A component's scale is that of its coordinate, up to the angle between them.
    spread = np.ptp(axes.collections[0].get_offsets()[:, 0])
    assert spread == pytest.approx(np.ptp(real[:, 2]), rel=0.05)


def test_one_dimension_is_a_histogram_of_density_one():
    axes = plot_points(STREAM.normal(size=(4_000, 1)), STREAM.normal(size=(4_000, 1))).axes[0]
    steps = axes.patches[0].get_data()
    assert (steps.values * np.diff(steps.edges)).sum() == pytest.approx(1.0, rel=1e-12)  # all real values are inside


def test_at_most_five_thousand_points_of_a_side_are_drawn():
    figure = plot_points(STREAM.normal(size=(MOST_POINTS * 3, 2)))
    assert len(figure.axes[0].collections[0].get_offsets()) == MOST_POINTS


@pytest.mark.parametrize(
    ("values", "real"),
    [
        (np.zeros((0, 2)), np.ones((3, 2))),
        (np.ones((1, 2)), None),
        (np.full((4, 2), np.nan), np.zeros((1, 2))),
        (np.ones((1, 1)), np.zeros((0, 1))),
        (np.ones((2, 3)), np.zeros((1, 3))),
        (np.full((5, 2), 1e300), None),
    ],
)
def test_few_constant_or_broken_points_are_drawn_without_failing(tmp_path, values, real):
    path = save_figure(plot_points(values, real), tmp_path / "plot.png")
    assert Image.open(path).width > 300


def test_points_of_different_dimension_are_refused():
    with pytest.raises(InputError, match="points of 2 and of 3 coordinates"):
        plot_points(np.zeros((4, 2)), np.zeros((4, 3)))


def mixed_frame(rows: int, seed: int) -> pd.DataFrame:
    stream = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "price $x$": stream.gamma(2, 1, rows),
            "cut": pd.Categorical(stream.choice(list("ABCDEFGHIJKL"), rows)),
            "yes": stream.random(rows) < 0.3,
            "count": stream.integers(0, 4, rows),
            "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(stream.integers(0, 900, rows), "D"),
            "gap": np.where(stream.random(rows) < 0.2, np.nan, stream.normal(size=rows)),
            "nothing": np.full(rows, np.nan),
            "<b>": stream.choice(["long long name", "no"], rows),
            7: 1.0,
            "whole": pd.array(np.where(stream.random(rows) < 0.1, None, stream.integers(0, 99, rows)), dtype="Int64"),
            "more": stream.normal(size=rows),
            "and more": 1,
            "too many": 2,
        }
    )


def test_every_type_of_column_is_drawn_beside_the_real_one(tmp_path):
    figure = plot_table(mixed_frame(300, 0), mixed_frame(400, 1))
    assert len(figure.axes) == 12
    assert figure.get_supxlabel() == "the first 12 of 13 columns"
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[6] == "nothing (missing 100 % / 100 %)"
    labels = [label.get_text() for label in figure.axes[3].get_xticklabels()]
    assert labels == ["0", "1", "2", "3"]
    save_figure(figure, tmp_path / "table.png")


def test_shares_of_a_category_sum_to_one_with_the_others():
    axes = plot_table(mixed_frame(300, 0), mixed_frame(400, 1)).axes[1]
    assert [label.get_text() for label in axes.get_xticklabels()][-1] == "others"
    heights = [bar.get_height() for bar in axes.patches]
    assert sum(heights) == pytest.approx(2.0, rel=1e-12)  # one for each side


def test_tables_of_no_rows_or_of_new_types_are_drawn_without_failing(tmp_path):
    real = mixed_frame(50, 0)
    save_figure(plot_table(real.iloc[:0], real), tmp_path / "a.png")
    save_figure(plot_table(real.astype(str), real), tmp_path / "b.png")
    save_figure(plot_table(real.iloc[:1]), tmp_path / "c.png")
    save_figure(plot_table(real[["cut"]], real), tmp_path / "d.svg")
    with pytest.raises(InputError, match="no columns"):
        plot_table(real[[]])
