"""`equipoise train` and `equipoise resume`: from data to a run folder."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from equipoise.cli.options import (
    AsJson,
    Background,
    Columns,
    Crop,
    Device,
    Kind,
    Minutes,
    Mirror,
    PageHost,
    PageNoBrowser,
    PagePort,
    Preset,
    Quiet,
    Rules,
    RunPath,
    Settings,
    Size,
    Steps,
    TrustCode,
    View,
    image_settings,
    positive,
    rule_settings,
    with_kind,
)
from equipoise.cli.progress import terminal_progress
from equipoise.cli.run_page import PageWanted, wanted_page, with_run_page
from equipoise.cli.terminal import print_json, readable_bytes, readable_seconds
from equipoise.errors import visible

if TYPE_CHECKING:
    from equipoise.experiment.config.schema import RunConfig
    from equipoise.experiment.forecast import Forecast
    from equipoise.experiment.generator import Gan
    from equipoise.training.progress import Progress


def train(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A folder or zip of images, a CSV, Parquet, .npy or .npz file, or a built-in name: "
            "digits, grid25, ring8, swiss-roll, mnist5k, diamonds.",
        ),
    ],
    outdir: Annotated[
        Path | None,
        typer.Option("--outdir", metavar="DIR", help="The new run folder.  [default: runs/NAME-NUMBER]"),
    ] = None,
    steps: Steps = None,
    minutes: Minutes = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="Seed of everything random.")] = None,
    device: Device = "auto",
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="A configuration, such as a run's config.yaml.")
    ] = None,
    settings: Settings = None,
    kind: Kind = None,
    size: Size = None,
    crop: Crop = None,
    mirror: Mirror = False,
    background: Background = None,
    columns: Columns = None,
    rules: Rules = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="COLUMN",
            help="Rows of a table with one value here belong together (visits of a patient): no group is split between "
            "training and tests. The column is taken out.",
        ),
    ] = None,
    sample_weight: Annotated[
        str | None,
        typer.Option(
            "--sample-weight",
            metavar="COLUMN",
            help="Column (or .npz array) that says how often each row is wanted; it is taken out of the data.",
        ),
    ] = None,
    balance: Annotated[
        Literal["none", "classes"] | None,
        typer.Option("--balance", help="Draw every class equally often in training."),
    ] = None,
    preset: Preset = None,
    on_collapse: Annotated[
        Literal["rollback", "stop", "continue"] | None,
        typer.Option(
            "--on-collapse",
            help="When an interim evaluation says that training has collapsed or diverged.  [default: continue]",
        ),
    ] = None,
    until: Annotated[
        Literal["not-distinguished"] | None,
        typer.Option("--until", help="End at the first interim evaluation that finds no difference."),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            "--margin",
            metavar="NATS",
            help="With --until: end only where a Jensen-Shannon divergence of this size would have been found.",
        ),
    ] = None,
    keep_best: Annotated[
        bool | None,
        typer.Option(
            "--keep-best/--no-keep-best",
            help="Keep the weights with the smallest estimated distance, for samples and verdict.  [default: in runs "
            "that are long enough for interim evaluations]",
        ),
    ] = None,
    table_report: Annotated[
        bool | None,
        typer.Option(
            "--table-report/--no-table-report",
            help="Measure a table's rows in the end, as report-table does: seconds.  [default: with the verdict]",
        ),
    ] = None,
    init_from: Annotated[
        Path | None,
        typer.Option(
            "--init-from",
            metavar="RUN",
            help="Begin with the weights of this run (or of a folder of 'equipoise export'), as far as they fit.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the whole configuration and a forecast; train nothing.")
    ] = False,
    view: View = False,
    port: PagePort = None,
    host: PageHost = None,
    no_browser: PageNoBrowser = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a generator on DATA.

    The new run folder holds settings, measurements, samples, checkpoints and a report. With neither --steps nor
    --minutes a run has the steps of its preset; on a CPU no more than fit into 30 minutes.

    \b
    Example: two minutes on handwritten digits that come with scikit-learn.
      equipoise train digits --minutes 2 --outdir runs/digits

    \b
    Example: see everything that would be used, change it, and train with it.
      equipoise train cats/ --dry-run > cats.yaml
      equipoise train cats/ --config cats.yaml --set objective.name=hinge

    Ctrl-C stops after the current step with a checkpoint, says how to resume, and exits with 130; a second Ctrl-C
    stops at once.
    """
    positive("--margin", margin)
    page = wanted_page(view, port=port, host=host, no_browser=no_browser)
    from equipoise.data.tables.describing import columns_described, columns_text, rules_described
    from equipoise.distributed import process_group
    from equipoise.experiment.forecast import forecast_config
    from equipoise.experiment.judge.during_training import evaluation_settings
    from equipoise.experiment.prepare import plan_run
    from equipoise.experiment.run_length import MOST_MINUTES
    from equipoise.experiment.train import train as train_configuration

    group = process_group()
    asked = [*with_kind(settings, kind), *image_settings(size, crop, mirror, background), *rule_settings(rules)]
    if sample_weight is not None:
        asked.append(f"data.sample_weight={json.dumps(sample_weight)}")  # quoted: a column may be called '1'
    if group_by is not None:
        asked.append(f"data.group={json.dumps(group_by)}")
    if balance is not None:
        asked.append(f"data.balance={balance}")
    if on_collapse is not None:
        asked.append(f"recovery.on_collapse={on_collapse}")
    if init_from is not None:
        asked.append(f"training.init_from={json.dumps(str(init_from))}")
    if table_report is not None:
        asked.append(f"outputs.table_report={str(table_report).lower()}")
    asked += evaluation_settings(until, margin, keep_best)
    if group.is_main:
        # Thousands of pictures take a while to read, and a step of large ones to time: nobody should wait in the dark.
        terminal_progress(quiet=quiet).message(f"reading {data} and timing a few steps")
    planned = plan_run(
        data,
        config_file=config,
        settings=asked,
        columns_file=columns,
        steps=steps,
        minutes=minutes,
        seed=seed,
        device=device,
        preset_wanted=preset,
        most_minutes=MOST_MINUTES,
    )
    if dry_run:
        chosen, forecast = forecast_config(planned)
        if group.is_main:
            show_plan(chosen, forecast, remark=planned.remark, as_json=as_json)
        return
    described = columns_described(planned.data)

    def run(progress: Progress) -> Gan:
        if planned.remark:
            progress.message(planned.remark)
        if described:
            progress.message(columns_text(described))
        for sentence in rules_described(planned.data):
            progress.message(f"rule {sentence}")
        return train_configuration(planned.config, outdir, data=planned.data, progress=progress)

    watch(run, page=page, as_json=as_json, quiet=quiet)


def resume(
    run: RunPath,
    steps: Steps = None,
    minutes: Minutes = None,
    trust_code: TrustCode = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Go on although settings, data, torch or the device have changed; recorded."),
    ] = False,
    view: View = False,
    port: PagePort = None,
    host: PageHost = None,
    no_browser: PageNoBrowser = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Continue a run from its last checkpoint.

    A stopped run goes on as if it had never stopped; a finished one is made longer with --steps or --minutes.
    Anything else that decides the result has to be as it was when the run began.

    \b
    Example: continue, then add steps up to 20,000 in all.
      equipoise resume runs/digits
      equipoise resume runs/digits --steps 20000
    """
    page = wanted_page(view, port=port, host=host, no_browser=no_browser)
    from equipoise.experiment.resume import resume as resume_run

    watch(
        lambda progress: resume_run(
            run, steps=steps, minutes=minutes, trust_code=trust_code, force=force, progress=progress
        ),
        page=page,
        as_json=as_json,
        quiet=quiet,
    )


def watch(run: Callable[[Progress], Gan], *, page: PageWanted | None, as_json: bool, quiet: bool) -> None:
    """Show how far a run has come while it trains, and in the end what it made; of many processes, the first one."""
    from equipoise.distributed import process_group

    is_main = process_group().is_main
    progress = terminal_progress(quiet=quiet or not is_main)
    with with_run_page(progress, page) as shown:
        try:
            gan = run(shown)
        finally:
            progress.close()
    if is_main:
        show_run(gan, as_json=as_json)


def show_plan(config: RunConfig, forecast: Forecast, *, remark: str, as_json: bool) -> None:
    """The configuration as YAML with the forecast in comments: what is printed can be given to --config."""
    numbers = forecast.to_json()
    if as_json:
        print_json({"config": config.to_dict(), "forecast": numbers, "remark": remark})
        return
    print(config.to_yaml().rstrip())
    print("#")
    print("# Forecast, from a few timed steps:" if forecast.seconds is not None else "# Forecast, from sizes alone:")
    for line in forecast_lines(numbers):
        print(f"#   {line}")
    if remark:
        print("#\n" + textwrap.fill(remark, 100, initial_indent="# ", subsequent_indent="# "))


def forecast_lines(forecast: dict[str, Any]) -> list[str]:
    """The forecast in words, one quantity a line."""
    networks = ", ".join(f"{name} {count:,}" for name, count in forecast["parameters"].items())
    time = (
        f"not known: a step finds no room in memory; {forecast['steps']:,} steps"
        if forecast["seconds"] is None
        else f"{readable_seconds(forecast['seconds'])} for {forecast['steps']:,} steps "
        f"of {forecast['seconds_per_step'] * 1000:.2f} ms"
    )
    return [
        f"time      {time}",
        f"memory    {readable_bytes(forecast['memory_bytes'])}",
        f"disk      {readable_bytes(forecast['disk_bytes'])}",
        f"networks  {networks} parameters",
        *(f"trouble   {line.strip()}" for line in visible(forecast["trouble"]).splitlines()),
    ]


def show_run(gan: Gan, *, as_json: bool) -> None:
    """What the run made and where it is."""
    from equipoise.reports import list_runs
    from equipoise.reports.reading import read_run
    from equipoise.reports.table_report_lines import head_lines
    from equipoise.reports.weights import weights_phrase
    from equipoise.runfolder import RunFolder

    folder = RunFolder(Path(gan.folder))
    (summary,) = list_runs(folder.path)
    record = read_run(folder.path)
    weights = weights_phrase(record)
    grids = folder.sample_steps(".png")
    grid_image = folder.sample_file(gan.step if gan.step in grids else grids[-1], ".png") if grids else None
    report = folder.report if folder.report.is_file() else None
    if as_json:
        print_json(
            {
                "run": str(folder.path),
                "samples": None if grid_image is None else str(grid_image),
                "report": None if report is None else str(report),
                "table_report": None if not record.table_report else str(folder.table_report),
                "step": gan.step,
                "status": folder.read_status(),
            }
        )
        return
    print(f"run      {visible(str(folder.path))}  ({visible(summary.condition)} at step {summary.step})")
    if weights:
        print(f"weights  {visible(weights)}")
    if grid_image is not None:
        print(f"samples  {grid_image}")
    if report is not None:
        print(f"report   {report}")
    if summary.verdict:
        print(f"verdict  {visible(summary.verdict)}  (more: equipoise judge {folder.path})")
    lines = head_lines(record.table_report)
    for word, text in lines:
        print(visible(f"{word:<8} {text}"))
    if gan.space.kind == "table" and not lines:
        print(f"table    how faithful, useful and private: equipoise report-table {folder.path}")
