"""Is the measured sensitivity true? Defects of the claimed size are injected into fresh draws, and the referee's power
is counted. Resumable, trial by trial.

    python benchmarks/resolution.py --list
    python benchmarks/resolution.py --task points --trials 40
    python benchmarks/resolution.py --all --minutes 30 --adult adult_train.csv --mnist mnist10k.npz
    python benchmarks/resolution.py --summarise

For each kind of data: first the sensitivity is measured, once quickly (one trial per severity; the lines call it a
screen) and once in full (five), on a part of the pool that no later trial touches; that is the claim. Then, for each
injected kind of defect, fresh pairs of real parts are drawn, the defect is injected at the claimed size with a fresh
target (another column, another region), and the verdict is taken as usual. At the estimate the power should be near 95
%; at the upper end of the interval, which is what `equivalent` relies on, it should be at least that.

The same trials measure how much the score varies beyond its own sampling error (`spread`, in units of that error):
`sqrt(var(margin) - 1)`, with margins in standard errors. The draws of tables and images come from one pool, so their
trials share samples, and the intervals, which take them as independent, are somewhat too narrow.

Lines of `benchmarks/rows/resolution_trials.jsonl` are found by (task, defect, plan, end, trial); `--summarise` writes
`benchmarks/rows/resolution.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from referee import ROWS, Pools, environment, stored

from equipoise.data.domain import domain_of
from equipoise.data.judging import take
from equipoise.metrics.divergence import contamination_of_jsd, jsd_of_contamination
from equipoise.metrics.known import Mixture
from equipoise.randomness import derived_seed, numpy_stream
from equipoise.referee import judge
from equipoise.referee.classifiers import classifiers_for
from equipoise.referee.sensitivity import evidence_margin, sensitivity_of
from equipoise.referee.splits import split

REPEATS = {"screen": 1, "full": 5}
CHECKED = (("full", "estimate"), ("full", "high"), ("screen", "high"))


@dataclass(frozen=True)
class Task:
    """One kind of data: `draw(count, stream, is_claim)` gives real samples, those of the claim apart from the rest."""

    kind: str
    per_side: int
    draw: Callable[[int, np.random.Generator, bool], Any]
    planned: int


def all_tasks(pools: Pools) -> dict[str, Task]:
    def points(count: int, stream: np.random.Generator, is_claim: bool) -> np.ndarray:
        del is_claim
        return lopsided_ring().sample(count, stream)

    def table(count: int, stream: np.random.Generator, is_claim: bool) -> Any:
        pool = pools.table()
        return pool.iloc[_places(len(pool), count, stream, is_claim, claimed=4000)].reset_index(drop=True)

    def images(count: int, stream: np.random.Generator, is_claim: bool) -> np.ndarray:
        pool = pools.images()[0]
        return pool[_places(len(pool), count, stream, is_claim, claimed=1600)]

    return {
        "points": Task("points", 1000, points, 40),
        "table": Task("table", 1500, table, 40),
        "images": Task("images", 600, images, 20),
    }


def lopsided_ring() -> Mixture:
    """Eight modes on an ellipse, so that its coordinates depend on each other in more than one way."""
    angles = 2 * math.pi * np.arange(8) / 8
    means = np.stack([3 * np.cos(angles), np.cos(angles) + 1.5 * np.sin(angles)], axis=1)
    return Mixture("lopsided ring", means, 0.3, np.full(8, 1 / 8))


def _places(total: int, count: int, stream: np.random.Generator, is_claim: bool, *, claimed: int) -> np.ndarray:
    """Places in a pool whose first `claimed` rows, after one fixed shuffle, serve the claims and nothing else."""
    order = np.random.default_rng(0).permutation(total)
    part = order[:claimed] if is_claim else order[claimed:]
    return stream.choice(part, size=count, replace=False)


def claim(task: Task, name: str, plan: str) -> dict[str, Any]:
    """The sensitivity that is to be checked."""
    started = time.perf_counter()
    pool = task.draw(2 * task.per_side, numpy_stream(0, f"resolution claim {name}"), True)
    counts = split(np.zeros(task.per_side), np.zeros(task.per_side), seed=0).counts
    found = sensitivity_of(
        pool, counts, kind=task.kind, classifiers=classifiers_for(task.kind), confidence=0.95, repeats=REPEATS[plan]
    )
    return {"task": name, "plan": plan, "claim": found.to_json(), "seconds": round(time.perf_counter() - started, 1)}


def trial(task: Task, name: str, defect: str, nats: float, place: int) -> dict[str, Any]:
    """One fresh pair with the defect injected at the claimed size."""
    stream, target = (numpy_stream(0, f"resolution {word} {name} {defect}", place) for word in ("draw", "aim"))
    values = task.draw(2 * task.per_side, stream, False)
    real, clean = take(values, np.arange(task.per_side)), take(values, np.arange(task.per_side, 2 * task.per_side))
    share = contamination_of_jsd(nats)
    fake = domain_of(task.kind).corruptions(clean)[defect](clean, share, stream, target)
    seed = derived_seed(0, f"resolution verdict {name} {defect}", place)
    verdict = judge(real, fake, kind=task.kind, seed=seed, checks=(), sensitivity="theoretical")
    margin = evidence_margin(verdict.log_e_value, *verdict.scores, level=verdict.e_level)
    return {"alarm": verdict.exit_code == 10, "margin": round(margin, 3), "seconds": round(verdict.seconds, 2)}


def summaries(lines: list[dict[str, Any]], facts: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """For each claim that was checked: power with its exact 95 % interval, and the spread of the margin."""
    from scipy.stats import beta

    claims = {(line["task"], line["plan"]): line["claim"] for line in lines if "claim" in line}
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for line in lines:
        if "trial" in line:
            groups.setdefault((line["task"], line["defect"], line["plan"], line["end"]), []).append(line)
    for (name, defect, plan, end), trials in sorted(groups.items()):
        hits, count = sum(line["alarm"] for line in trials), len(trials)
        margins = np.array([line["margin"] for line in trials])
        low = float(beta.ppf(0.025, hits, count - hits + 1)) if hits else 0.0
        high = float(beta.ppf(0.975, hits + 1, count - hits)) if hits < count else 1.0
        known = claims[name, plan]
        yield {
            "claim": f"resolution.{name}.{defect}.{plan}.{end}",
            "task": name,
            "measure": "power at the claimed size",
            "repeats": count,
            "value": hits / count,
            "low": low,
            "high": high,
            "margin_percentile_5": float(np.percentile(margins, 5)),
            "margin_percentile_95": float(np.percentile(margins, 95)),
            "unit": "share of trials",
            "claimed_nats": trials[0]["nats"],
            "claimed_interval_nats": known["intervals_nats"][defect],
            "planted_share": contamination_of_jsd(trials[0]["nats"]),
            "per_side": known["per_side"],
            "margin_mean": float(margins.mean()),
            "spread": math.sqrt(max(0.0, float(margins.var(ddof=1)) - 1)) if count > 1 else None,
            "mark": ">= 0.95 is inside the interval",
            "is_met": high >= 0.95,
            **facts,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", action="append", default=[], help="points, table or images")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--summarise", action="store_true")
    parser.add_argument("--trials", type=int, help="trials per claim; the task's own number when left out")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long; the next call goes on")
    parser.add_argument("--adult", type=Path)
    parser.add_argument("--mnist", type=Path)
    arguments = parser.parse_args()
    pools, path = Pools(arguments.adult, arguments.mnist), ROWS / "resolution_trials.jsonl"
    tasks, ends = all_tasks(pools), time.monotonic() + 60 * arguments.minutes
    if arguments.list:
        for name, task in tasks.items():
            print(f"{name:8} {task.per_side} a side, {task.planned} trials for each of {', '.join(map(str, CHECKED))}")
        return
    ROWS.mkdir(exist_ok=True)

    def store(line: dict[str, Any]) -> None:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")

    for name in tasks if arguments.all else arguments.task:
        claims = {line["plan"]: line["claim"] for line in stored(path) if line["task"] == name and "claim" in line}
        for plan in REPEATS:
            if plan not in claims and time.monotonic() < ends:
                found = claim(tasks[name], name, plan)
                claims[plan] = found["claim"]
                store(found)
        done = {
            (line["defect"], line["plan"], line["end"], line["trial"])
            for line in stored(path)
            if line["task"] == name and "trial" in line
        }
        for place in range(arguments.trials or tasks[name].planned):
            for plan, end in CHECKED:
                for defect in claims.get(plan, {}).get("by_defect_nats", {}):
                    known = claims[plan]
                    nats = known["by_defect_nats"][defect] if end == "estimate" else known["intervals_nats"][defect][1]
                    is_done = (defect, plan, end, place) in done
                    # A size beyond the largest contamination that was tried is an extrapolation, and may not be
                    # injected.
                    if nats is None or nats > jsd_of_contamination(0.999) or is_done or time.monotonic() > ends:
                        continue
                    outcome = trial(tasks[name], name, defect, nats, place)
                    store(
                        {
                            "task": name,
                            "defect": defect,
                            "plan": plan,
                            "end": end,
                            "trial": place,
                            "nats": nats,
                            **outcome,
                        }
                    )
    facts = environment() | {"pools": pools.names(), "seed": 0}
    lines = list(summaries(list(stored(path)), facts))
    (ROWS / "resolution.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    for line in lines:
        print(
            f"{line['claim']:46} {line['value']:6.3f} [{line['low']:.3f}, {line['high']:.3f}], n = {line['repeats']}, "
            f"at {line['claimed_nats']:.4f} nats, spread {line['spread'] or 0:.2f}"
        )


if __name__ == "__main__":
    main()
