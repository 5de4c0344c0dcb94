"""One style for every figure: the colours, matplotlib's settings, and where a figure begins and ends.

Blue is real and orange is generated, in every figure: the pair stays distinct under the common forms of colour
blindness and in grey.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.files import replacing
from equipoise.plotting.number_text import encodable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL.Image import Image

REAL_COLOUR, FAKE_COLOUR = "#0072b2", "#d55e00"
DISCRIMINATOR_COLOUR, GENERATOR_COLOUR = "#8a5a9e", "#00856a"
INK, MUTED, AXIS, FAINT = "#22262b", "#5b626b", "#8a9099", "#d8dce1"
LINE_COLOURS = ("#4b3f9e", "#c2477f", "#2d7d46", "#9a7b0a", "#2f8f9d", "#7a4b2a", "#d0788b", "#6b7280")
"""For what is neither real nor generated nor a player: penalties, configurations. A page in dark colours knows them."""
PALETTE = (REAL_COLOUR, FAKE_COLOUR, "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#444a52", "#a6761d")
"""For figures without two sides: the colours of Okabe and Ito, distinct under the common forms of colour blindness."""
DASHES = (0, (5, 3))
REFERENCE_LINE: dict[str, Any] = {"color": AXIS, "linewidth": 0.9, "linestyle": "--", "zorder": 1}
HOUSE_STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9.0,
    "axes.edgecolor": AXIS,
    "axes.linewidth": 0.7,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.facecolor": "white",
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "lines.linewidth": 1.5,
    "axes.formatter.useoffset": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "equipoise",
    "text.usetex": False,
    "path.simplify": True,
    "figure.constrained_layout.use": True,
}
PAGE_STYLE: dict[str, Any] = {
    **HOUSE_STYLE,
    "font.size": 10.0,
    "axes.labelsize": 10.0,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "axes.titlesize": 10.0,
    "legend.fontsize": 9.5,
}
"""Larger letters, for figures that a page shows as narrow as a phone."""
PAGE_WIDTH = 5.0  # inches that a phone shows without shrinking the letters


@contextmanager
def new_figure(
    width: float, height: float, *, title: str = "", style: dict[str, Any] | None = None
) -> Iterator[Figure]:
    """An empty figure, in inches; the style holds while its axes are made and filled."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(style or HOUSE_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        if title:
            figure.suptitle(title, fontsize=11, x=0.01, ha="left", fontweight="bold")
        yield figure


@contextmanager
def page_figure(height: float) -> Iterator[Figure]:
    """A figure of a report, as wide as a phone shows it."""
    with new_figure(PAGE_WIDTH, height, style=PAGE_STYLE) as figure:
        yield figure


@contextmanager
def page_axes(height: float = 3.0) -> Iterator[tuple[Figure, Axes]]:
    """A figure of a report with one pair of axes."""
    with page_figure(height) as figure:
        axes = figure.add_subplot()
        axes.grid(True)
        yield figure, axes


def label_axes(axes: Axes, title: str, *, x: str = "", y: str = "") -> None:
    """Title to the left, names with units on both axes, a faint grid."""
    axes.set_title(encodable(title), loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(True)


def write_in_middle(axes: Axes, text: str) -> None:
    """A sentence in the middle of axes that have nothing else to show."""
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)


def legend_key(label: str, colour: str, *, style: Any = "-", marker: str | None = None) -> Any:
    """An entry of a legend: a line, or a marker alone with the style "none"."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, label=encodable(label), linestyle=style, marker=marker, markersize=5)


def sides_legend(figure: Figure) -> None:
    """Which colour is real and which is generated, above the axes to the right."""
    from matplotlib.patches import Patch

    handles = [Patch(color=REAL_COLOUR, label="real"), Patch(color=FAKE_COLOUR, label="generated")]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, handlelength=1.0, handleheight=0.8)


def page_legend(figure: Figure, handles: list[Any], *, across: int = 3) -> None:
    """The entries above the axes to the left, `across` in a row."""
    if handles:
        legend = figure.legend(
            handles=handles,
            loc="outside upper left",
            ncols=min(across, len(handles)),
            handlelength=1.6,
            columnspacing=1.4,
            borderaxespad=0.2,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)


def save_figure(figure: Figure | Image, path: Path | str, *, dots_per_inch: int = 120) -> Path:
    """Write a figure (PNG or SVG, by the suffix of `path`) or a grid of images (PNG), whole or not at all."""
    from matplotlib import rc_context

    target = Path(path)
    kind = target.suffix.lstrip(".") or "png"
    with replacing(target) as temporary, warnings.catch_warnings():
        # Names in a script that the font lacks are drawn as boxes; the numbers beside the figure keep them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        if hasattr(figure, "savefig"):
            with rc_context(HOUSE_STYLE):
                figure.savefig(temporary, dpi=dots_per_inch, format=kind)
        else:
            figure.save(temporary, format=kind.upper())
    return target
