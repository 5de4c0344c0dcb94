"""`equipoise report-table`: how faithful, how useful and how private a synthetic table is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli.options import (
    AsJson,
    Columns,
    DayFirst,
    Last,
    Missing,
    Quiet,
    TrustCode,
)
from equipoise.cli.terminal import note, print_json, print_result
from equipoise.errors import InputError, visible

if TYPE_CHECKING:
    from equipoise.metrics.tables.report import TableReport

OF_FILES = ("--train", "--unused", "--drop", "--missing", "--columns")


def report_table(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="RUN | REAL SYNTHETIC", help="A run on a table, or real rows and synthetic ones."),
    ],
    train: Annotated[
        str | None,
        typer.Option("--train", metavar="FILE", help="The rows that the generator was trained on; REAL then were not."),
    ] = None,
    unused: Annotated[
        str | None,
        typer.Option(
            "--unused",
            metavar="FILE",
            help="Real rows that the generator never saw. Without --train, REAL are those that it was trained on.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target", metavar="COLUMN", help="What a model predicts to see how useful the rows are.  [default: found]"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE.html", help="The page.  [default: SYNTHETIC-report.html]"),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option("--drop", metavar="COLUMN", help="A column that is left out, such as a key; repeatable."),
    ] = None,
    missing: Missing = None,
    day_first: DayFirst = None,
    columns: Columns = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Chooses which rows are compared.")] = 0,
    last: Last = False,
    quiet: Quiet = False,
    trust_code: TrustCode = False,
    as_json: AsJson = False,
) -> None:
    """Say whether a synthetic table can be used: how faithful, how useful and how private it is.

    Columns, pairs of columns, boosted trees, a model trained on synthetic rows and tested on real ones, copies,
    distances and attacks; each beside unused real rows, independent columns and a copy of the training rows. The page
    needs no network, and holds no row. Of a run, its rows are compared with the selection part of the data; the figures
    are kept in the run folder, and its report shows them.

    \b
    Example: any two tables; with the rows that were and were not trained on, which the attacks need; a run.
      equipoise report-table real.csv synthetic.csv
      equipoise report-table train.csv synthetic.csv --unused unused.csv --target income -o report.html
      equipoise report-table runs/adult
    """

    def tell(what: str) -> None:
        note(f"measuring: {what}", quiet=quiet)

    if len(sources) == 1 and (Path(sources[0]) / "config.yaml").is_file():
        for option, given in zip(OF_FILES, (train, unused, drop, missing, columns), strict=True):
            if given:
                raise InputError(option, "a run has its data already.", "Expected two files.", "Leave it out.")
        found, page = _of_run(
            sources[0], target=target, last=last, trust_code=trust_code, seed=seed, tell=tell, output=output
        )
    else:
        if len(sources) != 2:
            raise InputError(
                "report-table",
                f"{len(sources)} source{'s are' if len(sources) > 1 else ' is'} given, and no run folder.",
                "Expected a run folder, or two tables: REAL SYNTHETIC.",
                "Say, for example: equipoise report-table real.csv synthetic.csv",
            )
        if last:
            raise InputError("--last", "tables have no checkpoints.", "Expected a run.", "Leave it out.")
        found, page = _of_tables(
            *sources,
            output=None
            if as_json and output is None
            else output or Path(f"{Path(sources[1]).stem or 'table'}-report.html"),
            columns=columns,
            options={
                "train": train,
                "unused": unused,
                "target": target,
                "drop": drop or (),
                "missing": missing or (),
                "day_first": day_first,
                "seed": seed,
                "tell": tell,
            },
        )
    if as_json:
        print_json(found.to_json())
    else:
        print_result(visible(found.to_text()))
    if page is not None:
        note(f"The page: {page}", quiet=quiet)


def _of_tables(
    real: str, synthetic: str, *, output: Path | None, columns: Path | None, options: dict[str, Any]
) -> tuple[TableReport, Path | None]:
    from equipoise.experiment.column_kinds import kinds_in
    from equipoise.experiment.table_report import report_table as measured

    kinds = kinds_in(columns)
    if output is not None:
        _check_place(output)
    return measured(real, synthetic, columns=kinds, page=output, **options), output


def _of_run(run: str, *, last: bool, output: Path | None, **options: Any) -> tuple[TableReport, Path | None]:
    from equipoise.experiment.table_report import report_table_of_run
    from equipoise.reports import write_report
    from equipoise.reports.table_report import write_table_report

    if output is not None:
        _check_place(output)
    found = report_table_of_run(run, checkpoint="last" if last else None, **options)
    page = write_report(run)
    if output is not None:
        page = write_table_report(found.to_json(), output, title=Path(run).resolve().name)
    return found, page


def _check_place(output: Path) -> None:
    """Refuse a page that could not be written, before the work is done.

    Raises:
        InputError: it is a folder, or in none.
    """
    if output.is_dir() or not output.parent.is_dir():
        found = "a folder is there" if output.is_dir() else f"there is no folder {output.parent}"
        raise InputError(f"-o {output}", f"{found}.", "Expected the name of a file.", "Choose another path.")
