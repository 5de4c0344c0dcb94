"""The templates of the pages; what they need is there without the server's packages too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from equipoise.reports.rendering import environment

if TYPE_CHECKING:
    import jinja2


def templates(package: str = "equipoise.live") -> jinja2.Environment:
    """The templates of a package, with every value escaped; those of the report are there too."""
    import jinja2

    made = environment()
    made.loader = jinja2.ChoiceLoader([jinja2.PackageLoader(package), made.loader])
    return made
