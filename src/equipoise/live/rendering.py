"""The templates of the pages; what they need is there without the server's packages too."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from equipoise.reports.rendering import environment

if TYPE_CHECKING:
    import jinja2


@cache
def templates(package: str = "equipoise.live") -> jinja2.Environment:
    """The templates of a package, with every value escaped; those of the report are there too. Made once for each."""
    import jinja2

    held = environment()
    return held.overlay(loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package), held.loader]))
