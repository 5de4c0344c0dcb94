"""Measures the referee's sensitivity: it is sent to find defects injected into one of two disjoint parts of real
data."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.data.corruptions import BROKEN_DEPENDENCE
from equipoise.data.domain import domain_of
from equipoise.data.judging import Corruption, Judging, Values, take
from equipoise.errors import StorageError
from equipoise.files import write_json
from equipoise.metrics.divergence import jsd_of_contamination
from equipoise.old_names import standard_sensitivity
from equipoise.randomness import Stream, derived_seed, numpy_stream
from equipoise.referee.base import Classifier, Tell
from equipoise.referee.bound import value_estimate
from equipoise.referee.chunks import FIRST_SHARE
from equipoise.referee.classifiers import available
from equipoise.referee.companion import companion_test
from equipoise.referee.decision import decide_in_turn
from equipoise.referee.detectable_effect import POWER, Sensitivity, theoretical_nats
from equipoise.referee.levels import shared_out
from equipoise.referee.splits import split
from equipoise.referee.train_and_test import train_and_test
from equipoise.referee.verdict import Counts
from equipoise.spaces import SpaceKind

SEVERITIES = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
"""Contamination: shares of rows that a defect is injected into; each is twice the last."""
_FIRST = 5
_ASSUMED_SPREAD = 1.0
"""How much the score varies from classifier to classifier and from region to region, in units of its own sampling
error, where one trial per severity cannot tell; with more trials the spread that they show is used when it is larger.
Measured on points (`spread` in benchmarks/rows/resolution.jsonl, power near 95 %): between 0 and 1.6, about 1 on
average."""
_FEWEST_COLUMNS = 3
"""Trials per severity, at least, of a defect of one column of many: another column may be far easier to see (on Adult
the spread is between 1.8 and 6), and a single trial claimed a size at which 7 of 10 others were found."""
_LEAST_ERROR_NATS = 1.0
"""Of a log e-value. At chance level there is none at all, and -log(1 / alpha) over next to nothing would make margins
look as if they varied by thousands: then nothing would count as found."""
_SURE = 10.0
"""Standard errors above the threshold, beyond which a verdict is certain: by how much it is beyond says nothing."""
_CACHE_VERSION = 7
"""Part of the cache's key: raised when injecting or measuring changes, so that old results are measured again."""

MEASURED = "sensitivity: injecting '{}'"
"""What a person is told is measured, with the name of the defect."""
TestOfSides = Callable[[Values, Values, int], float]
"""The whole decision: from two sides and a seed to how far the evidence lies above its threshold, in its own standard
errors; above 0 the verdict is "distinguished"."""


def sensitivity_of(
    pool: Values,
    counts: Counts,
    *,
    kind: SpaceKind,
    classifiers: Sequence[Classifier],
    confidence: float,
    repeats: int,
    seed: int = 0,
    cache: Path | None = None,
    is_in_turn: bool = False,
    has_companion: bool = False,
    least_nats: float | None = None,
    tell: Tell | None = None,
) -> Sensitivity:
    """The measured sensitivity of a verdict whose parts have these counts.

    A trial has both sides from the real pool, so it needs twice the samples. Its parts never exceed the verdict's, part
    by part, and keep their proportions when the pool is too small: the sensitivity is that of a referee with at most as
    much to train, to validate and to test on as the verdict had. It is coarser than the verdict's own, never finer.

    Args:
        pool: all real samples there are: held-out ones and, for a run, training ones.
        counts: of the verdict's parts.
        kind: of the data.
        classifiers: the verdict's.
        confidence: of the verdict.
        repeats: trials per severity and defect; 1 is the quick measurement.
        seed: of the draws.
        cache: as in `measure_sensitivity`.
        is_in_turn: whether the verdict's samples are scored in turn; if not, on one split as counts say.
        has_companion: whether the permutation test takes part.
        least_nats: the verdict's own `theoretical_nats`; by default that of the e-value alone.
        tell: as in `measure_sensitivity`.
    """
    test_share, per_side = _trial_sizes(counts, is_in_turn=is_in_turn)
    levels = shared_out(confidence, has_companion=has_companion)
    domain = domain_of(kind)

    def margin_of(first: Values, second: Values, trial_seed: int) -> float:
        asked = {"kind": kind, "seed": trial_seed, "classifiers": classifiers}
        if is_in_turn:
            tested: Values = first
            found = decide_in_turn(first, second, keys=(domain.row_keys(first), domain.row_keys(second)), **asked)
        else:
            parts = split(first, second, seed=trial_seed, test_share=test_share)
            tested, found = parts.real_test, train_and_test(parts, **asked)
        if found is None:
            margins = [-_SURE]
        else:
            margins = [evidence_margin(found.log_e_value, found.real_logits, found.fake_logits, level=levels.e_process)]
        if has_companion:
            # Beside a training part the companion sees the tested real samples alone.
            said = companion_test(tested, second, domain=domain, level=levels.companion, seed=trial_seed)
            margins.append(said.margin)
        return min(_SURE, max(margins))

    found = measure_sensitivity(
        pool,
        kind=kind,
        test=margin_of,
        classifiers=classifiers,
        per_side=per_side,
        confidence=confidence,
        repeats=repeats,
        seed=seed,
        cache=cache,
        decided=(round(test_share, 9), is_in_turn, has_companion),
        tell=tell,
    )
    if least_nats is None:
        least_nats = theoretical_nats(counts.real_test, counts.fake_test, confidence=confidence)
    return replace(found, theoretical_nats=least_nats)


def is_kept(
    pool: Values,
    counts: Counts,
    repeats: int,
    *,
    kind: SpaceKind,
    classifiers: Sequence[Classifier],
    confidence: float,
    cache: Path | None,
    seed: int = 0,
    is_in_turn: bool = False,
    has_companion: bool = False,
) -> bool:
    """Whether `sensitivity_of` with these arguments would find its answer in the cache."""
    if cache is None or not cache.is_dir():
        return False
    test_share, per_side = _trial_sizes(counts, is_in_turn=is_in_turn)
    count = min(per_side, len(pool) // 2)
    decided = (round(test_share, 9), is_in_turn, has_companion)
    kept = _kept_at(cache, pool, kind, classifiers, count, confidence, repeats, seed, decided)
    return kept is not None and _read(kept) is not None


def _trial_sizes(counts: Counts, *, is_in_turn: bool) -> tuple[float, int]:
    """Share of a trial's samples that are tested on, and how many samples it has on each side."""
    if is_in_turn:
        return 1 - FIRST_SHARE, min(sum(counts.real), sum(counts.fake))
    common = [min(sides) for sides in zip(counts.real, counts.fake, strict=True)]
    test_share = common[2] / sum(common)
    # `split` trains on three quarters of what is not tested on; where one side has less, so has the trial.
    least = min(common[0] / 0.75, common[1] / 0.25) / (1 - test_share)
    return test_share, min(sum(common), math.ceil(least))


def measure_sensitivity(
    real: Values,
    *,
    kind: SpaceKind,
    test: TestOfSides,
    classifiers: Sequence[Classifier],
    per_side: int,
    confidence: float,
    seed: int = 0,
    repeats: int = 1,
    cache: Path | None = None,
    decided: tuple[Any, ...] = (),
    tell: Tell | None = None,
) -> Sensitivity:
    """The smallest JSD, per kind of injected defect, that the referee finds 95 % of the time.

    Args:
        real: all real samples there are; two disjoint parts are drawn anew for every trial.
        kind: of the data.
        test: how the referee tests two sides.
        classifiers: its own; part of the key of the cache.
        per_side: samples on each side of the verdict; at most half of `real` can be used, and then the sensitivity is
            that of so many samples, which is coarser than the verdict's own.
        confidence: of the verdict.
        seed: of the draws.
        repeats: trials per severity, each with parts and a target of its own; with 1, defects of one column still try
            three columns.
        cache: a folder in which results are kept by the data's fingerprint, counts and settings. A file there that
            cannot be read is measured again, and a folder that cannot be written to is done without. Nothing is kept
            for classifiers that are not the package's own and have no identity.
        decided: how `test` decides; part of the key of the cache.
        tell: is told the kind of defect and the number of trials before each of them.
    """
    count = min(per_side, len(real) // 2)
    kept = _kept_at(cache, real, kind, classifiers, count, confidence, repeats, seed, decided)
    known = None if kept is None else _read(kept)
    if known is not None:
        return known
    domain = domain_of(kind)
    found, intervals, absent, trials = {}, {}, [], 0
    for name, corruption in domain.corruptions(real).items():
        told = (
            None if tell is None else lambda more, what=MEASURED.format(name), before=trials: tell(what, before + more)
        )
        tried = _Trials(real, domain, name, corruption, test, count, seed, repeats, told)
        tried.climb()
        estimate, interval = tried.crossing()
        if name == BROKEN_DEPENDENCE and math.isinf(estimate) and not tried.finds_independence():
            absent.append(name)
        else:
            found[name], intervals[name] = estimate, interval
        trials += tried.count
    sensitivity = Sensitivity(
        method="injected",
        theoretical_nats=theoretical_nats(count, count, confidence=confidence),
        by_defect_nats=found,
        intervals_nats=intervals,
        absent=tuple(absent),
        trials=trials,
        per_side=count,
    )
    if kept is not None:
        try:
            write_json(kept, sensitivity.to_json())
        except StorageError:
            pass  # a verdict does not fail because the next one will have to measure again
    return sensitivity


class _Trials:
    """One defect, injected at one severity after the other until it is found at one and not at the next."""

    def __init__(
        self,
        real: Values,
        domain: Judging,
        name: str,
        corruption: Corruption,
        test: TestOfSides,
        per_side: int,
        seed: int,
        repeats: int,
        told: Callable[[int], None] | None,
    ) -> None:
        self.real, self.domain, self.name, self.corruption, self.test = real, domain, name, corruption, test
        self.per_side, self.seed = per_side, seed
        self.repeats = max(repeats, _FEWEST_COLUMNS) if name in domain.one_column_corruptions else repeats
        self.scores: dict[int, list[float]] = {}
        self.count, self.told = 0, told

    def climb(self) -> None:
        """To lower severities while the defect is found, to higher ones while it is not."""
        severity = _FIRST
        step = -1 if self._excess(severity) > 0 else 1
        while 0 <= severity + step < len(SEVERITIES) and (self._excess(severity) > 0) == (step < 0):
            severity += step
        self._excess(severity)

    def crossing(self) -> tuple[float, tuple[float, float]]:
        """JSD at which the margin crosses what is needed, by interpolation in log contamination, with a 90 %
        interval."""
        severities = sorted(self.scores)
        needed = self._needed()
        excess = [float(np.mean(self.scores[severity])) - needed for severity in severities]
        error = 1.645 * self._deviation() / math.sqrt(self.repeats)
        ends = (0.0, error, -error)
        estimate, low, high = (_first_zero(severities, [value + shift for value in excess]) for shift in ends)
        return estimate, (low, high)

    def finds_independence(self) -> bool:
        """Whether data whose columns were drawn independently of each other are distinguished from the data as they
        are."""
        margin = self._margin(0, lambda part, stream, target: self.domain.independent(part, stream))
        return margin > self._needed()

    def _excess(self, severity: int) -> float:
        if severity not in self.scores:
            share = SEVERITIES[severity]
            corrupted = lambda part, stream, target: self.corruption(part, share, stream, target)  # noqa: E731
            self.scores[severity] = [self._margin(repeat, corrupted) for repeat in range(self.repeats)]
        return float(np.mean(self.scores[severity])) - self._needed()

    def _margin(
        self, repeat: int, corrupted: Callable[[Values, np.random.Generator, np.random.Generator], Values]
    ) -> float:
        """How far above the threshold the evidence lies, in its own standard errors.

        Parts, target and seeds depend on the repeat and not on the severity: trials differ by what was injected alone.
        """
        if self.told is not None:
            self.told(self.count)
        self.count += 1
        stream, target = (
            numpy_stream(self.seed, label.format(self.name), repeat)
            for label in (Stream.INJECTION, Stream.INJECTION_TARGET)
        )
        order = stream.permutation(len(self.real))
        contaminated = corrupted(take(self.real, order[self.per_side : 2 * self.per_side]), stream, target)
        trial_seed = derived_seed(self.seed, Stream.INJECTION_TRIAL.format(self.name), repeat)
        return self.test(take(self.real, order[: self.per_side]), contaminated, trial_seed)

    def _deviation(self) -> float:
        """Standard deviation of one margin: its sampling error, which is 1, and what varies from trial to trial."""
        assumed = math.hypot(1.0, _ASSUMED_SPREAD)
        if self.repeats < 3 or not self.scores:
            return assumed
        pooled = math.sqrt(float(np.mean([np.var(scores, ddof=1) for scores in self.scores.values()])))
        return max(assumed, pooled)

    def _needed(self) -> float:
        """Margin at which the chance of detection is 95 %, when margins vary as much as here."""
        from scipy.special import ndtri

        return float(ndtri(POWER)) * self._deviation()


def evidence_margin(log_e: float, real_logits: np.ndarray, fake_logits: np.ndarray, *, level: float) -> float:
    """(log E - log(1 / alpha)) over the standard error of log E; above 0 the e-value rejects; 10 at most."""
    pairs = min(len(real_logits), len(fake_logits))
    error = max(value_estimate(real_logits, fake_logits).standard_error * pairs, _LEAST_ERROR_NATS)
    return min(_SURE, (log_e + math.log(level)) / error)


def _first_zero(severities: list[int], excess: list[float]) -> float:
    """The JSD from which on `excess` is positive, past the last severity by its last slope; infinite if it never is."""
    last_bad = max((place for place, value in enumerate(excess) if value <= 0), default=-1)
    if last_bad == -1:
        return jsd_of_contamination(SEVERITIES[severities[0]])
    if last_bad == len(severities) - 1:
        if severities[-1] == len(SEVERITIES) - 1:
            return math.inf
        # The next severity was not tried; it is the least that can be promised.
        slope = excess[-1] - excess[-2] if len(excess) > 1 else 0.0
        ahead = -excess[-1] / slope if slope > 0 else math.inf
        return jsd_of_contamination(min(0.999, SEVERITIES[severities[-1]] * 2**ahead)) if ahead < 12 else math.inf
    before, after = excess[last_bad], excess[last_bad + 1]
    share = -before / (after - before)
    logs = [math.log(SEVERITIES[severities[place]]) for place in (last_bad, last_bad + 1)]
    return jsd_of_contamination(math.exp(logs[0] + share * (logs[1] - logs[0])))


def _kept_at(
    cache: Path | None, real: Values, kind: SpaceKind, classifiers: Sequence[Classifier], *settings: Any
) -> Path | None:
    """The file of the cache; `None` where nothing can be kept."""
    known = available()
    identities = {each.name: "" if known.get(each.name) == each else each.identity for each in classifiers}
    if cache is None or None in identities.values():
        return None
    count, confidence, repeats, seed, decided = settings
    digest = hashlib.blake2b(np.sort(domain_of(kind).row_keys(real)).tobytes(), digest_size=12)
    who = sorted(identities.items())
    digest.update(repr((_CACHE_VERSION, kind, who, count, confidence, repeats, seed, decided)).encode())
    return cache / f"resolution-{digest.hexdigest()}.json"  # as version 0.1.0 called it


def _read(path: Path) -> Sensitivity | None:
    """A sensitivity measured before, or `None` when the file is missing, cut short or not one of ours."""
    try:
        known = Sensitivity.from_json(standard_sensitivity(json.loads(path.read_text(encoding="utf-8"))))
        sizes = [*known.by_defect_nats.values(), *(end for ends in known.intervals_nats.values() for end in ends)]
        is_whole = known.method == "injected" and set(known.by_defect_nats) == set(known.intervals_nats)
        return known if is_whole and all(float(size) > 0 for size in sizes) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None
