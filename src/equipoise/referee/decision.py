"""What classifiers say of two sides: in turn (`predictive`), or, beside a training part of its own, once.

Both ways end in the same record: an e-value, the logits behind it, and the part of the samples that checks and the
distance are about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.data.domain import domain_of
from equipoise.data.judging import Rows, Values, take
from equipoise.referee.base import Classifier, Tell
from equipoise.referee.chunks import Chunks, chunk_indices
from equipoise.referee.cross_fitting import (
    LEAST_OF_A_PART,
    Measured,
    cross_fitted,
    in_groups,
    left_out_of,
    measured_once,
)
from equipoise.referee.first_findings import duplicates_of
from equipoise.referee.groups import Groups
from equipoise.referee.predictive import predict
from equipoise.referee.splits import Parts, split_indices
from equipoise.referee.train_and_test import train_and_test
from equipoise.referee.verdict import Counts
from equipoise.spaces import SpaceKind


@dataclass(frozen=True)
class Decision:
    """What classifiers say of samples that none of them had seen.

    Attributes:
        log_e_value: evidence against "one distribution", in nats.
        real_logits: of all real samples that were scored. Shape `(n_real,)`.
        fake_logits: of the generated ones.
        counts: samples only fitted on, used for selection, and scored.
        classifier: the one that did best.
        classifier_values: V of each classifier, in nats.
        whole: indices on both sides: what checks and distance may take as seen (train and validation) and as tested.
        tested: indices of the tested samples that were scored, real and generated.
        first: their logits, with 0 for the samples that were left out.
        left_out: real and generated tested samples that were not scored.
        rows: real and generated tested samples, then those seen, prepared as the classifiers read them.
        units: real and generated units of evidence that were scored: samples, or groups of them.
        is_turned: whether the generated side took the first role, so that the two sides given in the other order get
            the same answer.
    """

    log_e_value: float
    real_logits: np.ndarray
    fake_logits: np.ndarray
    counts: Counts
    classifier: str
    classifier_values: Mapping[str, float]
    whole: Parts
    tested: tuple[np.ndarray, np.ndarray]
    tested_logits: tuple[np.ndarray, np.ndarray]
    first: Measured
    left_out: tuple[int, int]
    rows: tuple[Rows, Rows, Rows, Rows]
    units: tuple[int, int]
    is_turned: bool = False


def decide_in_turn(
    real: Values,
    fake: Values,
    *,
    keys: tuple[np.ndarray, np.ndarray],
    kind: SpaceKind,
    seed: int,
    classifiers: Sequence[Classifier],
    groups: Groups | None = None,
) -> Decision | None:
    """Each chunk of both sides scored by what was fitted on the chunks before it; `None` where too few are scored.

    Where samples come in groups, a group is one unit of the e-value and one term of V. Accuracy, AUC, checks and plots,
    which are about samples and take them as independent, get one sample of each group, drawn at random.

    Args:
        real: real samples.
        fake: generated samples.
        keys: of both sides, a number per sample, equal for equal samples.
        kind: of the data.
        seed: of the order and the classifiers.
        classifiers: all that take part.
        groups: of both sides, where samples come in groups.
    """
    domain = domain_of(kind)
    scored_chunks = _scored_chunks(len(real) + len(fake), domain.many_samples)
    chunks = chunk_indices(*keys, seed=seed, scored_chunks=scored_chunks, groups=groups)
    if min(chunks.scored_units) < LEAST_OF_A_PART:
        return None
    found = predict(real, fake, chunks, domain=domain, seed=seed, classifiers=classifiers)
    every, late = found.since(1), found.since(found.middle.chunk)
    whole = _halves(chunks, found.middle.chunk)
    left_out = left_out_of(whole, late.real, late.fake)
    first = Measured.of(late.real_logits, late.fake_logits, late.limits, left_out)
    if groups is not None:
        first = in_groups(first, whole, late.real, late.fake, groups)
        every, late = (block.one_of_each(groups) for block in (every, late))
    return Decision(
        log_e_value=found.log_e_value,
        real_logits=every.real_logits,
        fake_logits=every.fake_logits,
        counts=Counts(len(chunks.real[0]), len(chunks.fake[0]), 0, 0, *chunks.scored_counts),
        classifier=found.classifier,
        classifier_values=found.values,
        whole=whole,
        tested=(late.real, late.fake),
        tested_logits=(late.real_logits, late.fake_logits),
        first=first,
        left_out=left_out,
        rows=(
            *(
                found.middle.prepare(take(side, places))
                for side, places in zip(found.middle.measured, (late.real, late.fake), strict=True)
            ),
            found.middle.real,
            found.middle.fake,
        ),
        units=chunks.scored_units,
        is_turned=chunks.starts_with_fake,
    )


def decide_once(
    real: Values, fake: Values, *, real_train: Values, kind: SpaceKind, seed: int, classifiers: Sequence[Classifier]
) -> Decision:
    """One classifier, trained and selected on `real_train` and a part of `fake`, scored once on the rest.

    Args:
        real: real samples that are only scored.
        fake: generated samples.
        real_train: real samples to train and to select on.
        kind: of the data.
        seed: of the split and the classifiers.
        classifiers: what one is selected from.
    """
    whole = split_indices(len(real), len(fake), seed=seed, real_train_count=len(real_train))
    # Each side is read into arrays once, and its parts are taken from those.
    parts = whole.taken_from(*map(domain_of(kind).measured, (real, fake, real_train)))
    found = train_and_test(parts, kind=kind, seed=seed, classifiers=classifiers)
    return Decision(
        log_e_value=found.log_e_value,
        real_logits=found.real_logits,
        fake_logits=found.fake_logits,
        counts=parts.counts,
        classifier=found.selected.name,
        classifier_values=found.selected.classifier_values,
        whole=whole,
        tested=(whole.real_test, whole.fake_test),
        tested_logits=(found.real_logits, found.fake_logits),
        first=measured_once(found),
        left_out=(0, 0),
        rows=(found.real, found.fake, found.real_train, found.fake_train),
        units=(parts.counts.real_test, parts.counts.fake_test),
    )


def distance_of(
    decision: Decision,
    real: Values,
    fake: Values,
    *,
    folds: int,
    keys: tuple[np.ndarray, np.ndarray],
    kind: SpaceKind,
    seed: int,
    classifiers: Sequence[Classifier],
    groups: Groups | None = None,
    tell: Tell | None = None,
) -> Measured:
    """How far apart two sides are that were decided in turn, by cross-fitting over all of their samples.

    Args:
        decision: of these sides, with the same seed and classifiers.
        real: real samples.
        fake: generated samples.
        folds: as in `cross_fitted`.
        keys: as in `decide_in_turn`.
        kind: of the data.
        seed: of the verdict.
        classifiers: all that take part.
        groups: as in `decide_in_turn`.
        tell: as in `cross_fitted`.
    """
    sides, first, whole = (real, fake), decision.first, decision.whole
    if decision.is_turned:
        sides, first, whole, keys = sides[::-1], first.turned, whole.turned, keys[::-1]
        groups = None if groups is None else groups[::-1]
    found = cross_fitted(
        *sides,
        first,
        whole,
        folds=folds,
        kind=kind,
        seed=seed,
        classifiers=classifiers,
        duplicates=duplicates_of(*keys),
        groups=groups,
        tell=tell,
    )
    return found.turned if decision.is_turned else found


def _scored_chunks(samples: int, many: int) -> int:
    """Four where samples are few and each counts, two where fitting again takes long and gains little."""
    return 4 if samples < many else 2


def _halves(chunks: Chunks, middle: int) -> Parts:
    nothing = np.zeros(0, dtype=np.int64)
    real, fake = (
        (np.concatenate(side[:middle]), nothing, np.concatenate(side[middle:])) for side in (chunks.real, chunks.fake)
    )
    return Parts.of_sides(real, fake)
