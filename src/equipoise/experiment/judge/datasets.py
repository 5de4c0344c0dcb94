"""Two sets of data of any origin, brought to one form and handed to the referee."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.data import DataOptions, Dataset, aligned, domain_of, load
from equipoise.data.dataset import Aligned, Misfit
from equipoise.data.domain import refuse_other_kind
from equipoise.data.store.cache import ABOUT_ROOM, cache_folder
from equipoise.data.tables.domain import types_of
from equipoise.errors import DataError, EquipoiseError
from equipoise.experiment.judge.grouping import taken_out
from equipoise.experiment.out_of_memory import explaining_memory_of_verdict
from equipoise.old_names import with_old_keywords
from equipoise.randomness import Stream, numpy_stream
from equipoise.referee import Verdict, judge
from equipoise.referee.base import Finding, Tell
from equipoise.referee.cross_fitting import FOLDS
from equipoise.referee.two_sample_test import SensitivityPlan

MOST_SAMPLES = 40_000
"""Per side: a referee with more would be slow, and finds differences that few people care about."""
MOST_NUMBERS = 60_000_000
"""Pixels and coordinates per side: 19,531 colour images of 32 x 32. The referee's memory grows with them; 40,000 such
images took 4.4 GB (benchmarks/large_data.py)."""


@with_old_keywords
def judge_sources(
    real: Any,
    fake: Any,
    *,
    confidence: float = 0.95,
    margin: float | None = None,
    seed: int = 0,
    folds: int | None = None,
    sensitivity: SensitivityPlan = "auto",
    cache: Path | None = None,
    extractor: Any = None,
    drop: Sequence[str] = (),
    missing: Sequence[str] = (),
    day_first: bool | None = None,
    columns: Mapping[str, str] | None = None,
    group: str | tuple[Any, Any] | None = None,
    tell: Tell | None = None,
) -> Verdict:
    """Whether fresh classifiers can tell `real` from `fake`, on rows that none of them was trained on.

    This is a classifier two-sample test.

    Args:
        real: a path, a built-in name, an array, a tensor, a DataFrame or a torch data set.
        fake: the same kind of thing; images are brought to the size of the real ones, columns to their order.
        confidence: probability with which the bound on the Jensen-Shannon divergence holds.
        margin: smallest divergence in nats that matters; needed for the conclusion `equivalent`.
        seed: decides how the referee splits the two sides.
        folds: classifiers that measure, by cross-fitting, how far apart distinguished sides are; 3 when left out. More
            of them prove more of the distance, and each takes about as long as the decision.
        sensitivity: how the minimum detectable effect is found: `theoretical` computes what a classifier that knew both
            densities would need, `quick` injects defects of each kind once per severity, `full` five times; `auto`
            takes what the cache has, and else is quick if there is a margin.
        cache: a folder that keeps measured sensitivities; the person's cache folder when left out.
        extractor: one frozen feature extractor of images or several: a function, an `.onnx` file, or a known name.
        drop: columns of tables that are left out on both sides, such as keys.
        missing: what means in a text file that a value is missing, beyond blanks, NA and the like.
        day_first: whether dates such as 01/02/2024 begin with the day, where the file does not show it.
        columns: kinds of columns of tables by name, where reading would decide otherwise; both sides are read so.
        group: a column of both tables whose rows belong together where it is equal, such as a patient; it is not judged
            itself. Or two arrays, with the group of each sample of either side.
        tell: is told what is measured (an injected defect; how far apart the sides are, where that takes long) and how
            many trials of it came before.

    Returns:
        The referee's verdict. It is about these two sets of rows as samples of two distributions: rows that
        depend on each other (frames of one film, copies) make it surer than it should be, unless `group` says which
        belong together. Of data so large that
        they stay on disk, at most 40,000 rows a side are drawn, and fewer large images.

    Raises:
        DataError: one side cannot be read, or the two sides are not the same kind of thing.
        ConfigError: an option is out of range.
        MissingExtra: the extractor needs a package that is not installed.
        OutOfMemory: there is no room for the data, or for the classifiers.
    """
    with explaining_memory_of_verdict(named(real, fake), again=""):
        real_data, fake_data = load_pair(
            real, fake, drop=drop, seed=seed, missing=missing, day_first=day_first, columns=columns
        )
        groups = None
        if group is not None:
            (real_data, fake_data), groups = taken_out(group, (real_data, fake_data))
        sides = aligned(real_data, fake_data)
        verdict = judge(
            sides.real,
            sides.fake,
            kind=real_data.kind,
            confidence=confidence,
            margin=margin,
            seed=seed,
            folds=FOLDS if folds is None else folds,
            extractor=extractor,
            sensitivity=sensitivity,
            cache=user_cache() if cache is None else cache,
            groups=groups,
            tell=tell,
            **_classes_of(real_data, fake_data),
        )
        verdict = replace(verdict, findings=(*_remarks(real_data, fake_data, sides), *verdict.findings))
        return traced(verdict, real_data, fake_data)


def load_pair(
    real: Any,
    fake: Any,
    *,
    drop: Sequence[str],
    seed: int,
    missing: Sequence[str] = (),
    day_first: bool | None = None,
    columns: Mapping[str, str] | None = None,
) -> tuple[Dataset, Dataset]:
    """Both sides, read as the same kind of data; of data on disk, as many rows as a verdict is made from.

    Raises:
        DataError: one side cannot be read, or the two sides are not the same kind of thing.
    """
    # Missing values in points are told to the reader; only players cannot take them.
    reading = DataOptions(
        keep_gaps=True,
        drop=tuple(drop),
        missing=tuple(missing),
        day_first=day_first,
        columns=dict(columns or {}),
    )
    real_data = as_stated(load(real, options=reading), reading.columns)
    fake_data = _loaded_like(fake, real_data, reading)
    return some_of(real_data, seed=seed), some_of(fake_data, seed=seed)


def as_stated(real: Dataset, columns: Mapping[str, str]) -> Dataset:
    """The real side with the columns that the person calls categories as such: text of numbers would be compared as
    the numbers."""
    levels = [name for name, kind in columns.items() if kind == "category"]
    if not levels or not hasattr(real.values, "assign"):
        return real
    frame = real.values
    wanted = [name for name in frame.columns if str(name) in levels]
    return replace(real, values=frame.assign(**{str(name): frame[name].astype("category") for name in wanted}))


def _remarks(real: Dataset, fake: Dataset, sides: Aligned) -> Iterator[Finding]:
    """What a person should know of how both sides were read: files that were skipped, images that were scaled."""
    for name, side in (("Real", real), ("Generated", fake)):
        for note in (note for note in side.notes if not note.startswith(ABOUT_ROOM)):
            yield Finding("inputs", f"{name} side: {note}")
    yield from (Finding("inputs", text) for text in sides.notes)
    yield from (_misfit(each, len(real if each.side == "real" else fake)) for each in sides.misfits)


def _misfit(found: Misfit, rows: int) -> Finding:
    """Values of one side that are not of the kind of their column."""
    listed = ", ".join(f"'{value}'" for value in found.values)
    statement = (
        f"Column {found.column} holds a {found.kind}, and {found.rows:,} of {rows:,} {found.side} rows something else: "
        f"{listed}. They were compared as values that are missing, and as 'no {found.kind}'."
    )
    return Finding("inputs", statement, True, {"rows": found.rows, "share": found.rows / rows})


def traced(verdict: Verdict, real: Dataset, fake: Dataset) -> Verdict:
    """The verdict with its most discriminative samples named as the person knows them: by their number in the
    source, where a part of it was judged, and by their file."""
    sides = {"real": real, "generated": fake}

    def named_row(row: Mapping[str, object]) -> Mapping[str, object]:
        side = sides.get(str(row.get("side")))
        if side is None or "sample" not in row:
            return row
        place = int(row["sample"])  # type: ignore[call-overload]
        found: dict[str, object] = {"sample": place if side.places is None else int(side.places[place])}
        if side.files is not None:
            found["file"] = str(side.files[place])
        return {**row, **found}

    findings = (replace(each, rows=tuple(map(named_row, each.rows))) for each in verdict.findings)
    return replace(verdict, findings=tuple(findings))


def named(real: Any, fake: Any) -> str:
    """The two sides, for messages."""
    return f"{named_side(real)} and {named_side(fake)}"


def named_side(side: Any) -> str:
    """One side, for messages: its path, or what kind of object it is."""
    return str(side) if isinstance(side, (str, Path)) else f"a {type(side).__name__}"


def user_cache() -> Path | None:
    """Where sensitivities of two sets are kept: `resolution` in the folder that prepared data are kept in too.

    That is `$EQUIPOISE_CACHE`, else `equipoise` below `$XDG_CACHE_HOME`, else `~/.cache/equipoise`; `None` where there
    is no home folder.
    """
    try:
        return cache_folder() / "resolution"
    except RuntimeError:  # no home folder is known
        return None


def _classes_of(real: Dataset, fake: Dataset) -> dict[str, Any]:
    """Labels of both sides in the numbering of the real one, where both have them and the names agree."""
    if real.labels is None or fake.labels is None or not set(fake.label_names) <= set(real.label_names):
        return {}
    place = np.array([real.label_names.index(name) for name in fake.label_names], dtype=np.int64)
    return {"real_labels": real.labels, "fake_labels": place[fake.labels], "label_names": real.label_names}


def some_of(data: Dataset, *, seed: int) -> Dataset:
    """The data, or as many rows of data on disk as a verdict is made from."""

    if isinstance(data.values, np.ndarray) or hasattr(data.values, "iloc"):
        return data
    most = most_samples(int(np.prod(data.values.shape[1:])))
    return data.rows(drawn(np.arange(len(data)), most, seed=seed))


def _loaded_like(fake: Any, real: Dataset, reading: DataOptions) -> Dataset:
    """The other side read as the same kind of data; a source of another kind is told as such."""
    try:
        return load(fake, options=options_like(real, reading))
    except DataError:
        try:
            other = load(fake)
        except EquipoiseError:
            other = None
        if other is None:
            raise
        refuse_other_kind(real, other)
        raise


def options_like(real: Dataset, reading: DataOptions) -> DataOptions:
    """Options that read another source as the same kind of data: images at the same size, columns of the same types."""
    size = domain_of(real.kind).size_of(real.values)
    return replace(reading, kind=real.kind, image_size=size, like=types_of(real), made_up=real.made_up)


def most_samples(numbers: int) -> int:
    """Samples per side of a verdict, when each is so many numbers."""
    return min(MOST_SAMPLES, MOST_NUMBERS // numbers)


def at_most(part: Dataset, count: int, *, seed: int) -> Dataset:
    """The part, or `count` rows of it drawn without repetition."""
    return part if len(part) <= count else part.rows(drawn(np.arange(len(part)), count, seed=seed))


def drawn(rows: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """The numbers of rows, or `count` of them drawn without repetition, in their order."""
    if len(rows) <= count:
        return rows
    return rows[np.sort(numpy_stream(seed, Stream.VERDICT_ROWS).choice(len(rows), size=count, replace=False))]
