"""A run as it is now, in one page: the run page's own modules, with everything that they would ask a server for."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from markupsafe import Markup

from equipoise.live.bundle import STATIC, bundle
from equipoise.live.charts import histogram_json
from equipoise.live.columns import series_json, stretch_of
from equipoise.live.metrics_log import MetricsLog
from equipoise.live.recorded_page import HEIGHT, RecordedPage, recorded_page
from equipoise.live.rendering import templates
from equipoise.live.run_text import progress_json, run_json, with_measured_steps
from equipoise.reports.page import style_sheet
from equipoise.reports.reading import RunRecord, read_run
from equipoise.reports.sample_grids import SampleGrid, image_at, sample_grids
from equipoise.reports.wording import moment

STYLES = ("base.css", "run.css")


def recorded_run(folder: Path | str, *, height: int = HEIGHT) -> RecordedPage:
    """The page of a run in any state, as it is at this moment.

    Args:
        folder: of the run.
        height: of the frame in a notebook, in CSS pixels.

    Raises:
        RunFolderError: there is no run folder, or a later version of equipoise wrote it.
    """
    record = read_run(folder, reads_metrics=False)
    log = MetricsLog(record.folder.metrics)
    while log.read_on() and not log.trouble:
        pass
    run = with_measured_steps(record, log)
    state, progress = run_json(run, log, "", name=run.name), progress_json(run, log, "")
    pictures = _pictures(run)
    shown = [int(name.rpartition(" ")[2]) for name in pictures if name.startswith("samples ")]
    state["samples"] = {
        "steps": shown,
        "nearest": 1 if "nearest" in pictures else None,
        "real": "real" in pictures,
        "most_discriminative": "most_discriminative" in pictures,
    }
    state["control"] |= {"is_listening": False, "answers": []}
    recording = {
        "state": state,
        "progress": progress,
        "series": _series(state, log),
        "histograms": {step: histogram_json(run, row) for step in log.histograms if (row := log.row_at(step))},
        "pictures": pictures,
    }
    body = templates().get_template("run.html.jinja").render(name=run.name, is_single=True, kept=moment(time.time()))
    return recorded_page(
        run.name,
        Markup(body),
        script=f"{bundle(STATIC / 'recorded-run.js', 'equipoiseRun')}equipoiseRun.show();\n",
        style="\n".join([style_sheet(), *((STATIC / name).read_text(encoding="utf-8") for name in STYLES)]),
        recording=recording,
        height=height,
    )


def _series(state: dict[str, Any], log: MetricsLog) -> dict[str, Any]:
    """The whole run's curves, as the server gives them to a page that shows all of it."""
    stretch = stretch_of(log.columns.all_steps(), low=None, high=None)
    return {
        "generation": log.generation,
        "rows": len(log.columns),
        "per_bin": stretch.per_bin,
        "first_bin": stretch.first_bin,
        "is_part": False,
        **series_json(log.columns, state["keys"], state["errors"], stretch),
    }


def _pictures(run: RunRecord) -> dict[str, str]:
    """Those of a report, by what they are, as `data:` addresses; fewer and smaller ones where they would be large."""
    real, frames, _ = sample_grids(run)
    found: dict[str, SampleGrid | None] = {f"samples {frame.step}": frame for frame in frames}
    found |= {
        "real": real,
        "nearest": image_at(run.folder.nearest),
        "most_discriminative": image_at(run.folder.most_discriminative),
    }
    return {name: grid.uri for name, grid in found.items() if grid is not None}
