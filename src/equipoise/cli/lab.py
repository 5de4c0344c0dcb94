"""`equipoise lab`: questions about GANs, answered by an experiment with a known answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from equipoise.cli.options import AsJson
from equipoise.cli.terminal import note, print_json, readable_seconds
from equipoise.errors import ConfigError
from equipoise.plotting.number_text import text_table


def lab(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="An experiment; without one, lists them.")] = None,
    run_all: Annotated[bool, typer.Option("--all", help="Run every experiment, some minutes in total.")] = False,
    outdir: Annotated[
        Path | None, typer.Option("--outdir", metavar="DIR", help="Write NAME.txt, .json, .png and .svg there.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question about GANs by an experiment with a known answer.

    Prints a table; with --outdir also writes it, its numbers and its figure. Every call gives the same numbers.

    \b
    Example: does the game converge? Then every figure of the documentation.
      equipoise lab dirac
      equipoise lab --all --outdir figures/
    """
    from equipoise import lab as experiments

    if run_all and (name is not None or outdir is None):
        raise ConfigError(
            "lab --all",
            "no folder is given." if outdir is None else f"'{name}' is given too.",
            "Expected 'equipoise lab --all --outdir DIR', or the name of one experiment.",
            f"Available: {', '.join(experiments.available())}.",
        )
    if name is None and not run_all:
        questions = {entry: experiments.question(entry) for entry in experiments.available()}
        if as_json:
            print_json({"experiments": questions})
        else:
            print(text_table(("experiment", "answers"), questions.items()))
        return
    results = {}
    for entry in experiments.available() if run_all else (name,):
        experiment, started = experiments.find(str(entry)), time.perf_counter()
        result = experiment()
        if outdir is not None:
            paths = experiments.write_result(result, outdir)
            seconds = time.perf_counter() - started
            note(f"{result.experiment}: {readable_seconds(seconds)}; {', '.join(map(str, paths))}")
        results[result.experiment] = result
    if as_json:
        numbers = {entry: found.to_json() for entry, found in results.items()}
        print_json(numbers if run_all else result.to_json())
    elif not run_all:
        print(result.to_text())
