"""Measures the referee's resolution: it is sent to find defects planted into one of two disjoint real parts."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from equipoise.files import write_json
from equipoise.metrics.divergence import jsd_of_spoilt_share
from equipoise.randomness import derived_seed, numpy_stream
from equipoise.referee.base import Member, Values, take
from equipoise.referee.inputs import row_keys
from equipoise.referee.planting import CAN_BE_ABSENT, defects_for
from equipoise.referee.playing import SCORE_SHARE
from equipoise.referee.resolution import POWER, Resolution, floor_nats
from equipoise.spaces import SpaceKind

SHARES = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
"""Shares of rows that a defect is planted into; each is twice the last."""
_FIRST = 5
_ASSUMED_SPREAD = 1.0
"""With one trial per share: how much the score varies from fit to fit, in units of its own sampling error. Measured
on grids and tables it is between 0.5 and 1.2; the arbitrary value 1 errs on the side of a coarser resolution."""

Player = Callable[[Values, Values, int], tuple[np.ndarray, np.ndarray]]
"""Splits, fits, chooses and scores: from two sides and a seed to the logits of both scored parts."""


def measure_resolution(
    real: Values,
    *,
    kind: SpaceKind,
    play: Player,
    members: Sequence[Member],
    per_side: int,
    confidence: float,
    seed: int = 0,
    repeats: int = 1,
    cache: Path | None = None,
) -> Resolution:
    """The smallest JSD, per planted kind of defect, that the referee finds 95 % of the time.

    Args:
        real: all real samples there are; two disjoint parts are drawn anew for every trial.
        kind: of the data.
        play: how the referee scores two sides.
        members: its discriminators; part of the key of the cache.
        per_side: samples on each side of the verdict; at most half of `real` can be used, and then the resolution is
            that of so many samples, which is coarser than the verdict's own.
        confidence: of the verdict.
        seed: of the draws.
        repeats: trials per share; 1 is a quick screen.
        cache: a folder in which results are kept by the data's fingerprint, counts and settings.
    """
    count = min(per_side, len(real) // 2)
    kept = (
        None
        if cache is None
        else cache / f"resolution-{_key(real, kind, members, count, confidence, repeats, seed)}.json"
    )
    if kept is not None and kept.exists():
        return _from_json(json.loads(kept.read_text(encoding="utf-8")))
    found, intervals, trials = {}, {}, 0
    for name, defect in defects_for(kind).items():
        scores: dict[int, list[float]] = {}

        def margin_at(rung: int, name=name, defect=defect, scores=scores) -> float:
            """How far above the threshold the evidence lies, in its own standard errors; averaged over repeats."""
            if rung not in scores:
                scores[rung] = []
                for repeat in range(repeats):
                    stream = numpy_stream(seed, f"planting {name}", rung, repeat)
                    order = stream.permutation(len(real))
                    spoilt = defect(take(real, order[count : 2 * count]), SHARES[rung], stream)
                    place = derived_seed(seed, f"referee eyesight {name}", rung, repeat)
                    scores[rung].append(_margin(*play(take(real, order[:count]), spoilt, place), confidence=confidence))
            return float(np.mean(scores[rung]))

        rung = _FIRST
        step = -1 if margin_at(rung) > _needed(scores[rung]) else 1
        while 0 <= rung + step < len(SHARES) and (margin_at(rung) > _needed(scores[rung])) == (step < 0):
            rung += step
            margin_at(rung)
        trials += repeats * len(scores)
        found[name], intervals[name] = _crossing(scores, repeats)
    absent = tuple(name for name in found if name in CAN_BE_ABSENT and math.isinf(found[name]))
    found, intervals = (
        {name: each for name, each in kept_of.items() if name not in absent} for kept_of in (found, intervals)
    )
    scored = max(1, round(SCORE_SHARE * count))
    resolution = Resolution(
        method="planted",
        floor_nats=floor_nats(scored, scored, confidence=confidence),
        by_defect_nats=found,
        intervals_nats=intervals,
        absent=absent,
        trials=trials,
        per_side=count,
    )
    if kept is not None:
        write_json(kept, {**vars(resolution), "by_defect_nats": _finite(found), "intervals_nats": {
            name: [None if math.isinf(end) else end for end in ends] for name, ends in intervals.items()}})  # fmt: skip
    return resolution


def _margin(real_logits: np.ndarray, fake_logits: np.ndarray, *, confidence: float) -> float:
    """(log E - log(1 / alpha)) over the standard error of log E."""
    from equipoise.referee.checks.jsd_bound import log_e_value, value_estimate

    pairs = min(len(real_logits), len(fake_logits))
    error = max(value_estimate(real_logits, fake_logits).standard_error * pairs, 1e-3)
    return (log_e_value(real_logits, fake_logits) + math.log(1 - confidence)) / error


def _needed(scores: list[float]) -> float:
    """Margin at which the chance of detection is 95 %, when margins vary from fit to fit as much as here."""
    from scipy.special import ndtri

    spread = float(np.std(scores, ddof=1)) if len(scores) > 2 else math.hypot(1.0, _ASSUMED_SPREAD)
    return float(ndtri(POWER)) * max(1.0, spread)


def _crossing(scores: dict[int, list[float]], repeats: int) -> tuple[float, tuple[float, float]]:
    """JSD at which the margin crosses what is needed, by interpolation in log share, with a 90 % interval."""
    rungs = sorted(scores)
    excess = [float(np.mean(scores[rung])) - _needed(scores[rung]) for rung in rungs]
    error = 1.645 * math.hypot(1.0, _ASSUMED_SPREAD) / math.sqrt(repeats)
    estimate, low, high = (_first_zero(rungs, [value + shift for value in excess]) for shift in (0.0, error, -error))
    return estimate, (low, high)


def _first_zero(rungs: list[int], excess: list[float]) -> float:
    """The JSD from which on `excess` is positive, past the last share along the last slope; infinite if it never is."""
    last_bad = max((place for place, value in enumerate(excess) if value <= 0), default=-1)
    if last_bad == -1:
        return jsd_of_spoilt_share(SHARES[rungs[0]])
    if last_bad == len(rungs) - 1:
        if rungs[-1] == len(SHARES) - 1:
            return math.inf
        # The next rung was not tried; one rung up is the least that the ladder can promise.
        slope = excess[-1] - excess[-2] if len(excess) > 1 else 0.0
        ahead = -excess[-1] / slope if slope > 0 else math.inf
        return jsd_of_spoilt_share(min(0.999, SHARES[rungs[-1]] * 2**ahead)) if ahead < 12 else math.inf
    before, after = excess[last_bad], excess[last_bad + 1]
    share = -before / (after - before)
    logs = [math.log(SHARES[rungs[place]]) for place in (last_bad, last_bad + 1)]
    return jsd_of_spoilt_share(math.exp(logs[0] + share * (logs[1] - logs[0])))


def _key(real, kind, members, count, confidence, repeats, seed) -> str:
    digest = hashlib.blake2b(np.sort(row_keys(real)).tobytes(), digest_size=12)
    digest.update(repr((kind, sorted(member.name for member in members), count, confidence, repeats, seed)).encode())
    return digest.hexdigest()


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    return {name: None if math.isinf(value) else value for name, value in values.items()}


def _from_json(state: dict) -> Resolution:
    unseen = {name: math.inf if value is None else value for name, value in state["by_defect_nats"].items()}
    intervals = {
        name: tuple(math.inf if end is None else end for end in ends) for name, ends in state["intervals_nats"].items()
    }
    return Resolution(
        **{**state, "absent": tuple(state["absent"]), "by_defect_nats": unseen, "intervals_nats": intervals}
    )
