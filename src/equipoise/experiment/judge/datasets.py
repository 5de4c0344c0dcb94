"""Two sets of data of any origin, brought to one form and handed to the referee."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from equipoise.errors import DataError, EquipoiseError

if TYPE_CHECKING:
    from equipoise.data import Dataset
    from equipoise.referee import Verdict
    from equipoise.referee.base import Finding

GREY, RGB = 1, 3
SensitivityPlan = Literal["auto", "theoretical", "quick", "full"]


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
    tell: Callable[[str, int], None] | None = None,
) -> Verdict:
    """Whether fresh discriminators can tell `real` from `fake`, on rows that none of them was fitted to.

    Args:
        real: a path, a built-in name, an array, a tensor, a DataFrame or a torch data set.
        fake: the same kind of thing; images are brought to the size of the real ones, columns to their order.
        confidence: probability with which the bound on the Jensen-Shannon divergence holds.
        margin: smallest divergence in nats that matters; needed for the conclusion `equivalent`.
        seed: decides how the referee splits the two sides.
        folds: discriminators that measure how far apart sides are that are told apart; 3 when left out. More of them
            prove more of the distance, and each takes about as long as the decision.
        resolution: how the smallest visible difference is found: `floor` computes what a perfect observer would need,
            `screen` plants defects of each kind once per size, `full` five times; `auto` takes what the cache has, and
            else screens if there is a margin.
        cache: a folder that keeps measured resolutions; the person's cache folder when left out.
        extractor: one frozen feature extractor of images or several: a function, an `.onnx` file, or a known name.
        drop: columns of tables that are left out on both sides, such as keys.
        tell: is told what is measured (a planted defect; how far apart the sides are, where that takes long) and how
            many trials of it came before.

    Returns:
        The referee's verdict. It is about these two sets of rows as samples of two distributions: rows that
        depend on each other (frames of one film, copies) make it surer than it should be. Of data so large that
        they stay on disk, at most 40,000 rows a side are drawn, and fewer large images.

    Raises:
        DataError: one side cannot be read, or the two sides are not the same kind of thing.
        ConfigError: an option is out of range.
        MissingExtra: the extractor needs a package that is not installed.
        OutOfMemory: there is no room for the data, or for the discriminators.
    """
    from equipoise.data import DataOptions, load
    from equipoise.experiment.out_of_memory import explaining_memory_of_verdict
    from equipoise.referee import judge
    from equipoise.referee.cross_fitting import FOLDS

    with explaining_memory_of_verdict(named(real, fake), again=""):
        # Missing values in points are for the referee to report; only players cannot take them.
        real_data = load(real, options=DataOptions(keep_gaps=True, drop=tuple(drop)))
        fake_data = _loaded_like(fake, real_data, drop=tuple(drop))
        real_data, fake_data = (some_of(side, seed=seed) for side in (real_data, fake_data))
        real_values, fake_values = aligned_values(real_data, fake_data)
        verdict = judge(
            real_values,
            fake_values,
            kind=real_data.kind,
            confidence=confidence,
            margin=margin,
            seed=seed,
            folds=FOLDS if folds is None else folds,
            extractor=extractor,
            sensitivity=sensitivity,
            cache=user_cache() if cache is None else cache,
            tell=tell,
            **_classes_of(real_data, fake_data),
        )
        verdict = replace(verdict, findings=(*_remarks(real_data, fake_data), *verdict.findings))
        return traced(verdict, real_data, fake_data)


def _remarks(real: Dataset, fake: Dataset) -> Iterator[Finding]:
    """What a person should know of how both sides were read: files that were skipped, images that were scaled."""
    from equipoise.data.store.cache import ABOUT_ROOM
    from equipoise.referee.base import Finding

    for name, side in (("Real", real), ("Generated", fake)):
        for note in (note for note in side.notes if not note.startswith(ABOUT_ROOM)):
            yield Finding("inputs", f"{name} side: {note}")
    if real.kind == "images" and real.values.shape[1] != fake.values.shape[1]:
        grey = "real" if real.values.shape[1] == GREY else "generated"
        yield Finding("inputs", f"The {grey} images are grey; they were read as colour, like the others.")


def traced(verdict: Verdict, real: Dataset, fake: Dataset) -> Verdict:
    """The verdict with the samples that give a side away named as the person knows them: by their number in the
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
    return " and ".join(
        str(side) if isinstance(side, (str, Path)) else f"a {type(side).__name__}" for side in (real, fake)
    )


def user_cache() -> Path | None:
    """Where resolutions of two sets are kept: `resolution` in the folder that prepared data are kept in too.

    That is `$EQUIPOISE_CACHE`, else `equipoise` below `$XDG_CACHE_HOME`, else `~/.cache/equipoise`; `None` where there
    is no home folder.
    """
    from equipoise.data.store.cache import cache_folder

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
    from equipoise.experiment.judge.run import drawn, most_samples

    if isinstance(data.values, np.ndarray) or hasattr(data.values, "iloc"):
        return data
    most = most_samples(int(np.prod(data.values.shape[1:])))
    return data.rows(drawn(np.arange(len(data)), most, seed=seed))


def _loaded_like(fake: Any, real: Dataset, *, drop: tuple[str, ...]) -> Dataset:
    """The other side read as the same kind of data; a source of another kind is told as such."""
    from equipoise.data import load

    try:
        return load(fake, options=options_like(real, drop=drop))
    except DataError:
        try:
            other = load(fake)
        except EquipoiseError:
            other = None
        if other is None or other.kind == real.kind:
            raise
        raise _of_other_kind(real, other) from None


def options_like(real: Dataset, *, drop: tuple[str, ...] = ()) -> Any:
    """Options that read another source as the same kind of data, images at the same size."""
    from equipoise.data import DataOptions

    size = tuple(int(side) for side in real.values.shape[2:]) if real.kind == "images" else None
    return replace(DataOptions(), kind=real.kind, image_size=size, keep_gaps=True, drop=drop)


def aligned_values(real: Dataset, fake: Dataset) -> tuple[Any, Any]:
    """Both sides' values with the same axes, channels and columns.

    Raises:
        DataError: they differ in kind, in number of coordinates, in columns or in transparency.
    """
    if real.kind != fake.kind:
        raise _of_other_kind(real, fake)
    if real.kind == "table":
        return real.values, _columns_like(real, fake)
    if real.kind == "points":
        return real.values, _coordinates_like(real, fake)
    return _same_channels(real, fake)


def _columns_like(real: Dataset, fake: Dataset) -> Any:
    missing = [str(name) for name in real.values.columns if name not in fake.values.columns]
    added = [str(name) for name in fake.values.columns if name not in real.values.columns]
    if missing or added:
        differences = [f"lacks {_some(missing)}"] * bool(missing) + [f"has {_some(added)} besides"] * bool(added)
        raise _unlike(real, fake, " and ".join(differences))
    return fake.values[list(real.values.columns)]


def _coordinates_like(real: Dataset, fake: Dataset) -> np.ndarray:
    if real.values.shape[1] != fake.values.shape[1]:
        found = f"has points of {fake.values.shape[1]} coordinates, {real.source} of {real.values.shape[1]}"
        raise _unlike(real, fake, found)
    if real.names and fake.names and set(real.names) == set(fake.names):
        return fake.values[:, [fake.names.index(name) for name in real.names]]
    return fake.values


def _same_channels(real: Dataset, fake: Dataset) -> tuple[np.ndarray, np.ndarray]:
    channels = (real.values.shape[1], fake.values.shape[1])
    if channels in ((GREY, RGB), (RGB, GREY)):
        # Grey as red = green = blue: no information is lost, and colour that should not be there is seen.
        return _in_colour(real.values), _in_colour(fake.values)
    if channels[0] != channels[1]:
        raise _unlike(real, fake, f"has images of {channels[1]} channels, {real.source} of {channels[0]}")
    return real.values, fake.values


def _in_colour(images: np.ndarray) -> np.ndarray:
    return np.repeat(images, RGB, axis=1) if images.shape[1] == GREY else images


def _of_other_kind(real: Dataset, fake: Dataset) -> DataError:
    words = {"table": "a table", "points": "points", "images": "images"}
    return _unlike(real, fake, f"holds {words[fake.kind]}, while {real.source} holds {words[real.kind]}")


def _unlike(real: Dataset, fake: Dataset, found: str) -> DataError:
    return DataError(
        fake.source,
        f"{found}.",
        f"Expected samples of the same kind as those in {real.source}.",
        "Bring both sides to one form; what only one side has would tell them apart by itself.",
    )


def _some(names: list[str]) -> str:
    listed = ", ".join(f"'{name}'" for name in names)
    return f"the column{'s' if len(names) > 1 else ''} {listed}"
