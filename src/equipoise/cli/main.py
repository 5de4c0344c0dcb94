"""The list of commands, and the entry point of `equipoise` and `python -m equipoise`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from equipoise.cli.compare import compare
from equipoise.cli.doctor import doctor
from equipoise.cli.export import export
from equipoise.cli.inspect import inspect
from equipoise.cli.judge import judge
from equipoise.cli.lab import lab
from equipoise.cli.metrics import metrics
from equipoise.cli.old_options import show_old_names_as_notes, with_standard_names
from equipoise.cli.play import play
from equipoise.cli.report import report
from equipoise.cli.report_table import report_table
from equipoise.cli.runs import runs
from equipoise.cli.sample import sample
from equipoise.cli.sweep import sweep
from equipoise.cli.terminal import reporting_errors
from equipoise.cli.train import resume, train
from equipoise.cli.view import view

# Plain help and plain tracebacks: both are read in logs and in bug reports, where boxes and colours get in the way.
app = typer.Typer(
    name="equipoise",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"equipoise {version('equipoise')}")
        raise typer.Exit


@app.callback()
def equipoise(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Train a GAN on your own data, and ask with held-out data how far it is from equilibrium.

    \b
    Example: ten minutes on a folder of images, then 64 new ones, then the verdict.
      equipoise train cats/ --minutes 10 --outdir runs/cats
      equipoise sample runs/cats -n 64 -o new-cats/
      equipoise judge runs/cats

    \b
    Exit codes of every command:
      0    done (judge: not distinguished, or equivalent)
      1    unexpected error; please report it with its traceback
      2    bad usage or bad input; the message says what to do
      10   judge: distinguished          11  judge: too little data
      130  interrupted; train says how to resume
    """
    del version


for command in (
    train,
    resume,
    sample,
    export,
    judge,
    inspect,
    metrics,
    report,
    report_table,
    compare,
    sweep,
    runs,
    view,
    play,
    doctor,
    lab,
):
    app.command(command.__name__.replace("_", "-"))(reporting_errors(command))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that `arguments` name (those of the process by default), and exit."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without '≥' shows '?', which is better than a traceback
    show_old_names_as_notes()
    app(args=with_standard_names(sys.argv[1:] if arguments is None else arguments), prog_name="equipoise")
