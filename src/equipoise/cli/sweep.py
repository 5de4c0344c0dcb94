"""`equipoise sweep`: a grid of runs, compared."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from equipoise.cli.options import AsJson, Device, Minutes, Preset, Quiet, Settings, Steps
from equipoise.cli.progress import terminal_progress
from equipoise.cli.terminal import print_json
from equipoise.errors import EXIT_UNEXPECTED, visible

if TYPE_CHECKING:
    from equipoise.experiment.sweep.run import Sweep


def sweep(
    source: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG|DATA",
            help="A configuration that names its data, such as a run's config.yaml; or data as for 'equipoise train'.",
        ),
    ],
    over: Annotated[
        list[str],
        typer.Option(
            "--over",
            metavar="KEY=VALUE,VALUE",
            help="A setting and its values, with commas between them; repeatable. A value may be a YAML list: "
            "'penalties=[r1, r2],[r1],[]'.",
        ),
    ],
    outdir: Annotated[
        Path, typer.Option("--outdir", metavar="DIR", help="Folder of the sweep; given again, it goes on.")
    ],
    seeds: Annotated[
        int, typer.Option("--seeds", metavar="N", min=1, help="Train each combination N times, with seeds 0 to N-1.")
    ] = 1,
    jobs: Annotated[
        int, typer.Option("--jobs", metavar="N", min=1, help="Runs at once, in processes that share the threads.")
    ] = 1,
    steps: Steps = None,
    minutes: Minutes = None,
    settings: Settings = None,
    device: Device = "auto",
    preset: Preset = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train every combination of settings, and compare.

    Each run is an ordinary run folder in DIR. The same command again skips what is finished and resumes what was
    stopped. DIR/comparison.html sets the runs beside each other; on grid25 and ring8 with their true distance from
    the density.

    \b
    Example: two objectives, with and without penalties, three seeds each, two runs at once.
      equipoise sweep grid25 --over objective=relativistic,nonsaturating --over 'penalties=[r1, r2],[]' \\
        --seeds 3 --steps 2000 --jobs 2 --outdir sweeps/objectives

    All combinations are checked before the first run starts. A run that fails does not stop the others; it is named
    at the end, and the exit code is 1.
    """
    from equipoise.experiment.sweep.run import sweep as run_sweep

    progress = terminal_progress(quiet=quiet)
    found = run_sweep(
        source,
        over=over,
        outdir=outdir,
        seeds=seeds,
        jobs=jobs,
        settings=settings or [],
        steps=steps,
        minutes=minutes,
        device=device,
        preset=preset,
        progress=progress,
    )
    show(found, as_json=as_json)
    if found.failed:
        raise typer.Exit(EXIT_UNEXPECTED)


def show(found: Sweep, *, as_json: bool) -> None:
    """The comparison, and what became of the runs."""
    if as_json:
        print_json(found.to_json())
        return
    print(visible(found.comparison.to_text().rstrip()))
    print(
        f"\nruns  {len(found.trained)} trained, {len(found.skipped)} were finished before, {len(found.failed)} failed"
    )
    print(f"page  {found.page}")
    for name, text in found.failed.items():
        print(f"failed: {name}: {text}", file=sys.stderr)
