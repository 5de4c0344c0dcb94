"""What the stored trials of the referee's marks say: rates with exact intervals, losses to classical tests, costs.

A row is met or not once all its planned trials are there; until then `is_met` is `null`. Trials of another commit of
the settings, or of another version of the referee, make rows of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from referee_classical import NAMES
from referee_rows import Row, Settings

LEVEL = 0.05
LARGEST_LOSS = {2000: 0.05, 500: 0.12}
"""Limit of the one-sided 95 % limit of the loss to a classical test, by samples a side."""
Line = Mapping[str, Any]


def summarised(
    lines: Sequence[Line],
    classical: Sequence[Line],
    settings_of: Callable[[str, str], Settings],
    truth_of: Callable[[Row], float],
) -> list[dict[str, Any]]:
    """The stored rows: one for each row of each set, version and commit of the settings that has trials."""
    groups: dict[tuple[str, str, int], dict[str, list[Line]]] = {}
    for line in lines:
        key = (line["set"], line["configuration"], line["referee_version"])
        groups.setdefault(key, {}).setdefault(line["row"], []).append(line)
    found = []
    for (name, configuration, version), by_row in groups.items():
        settings = settings_of(name, configuration)
        if name == "cost":
            rows = [cost_row(row, by_row.get(row.name, [])) for row in settings.rows.values()]
        elif name == "bound":
            rows = [bound_row(settings.rows, by_row, truth_of)]
        elif name == "tightness":
            rows = [tightness_row(row, by_row.get(row.name, []), truth_of(row)) for row in settings.rows.values()]
        else:
            rows = [rate_row(row, by_row.get(row.name, [])) for row in settings.rows.values()]
        if name == "differences":
            theirs = [line for line in classical if line["configuration"] == configuration]
            rows += paired_rows(settings.rows, by_row, theirs)
        about = {"set": name, "configuration": configuration, "referee_version": version}
        of_all = [line for each in by_row.values() for line in each]
        facts = {key: sorted({line[key] for line in of_all if key in line}) for key in ("commit", "threads", "pools")}
        found += [about | row | facts for row in rows]
    return found


def counts(row: Row, line: Line) -> float:
    """1 where this trial counts as an alarm (or the bound lies above); an error counts against the mark."""
    if "error" in line:
        return float(row.wants_few)
    return float(line[{"named": "named_pair", "memorised": "memorised"}.get(row.measure, "alarm")])


def rate_row(row: Row, lines: Sequence[Line]) -> dict[str, Any]:
    """Share of trials with an alarm, with its exact 95 % interval; the mark is held against the share."""
    values = np.array([counts(row, line) for line in lines])
    seconds = [line["cpu_seconds"] for line in lines]
    return {
        "claim": row.name,
        "task": f"{row.case}, {row.real:,} real and {row.fake:,} generated",
        **share(values, row.planned, row.mark),
        "errors": sum("error" in line for line in lines),
        "cpu_seconds": None if not lines else round(float(np.mean(seconds)), 3),
    }


def share(values: np.ndarray, planned: int, mark: str | None) -> dict[str, Any]:
    """A share of trials, its interval (Clopper and Pearson), and the mark."""
    count, hits = len(values), int(values.sum())
    low, high = exact_interval(hits, count)
    value = hits / count if count else None
    return {
        "repeats": count,
        "planned": planned,
        "value": value,
        "low": low,
        "high": high,
        "percentile_5": float(np.percentile(values, 5)) if count else None,
        "percentile_95": float(np.percentile(values, 95)) if count else None,
        "unit": "share of trials",
        "mark": mark,
        "is_met": is_met(value, mark) if count >= planned else None,
    }


def is_met(value: float | None, mark: str | None) -> bool | None:
    """Whether a value keeps a mark such as ">= 0.9"; `None` where one of them is absent."""
    if value is None or mark is None:
        return None
    sign, limit = mark.split()
    return value <= float(limit) if sign == "<=" else value >= float(limit)


def exact_interval(hits: int, count: int) -> tuple[float, float]:
    """Two-sided 95 % interval of a probability, from a binomial count.

    Reference:
        Clopper and Pearson 1934, Biometrika 26(4).
    """
    from scipy.stats import beta

    low = float(beta.ppf(0.025, hits, count - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, count - hits)) if hits < count else 1.0
    return low, high


def paired_rows(
    rows: Mapping[str, Row], by_row: Mapping[str, Sequence[Line]], classical: Sequence[Line]
) -> list[dict[str, Any]]:
    """The loss to each classical test on the same samples: how much oftener it finds the difference than we do."""
    theirs: dict[str, dict[int, Line]] = {}
    for line in classical:
        theirs.setdefault(line["row"], {})[line["trial"]] = line
    found = []
    for row in rows.values():
        ours = {line["trial"]: counts(row, line) for line in by_row.get(row.name, [])}
        both = sorted(set(ours) & set(theirs.get(row.name, {})))
        for test in NAMES:
            # A classical test that failed counts as one that found the difference: against us.
            finds = np.array([theirs[row.name][trial].get(test, 0.0) <= LEVEL for trial in both], dtype=float)
            found.append(paired_row(row, test, finds, np.array([ours[trial] for trial in both])))
    return found


def paired_row(row: Row, test: str, theirs: np.ndarray, ours: np.ndarray) -> dict[str, Any]:
    """Share found by the test minus share found by us; the mark is held against its one-sided 95 % limit."""
    count, mark = len(ours), f"<= {LARGEST_LOSS[row.real]}"
    only_theirs, only_ours = int((theirs > ours).sum()), int((ours > theirs).sum())
    high = largest_loss(only_theirs, only_ours, count) if count else None
    return {
        "claim": f"{row.name}, loss to {test}",
        "task": f"{row.case}, {row.real:,} real and {row.fake:,} generated",
        "repeats": count,
        "planned": row.planned_classical,
        "value": (only_theirs - only_ours) / count if count else None,
        "low": None,
        "high": high,
        "percentile_5": float(np.percentile(theirs - ours, 5)) if count else None,
        "percentile_95": float(np.percentile(theirs - ours, 95)) if count else None,
        "found_by_the_test": float(theirs.mean()) if count else None,
        "found_by_us": float(ours.mean()) if count else None,
        "unit": "share of trials; high is the one-sided 95 % limit",
        "mark": mark,
        "is_met": is_met(high, mark) if count >= row.planned_classical else None,
    }


def largest_loss(only_theirs: int, only_ours: int, count: int) -> float:
    r"""One-sided 95 % upper limit of a difference of paired shares: the largest d that a score test does not reject.

    .. math::
        z(d) = \frac{b - c - n d}{\sqrt{n (2 q(d) + d (1 - d))}} = -1.645

    with b found by the other alone, c by us alone, and q(d) the likeliest share of c given d.

    Reference:
        Tango 1998, Statistics in Medicine 17(8), equations 6 and 9.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    def excess(difference: float) -> float:
        linear = -only_theirs - only_ours + (2 * count - only_theirs + only_ours) * difference
        constant = -only_ours * difference * (1 - difference)
        ours = (math.sqrt(max(linear**2 - 8 * count * constant, 0.0)) - linear) / (4 * count)
        variance = count * (2 * ours + difference * (1 - difference))
        distance = only_theirs - only_ours - count * difference
        return distance / math.sqrt(max(variance, 1e-12)) + float(norm.ppf(0.95))

    estimate = (only_theirs - only_ours) / count
    if estimate >= 1 or excess(1 - 1e-9) > 0:
        return 1.0
    return float(brentq(excess, estimate, 1 - 1e-9))


def bound_row(
    rows: Mapping[str, Row], by_row: Mapping[str, Sequence[Line]], truth_of: Callable[[Row], float]
) -> dict[str, Any]:
    """Share of bounds above the truth, over all pairs of densities."""
    values = [
        1.0 if "error" in line else float(line["bound"] > truth)
        for name, lines in by_row.items()
        for truth in [truth_of(rows[name])]
        for line in lines
    ]
    planned = sum(row.planned for row in rows.values())
    task = ", ".join(sorted(rows))
    return {"claim": "bound above the truth", "task": task, **share(np.array(values), planned, "<= 0.05")}


def tightness_row(row: Row, lines: Sequence[Line], truth: float) -> dict[str, Any]:
    """Mean of bound over truth, with the normal 95 % interval of a mean."""
    values = np.array([0.0 if "error" in line else line["bound"] / truth for line in lines])
    count = len(values)
    value = float(values.mean()) if count else None
    error = 1.96 * float(values.std(ddof=1)) / math.sqrt(count) if count > 1 else None
    return {
        "claim": row.name,
        "task": f"{row.case}, {row.real:,} real and {row.fake:,} generated",
        "repeats": count,
        "planned": row.planned,
        "value": value,
        "low": None if error is None else value - error,
        "high": None if error is None else value + error,
        "percentile_5": float(np.percentile(values, 5)) if count else None,
        "percentile_95": float(np.percentile(values, 95)) if count else None,
        "truth_nats": truth,
        "unit": "bound / true JSD",
        "mark": row.mark,
        "is_met": is_met(value, row.mark) if count >= row.planned else None,
    }


def cost_row(row: Row, lines: Sequence[Line]) -> dict[str, Any]:
    """Mean CPU-seconds over those of the version beside it, and the range of the ratio over pairs in turn."""
    this, other = ([line["cpu_seconds"] for line in lines if line["is_other"] is is_it] for is_it in (False, True))
    pairs = min(len(this), len(other))
    ratios = np.array(this[:pairs]) / np.array(other[:pairs]) if pairs else np.zeros(0)
    value = float(np.mean(this[:pairs]) / np.mean(other[:pairs])) if pairs else None
    return {
        "claim": row.name,
        "task": f"{row.case}, {row.real:,} real and {row.fake:,} generated",
        "repeats": pairs,
        "planned": row.planned,
        "value": value,
        "low": float(ratios.min()) if pairs else None,
        "high": float(ratios.max()) if pairs else None,
        "percentile_5": float(np.percentile(ratios, 5)) if pairs else None,
        "percentile_95": float(np.percentile(ratios, 95)) if pairs else None,
        "cpu_seconds": round(float(np.mean(this)), 3) if this else None,
        "cpu_seconds_of_other": round(float(np.mean(other)), 3) if other else None,
        "unit": "CPU-seconds over those of version 0.2.0; low and high are the extremes",
        "mark": row.mark,
        "is_met": is_met(value, row.mark) if pairs >= row.planned else None,
    }


def in_words(rows: Iterable[Mapping[str, Any]]) -> str:
    """A line for each row."""
    states = {None: "open", True: "met", False: "NOT met"}

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    return "\n".join(
        f"{row['claim']:38} {row['repeats']:5}/{row['planned']:<5} {number(row['value']):>7} "
        f"[{number(row['low'])}, {number(row['high'])}] mark {row['mark'] or 'none':9} "
        f"{states[row['is_met']] if row['mark'] else ''} (version {row['referee_version']}, {row['configuration'][:7]})"
        for row in rows
    )
