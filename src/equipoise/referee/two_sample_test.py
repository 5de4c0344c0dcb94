"""The referee: a classifier two-sample test. Can a fresh classifier, tested once on samples that nobody has seen, tell
real from generated?

Two tests decide, each at its own share of the level (`levels`). Classifiers score every sample after the first fifth
once, having been fitted on earlier ones alone: their e-value (`predictive`) finds differences of any kind that can be
learned. The companion (`companion`) compares both sides by a fixed list of statistics and is exact by permutation: it
finds smooth small differences that cost a classifier most of its samples to learn. How far apart the sides are is then
measured on every sample (`cross_fitting`). Nothing the game trained takes part.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from equipoise.data.domain import DOMAINS, domain_of
from equipoise.data.judging import JUDGING, Values, concatenated, take
from equipoise.errors import ConfigError, DataError, unknown_name
from equipoise.features.embedding import Extractor
from equipoise.randomness import Stream, derived_seed
from equipoise.referee.base import Check, Classifier, Evidence, Finding, Tell
from equipoise.referee.checks import available as available_checks
from equipoise.referee.classifiers import classifiers_for
from equipoise.referee.companion import companion_test
from equipoise.referee.cross_fitting import FOLDS, MOST_FOLDS
from equipoise.referee.decision import Decision, decide_in_turn, decide_once, distance_of
from equipoise.referee.detectable_effect import Sensitivity, theoretical_nats
from equipoise.referee.extractors import classifiers_of
from equipoise.referee.first_findings import first_findings
from equipoise.referee.groups import Groups, checked_groups, grouped, one_of_each
from equipoise.referee.levels import E_PROCESS_SHARE, shared_out
from equipoise.referee.sensitivity import is_kept, sensitivity_of
from equipoise.referee.separation import Interval, area_under_curve, balanced_accuracy
from equipoise.referee.splits import TEST_SHARE
from equipoise.referee.verdict import Conclusion, Counts, Verdict, conclude
from equipoise.spaces import SpaceKind

MINIMUM_SAMPLES = 20
"""Per side, at 95 % confidence: 10 that are only fitted on, 10 that are scored."""
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
    companion: bool = True,
    groups: Groups | None = None,
    tell: Tell | None = None,
) -> Verdict:
    """Judge whether generated samples can be distinguished from real ones: by classifiers, and by a permutation test.

    Args:
        real: real samples that the generator was not trained on. Points float64 `(n, d)`, images uint8 `(n, c, h, w)`,
            a table as a DataFrame.
        fake: generated samples of the same kind; counts may differ.
        kind: points, images or table.
        confidence: 1 - the chance of a false "distinguished"; also that of the lower bound.
        margin: the JSD in nats that you call small enough; without it the verdict never says "equivalent".
        seed: of the order, the classifiers and the permutations; another seed is another verdict from the same data.
        folds: classifiers that the distance of distinguished sides is measured with, by cross-fitting; each costs about
            as much time as the decision. 1 measures it on the later half of the samples alone, as they were scored,
            and any number on the test part alone with `real_train`.
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
        companion: whether the permutation test takes its share of the level; without it the e-value has all of it.
        groups: for each sample of `real` and of `fake` the number of its group, such as a patient: samples of one group
            may depend on each other, whole groups are put in order, and each counts once. Not beside `real_train`.
        tell: is told what is measured (an injected defect, or how far apart the sides are, where that is slow), and how
            many trials of it came before.

    Returns:
        The verdict. With fewer samples than the method needs its conclusion is `too_little_data`.

    Raises:
        DataError: the two sides cannot be compared (different columns, types or shapes), or a side is one group.
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
    keys = domain.row_keys(real), domain.row_keys(fake)
    findings = first_findings(real, fake, domain, keys)
    whole = len(real), len(fake)
    if groups is not None:
        groups = checked_groups(groups, whole, has_training_part=real_train is not None)
        whole = tuple(int(side.max()) + 1 for side in groups)
        findings = (grouped(groups), *findings)
    if real_train is not None:
        real_train, _ = domain.checked_sides(real_train, fake)
    common: dict[str, Any] = {"kind": kind, "confidence": confidence, "margin_nats": margin, "seed": seed}
    needed = samples_needed(confidence)
    real_total = whole[0] if real_train is None else min(len(real) / TEST_SHARE, len(real_train) / (1 - TEST_SHARE))
    if min(real_total, whole[1]) < needed:
        return _too_few(real, fake, findings, needed, time.perf_counter() - started, common)
    begun = time.perf_counter()
    decision: Decision | None
    asked: dict[str, Any] = {"kind": kind, "seed": seed, "classifiers": used}
    if real_train is None:
        decision = decide_in_turn(real, fake, keys=keys, groups=groups, **asked)
    else:
        decision = decide_once(real, fake, real_train=real_train, **asked)
    if decision is None:
        findings = (*findings, Finding("inputs", "So many samples share a value that a part is left with none.", True))
        return _too_few(real, fake, findings, needed, time.perf_counter() - started, common)
    test_seconds = time.perf_counter() - begun
    levels = shared_out(confidence, has_companion=companion)
    said = None
    if companion:
        said = companion_test(real, fake, domain=domain, level=levels.companion, seed=seed, groups=groups)
    is_distinguished = decision.log_e_value >= -math.log(levels.e_process)
    measured = decision.first
    if is_distinguished and real_train is None:
        waiting = tell if test_seconds > _SLOW_SECONDS else None
        measured = distance_of(decision, real, fake, folds=folds, keys=keys, groups=groups, tell=waiting, **asked)
    has_labels = real_labels is not None and fake_labels is not None
    evidence = Evidence(
        domain=domain,
        real_values=take(real, decision.tested[0]),
        fake_values=take(fake, decision.tested[1]),
        real=decision.rows[0],
        fake=decision.rows[1],
        real_train=decision.rows[2],
        fake_train=decision.rows[3],
        real_logits=decision.tested_logits[0],
        fake_logits=decision.tested_logits[1],
        is_training_part=real_train is not None,
        # The checks together make a handful of statements; a tenth of the level each keeps false ones rare.
        confidence=1 - (1 - confidence) / 10,
        seed=derived_seed(seed, Stream.REFEREE_CHECKS),
        real_labels=np.asarray(real_labels)[decision.tested[0]] if has_labels else None,
        fake_labels=np.asarray(fake_labels)[decision.tested[1]] if has_labels else None,
        label_names=tuple(label_names),
        left_out=decision.left_out,
        real_places=decision.tested[0],
        fake_places=decision.tested[1],
        keys=(keys[0][decision.tested[0]], keys[1][decision.tested[1]]),
    )
    for check in _chosen_checks(checks).values():
        findings = (*findings, *check(evidence))
    if said is not None and (found := said.finding()) is not None:
        findings = (found, *findings)
    counts = decision.counts
    least = theoretical_nats(*decision.units, confidence=confidence, whole=whole if companion else None)
    theoretical = Sensitivity("theoretical", least)
    # Nobody asked for injection: what happens to be in the cache, or to be affordable, is shown and decides nothing.
    is_asked_for = margin is not None or sensitivity != "auto"
    if not isinstance(sensitivity, Sensitivity):
        pool = real if real_train is None else concatenated(real, real_train)
        tried = counts
        if groups is not None:
            # Trials know no groups: with one sample of each they are coarser than this verdict, never finer.
            pool = take(real, one_of_each(groups[0]))
            fitted = (count - scored for count, scored in zip(whole, decision.units, strict=True))
            tried = Counts(*fitted, 0, 0, *decision.units)
        trials: dict[str, Any] = {
            "kind": kind,
            "classifiers": used,
            "confidence": confidence,
            "cache": cache,
            "is_in_turn": real_train is None,
            "has_companion": companion,
        }
        plan = sensitivity
        if plan == "auto":
            is_affordable = domain.sensitivity_cost * test_seconds <= injection_seconds
            kept = [name for name in ("full", "quick") if is_kept(pool, tried, _REPEATS[name], **trials)]
            plan = kept[0] if kept else ("quick" if margin is not None or is_affordable else "theoretical")
        if plan not in _REPEATS:
            raise unknown_name("judge, sensitivity", "plan", plan, ["auto", *_REPEATS])
        sensitivity = (
            theoretical
            if plan == "theoretical"
            else sensitivity_of(pool, tried, repeats=_REPEATS[plan], tell=tell, least_nats=least, **trials)
        )
    estimate = measured.estimate
    return Verdict(
        **common,
        conclusion=conclude(
            rejects=is_distinguished or (said is not None and said.rejects),
            margin_nats=margin,
            sensitivity=sensitivity if is_asked_for else theoretical,
        ),
        # Without a rejection by the classifiers no distance is claimed, so that verdict and bound never contradict each
        # other; the companion says that there is a difference, not how far apart the sides are.
        jsd_lower_bound_nats=measured.lower_bound_nats(confidence) if is_distinguished else 0.0,
        jsd_estimate_nats=estimate.jsd_nats,
        log_e_value=decision.log_e_value,
        value=estimate.value,
        value_standard_error=estimate.standard_error,
        accuracy=balanced_accuracy(decision.real_logits, decision.fake_logits, confidence=confidence),
        auc=area_under_curve(decision.real_logits, decision.fake_logits, confidence=confidence),
        counts=counts,
        classifier=decision.classifier,
        classifier_values=decision.classifier_values,
        sensitivity=sensitivity,
        findings=findings,
        seconds=time.perf_counter() - started,
        folds=measured.folds,
        measured=measured.counts,
        scores=decision.tested_logits,
        scored=(evidence.real_values, evidence.fake_values),
        companion=said,
        e_level=levels.e_process,
    )


def samples_needed(confidence: float) -> int:
    """Samples per side below which the e-value cannot reach the level, or there is nothing to train on.

    A pair of scored samples adds at most log 4 to the log e-value, so `log(1 / alpha) / log 4` pairs are the least.
    """
    pairs = math.ceil(-math.log((1 - confidence) * E_PROCESS_SHARE) / math.log(4)) + 1
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
