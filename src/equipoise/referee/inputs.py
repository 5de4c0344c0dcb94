"""Looks at both sides before anything is fitted: can they be compared, and what already strikes the eye?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from equipoise.errors import DataError
from equipoise.referee.base import Finding, Values
from equipoise.referee.fit_and_score import Duplicates
from equipoise.referee.preprocessing import as_levels, as_numbers, is_number_column
from equipoise.spaces import SpaceKind

_WHERE = "judging real against generated"
_STRIKING_CHANCE = 0.005
_STRIKING_OVERLAP = 0.05
"""Share of generated rows that repeat a real row, beyond how often real rows repeat each other, worth a finding."""


def checked_sides(real: Values, fake: Values, kind: SpaceKind) -> tuple[Values, Values]:
    """Both sides in one form: the same columns in the same order, or the same shape.

    Raises:
        DataError: they cannot be compared; every differing column, type or size is listed.
    """
    if kind not in ("points", "images", "table"):
        raise DataError(_WHERE, f"the kind of data is '{kind}'.", "Expected points, images or table.")
    one_form = {"points": _points, "images": _images, "table": _table}[kind]
    real, fake = one_form(real, "real"), one_form(fake, "generated")
    for side, name in ((real, "real"), (fake, "generated")):
        if len(side) == 0:
            raise DataError(_WHERE, f"the {name} side is empty.", "Expected samples on both sides.")
    if kind == "table":
        return real, _same_columns(real, fake)
    if real.shape[1:] != fake.shape[1:]:
        words = "coordinates" if kind == "points" else "channels, height, width"
        raise DataError(
            _WHERE,
            f"real samples have shape {real.shape[1:]} and generated ones {fake.shape[1:]} ({words}).",
            "Expected the same shape on both sides.",
            "Bring both to one size" + (" and one number of channels." if kind == "images" else " and order."),
        )
    return real, fake


def first_findings(real: Values, fake: Values, kind: SpaceKind) -> tuple[Finding, ...]:
    """What can be said without a discriminator: shared rows, gaps on one side, columns that never change."""
    findings = [*_overlap(real, fake)]
    if kind == "images":
        return tuple(findings)
    real, fake = (side if kind == "table" else pd.DataFrame(side).add_prefix("x") for side in (real, fake))
    return (*findings, *_gaps(real, fake), *_constants(real, fake))


def row_keys(values: Values) -> np.ndarray:
    """One number per sample, equal for equal samples (64-bit hashes). Shape `(n,)`, uint64."""
    if isinstance(values, pd.DataFrame):
        frame = {
            str(place): (
                as_numbers(values.iloc[:, place])
                if is_number_column(values.iloc[:, place])
                else as_levels(values.iloc[:, place]).to_numpy()
            )
            for place in range(values.shape[1])
        }
        return pd.util.hash_pandas_object(pd.DataFrame(frame), index=False).to_numpy()
    flat = np.ascontiguousarray(values.reshape(len(values), -1))
    if flat.dtype == np.float64:
        flat = flat + 0.0  # -0.0 and 0.0 are one value with two bit patterns
    return pd.util.hash_array(np.array([row.tobytes() for row in flat], dtype=object))


def _points(values: Values, side: str) -> np.ndarray:
    array = values.to_numpy() if isinstance(values, pd.DataFrame) else np.asarray(values)
    if not (np.issubdtype(array.dtype, np.number) or array.dtype == bool):
        raise DataError(
            _WHERE,
            f"the {side} points are of type {array.dtype}.",
            "Expected real numbers.",
            "Judge rows with text or dates as a table.",
        )
    array = array.astype(np.float64)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise DataError(_WHERE, f"the {side} points have shape {array.shape}.", "Expected (samples, coordinates).")
    return array


def _images(values: Values, side: str) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 4 or array.dtype != np.uint8:
        raise DataError(
            _WHERE,
            f"the {side} images are an array of type {array.dtype} and shape {array.shape}.",
            "Expected bytes (uint8) of shape (samples, channels, height, width).",
            "Scale values to 0..255, convert them to uint8 and add the axis of channels.",
        )
    return array


def _table(values: Values, side: str) -> pd.DataFrame:
    if not isinstance(values, pd.DataFrame):
        raise DataError(_WHERE, f"the {side} table is a {type(values).__name__}.", "Expected a pandas DataFrame.")
    if not values.columns.is_unique:
        twice = sorted({str(name) for name in values.columns[values.columns.duplicated()]})
        raise DataError(
            _WHERE,
            f"the {side} table has several columns called {', '.join(twice)}.",
            "Expected different names.",
            "Rename them.",
        )
    return values.reset_index(drop=True)


def _same_columns(real: pd.DataFrame, fake: pd.DataFrame) -> pd.DataFrame:
    missing = [str(name) for name in real.columns if name not in set(fake.columns)]
    extra = [str(name) for name in fake.columns if name not in set(real.columns)]
    if missing or extra:
        parts = [f"only in the real table: {', '.join(missing)}"] if missing else []
        parts += [f"only in the generated table: {', '.join(extra)}"] if extra else []
        raise DataError(
            _WHERE,
            f"the columns differ; {'; '.join(parts)}.",
            "Expected the same columns on both sides.",
            "Drop or rename the columns listed here.",
        )
    fake = fake[list(real.columns)]
    clashes = [
        f"{name} ({real[name].dtype} and {fake[name].dtype})"
        for name in real.columns
        if real[name].notna().any()
        and fake[name].notna().any()
        and is_number_column(real[name]) != is_number_column(fake[name])
    ]
    if clashes:
        raise DataError(
            _WHERE,
            f"these columns hold amounts on one side and levels on the other: {', '.join(clashes)}.",
            "Expected the same kind of value on both sides (real type first, generated second).",
            "Read both files with the same types, for example by giving pandas a dtype for these columns.",
        )
    return fake


def duplicates(real: Values, fake: Values) -> Duplicates | None:
    """Which samples are equal, where any value is on both sides; `None` where none is.

    A verdict takes the sides as independent. Where a sample is on both, that is broken, and its twin among the fitted
    ones would give it away: a random half of a set would be "distinguished" from the whole. `playing.places` therefore
    scores no twin of a fitted sample. Where no value is on both sides there is nothing to give away, and a generator
    that repeats itself is told by its repeats.
    """
    _, numbers = np.unique(np.concatenate([row_keys(real), row_keys(fake)]), return_inverse=True)
    sides = numbers[: len(real)], numbers[len(real) :]
    return sides if len(np.intersect1d(*sides)) else None


def _overlap(real: Values, fake: Values) -> list[Finding]:
    real_keys, fake_keys = row_keys(real), row_keys(fake)
    if len(real) == len(fake) and np.array_equal(np.sort(real_keys), np.sort(fake_keys)):
        return [Finding("inputs", "Both sides hold exactly the same samples: this compares a set with itself.", True)]
    fake_share = float(np.isin(fake_keys, real_keys).mean())
    real_share = float(np.isin(real_keys, fake_keys).mean())
    own_share = float(pd.Series(real_keys).duplicated(keep=False).mean())
    numbers = {"fake_rows_also_real_share": fake_share, "real_rows_repeated_share": own_share}
    if fake_share == 1.0 and own_share < 1 - _STRIKING_OVERLAP:
        statement = "Every generated sample is also a real sample: one side is part of the other."
        return [Finding("inputs", statement, True, numbers)]
    if real_share == 1.0 and own_share < 1 - _STRIKING_OVERLAP:
        statement = "Every real sample is also a generated sample: one side is part of the other."
        return [Finding("inputs", statement, True, numbers)]
    if fake_share > own_share + _STRIKING_OVERLAP:
        return [
            Finding(
                "inputs",
                f"{fake_share:.1%} of the generated samples repeat a real sample exactly "
                f"({own_share:.1%} of the real ones repeat each other).",
                True,
                numbers,
            )
        ]
    return []


def _gaps(real: pd.DataFrame, fake: pd.DataFrame) -> list[Finding]:
    findings = []
    for name in real.columns:
        shares = [_gap_share(side[name]) for side in (real, fake)]
        if (shares[0] == 0) != (shares[1] == 0) and _is_striking(shares, (len(real), len(fake)), of=real.shape[1]):
            side, share = ("real", shares[0]) if shares[0] else ("generated", shares[1])
            findings.append(
                Finding(
                    "inputs",
                    f"Column {name} has missing or infinite values on the {side} side only ({share:.1%}).",
                    True,
                    {"real_missing_share": shares[0], "fake_missing_share": shares[1]},
                )
            )
    return findings


def _is_striking(shares: Sequence[float], counts: tuple[int, int], *, of: int) -> bool:
    """Whether a side that has none of something would hardly come about if both had the same share of it.

    Given how many there are on both sides together, the chance that one side gets none of them, if samples fall on the
    sides at random; it is striking below a tenth of 5 %, shared among the columns.
    """
    from scipy.stats import hypergeom

    held = round(shares[0] * counts[0] + shares[1] * counts[1])
    empty = counts[0] if shares[0] == 0 else counts[1]
    return bool(hypergeom.pmf(0, sum(counts), held, empty) < _STRIKING_CHANCE / of)


def _gap_share(column: pd.Series) -> float:
    if is_number_column(column):
        return float(np.mean(~np.isfinite(as_numbers(column))))
    return float(column.isna().mean())


def _never_by_chance(real: pd.Series, fake: pd.Series, *, of: int) -> bool:
    """Whether as many rows as the generated ones would hardly all have their one value if they were like real ones."""
    value = fake.iloc[0]
    other = float(real.notna().mean() if pd.isna(value) else (real != value).mean())
    return _is_striking((other, 0.0), (len(real), len(fake)), of=of)


def _constants(real: pd.DataFrame, fake: pd.DataFrame) -> list[Finding]:
    is_constant = {name: tuple(side[name].nunique(dropna=False) <= 1 for side in (real, fake)) for name in real.columns}
    both = [str(name) for name, flags in is_constant.items() if all(flags)]
    fake_only = [
        str(name)
        for name, (real_flag, fake_flag) in is_constant.items()
        if fake_flag and not real_flag and _never_by_chance(real[name], fake[name], of=real.shape[1])
    ]
    findings = []
    if both:
        findings.append(Finding("inputs", f"These columns never change on either side: {', '.join(both)}."))
    if fake_only and len(fake) > 1:
        findings.append(
            Finding(
                "inputs",
                f"These columns never change on the generated side, and do on the real side: {', '.join(fake_only)}.",
                True,
            )
        )
    return findings
