"""One trial of a row of the referee's marks: what is stored of it.

Log E and the companion's p-value are stored beside the conclusion, so that other shares of the level can be tried on
the stored trials.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from referee_classical import p_values
from referee_data import Case, bound_pairs
from referee_rows import Row, Settings

from equipoise.data.domain import domain_of
from equipoise.metrics.divergence import jsd_by_quadrature
from equipoise.metrics.known import grid25
from equipoise.referee import evaluate, judge, plan_evaluations
from equipoise.referee.classifiers import classifiers_for
from equipoise.referee.cross_fitting import FOLDS
from equipoise.referee.evaluation_plan import RESERVE
from equipoise.referee.splits import TEST_SHARE
from equipoise.referee.verdict import Verdict

STRONGEST_PAIRS = ({"education", "education-num"}, {"relationship", "marital-status"}, {"carat", "x"}, {"x", "y"})
"""Of Adult and of diamonds: what has to be named where every column is drawn by itself."""
TRUTHS = {"far_shift": 0.03, "mode": 0.014067}
"""JSD in nats; of 25 modes without one: (log 2 / 25 + 24/25 log(48/49) + log(50/49)) / 2."""


def version() -> int:
    """Of the referee: 2 was that of 0.2.0, which had no number of its own."""
    try:
        from equipoise.referee.levels import REFEREE_VERSION
    except ImportError:
        return 2
    return REFEREE_VERSION


def attempted(row: Row, settings: Settings, case: Case, trial: int, *, is_classical: bool) -> dict[str, Any]:
    """The outcome of one trial, or the error that it ended with: every attempt is stored, and an error counts against
    the mark."""
    started = time.process_time()
    try:
        outcome = _classical(row, settings, case, trial) if is_classical else _ours(row, settings, case, trial)
    except Exception as error:
        outcome = {"error": f"{type(error).__name__}: {error}"[:500]}
    return outcome | {"cpu_seconds": round(time.process_time() - started, 3)}


def _ours(row: Row, settings: Settings, case: Case, trial: int) -> dict[str, Any]:
    stream = np.random.default_rng(settings.seed(row.name, trial))
    seed = settings.seed(f"{row.name} verdict", trial)
    if row.measure == "any_of_50":
        return _evaluations(row, case, stream, seed)
    real, fake = case(stream, row.real, row.fake)
    common: dict[str, Any] = {"kind": row.kind, "seed": seed}
    if row.measure == "above":
        return _bound(row, real, fake, seed)
    if row.measure == "first_of_50":
        return _first_evaluation(row, real, fake, seed)
    if row.measure == "tightness":
        return of_verdict(judge(real, fake, checks=(), **common))
    if row.measure == "named":
        verdict = judge(real, fake, checks=("where",), **common)
        rows = [each for finding in verdict.findings for each in finding.rows if "first" in each]
        is_named = any({each["first"], each["second"]} in STRONGEST_PAIRS for each in rows)
        return of_verdict(verdict) | {"named_pair": is_named}
    if row.measure == "memorised":
        train, held_out = real
        verdict = judge(held_out, fake, checks=("memorisation",), real_train=train, **common)
        return of_verdict(verdict) | {"memorised": any(finding.is_problem for finding in verdict.findings)}
    # The checks have no part in the conclusion, and the distance is measured after it: one fold is the quickest.
    return of_verdict(judge(real, fake, checks=(), folds=1, **common))


def _classical(row: Row, settings: Settings, case: Case, trial: int) -> dict[str, Any]:
    stream = np.random.default_rng(settings.seed(row.name, trial))
    real, fake = case(stream, row.real, row.fake)
    return p_values(real, fake, np.random.default_rng(settings.seed(f"{row.name} classical", trial)))


def of_verdict(verdict: Verdict) -> dict[str, Any]:
    """What is kept of a verdict; `named` is the family of the statistic that the companion names first."""
    content = verdict.to_json()
    companion = content.get("companion") or {}
    return {
        "alarm": verdict.exit_code == 10,
        "conclusion": verdict.conclusion.value,
        "log_e": round(verdict.log_e_value, 4),
        "companion_p": companion.get("p_value"),
        "companion_margin": companion.get("margin"),
        "named": [each.get("family") for each in companion.get("differences", [])[:1]],
        "bound": round(verdict.jsd_lower_bound_nats, 6),
        "estimate": None if np.isnan(verdict.jsd_estimate_nats) else round(verdict.jsd_estimate_nats, 6),
        "classifier": verdict.classifier,
    }


def truth_nats(row: Row) -> float:
    """True JSD of a row of bounds or of tightness."""
    if row.case in TRUTHS:
        return TRUTHS[row.case]
    if row.case.startswith("grid25_generator"):
        stored = (Path(__file__).parent / "rows" / "true_jsd.jsonl").read_text(encoding="utf-8").splitlines()
        return next(line["value"] for line in map(json.loads, stored) if line["task"].startswith(f"{row.case}/"))
    real, fake = bound_pairs()[row.case.removeprefix("bound_")]
    return jsd_by_quadrature(real.log_density, fake.log_density, low=-12, high=14, cells=1300)


def _bound(row: Row, real: np.ndarray, fake: np.ndarray, seed: int) -> dict[str, Any]:
    """The bound as it is before the decision has its say: a verdict shows it only where the classifiers reject."""
    from equipoise.referee.decision import decide_in_turn, distance_of

    domain = domain_of(row.kind)
    real, fake = domain.checked_sides(real, fake)
    asked = {"kind": row.kind, "seed": seed, "classifiers": classifiers_for(row.kind)}
    asked["keys"] = domain.row_keys(real), domain.row_keys(fake)
    decision = decide_in_turn(real, fake, **asked)
    measured = distance_of(decision, real, fake, folds=FOLDS, **asked)
    return {
        "bound": round(measured.lower_bound_nats(0.95), 6),
        "estimate": round(measured.estimate.jsd_nats, 6),
        "folds": measured.folds,
        "classifier": decision.classifier,
    }


def _evaluations(row: Row, case: Case, stream: np.random.Generator, seed: int) -> dict[str, Any]:
    """50 evaluations of perfect generators with the same held-out real rows, by the function, classifiers and counts of
    a run; without the checks, which have no part in the conclusion."""
    plan = plan_evaluations(50, evaluations=50)  # no reserve: the whole level is spent on these evaluations
    real, _ = case(stream, row.real, 1)
    train = grid25().sample(2 * len(real), stream)
    alarms: list[bool] = []
    earlier: dict[int, float] = {}
    common = {"real": real, "real_train": train, "kind": row.kind, "seed": seed, "checks": ()}
    for step in plan.steps:
        fake = grid25().sample(round(len(real) / TEST_SHARE), stream)
        verdict = evaluate(plan, step, fake=fake, earlier=earlier, **common)
        alarms.append(verdict.exit_code == 10)
        earlier[step] = verdict.log_e_value
    return {"alarm": any(alarms), "evaluations": len(alarms), "largest": round(max(earlier.values()), 3)}


def _first_evaluation(row: Row, real: np.ndarray, fake: np.ndarray, seed: int) -> dict[str, Any]:
    """The first of 50 planned evaluations, whose level is the smallest, as a run would make it: quick classifiers, and
    the real ones to test on held out."""
    plan = plan_evaluations(50, evaluations=50, reserve=RESERVE)
    scored = round(TEST_SHARE * len(real))
    held_out, train = real[:scored], real[scored:]
    verdict = evaluate(plan, 1, real=held_out, fake=fake, real_train=train, kind=row.kind, seed=seed, checks=())
    return of_verdict(verdict) | {"needed": round(-math.log(plan.levels[0]), 3)}
