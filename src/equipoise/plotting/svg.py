"""Figures as inline SVG that follows the page: its fonts, its light or dark colours, no request to anywhere.

matplotlib writes fixed colours and fonts. Each of ours is known, so it is replaced by a variable of the page's
style sheet with the fixed colour as what to fall back on; identifiers get the figure's name, because several
figures share one page.
"""

from __future__ import annotations

import io
import re
import warnings
from html import escape
from typing import TYPE_CHECKING

from equipoise.plotting.style import (
    AXIS,
    DISCRIMINATOR_COLOUR,
    FAINT,
    FAKE_COLOUR,
    GENERATOR_COLOUR,
    INK,
    LINE_COLOURS,
    MUTED,
    PAGE_STYLE,
    REAL_COLOUR,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE_COLOURS = {
    INK: "ink",
    MUTED: "muted",
    AXIS: "axis",
    FAINT: "rule",
    REAL_COLOUR: "real",
    FAKE_COLOUR: "fake",
    DISCRIMINATOR_COLOUR: "discriminator",
    GENERATOR_COLOUR: "generator",
    **{colour: f"line-{place}" for place, colour in enumerate(LINE_COLOURS, start=1)},
}
NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}


def to_svg(figure: Figure, *, name: str, label: str) -> str:
    """`figure` as an `<svg>` element to put into a page.

    Args:
        name: put before every identifier; unique on the page, of letters, digits and dashes.
        label: what the figure shows, for people who do not see it.
    """
    from matplotlib import rc_context

    stream = io.StringIO()
    with rc_context(PAGE_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(stream, format="svg", transparent=True, metadata=NO_METADATA)
    return _for_page(stream.getvalue(), name, label)


def _for_page(text: str, name: str, label: str) -> str:
    text = re.sub(r"<!--.*?-->", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = re.sub(r'xlink:href="#', f'xlink:href="#{name}-', text)
    for colour, variable in PAGE_COLOURS.items():
        text = re.sub(rf"((?:fill|stroke): ?){colour}\b", rf"\1var(--{variable}, {colour})", text)
    text = re.sub(r"(font(?:-family)?: ?(?:\d[\d.]*px )?)[^;\"]*'[^;\"]*", r"\1var(--sans)", text)
    head = re.match(r"<svg[^>]*>", text)
    assert head is not None, "matplotlib wrote an SVG without <svg>"
    box = re.search(r'viewBox="[^"]*"', head.group())
    assert box is not None, "matplotlib wrote an SVG without a viewBox"
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {box.group()} '
        f'role="img" aria-label="{escape(label)}" class="plot">'
    )
    return opening + re.sub(r"\n\s*", "\n", text[head.end() :]).strip()
