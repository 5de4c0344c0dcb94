"""The referee: can a fresh discriminator, tested once on samples that nobody fitted, tell real from generated?

Each side is split once: discriminators are fitted on half, one of them and its confidence are chosen on a fifth, and
that one is scored a single time on the rest. Nothing the game trained takes part.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.errors import ConfigError
from equipoise.randomness import derived_seed, numpy_stream
from equipoise.referee.base import Member, Rows, Values, take
from equipoise.referee.checks.jsd_bound import (
    is_distinguished,
    jsd_lower_bound_nats,
    log_e_value,
    value_estimate,
)
from equipoise.referee.choice import Choice, choose
from equipoise.referee.inputs import checked_sides, first_findings
from equipoise.referee.members import members_for
from equipoise.referee.prepare import preparation
from equipoise.referee.resolution import Resolution, floor_nats
from equipoise.referee.separation import Interval, area_under_curve, balanced_accuracy
from equipoise.referee.verdict import Conclusion, Counts, Verdict, conclude
from equipoise.spaces import SpaceKind

FIT_SHARE, CHOICE_SHARE = 0.5, 0.2
"""The rest, 0.3, is scored. Measured as a good compromise on 2-D densities; otherwise arbitrary."""
MINIMUM_SAMPLES = 20
"""Per side, at 95 % confidence: 10 to fit, 4 to choose, 6 to score."""


def judge(
    real: Values,
    fake: Values,
    *,
    kind: SpaceKind,
    confidence: float = 0.95,
    margin: float | None = None,
    seed: int = 0,
    real_fit: Values | None = None,
    members: Sequence[Member] | None = None,
) -> Verdict:
    """Judge whether generated samples can be told from real ones.

    Args:
        real: real samples that the generator was not trained on. Points float64 `(n, d)`, images uint8 `(n, c, h, w)`,
            a table as a DataFrame.
        fake: generated samples of the same kind; counts may differ.
        kind: points, images or table.
        confidence: 1 - the chance of a false "distinguished"; also that of the lower bound.
        margin: the JSD in nats that you call small enough; without it the verdict never says "equivalent".
        seed: of the split and the members; another seed is another verdict from the same data.
        real_fit: real samples for fitting and choosing, such as the training part; `real` is then only scored. A
            generator that overfits its training part is harder to tell from it, which costs power and never validity.
        members: discriminators to use instead of those for this kind of data.

    Returns:
        The verdict. With fewer samples than the method needs its conclusion is `too_little_data`.

    Raises:
        DataError: the two sides cannot be compared (different columns, types or shapes).
        ConfigError: a confidence or margin out of range.
    """
    started = time.perf_counter()
    _check_options(confidence, margin)
    real, fake = checked_sides(real, fake, kind)
    findings = first_findings(real, fake, kind)
    if real_fit is not None:
        real_fit, _ = checked_sides(real_fit, fake, kind)
    needed = samples_needed(confidence)
    real_total = len(real) if real_fit is None else min(len(real) / (1 - FIT_SHARE - CHOICE_SHARE), len(real_fit) / 0.7)
    if min(real_total, len(fake)) < needed:
        return _too_few(real, fake, kind, confidence, margin, seed, findings, needed, time.perf_counter() - started)
    parts = split(real, fake, seed=seed, real_fit=real_fit)
    outcome = play(parts, kind=kind, seed=seed, members=members_for(kind) if members is None else members)
    estimate = value_estimate(outcome.real_logits, outcome.fake_logits)
    log_e = log_e_value(outcome.real_logits, outcome.fake_logits)
    rejects = is_distinguished(log_e, confidence=confidence)
    floor = floor_nats(parts.counts.real_score, parts.counts.fake_score, confidence=confidence)
    resolution = Resolution("floor", floor)
    return Verdict(
        kind=kind,
        conclusion=conclude(rejects=rejects, margin_nats=margin, resolution=resolution),
        confidence=confidence,
        margin_nats=margin,
        # Without a rejection no distance is claimed, so that verdict and bound never contradict each other.
        jsd_lower_bound_nats=jsd_lower_bound_nats(estimate, confidence=confidence) if rejects else 0.0,
        jsd_estimate_nats=estimate.jsd_nats,
        log_e_value=log_e,
        value=estimate.value,
        value_standard_error=estimate.standard_error,
        accuracy=balanced_accuracy(outcome.real_logits, outcome.fake_logits, confidence=confidence),
        auc=area_under_curve(outcome.real_logits, outcome.fake_logits, confidence=confidence),
        counts=parts.counts,
        member=outcome.choice.name,
        member_values=outcome.choice.member_values,
        resolution=resolution,
        findings=findings,
        seed=seed,
        seconds=time.perf_counter() - started,
        scores=(outcome.real_logits, outcome.fake_logits),
    )


@dataclass(frozen=True)
class Parts:
    """Both sides, split into the part to fit on, the part to choose on and the part that is scored once."""

    real_fit: Values
    fake_fit: Values
    real_choice: Values
    fake_choice: Values
    real_score: Values
    fake_score: Values

    @property
    def counts(self) -> Counts:
        """How many samples each part has."""
        return Counts(**{name: len(part) for name, part in vars(self).items()})


@dataclass(frozen=True)
class Outcome:
    """The chosen discriminator and its clipped logits on the scored part."""

    choice: Choice
    real_logits: np.ndarray
    fake_logits: np.ndarray


def split(real: Values, fake: Values, *, seed: int, real_fit: Values | None = None) -> Parts:
    """Split both sides at random, from the seed alone.

    With `real_fit`, all of `real` is scored, and of `fake` as many as that, within 30 to 50 % of them.
    """
    fake_order = numpy_stream(seed, "referee split fake").permutation(len(fake))
    if real_fit is None:
        pieces = _cut(numpy_stream(seed, "referee split real").permutation(len(real)), 1 - FIT_SHARE - CHOICE_SHARE)
        real_parts = [take(real, piece) for piece in pieces]
        scored_share = 1 - FIT_SHARE - CHOICE_SHARE
    else:
        fit_order = numpy_stream(seed, "referee split real").permutation(len(real_fit))
        fit, choice, _ = _cut(fit_order, 0.0)
        scored_order = numpy_stream(seed, "referee order real").permutation(len(real))
        real_parts = [take(real_fit, fit), take(real_fit, choice), take(real, scored_order)]
        scored_share = min(0.5, max(1 - FIT_SHARE - CHOICE_SHARE, len(real) / len(fake)))
    fake_parts = [take(fake, piece) for piece in _cut(fake_order, scored_share)]
    return Parts(real_parts[0], fake_parts[0], real_parts[1], fake_parts[1], real_parts[2], fake_parts[2])


def play(parts: Parts, *, kind: SpaceKind, seed: int, members: Sequence[Member]) -> Outcome:
    """Fit every member, choose one, score it once."""
    prepare = preparation(kind, parts.real_fit, parts.fake_fit)
    fit: list[Rows] = [prepare(parts.real_fit), prepare(parts.fake_fit)]
    # Fitted scorers read all four remaining parts in one pass; the scored part's columns are opened only once chosen.
    others = [prepare(part) for part in (parts.real_choice, parts.fake_choice, parts.real_score, parts.fake_score)]
    scores = []
    for member in members:
        scorer = member.fit(fit[0], fit[1], derived_seed(seed, f"referee member {member.name}"))
        scores.append([scorer(rows) for rows in others])
    by_part = [{member.name: each[place] for member, each in zip(members, scores, strict=True)} for place in range(4)]
    choice = choose(by_part[0], by_part[1])
    return Outcome(choice, choice.logits(by_part[2]), choice.logits(by_part[3]))


def samples_needed(confidence: float) -> int:
    """Samples per side below which the e-value cannot reach the level, or there is nothing to fit on.

    A pair of scored samples adds at most log 4 to the log e-value, so `log(1 / alpha) / log 4` pairs are the least.
    """
    pairs = math.ceil(-math.log(1 - confidence) / math.log(4)) + 1
    return max(MINIMUM_SAMPLES, math.ceil(pairs / (1 - FIT_SHARE - CHOICE_SHARE)))


def _cut(order: np.ndarray, scored_share: float) -> list[np.ndarray]:
    """Indices to fit on, to choose on and to score."""
    scored = round(len(order) * scored_share)
    fitted = round((len(order) - scored) * FIT_SHARE / (FIT_SHARE + CHOICE_SHARE))
    return [order[:fitted], order[fitted : len(order) - scored], order[len(order) - scored :]]


def _check_options(confidence: float, margin: float | None) -> None:
    if not 0.5 <= confidence < 1:
        raise ConfigError(
            "judge, confidence", f"it is {confidence}.", "Expected at least 0.5 and below 1.", "Try 0.95."
        )
    if margin is not None and not 0 < margin < math.log(2):
        raise ConfigError(
            "judge, margin", f"it is {margin}.", "Expected nats between 0 and log 2 = 0.693.",
            "A margin of 0.01 calls a generator good enough that misses 3 % of the data.",
        )  # fmt: skip


def _too_few(real, fake, kind, confidence, margin, seed, findings, needed, seconds) -> Verdict:
    from equipoise.referee.base import Finding

    nothing, unknown = np.zeros(0), Interval(math.nan, 0.0, 1.0)
    need = Finding(
        "inputs",
        f"There are {len(real):,} real and {len(fake):,} generated samples; at {confidence:.0%} confidence the method "
        f"needs at least {needed} on each side, and some hundreds to see anything but gross differences.",
        True,
    )
    return Verdict(
        kind=kind, conclusion=Conclusion.TOO_LITTLE_DATA, confidence=confidence, margin_nats=margin,
        jsd_lower_bound_nats=0.0, jsd_estimate_nats=math.nan, log_e_value=0.0, value=math.nan,
        value_standard_error=math.nan, accuracy=unknown, auc=unknown,
        counts=Counts(0, 0, 0, 0, len(real), len(fake)), member="none", member_values={}, resolution=None,
        findings=(need, *findings), seed=seed, seconds=seconds, scores=(nothing, nothing),
    )  # fmt: skip
