"""The templates of the pages, with every value that is put into them escaped."""

from __future__ import annotations

import html
import re
from functools import cache
from typing import TYPE_CHECKING

from equipoise.referee.decision_text import METHOD_OF_ONE
from equipoise.referee.verdict_text import CONCLUSIONS

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup

_NAME = re.compile(r"`([^`\n]+)`")


@cache
def environment() -> jinja2.Environment:
    """The templates of this package; every value put into them is escaped.

    Made once, since it keeps its compiled templates: compiling them took a twentieth of the time of a page.
    """
    import jinja2
    from markupsafe import Markup

    made = jinja2.Environment(
        loader=jinja2.PackageLoader("equipoise.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["whole"] = lambda text: str(text).replace(" %", "\N{NO-BREAK SPACE}%")  # never '50' here, '%' below
    made.filters["prose"] = prose
    made.globals |= {"conclusions": list(CONCLUSIONS), "method": METHOD_OF_ONE}
    # For text between tags only: quotation marks stay as they are, so that a sentence reads the same in the source.
    made.filters["plain_text"] = lambda text: Markup(html.escape(str(text), quote=False))
    return made


def prose(text: str) -> Markup:
    """A sentence whose names in backticks are set as names; everything in it is escaped first."""
    from markupsafe import Markup, escape

    return Markup(_NAME.sub(r"<code>\1</code>", str(escape(text))))
