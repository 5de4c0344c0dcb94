"""`equipoise judge`: can anybody still tell real from generated?"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli.options import (
    AsJson,
    Columns,
    Confidence,
    DayFirst,
    Last,
    Margin,
    Missing,
    Quiet,
    TrustCode,
    positive,
    probability,
)
from equipoise.cli.progress import injection_progress
from equipoise.cli.terminal import print_json, print_result
from equipoise.errors import InputError, StorageError, visible

if TYPE_CHECKING:
    from equipoise.referee import Verdict
    from equipoise.referee.ranking import Ranking


class SensitivityChoice(StrEnum):
    """Ways to say how small a difference would have been found."""

    AUTO = "auto"
    THEORETICAL = "theoretical"
    QUICK = "quick"
    FULL = "full"


def judge(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN | REAL FAKE...",
            help="A run folder, or real data and one or more generated sets of any origin.",
            show_default=False,
        ),
    ] = None,
    confidence: Confidence = 0.95,
    margin: Margin = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the referee's splits and samples.")] = 0,
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds",
            metavar="N",
            show_default="3",
            help="Classifiers that measure how far apart two sets are, once they are distinguished (cross-fitting). "
            "More of them prove more of the distance, up to 20; each takes about as long as the decision.",
        ),
    ] = None,
    sensitivity: Annotated[
        SensitivityChoice,
        typer.Option(
            "--sensitivity",
            help="How the minimum detectable difference is found: computed (theoretical), or measured by injecting "
            "defects into real data once (quick; 25 verdicts' time, 60 for tables) or five times (full). auto: what "
            "was measured before, else quick with --margin or where it takes at most a tenth of a run's time, else "
            "theoretical. What was measured is kept in the run folder, or in the user's cache folder.",
        ),
    ] = SensitivityChoice.AUTO,
    extractor: Annotated[
        list[str] | None,
        typer.Option(
            "--extractor",
            metavar="FILE.onnx",
            help="A frozen feature extractor of images, asked beside the others.",
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option("--drop", metavar="COLUMN", help="A column of both tables that is left out, such as a key."),
    ] = None,
    missing: Missing = None,
    day_first: DayFirst = None,
    columns: Columns = None,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="COLUMN",
            help="A column of both tables whose rows belong together where it is equal, such as a patient: each group "
            "counts as one sample. It is not judged itself.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Also write verdict.json, verdict.txt, verdict.png and most_discriminative.csv there; of several "
            "generated sets ranking.json, ranking.txt, ranking.png and a folder for each.",
        ),
    ] = None,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan",
            help="Judge nothing: say how many samples a verdict needs for --margin; of real DATA also by injecting "
            "defects into them, which takes minutes.",
        ),
    ] = False,
    last: Last = False,
    quiet: Quiet = False,
    trust_code: TrustCode = False,
    as_json: AsJson = False,
) -> None:
    """Say whether real and generated can be distinguished.

    A classifier two-sample test: fresh classifiers are asked, on samples that neither they nor the run were fitted to.
    Of several generated sets each is judged at its share of the error, and they are ranked by how far they are.

    \b
    Example: a run against its held-out data; two folders, whoever made the second one; three generators; a plan.
      equipoise judge runs/digits
      equipoise judge photos/ generated/ --margin 0.01 --out verdict/
      equipoise judge real.csv one.csv two.csv three.csv
      equipoise judge --plan --margin 0.01

    \b
    Exit codes:
      0    not distinguished (no difference was found; the text says how small a one could have been)
           or equivalent (a difference as large as --margin would have been found)
      10   distinguished: they differ, by at least the printed bound
      11   too little data to see differences of the size asked for
      Of several generated sets: 10 if any is distinguished, else 11 if any has too little data, else 0.
    """
    probability("--confidence", confidence)
    positive("--margin", margin)
    if plan:
        for option, given in (
            ("--group", group),
            ("--out", out),
            ("--folds", folds),
            ("--extractor", extractor),
            ("--columns", columns),
        ):
            if given:
                raise InputError(option, "--plan judges nothing.", "Expected no such option.", "Leave it out.")
        _plan(sources or [], confidence, margin, drop, missing, day_first, quiet=quiet, as_json=as_json)
        return
    if not sources:
        raise InputError(
            "judge",
            "nothing is given to judge.",
            "Expected a run folder, or sets of data: REAL FAKE.",
            "Say, for example: equipoise judge real.csv generated.csv",
        )
    if len(sources) > 2 and (run := next((each for each in sources if (Path(each) / "config.yaml").is_file()), None)):
        raise InputError(
            "judge",
            f"{len(sources)} sources are given, and {run} is a run folder.",
            "Expected one run folder, or sets of data: REAL FAKE FAKE...",
            "Use 'equipoise compare RUN RUN...' to see several runs side by side.",
        )
    if len(sources) == 1 and Path(sources[0]).is_file():
        raise InputError(
            sources[0],
            "this is one set of data.",
            "Expected a run folder, or two sets: REAL FAKE.",
            f"Name what it is to be compared with: equipoise judge {sources[0]} FAKE",
        )
    if drop and len(sources) == 1:
        raise InputError("--drop", "a run has its columns already.", "Expected two sets of data.", "Leave it out.")
    if columns is not None and len(sources) == 1:
        raise InputError("--columns", "a run has its columns already.", "Expected two sets of data.", "Leave it out.")
    if folds is not None and len(sources) == 1:
        raise InputError(
            "--folds",
            "a run's distance is measured on its final part alone, which no classifier is trained on.",
            "Expected two sets of data.",
            "Leave it out.",
        )
    if group is not None and len(sources) == 1:
        raise InputError("--group", "a run has no groups.", "Expected two sets of data.", "Leave it out.")
    if last and len(sources) > 1:
        raise InputError("--last", "sets of data have no checkpoints.", "Expected a run.", "Leave it out.")
    if out is not None:
        make_folder(out, option="--out")  # before the work is done, not after it
    common = {
        "confidence": confidence,
        "margin": margin,
        "seed": seed,
        "sensitivity": sensitivity.value,
        "extractor": extractor or None,
    }
    with injection_progress(quiet=quiet) as tell:
        if len(sources) > 1:
            from equipoise.experiment.column_kinds import kinds_in

            reading = {
                "drop": drop or (),
                "missing": missing or (),
                "day_first": day_first,
                "columns": kinds_in(columns),
            }
            outcome = _judge_sets(sources[0], sources[1:], **common, **reading, folds=folds, group=group, tell=tell)
        else:
            from equipoise.experiment.judge.run_folder import judge_run

            outcome = judge_run(
                sources[0], **common, checkpoint="last" if last else None, trust_code=trust_code, tell=tell
            )
    if as_json:
        print_json(outcome.to_json())
    else:
        print_result(visible(outcome.to_text()))
    if out is not None:
        try:
            outcome.save(out)
        except StorageError as error:
            # The verdict has been printed: of the files that could not be written stderr alone speaks.
            print(error, file=sys.stderr, flush=True)
            raise typer.Exit(error.exit_code) from None
    raise typer.Exit(outcome.exit_code)


def _plan(
    sources: list[str],
    confidence: float,
    margin: float | None,
    drop: list[str] | None,
    missing: list[str] | None,
    day_first: bool | None,
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    """Print how many samples a verdict needs."""
    from equipoise.experiment.judge.plan import plan_sources

    if len(sources) > 1:
        raise InputError(
            "--plan",
            f"{len(sources)} sources are given.",
            "Expected none, or one set of real data.",
            "Name the real data alone.",
        )
    with injection_progress(quiet=quiet) as tell:
        found = plan_sources(
            sources[0] if sources else None,
            margin=margin,
            confidence=confidence,
            drop=drop or (),
            missing=missing or (),
            day_first=day_first,
            tell=tell,
        )
    if as_json:
        print_json(found.to_json())
    else:
        print_result(visible(found.to_text()))


def _judge_sets(real: str, fakes: list[str], **options: Any) -> Verdict | Ranking:
    """The verdict on one generated set, or the ranking of several."""
    if len(fakes) > 1:
        from equipoise.experiment.judge.several import judge_several

        return judge_several(real, fakes, **options)
    from equipoise.experiment.judge.datasets import judge_sources

    return judge_sources(real, fakes[0], **options)


def make_folder(path: Path, *, option: str) -> None:
    """Make the folder that files will be written to.

    Raises:
        InputError: something else is there, or it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        found = "a file is there" if path.is_file() else (error.strerror or str(error)).lower()
        raise InputError(
            f"{option} {path}", f"{found}.", "Expected a folder, or a name for a new one.", "Choose another path."
        ) from error
