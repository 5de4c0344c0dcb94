"""What can be said of both sides before anything is trained: shared samples, gaps on one side, constant columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from equipoise.data.judging import Judging, Values
from equipoise.data.tables.classifier_inputs import as_numbers, is_number_column
from equipoise.referee.base import Finding
from equipoise.referee.splits import Duplicates

_STRIKING_CHANCE = 0.005
_STRIKING_OVERLAP = 0.05
"""Share of generated rows that repeat a real row, beyond how often real rows repeat each other, worth a finding."""


def first_findings(
    real: Values, fake: Values, domain: Judging, keys: tuple[np.ndarray, np.ndarray] | None = None
) -> tuple[Finding, ...]:
    """What strikes the eye without a classifier; `keys` are those of the rows of both sides, where they are known."""
    findings = _overlap(*(keys or (domain.row_keys(real), domain.row_keys(fake))))
    real_columns, fake_columns = domain.columns(real), domain.columns(fake)
    if real_columns is None or fake_columns is None:
        return tuple(findings)
    return (*findings, *_gaps(real_columns, fake_columns), *_constants(real_columns, fake_columns))


def duplicates_of(real_keys: np.ndarray, fake_keys: np.ndarray) -> Duplicates | None:
    """Which samples are equal, by their keys, where any value is on both sides; `None` where none is.

    A verdict takes the sides as independent. Where a sample is on both, that is broken, and its duplicate in the
    training part would show its side: a random half of a set would be "distinguished" from the whole.
    `splits.split_indices` therefore leaves duplicates of training samples out, once training samples share a value.
    Where no value is on both sides there is nothing to show, and a generator that repeats itself is told by its
    repeats.
    """
    _, numbers = np.unique(np.concatenate([real_keys, fake_keys]), return_inverse=True)
    sides = numbers[: len(real_keys)], numbers[len(real_keys) :]
    return sides if len(np.intersect1d(*sides)) else None


def _overlap(real_keys: np.ndarray, fake_keys: np.ndarray) -> list[Finding]:
    if len(real_keys) == len(fake_keys) and np.array_equal(np.sort(real_keys), np.sort(fake_keys)):
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
