"""The referee: a classifier two-sample test. Can a fresh classifier, tested once on samples that nobody has seen, tell
real from generated?

Each side is split once: classifiers are trained on 45 %, one of them or a stack is selected on 15 %, and that one is
tested a single time on the rest: this decides. How far apart the sides are is then measured on every sample
(`cross_fitting`). Nothing the game trained takes part.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from equipoise.data.domain import DOMAINS, domain_of
from equipoise.data.judging import JUDGING, Values, concatenated
from equipoise.errors import ConfigError, DataError, unknown_name
from equipoise.features.embedding import Extractor
from equipoise.randomness import Stream, derived_seed
from equipoise.referee.base import Check, Classifier, Evidence, Finding, Tell
from equipoise.referee.bound import is_distinguished, log_e_value
from equipoise.referee.checks import available as available_checks
from equipoise.referee.classifiers import classifiers_for
from equipoise.referee.cross_fitting import (
    FOLDS,
    LEAST_OF_A_PART,
    MOST_FOLDS,
    cross_fitted,
    left_out_of,
    measured_once,
)
from equipoise.referee.detectable_effect import Sensitivity, theoretical_nats
from equipoise.referee.extractors import classifiers_of
from equipoise.referee.first_findings import duplicates_of, first_findings
from equipoise.referee.sensitivity import is_kept, sensitivity_of
from equipoise.referee.separation import Interval, area_under_curve, balanced_accuracy
from equipoise.referee.splits import TEST_SHARE, split_indices
from equipoise.referee.train_and_test import train_and_test
from equipoise.referee.verdict import Conclusion, Counts, Verdict, conclude
from equipoise.spaces import SpaceKind

MINIMUM_SAMPLES = 20
"""Per side, at 95 % confidence: 9 to train, 3 to validate, 8 to test on."""
SensitivityPlan = Literal["auto", "theoretical", "quick", "full"]

_SLOW_SECONDS = 5.0
"""Of the first classifier, from which on a person is told of the others."""
_REPEATS = {"theoretical": 0, "quick": 1, "full": 5}
"""Trials per injected defect and severity."""


def judge(
    real: Values,
    fake: Values,
    *,
    kind: SpaceKind,
    confidence: float = 0.95,
    margin: float | None = None,
    seed: int = 0,
    folds: int = FOLDS,
    real_train: Values | None = None,
    real_labels: np.ndarray | None = None,
    fake_labels: np.ndarray | None = None,
    label_names: Sequence[str] = (),
    classifiers: Sequence[Classifier] | None = None,
    extractor: Extractor | Sequence[Extractor] | None = None,
    checks: Sequence[str] | None = None,
    sensitivity: SensitivityPlan | Sensitivity = "auto",
    cache: Path | None = None,
    injection_seconds: float = 0.0,
    tell: Tell | None = None,
) -> Verdict:
    """Judge whether generated samples can be distinguished from real ones, by a classifier two-sample test.

    Args:
        real: real samples that the generator was not trained on. Points float64 `(n, d)`, images uint8 `(n, c, h, w)`,
            a table as a DataFrame.
        fake: generated samples of the same kind; counts may differ.
        kind: points, images or table.
        confidence: 1 - the chance of a false "distinguished"; also that of the lower bound.
        margin: the JSD in nats that you call small enough; without it the verdict never says "equivalent".
        seed: of the split and the classifiers; another seed is another verdict from the same data.
        folds: classifiers that the distance of distinguished sides is measured with, by cross-fitting; each costs about
            as much time as the decision. 1 measures it on the test part alone, and so does any number with
            `real_train`.
        real_train: real samples for training and validation, such as the training part; `real` is then only tested on.
            A generator that overfits its training part is harder to tell from it, which costs power and never validity.
        real_labels: class of each sample of `real`, if there are classes. Shape `(n_real,)`, int64.
        fake_labels: class that each generated sample was asked for.
        label_names: what classes 0, 1, ... are called.
        classifiers: to use instead of those for this kind of data.
        extractor: one frozen feature extractor of images or several, each a classifier beside the others: a function
            from float32 images in [0, 1] to numbers per image, an `.onnx` file, or a name in `features.WELL_KNOWN`.
        checks: names of the checks to run beside the test (classes, coverage, collapse, memorisation, regions, where);
            all when left out.
        sensitivity: how the smallest detectable difference is found: "theoretical" computes what a classifier that knew
            both densities would need; "quick" injects each kind of defect once per severity, which takes some 20
            verdicts' time; "full" five times; "auto" takes the finest that the cache has, and else the quick one if a
            margin is given or if it will take less than `injection_seconds`; without a margin what it finds is shown,
            and the conclusion goes by the theoretical one, so that it is the same whatever the cache holds. Or a
            `Sensitivity` measured before.
        cache: a folder that keeps measured sensitivities for the next verdict on the same data.
        injection_seconds: how long "auto" may inject defects without a margin.
        tell: is told what is measured (an injected defect, or how far apart the sides are, where that is slow), and how
            many trials of it came before.

    Returns:
        The verdict. With fewer samples than the method needs its conclusion is `too_little_data`.

    Raises:
        DataError: the two sides cannot be compared (different columns, types or shapes).
        ConfigError: a confidence, a margin or a number of folds out of range; two classifiers of one name.
    """
    started = time.perf_counter()
    if kind not in DOMAINS:
        raise DataError(JUDGING, f"the kind of data is '{kind}'.", "Expected points, images or table.")
    _check_options(confidence, margin, folds)
    used = classifiers_for(kind) if classifiers is None else tuple(classifiers)
    if extractor is not None:
        used = (*used, *classifiers_of(extractor, kind))
    _check_names(used)
    domain = domain_of(kind)
    real, fake = domain.checked_sides(real, fake)
    for side, name in ((real, "real"), (fake, "generated")):
        if len(side) == 0:
            raise DataError(JUDGING, f"the {name} side is empty.", "Expected samples on both sides.")
    findings = first_findings(real, fake, domain)
    if real_train is not None:
        real_train, _ = domain.checked_sides(real_train, fake)
    common: dict[str, Any] = {"kind": kind, "confidence": confidence, "margin_nats": margin, "seed": seed}
    needed = samples_needed(confidence)
    real_total = len(real) if real_train is None else min(len(real) / TEST_SHARE, len(real_train) / (1 - TEST_SHARE))
    if min(real_total, len(fake)) < needed:
        return _too_few(real, fake, findings, needed, time.perf_counter() - started, common)
    duplicates = duplicates_of(real, fake, domain) if real_train is None else None
    indices = split_indices(
        len(real),
        len(fake),
        seed=seed,
        real_train_count=None if real_train is None else len(real_train),
        duplicates=duplicates,
    )
    parts = indices.taken_from(real, fake, real_train)
    if min(vars(parts.counts).values()) < LEAST_OF_A_PART:
        findings = (*findings, Finding("inputs", "So many samples share a value that a part is left with none.", True))
        return _too_few(real, fake, findings, needed, time.perf_counter() - started, common)
    begun = time.perf_counter()
    outcome = train_and_test(parts, kind=kind, seed=seed, classifiers=used)
    test_seconds = time.perf_counter() - begun
    log_e = log_e_value(outcome.real_logits, outcome.fake_logits)
    rejects = is_distinguished(log_e, confidence=confidence)
    left_out = (0, 0)
    if real_train is None:
        left_out = left_out_of(split_indices(len(real), len(fake), seed=seed), outcome.real, outcome.fake)
    measured = measured_once(outcome, left_out=left_out)
    if rejects and real_train is None:
        measured = cross_fitted(
            real,
            fake,
            outcome,
            folds=folds,
            kind=kind,
            seed=seed,
            classifiers=used,
            duplicates=duplicates,
            tell=tell if test_seconds > _SLOW_SECONDS else None,
        )
    has_labels = real_labels is not None and fake_labels is not None
    evidence = Evidence(
        domain=domain,
        real_values=parts.real_test,
        fake_values=parts.fake_test,
        real=outcome.real,
        fake=outcome.fake,
        real_train=outcome.real_train,
        fake_train=outcome.fake_train,
        real_logits=outcome.real_logits,
        fake_logits=outcome.fake_logits,
        is_training_part=real_train is not None,
        # The checks together make a handful of statements; a tenth of the level each keeps false ones rare.
        confidence=1 - (1 - confidence) / 10,
        seed=derived_seed(seed, Stream.REFEREE_CHECKS),
        real_labels=np.asarray(real_labels)[indices.real_test] if has_labels else None,
        fake_labels=np.asarray(fake_labels)[indices.fake_test] if has_labels else None,
        label_names=tuple(label_names),
        left_out=left_out,
        real_places=indices.real_test,
        fake_places=indices.fake_test,
    )
    for check in _chosen_checks(checks).values():
        findings = (*findings, *check(evidence))
    least = theoretical_nats(parts.counts.real_test, parts.counts.fake_test, confidence=confidence)
    theoretical = Sensitivity("theoretical", least)
    # Nobody asked for injection: what happens to be in the cache, or to be affordable, is shown and decides nothing.
    is_asked_for = margin is not None or sensitivity != "auto"
    if not isinstance(sensitivity, Sensitivity):
        pool = real if real_train is None else concatenated(real, real_train)
        asked = {"kind": kind, "classifiers": used, "confidence": confidence, "cache": cache}
        plan = sensitivity
        if plan == "auto":
            is_affordable = domain.sensitivity_cost * test_seconds <= injection_seconds
            kept = [name for name in ("full", "quick") if is_kept(pool, parts.counts, _REPEATS[name], **asked)]
            plan = kept[0] if kept else ("quick" if margin is not None or is_affordable else "theoretical")
        if plan not in _REPEATS:
            raise unknown_name("judge, sensitivity", "plan", plan, ["auto", *_REPEATS])
        sensitivity = (
            theoretical
            if plan == "theoretical"
            else sensitivity_of(pool, parts.counts, repeats=_REPEATS[plan], tell=tell, **asked)
        )
    estimate = measured.estimate
    return Verdict(
        **common,
        conclusion=conclude(
            rejects=rejects, margin_nats=margin, sensitivity=sensitivity if is_asked_for else theoretical
        ),
        # Without a rejection no distance is claimed, so that verdict and bound never contradict each other.
        jsd_lower_bound_nats=measured.lower_bound_nats(confidence) if rejects else 0.0,
        jsd_estimate_nats=estimate.jsd_nats,
        log_e_value=log_e,
        value=estimate.value,
        value_standard_error=estimate.standard_error,
        accuracy=balanced_accuracy(outcome.real_logits, outcome.fake_logits, confidence=confidence),
        auc=area_under_curve(outcome.real_logits, outcome.fake_logits, confidence=confidence),
        counts=parts.counts,
        classifier=outcome.selected.name,
        classifier_values=outcome.selected.classifier_values,
        sensitivity=sensitivity,
        findings=findings,
        seconds=time.perf_counter() - started,
        folds=measured.folds,
        measured=measured.counts,
        scores=(outcome.real_logits, outcome.fake_logits),
        scored=(parts.real_test, parts.fake_test),
    )


def samples_needed(confidence: float) -> int:
    """Samples per side below which the e-value cannot reach the level, or there is nothing to train on.

    A pair of test samples adds at most log 4 to the log e-value, so `log(1 / alpha) / log 4` pairs are the least.
    """
    pairs = math.ceil(-math.log(1 - confidence) / math.log(4)) + 1
    return max(MINIMUM_SAMPLES, math.ceil(pairs / TEST_SHARE))


def _chosen_checks(names: Sequence[str] | None) -> Mapping[str, Check]:
    known = available_checks()
    if names is None:
        return known
    for name in names:
        if name not in known:
            raise unknown_name("judge, checks", "check", name, known)
    return {name: known[name] for name in names}


def _check_options(confidence: float, margin: float | None, folds: int) -> None:
    if not 0.5 <= confidence < 1:
        raise ConfigError(
            "judge, confidence", f"it is {confidence}.", "Expected at least 0.5 and below 1.", "Try 0.95."
        )
    if margin is not None and not 0 < margin < math.log(2):
        raise ConfigError(
            "judge, margin",
            f"it is {margin}.",
            "Expected nats between 0 and log 2 = 0.693.",
            "A margin of 0.01 calls a generator good enough that misses 3 % of the data.",
        )
    if not (isinstance(folds, int) and 1 <= folds <= MOST_FOLDS):
        raise ConfigError(
            "judge, folds",
            f"it is {folds}.",
            f"Expected a whole number from 1 to {MOST_FOLDS}.",
            f"Leave it out for {FOLDS}.",
        )


def _check_names(classifiers: Sequence[Classifier]) -> None:
    names = [classifier.name for classifier in classifiers]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                "judge, classifiers",
                f"{names.count(name)} of them are called '{name}'.",
                "Expected a name of its own for each.",
                "Rename one; an extractor is called what its function is called (`__name__`) or its file.",
            )


def _too_few(
    real: Values, fake: Values, findings: Sequence[Finding], needed: int, seconds: float, common: Mapping[str, Any]
) -> Verdict:
    nothing, unknown = np.zeros(0), Interval(math.nan, 0.0, 1.0)
    need = Finding(
        "inputs",
        f"There are {len(real):,} real and {len(fake):,} generated samples; at {common['confidence']:.0%} confidence "
        f"the method needs at least {needed} on each side, and some hundreds to find anything but gross differences.",
        True,
    )
    return Verdict(
        **common,
        conclusion=Conclusion.TOO_LITTLE_DATA,
        jsd_lower_bound_nats=0.0,
        jsd_estimate_nats=math.nan,
        log_e_value=0.0,
        value=math.nan,
        value_standard_error=math.nan,
        accuracy=unknown,
        auc=unknown,
        counts=Counts(0, 0, 0, 0, len(real), len(fake)),
        classifier="none",
        classifier_values={},
        sensitivity=None,
        findings=(need, *findings),
        seconds=seconds,
        folds=0,
        measured=(0, 0),
        scores=(nothing, nothing),
        scored=(real[:0], fake[:0]),
    )
