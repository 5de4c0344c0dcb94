"""Metrics of generated samples against real ones: two sets of any origin, or a run's generator against held-out
rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from equipoise.data import Dataset, PreparedData, aligned_values, domain_of
from equipoise.errors import ConfigError, InputError
from equipoise.experiment.generator import Gan
from equipoise.experiment.judge.datasets import drawn, load_pair, most_samples
from equipoise.experiment.judge.run import run_data
from equipoise.experiment.loading import load
from equipoise.experiment.weighted_density import thinned_rows
from equipoise.features.embedding import Extractor, embedding_of
from equipoise.features.label_features import MOST_ROWS, label_features
from equipoise.metrics import Metric, Score, available, find, score
from equipoise.metrics.known import KNOWN
from equipoise.plotting.number_text import interval_text, number, text_table
from equipoise.randomness import Stream, derived_seed, numpy_stream
from equipoise.runfolder import RunFolder
from equipoise.spaces import sample_size

LABELS = "labels"
LEAST_DEMANDING = "frechet_distance"  # where it has too few samples, every metric has
HEADER = ("metric", "value", "95 % interval", "between real sets", "samples a side")
NO_CONFIDENCE = (
    "An interval says how much a score moves with the samples, not whether the two can be distinguished: that is what "
    "'equipoise judge' says."
)


@dataclass(frozen=True)
class Scores:
    """What metrics say of two sets.

    Attributes:
        real, fake: the two sides, as the person named them.
        kind: of the data.
        compared: what the samples were compared as: their coordinates, their pixels, the features of a network.
        scores: one for each metric.
        readings: how to read each metric, by its name.
        notes: sentences on what was left out.
        step: of the run's generator; `None` for two sets.
    """

    real: str
    fake: str
    kind: str
    compared: str
    scores: tuple[Score, ...]
    readings: Mapping[str, str]
    notes: tuple[str, ...] = ()
    step: int | None = None

    def __getitem__(self, metric: str) -> Score:
        """The score of the metric called so."""
        return next(score for score in self.scores if score.metric == metric)

    def rows(self) -> list[tuple[str, ...]]:
        """Name, value, its interval, value between two real sets, and samples a side, as text."""
        return [
            (
                name,
                number(value),
                interval_text(score.intervals.get(name)),
                number(score.between_real_sets.get(name)),
                f"{score.fake_samples:,}",
            )
            for score in self.scores
            for name, value in score.values.items()
        ]

    def to_text(self) -> str:
        """A table for a terminal, and how to read it."""
        table = text_table(HEADER, self.rows())
        readings = [f"{name}: {reading}" for name, reading in self.readings.items()]
        head = f"{self.fake} against {self.real}, compared as {self.compared}"
        return "\n".join([head, "", table, "", *readings, *self.notes, NO_CONFIDENCE])

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        scores = [score.to_json() for score in self.scores]
        return {**vars(self), "scores": scores, "readings": dict(self.readings), "notes": list(self.notes)}


def measure(
    real: Any,
    fake: Any,
    *,
    metrics: Sequence[str | Metric] = (),
    features: Extractor | None = None,
    seed: int = 0,
    floor: bool = True,
    interval: bool = True,
    drop: Sequence[str] = (),
) -> Scores:
    """Metrics of `fake` against `real`.

    Args:
        real: a path, a built-in name, an array, a tensor, a DataFrame or a torch data set. With the name of a density
            in closed form (`grid25`, `ring8`), metrics that need one are measured too.
        fake: the same kind of thing; images are brought to the size of the real ones, columns to their order.
        metrics: names from `equipoise.metrics.available()`, or metrics of your own; without any, all that suit the data
            and have enough samples.
        features: of images, a function, an `.onnx` file or a name, as for `judge`'s extractor: `random` convolutions, a
            known network of the extra `extractors`, or `labels`: a small classifier that is trained on half of the real
            side, which must have classes, and is then left out (of a run, on the training part). Without any their
            pixels are compared.
        seed: chooses which samples are compared.
        floor: whether real is also compared with real, on two halves of the real side.
        interval: whether each score gets an interval of 95 %; it takes ten more scores.
        drop: columns of tables that are left out on both sides.

    Raises:
        DataError: one side cannot be read, or the two are not the same kind of thing.
        InputError: a metric has no such name, or too few samples.
        ConfigError: a metric does not suit the data.
    """
    sides = load_pair(real, fake, drop=drop, seed=seed)
    if isinstance(features, str) and features == LABELS:
        sides, features = _by_labels(*sides, seed=seed)
    values = aligned_values(*sides)
    density = real if isinstance(real, str) and real in KNOWN else None
    return _scores(*sides, values, density, metrics, features, seed=seed, floor=floor, interval=interval)


def measure_run(
    folder: Path | str,
    *,
    metrics: Sequence[str | Metric] = (),
    features: Extractor | None = None,
    seed: int = 0,
    floor: bool = True,
    interval: bool = True,
    checkpoint: Literal["best", "last"] | None = None,
    trust_code: bool = False,
) -> Scores:
    """Metrics of a run's generator against the selection part of its data, stored in the run folder.

    The final part stays untouched for the verdict. `checkpoint` is as in `load`, the rest as in `measure`.

    Raises:
        RunFolderError: there is no whole checkpoint, or the data have changed since the run began.
    """
    gan = load(folder, checkpoint=checkpoint, trust_code=trust_code)
    return measure_gan(gan, metrics=metrics, features=features, seed=seed, floor=floor, interval=interval)


def measure_gan(
    gan: Gan,
    *,
    metrics: Sequence[str | Metric] = (),
    features: Extractor | None = None,
    seed: int = 0,
    floor: bool = True,
    interval: bool = True,
) -> Scores:
    """As `measure_run`, for a generator in memory."""
    run = RunFolder(gan.folder)
    data = gan.data if gan.data is not None else run_data(gan, run)
    density = gan.config.data.source if gan.config.data.source in KNOWN else None
    most = most_samples(sample_size(data.space))
    real = data.raw.rows(drawn(thinned_rows(gan.config, data, "selection"), most, seed=seed))
    count = max(metric.most for metric in _chosen(metrics, real.kind, density))
    seed_of_samples = derived_seed(seed, Stream.METRIC_SAMPLES, gan.step)
    fake = gan.sample_raw(count if density else min(most, count), seed=seed_of_samples)
    if isinstance(features, str) and features == LABELS:
        features = _classifier_of(data.raw.rows(drawn(data.split.train, MOST_ROWS, seed=seed)), seed=seed)
    found = _scores(
        real, fake, (real.values, fake.values), density, metrics, features, seed=seed, floor=floor, interval=interval
    )
    of_run = f"the selection part of {data.raw.source}", f"the generator after step {gan.step:,}"
    found = replace(found, real=of_run[0], fake=of_run[1], step=gan.step)
    run.write_json(run.scores, found.to_json())
    return found


def metrics_of_evaluations(
    data: PreparedData, metrics: Sequence[str], *, features: str | None, seed: int
) -> Callable[[Dataset, Dataset], dict[str, float]]:
    """A function from held-out and generated samples to the numbers of these metrics, by name.

    A classifier of labels is trained when it is first needed, on training rows.

    Raises:
        ConfigError: there is no such metric or feature function, or it does not suit the data.
    """
    kind = data.raw.kind
    chosen = _chosen(metrics, kind, None)
    if features == LABELS:
        _require_classes(data.raw, where="evaluations.features")
    elif features is not None:
        embedding_of(features, kind, where="evaluations.features")
    trained: list[Extractor] = []

    def measured(real: Dataset, fake: Dataset) -> dict[str, float]:
        by: Extractor | None = features
        if features == LABELS:
            if not trained:
                rows = drawn(data.split.train, MOST_ROWS, seed=seed)
                trained.append(_classifier_of(data.raw.rows(rows), seed=seed))
            by = trained[0]
        sides = (real.values, fake.values)
        found = _scores(real, fake, sides, None, chosen, by, seed=seed, floor=False, interval=False)
        return {name: float(value) for each in found.scores for name, value in each.values.items()}

    return measured


def _by_labels(real: Dataset, fake: Dataset, *, seed: int) -> tuple[tuple[Dataset, Dataset], Extractor]:
    """The features, and what is left to score: the half of the real side that the classifier has not seen."""
    order = numpy_stream(seed, Stream.LABEL_FEATURES).permutation(len(real))
    half = len(real) // 2
    return (real.rows(order[half:]), fake), _classifier_of(real.rows(order[:half][:MOST_ROWS]), seed=seed)


def _classifier_of(rows: Dataset, *, seed: int) -> Extractor:
    """Features of a small classifier that is trained on these rows.

    Raises:
        ConfigError: they are no images, or have no classes.
    """
    _require_classes(rows, where="--features labels")
    assert rows.labels is not None
    classes = len(rows.label_names)
    extractor = label_features(
        rows.values, rows.labels, classes=classes, seed=derived_seed(seed, Stream.LABEL_FEATURES)
    )
    extractor.__name__ = f"a classifier of {classes} classes, trained on {len(rows):,} real images"
    return extractor


def _require_classes(real: Dataset, *, where: str) -> None:
    if real.kind != "images" or real.labels is None:
        found = f"the real side is {real.kind}" + (" without classes." if real.kind == "images" else ".")
        raise ConfigError(where, found, "Expected images with classes.", "Take 'random', or leave it out.")


def _scores(
    real: Dataset,
    fake: Dataset,
    values: tuple[Any, Any],
    density: str | None,
    wanted: Sequence[str | Metric],
    features: Extractor | None,
    *,
    seed: int,
    floor: bool,
    interval: bool,
) -> Scores:
    numbers, compared = _as_numbers(real.kind, *values, features)
    kept = [side[np.isfinite(side).all(axis=1)] for side in numbers]
    notes = [
        f"{len(side) - len(whole):,} of {len(side):,} {word} samples hold missing values and were left out."
        for side, whole, word in zip(numbers, kept, ("real", "generated"), strict=True)
        if len(whole) < len(side)
    ]
    scores, readings = [], {}
    for metric in _chosen(wanted, real.kind, density):
        sides = (KNOWN[density](), numbers[1]) if density and metric.needs_density else kept
        try:
            scores.append(score(metric, *sides, seed=seed, floor=floor, interval=interval))
        except InputError as error:
            if wanted or metric.name == LEAST_DEMANDING:
                raise
            notes.append(f"Left out: {error.where}: {error.found}")
        else:
            readings[metric.name] = metric.reading
    return Scores(real.source, fake.source, real.kind, compared, tuple(scores), readings, tuple(notes))


def _chosen(wanted: Sequence[str | Metric], kind: str, density: str | None) -> list[Metric]:
    """The metrics that were named, or all that suit the data.

    Raises:
        ConfigError: one that was named does not suit them.
    """
    found = [find(metric, where="--metric") if isinstance(metric, str) else metric for metric in wanted or available()]
    suitable = [metric for metric in found if kind in metric.kinds and (density or not metric.needs_density)]
    if wanted and len(suitable) < len(found):
        metric = next(metric for metric in found if metric not in suitable)
        needed = f"one of the densities {', '.join(KNOWN)}" if metric.needs_density else " or ".join(metric.kinds)
        raise ConfigError(
            f"metric '{metric.name}'", f"the real side is {kind}.", f"Expected {needed}.", "Leave this metric out."
        )
    return suitable


def _as_numbers(kind: str, real: Any, fake: Any, features: Extractor | None) -> tuple[tuple[np.ndarray, ...], str]:
    """Both sides as float64 `(n, numbers)`, and in words what the numbers are."""
    if features is not None:
        embedding = embedding_of(features, kind, where="--features")
        return (embedding(real), embedding(fake)), f"features of {embedding.name}"
    domain = domain_of(kind)
    return domain.compared(real, fake), domain.compared_as
