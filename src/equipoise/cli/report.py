"""`equipoise report`: one HTML page from a run folder."""

from __future__ import annotations

from equipoise.cli.options import AsJson, RunPath
from equipoise.cli.terminal import print_json


def report(
    run: RunPath,
    as_json: AsJson = False,
) -> None:
    """Write a run's report anew.

    RUN/report.html is one page, made from the files in the run folder; it works offline. The run may be training.

    \b
    Example:
      equipoise report runs/digits
    """
    from equipoise import reports

    written = reports.write_report(run)
    if as_json:
        print_json({"run": str(run), "report": str(written)})
    else:
        print(written)
