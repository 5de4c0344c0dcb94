"""`equipoise compare`: several runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from equipoise.cli.options import AsJson
from equipoise.cli.terminal import print_json
from equipoise.errors import ConfigError, visible


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Run folders.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE.html", help="Write the comparison with its curves as one page."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show several runs side by side.

    The settings that differ, the referee's verdicts, and with -o the curves together. Runs that differ only in their
    seed are one configuration, shown with its spread.

    \b
    Example:
      equipoise compare runs/hinge-* runs/relativistic-* -o comparison.html
    """
    from equipoise import reports

    if output is not None and output.suffix.lower() != ".html":
        raise ConfigError(
            f"-o {output}",
            "the comparison is an HTML page.",
            "Expected a name that ends in .html.",
            f"Try: -o {output.with_suffix('.html')}",
        )
    found = reports.compare(runs)
    if output is not None:
        reports.write_comparison(runs, output)
    if as_json:
        print_json({**found.to_json(), "page": None if output is None else str(output)})
        return
    print(visible(found.to_text().rstrip()))
    if output is not None:
        print(f"\npage  {output}")
