"""A report on a synthetic table of any origin: how faithful, how useful and how private it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from equipoise.data import DataOptions, Dataset, aligned, load
from equipoise.data.domain import refuse_other_kind
from equipoise.errors import DataError, InputError, nearest
from equipoise.experiment.generator import Gan
from equipoise.experiment.judge.datasets import as_stated, drawn, named_side, options_like, some_of
from equipoise.experiment.judge.run import run_data
from equipoise.experiment.loading import load as load_generator
from equipoise.experiment.weighted_density import thinned_rows
from equipoise.metrics.tables.report import MOST_PICTURES, TableReport, measure_table
from equipoise.metrics.tables.sides import Sides, sides_of
from equipoise.metrics.tables.usefulness import MOST_CLASSES, Target, as_target, detected_target, values_of
from equipoise.randomness import Stream, derived_seed, numpy_stream
from equipoise.reports.table_report import write_table_report
from equipoise.runfolder import RunFolder

MOST_ROWS = 20_000
"""A side that columns, pairs and trees are measured on."""
MOST_OF_A_RUN = 40_000
"""Training rows and samples of a run."""
FEWEST_ROWS = 20
FEW_ROWS, FEW_CELLS, FEW_PICTURES = 1_000, 100_000, 24
"""After training: rows a side, or more where these many cells make more; and pictures of columns."""
OF_SELECTION = (
    "these are rows of the selection part, which no network was fitted to; interim evaluations chose the weights on "
    "them, so that the figures describe and prove nothing. The final part stays the verdict's alone."
)
ROLES = ("real", "synthetic", "train", "unused")


def report_table(
    real: Any,
    synthetic: Any,
    *,
    train: Any = None,
    unused: Any = None,
    target: str | None = None,
    drop: Sequence[str] = (),
    missing: Sequence[str] = (),
    day_first: bool | None = None,
    columns: Mapping[str, str] | None = None,
    seed: int = 0,
    page: Path | str | None = None,
    tell: Callable[[str], None] | None = None,
) -> TableReport:
    """Measure how faithful, how useful and how private a synthetic table is.

    Beside the synthetic rows stand unused real rows, columns drawn independently of each other, and a copy of the
    training rows. None of the figures is a verdict: `judge` gives one.

    Args:
        real: real rows: a path, a built-in name or a DataFrame. With `unused` and without `train` they are those that
            the generator was trained on; with `train` those that it was not.
        synthetic: rows of any origin with the same columns.
        train: rows that the generator was trained on.
        unused: further real rows that it was not trained on.
        target: the column that a model predicts, to see what training on synthetic rows is worth; detected when left
            out.
        drop: columns that are left out, such as keys.
        missing: what means in a text file that a value is missing, beyond blanks, NA and the like.
        day_first: whether dates such as 01/02/2024 begin with the day, where the file does not show it.
        columns: kinds of columns by name, where reading would decide otherwise; `drop` leaves one out.
        seed: draws the rows and folds.
        page: of a file, an HTML page that the report is also written to.
        tell: is told what is measured next.

    Raises:
        DataError: a side cannot be read, has fewer than 20 rows, or has other columns than the real one.
        InputError: there is no column of the target's name, or it cannot be a target.
    """
    reading = DataOptions(
        kind="table",
        keep_gaps=True,
        drop=tuple(drop),
        missing=tuple(missing),
        day_first=day_first,
        columns=dict(columns or {}),
    )
    given = dict(zip(ROLES, (real, synthetic, train, unused), strict=True))
    data = _loaded({role: source for role, source in given.items() if source is not None}, reading, seed=seed)
    found = _measured(data, target=target, seed=seed, tell=tell)
    if page is not None:
        write_table_report(found.to_json(), page)
    return found


def report_table_of_run(
    folder: Path | str,
    *,
    target: str | None = None,
    checkpoint: Literal["best", "last"] | None = None,
    trust_code: bool = False,
    seed: int = 0,
    tell: Callable[[str], None] | None = None,
) -> TableReport:
    """As `report_table`, of the generator of a run on a table.

    Its rows are compared with the selection part, which no network was fitted to; the final part stays untouched for
    the verdict. What is found is kept in `table_report.json` in the run folder, and shown in the run's report.

    Raises:
        InputError: the run is not on a table, or as `report_table`.
        RunFolderError: the data have changed since the run began.
    """
    return report_table_of_gan(
        load_generator(folder, checkpoint=checkpoint, trust_code=trust_code), target=target, seed=seed, tell=tell
    )


def report_table_of_gan(
    gan: Gan,
    *,
    target: str | None = None,
    is_short: bool = False,
    seed: int = 0,
    tell: Callable[[str], None] | None = None,
) -> TableReport:
    """As `report_table_of_run`, for a generator in memory.

    Args:
        gan: of a run on a table.
        target: as in `report_table`.
        is_short: whether so few rows and pictures are enough that it takes seconds, as after every training.
        seed: draws the rows and folds.
        tell: is told what is measured next.
    """
    run = RunFolder(gan.folder)
    if gan.space.kind != "table":
        raise InputError(
            str(run.path), f"the run is on {gan.space.kind}.", "Expected a run on a table.", "Use 'equipoise metrics'."
        )
    data = gan.data if gan.data is not None else run_data(gan, run)
    parts = {
        name: data.raw.rows(drawn(thinned_rows(gan.config, data, name), MOST_OF_A_RUN, seed=seed))
        for name in ("selection", "train")
    }
    seed_of_samples = derived_seed(seed, Stream.TABLE_REPORT_SAMPLES, gan.step)
    fake = gan.sample_raw(min(MOST_OF_A_RUN, max(MOST_ROWS // 2, len(parts["train"]))), seed=seed_of_samples)
    sources = {
        "real": replace(parts["selection"], source="the selection part of the data", notes=()),
        "synthetic": replace(fake, source=f"the generator after step {gan.step:,}", notes=()),
        "train": replace(parts["train"], source="the training part of the data", notes=()),
    }
    sources["real"] = replace(sources["real"], notes=(OF_SELECTION,))
    short = {"most_rows": _few_rows(sources["real"]), "most_pictures": FEW_PICTURES} if is_short else {}
    found = _measured(sources, target=target, seed=seed, tell=tell, **short)
    run.write_json(run.table_report, {**found.to_json(), "step": gan.step})
    return found


def _few_rows(data: Dataset) -> int:
    """Rows a side that are measured in seconds, however many columns there are."""
    return max(FEW_ROWS, FEW_CELLS // max(1, len(data.values.columns)))


def _measured(
    data: Mapping[str, Dataset],
    *,
    target: str | None,
    seed: int,
    tell: Callable[[str], None] | None,
    most_rows: int = MOST_ROWS,
    most_pictures: int = MOST_PICTURES,
) -> TableReport:
    """The report on sides that have been read."""
    for role, each in data.items():
        if len(each) < FEWEST_ROWS:
            raise DataError(
                f"{each.source} ({role} rows)",
                f"there are {len(each)} rows.",
                f"Expected at least {FEWEST_ROWS}; fewer say nothing.",
                "Give more rows.",
            )
    frames, notes = _aligned(data)
    names = [str(name) for name in data["real"].values.columns]
    order = [name for name in names if name in frames["real"].columns]
    order += [name for name in frames["real"].columns if name not in order]
    frames = {role: frame[order] for role, frame in frames.items()}
    if target is not None and target not in order:
        raise InputError(
            "--target",
            f"there is no column '{target}' in {data['real'].source}.{nearest(target, order)}",
            f"The columns are: {', '.join(order[:20])}{', ...' if len(order) > 20 else ''}.",
            "Write one of them.",
        )
    sides = sides_of(
        frames["real"],
        frames["synthetic"],
        train=frames.get("train"),
        unused=frames.get("unused"),
        most=min(most_rows, MOST_ROWS),
        stream=numpy_stream(seed, Stream.TABLE_REPORT_ROWS),
    )
    return measure_table(
        sides,
        sources={role: each.source for role, each in data.items()},
        rows={role: len(frame) for role, frame in frames.items()},
        target=_target(sides, target),
        notes=notes,
        seed=derived_seed(seed, Stream.TABLE_REPORT_TREES) % 2**32,
        stream=numpy_stream(seed, Stream.TABLE_REPORT_DISTANCES),
        most_pictures=most_pictures,
        tell=tell,
    )


def _loaded(sources: Mapping[str, Any], reading: DataOptions, *, seed: int) -> dict[str, Dataset]:
    """Every side as a table, read with the types of the real one."""
    real = as_stated(load(sources["real"], options=reading), reading.columns)
    found = {"real": real}
    for role, source in sources.items():
        if role != "real":
            found[role] = load(source, options=options_like(real, reading))
            refuse_other_kind(real, found[role])
    if real.kind != "table":
        raise DataError(
            named_side(sources["real"]), f"it holds {real.kind}.", "Expected a table.", "Use 'equipoise metrics'."
        )
    return {role: some_of(data, seed=seed) for role, data in found.items()}


def _aligned(data: Mapping[str, Dataset]) -> tuple[dict[str, pd.DataFrame], tuple[str, ...]]:
    """All sides with the same columns in the same types, and notes on how they were read."""
    real = data["real"]
    others = {role: each for role, each in data.items() if role != "real"}
    notes = [f"{role}: {note}" for role, each in data.items() for note in each.notes]
    for each in others.values():
        found = aligned(real, each)  # one by one first: a message names the side that it is about
        notes += [note for note in found.notes if note not in notes]
        notes += [
            f"{misfit.rows:,} rows of {each.source if misfit.side != 'real' else real.source} hold no {misfit.kind} in "
            f"'{misfit.column}', such as '{misfit.values[0]}'; they count as missing, and as a column of their own."
            for misfit in found.misfits
        ]
    together = pd.concat([each.values.rename(columns=str) for each in others.values()], ignore_index=True)
    found = aligned(real, replace(next(iter(others.values())), values=together, labels=None, weights=None))
    ends = np.cumsum([len(each) for each in others.values()])
    parts = {
        role: found.fake.iloc[stop - len(each) : stop].reset_index(drop=True)
        for (role, each), stop in zip(others.items(), ends, strict=True)
    }
    return {"real": found.real, **parts}, tuple(dict.fromkeys(notes))


def _target(sides: Sides, name: str | None) -> Target | None:
    """The column that is predicted.

    Raises:
        InputError: the named one is constant, or has more levels than can be predicted.
    """
    if name is None:
        return detected_target(sides.real)
    found = as_target(sides.real, name)
    values = values_of(sides.real.columns[name])
    if values < 2:
        raise InputError(
            f"--target {name}", "the column has one value or none.", "Expected at least two.", "Name another column."
        )
    if not found.is_number and values > MOST_CLASSES:
        raise InputError(
            f"--target {name}",
            f"the column has {values:,} levels.",
            f"Expected a number, or at most {MOST_CLASSES} levels.",
            "Name another column, or leave --target out.",
        )
    return found
