"""`equipoise sample`: new pictures, rows or points from a trained generator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from equipoise.cli.options import AsJson, RunPath
from equipoise.cli.terminal import print_json


def sample(
    run: RunPath,
    count: Annotated[int, typer.Option("-n", "--count", metavar="N", min=1, help="How many samples.")] = 64,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="Where to: a new folder for pictures, a .csv, .parquet or .npy file otherwise.  "
            "[default: a new name beside RUN]",
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="Only this class, where the data had labels.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Seed of the samples.  [default: the run's own]")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="png, csv, parquet or npy, if PATH does not say it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw samples from a trained generator.

    They are written in the form of the data that it was trained on.

    \b
    Example: 64 pictures and a sheet of them; 10,000 rows of a table.
      equipoise sample runs/cats -n 64 -o new-cats/
      equipoise sample runs/diamonds -n 10000 -o new-diamonds.parquet
    """
    from equipoise import experiment

    written = experiment.write_samples(run, output, count=count, seed=seed, label=label, form=form)
    if as_json:
        print_json({"run": str(run), "count": count, "files": [str(path) for path in written]})
        return
    for path in written:
        print(path)
